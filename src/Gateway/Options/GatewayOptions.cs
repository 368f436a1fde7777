using PmrGateway.LedgerAdapter;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Options;

/// <summary>Everything that can be configured, by pmr.json, environment (PMR_Section__Key) or flag (--Section:Key value).</summary>
public sealed class GatewayOptions
{
    /// <summary>URL to listen on. Default http://127.0.0.1:8080; port 0 takes a free one.</summary>
    public string Url { get; set; } = "http://127.0.0.1:8080";

    /// <summary>URL under which clients reach the gateway, without a slash at its end. Empty (default): the one listened on.</summary>
    public string PublicUrl { get; set; } = "";

    /// <summary>Folder of all that the gateway keeps: keyring, database, blocks, development chain. Default data.</summary>
    public string DataFolder { get; set; } = "data";

    /// <summary>File of the master key. Empty (default): keyring.json in the data folder. Gateways that share a database share it.</summary>
    public string KeyringFile { get; set; } = "";

    /// <summary>Section Ledger.</summary>
    public LedgerOptions Ledger { get; set; } = new();

    /// <summary>Section Store.</summary>
    public StoreOptions Store { get; set; } = new();

    /// <summary>Section Ipfs.</summary>
    public IpfsOptions Ipfs { get; set; } = new();

    /// <summary>Section Limits.</summary>
    public LimitOptions Limits { get; set; } = new();

    /// <summary>Section Fhir.</summary>
    public FhirOptions Fhir { get; set; } = new();

    /// <summary>Section Auth.</summary>
    public AuthOptions Auth { get; set; } = new();

    /// <summary>What is wrong, naming key, value and what is allowed; null: nothing.</summary>
    public string? Validate()
    {
        if (!Uri.TryCreate(Url, UriKind.Absolute, out var url) || url.Scheme != "http" || url.AbsolutePath != "/")
            return $"Url is '{Url}': an http URL without a path, e.g. http://127.0.0.1:8080 (TLS ends in front of the gateway)";
        if (PublicUrl.Length > 0 && (!Uri.TryCreate(PublicUrl, UriKind.Absolute, out var publicUrl) || publicUrl.Scheme is not ("http" or "https") || PublicUrl.EndsWith('/')))
            return $"PublicUrl is '{PublicUrl}': an http or https URL without a slash at its end, or nothing";
        if (DataFolder.Length == 0) return "DataFolder is empty: the path of a folder";
        if (Ipfs.Store is not ("embedded" or "kubo")) return $"Ipfs:Store is '{Ipfs.Store}': embedded or kubo";
        if (Ipfs.Store == "kubo" && !Uri.TryCreate(Ipfs.KuboUrl, UriKind.Absolute, out _)) return $"Ipfs:KuboUrl is '{Ipfs.KuboUrl}': the URL of a Kubo RPC API, e.g. http://127.0.0.1:5001";
        if (Limits.MaxBodyBytes is < 1024 or > 1 << 30) return $"Limits:MaxBodyBytes is {Limits.MaxBodyBytes}: 1024 to 1073741824";
        if (Limits.MaxDepth is < 8 or > 1000) return $"Limits:MaxDepth is {Limits.MaxDepth}: 8 to 1000";
        if (Limits.MaxValues is < 1000 or > 50_000_000) return $"Limits:MaxValues is {Limits.MaxValues}: 1000 to 50000000";
        if (Fhir.Packages.Find(p => !File.Exists(p) && !Directory.Exists(p)) is { } missing) return $"Fhir:Packages names '{missing}': a .tgz file, a folder or a definition on this machine";
        if (Auth.Entra is { } entra)
        {
            if (!IsHttp(entra.Instance)) return $"Auth:Entra:Instance is '{entra.Instance}': the URL of Entra, e.g. https://login.microsoftonline.com/";
            if (entra.TenantId.Length == 0) return "Auth:Entra:TenantId is empty: the id of one tenant";
            if (entra.ClientId.Length == 0) return "Auth:Entra:ClientId is empty: the gateway's application id in the tenant";
        }
        foreach (var issuer in Auth.Issuers)
        {
            if (!IsHttp(issuer.Authority)) return $"Auth:Issuers:Authority is '{issuer.Authority}': the URL of an OpenID Connect issuer";
            if (issuer.Audience.Length == 0) return $"Auth:Issuers:Audience of {issuer.Authority} is empty: the audience that its tokens for this gateway name";
        }
        return Store.Validate() ?? Ledger.Validate();
    }

    private static bool IsHttp(string text) => Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is ("http" or "https");
}

/// <summary>Section <c>Ipfs</c>.</summary>
public sealed class IpfsOptions
{
    internal const string Embedded = "embedded";
    internal const string Kubo = "kubo";

    /// <summary>embedded (default): pack files in the data folder; kubo: an IPFS node.</summary>
    public string Store { get; set; } = Embedded;

    /// <summary>URL of the node's RPC API. Default http://127.0.0.1:5001; used when Store is kubo.</summary>
    public string KuboUrl { get; set; } = "http://127.0.0.1:5001";
}

/// <summary>Section <c>Limits</c>.</summary>
public sealed class LimitOptions
{
    /// <summary>Largest request body, bytes. Default 33554432 (32 MiB).</summary>
    public long MaxBodyBytes { get; set; } = 32L << 20;

    /// <summary>Elements inside elements of a resource, at most. Default 64.</summary>
    public int MaxDepth { get; set; } = 64;

    /// <summary>JSON values of a resource, at most. Default 2000000.</summary>
    public int MaxValues { get; set; } = 2_000_000;
}

/// <summary>Section <c>Fhir</c>.</summary>
public sealed class FhirOptions
{
    /// <summary>FHIR packages (.tgz files, folders, single definitions) whose profiles are enforced where a resource claims them.</summary>
    public List<string> Packages { get; set; } = [];
}

/// <summary>Section <c>Auth</c>: who, besides the gateway itself, may issue tokens for it.</summary>
public sealed class AuthOptions
{
    /// <summary>Lifetime of the gateway's own access tokens. Default 5 min, as SMART Backend Services recommends.</summary>
    public TimeSpan TokenLifetime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Section Auth:Entra, in the keys of Microsoft.Identity.Web (Instance, TenantId, ClientId); absent: none.</summary>
    public EntraOptions? Entra { get; set; }

    /// <summary>Other OpenID Connect issuers.</summary>
    public List<IssuerOptions> Issuers { get; set; } = [];
}

/// <summary>Section <c>Auth:Entra</c>.</summary>
public sealed class EntraOptions
{
    /// <summary>E.g. https://login.microsoftonline.com/.</summary>
    public string Instance { get; set; } = "";

    /// <summary>The tenant.</summary>
    public string TenantId { get; set; } = "";

    /// <summary>The gateway's application id.</summary>
    public string ClientId { get; set; } = "";
}

/// <summary>One of <c>Auth:Issuers</c>.</summary>
public sealed class IssuerOptions
{
    /// <summary>Issuer URL; its discovery document is read from there.</summary>
    public string Authority { get; set; } = "";

    /// <summary>Audience that tokens must name.</summary>
    public string Audience { get; set; } = "";
}
