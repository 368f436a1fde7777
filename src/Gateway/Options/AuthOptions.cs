namespace PmrGateway.Gateway.Options;

/// <summary>Section <c>Auth</c>: who, besides the gateway itself, may issue tokens for it.</summary>
public sealed class AuthOptions
{
    /// <summary>Lifetime of the gateway's own access tokens. Default 5 min, as SMART Backend Services recommends; 1 s to 1 day.</summary>
    public TimeSpan TokenLifetime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Refused logins of an account or client from a network, after which none is looked at. Default 10; 1 to 1000.</summary>
    public int RefusedLogins { get; set; } = 10;

    /// <summary>Refused access tokens of a client from a network, after which none is looked at. Default 1000; 1 to 1000000.</summary>
    public int RefusedTokens { get; set; } = 1000;

    /// <summary>The time in which refusals are counted, and none is looked at after too many. Default 5 min; 1 s to 1 day.</summary>
    public TimeSpan RefusalWindow { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Section Auth:Entra, in the keys of Microsoft.Identity.Web (Instance, TenantId, ClientId); absent: none.</summary>
    public EntraOptions? Entra { get; set; }

    /// <summary>Other OpenID Connect issuers.</summary>
    public List<IssuerOptions> Issuers { get; set; } = [];

    internal string? Validate() =>
        Allowed.Between("Auth:TokenLifetime", TokenLifetime, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1))
        ?? Allowed.Between("Auth:RefusedLogins", RefusedLogins, 1, 1000)
        ?? Allowed.Between("Auth:RefusedTokens", RefusedTokens, 1, 1_000_000)
        ?? Allowed.Between("Auth:RefusalWindow", RefusalWindow, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1))
        ?? Entra?.Validate()
        ?? Issuers.Select(i => i.Validate()).FirstOrDefault(p => p is not null);
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

    internal string? Validate()
    {
        if (!Allowed.IsHttp(Instance))
            return $"Auth:Entra:Instance is '{Instance}': the URL of Entra, e.g. https://login.microsoftonline.com/";
        if (TenantId.Length == 0) return "Auth:Entra:TenantId is empty: the id of one tenant";
        return ClientId.Length == 0 ? "Auth:Entra:ClientId is empty: the gateway's application id in the tenant" : null;
    }
}

/// <summary>One of <c>Auth:Issuers</c>.</summary>
public sealed class IssuerOptions
{
    /// <summary>Issuer URL; its discovery document is read from there.</summary>
    public string Authority { get; set; } = "";

    /// <summary>Audience that tokens must name.</summary>
    public string Audience { get; set; } = "";

    internal string? Validate()
    {
        if (!Allowed.IsHttp(Authority)) return $"Auth:Issuers:Authority is '{Authority}': the URL of an OpenID Connect issuer";
        return Audience.Length == 0
            ? $"Auth:Issuers:Audience of {Authority} is empty: the audience that its tokens for this gateway name"
            : null;
    }
}
