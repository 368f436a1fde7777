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

    /// <summary>
    /// Addresses or networks (CIDR) of the proxies before the gateway, whose word on the client's address (X-Forwarded-For) is taken. Empty
    /// (default): nobody's.
    /// </summary>
    public List<string> TrustedProxies { get; set; } = [];

    /// <summary>Folder of all that the gateway keeps: keyring, database, blocks, development chain. Default data.</summary>
    public string DataFolder { get; set; } = "data";

    /// <summary>
    /// File of the master key. Empty (default): keyring.json in the data folder. Gateways that share a database share it.
    /// </summary>
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

    /// <summary>Section Consent.</summary>
    public ConsentOptions Consent { get; set; } = new();

    /// <summary>Section Retention.</summary>
    public RetentionOptions Retention { get; set; } = new();

    /// <summary>Section Auth.</summary>
    public AuthOptions Auth { get; set; } = new();

    /// <summary>What is wrong, naming key, value and what is allowed; null: nothing.</summary>
    public string? Validate()
    {
        if (!Uri.TryCreate(Url, UriKind.Absolute, out var url) || url.Scheme != "http" || url.AbsolutePath != "/")
            return $"Url is '{Url}': an http URL without a path, e.g. http://127.0.0.1:8080 (TLS ends in front of the gateway)";
        if (PublicUrl.Length > 0 && (!Allowed.IsHttp(PublicUrl) || PublicUrl.EndsWith('/')))
            return $"PublicUrl is '{PublicUrl}': an http or https URL without a slash at its end, or nothing";
        if (TrustedProxies.Find(p => Allowed.NetworkOf(p) is null) is { } proxy)
            return $"TrustedProxies names '{proxy}': an address or a network of proxies, e.g. 10.0.0.7 or 10.0.0.0/24";
        if (DataFolder.Length == 0) return "DataFolder is empty: the path of a folder";
        return Store.Validate() ?? Ipfs.Validate() ?? Limits.Validate() ?? Fhir.Validate() ?? Consent.Validate() ?? Retention.Validate()
            ?? Auth.Validate() ?? Ledger.Validate()
            // One that is not a time of this chain would close no batch, or each at once.
            ?? Allowed.Between("Ledger:AnchorMaxAge", Ledger.AnchorMaxAge, TimeSpan.Zero, TimeSpan.FromHours(1))
            ?? Allowed.Between("Ledger:AuditAnchorMaxAge", Ledger.AuditAnchorMaxAge, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1))
            ?? Allowed.Between("Ledger:MaxStaleness", Ledger.MaxStaleness, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1))
            ?? Shared();
    }

    // Records of one gateway whose blocks or anchors another one does not find would be lost to it, request by request.
    private string? Shared()
    {
        const string Say = "or set Store:SingleGateway to true where no other gateway uses the database";
        if (Store.Provider != "postgres" || Store.SingleGateway) return null;
        if (Ipfs.Store == IpfsOptions.Embedded)
            return $"Ipfs:Store is '{IpfsOptions.Embedded}' and Store:Provider is 'postgres': gateways on one database share their blocks "
                + $"(Ipfs:Store {IpfsOptions.Kubo}), {Say}";
        return Ledger.RpcUrl.Length == 0
            ? $"Ledger:RpcUrl is empty and Store:Provider is 'postgres': gateways on one database share a chain, {Say}"
            : null;
    }
}
