using Microsoft.AspNetCore.Authentication;
using Microsoft.Identity.Web;
using Microsoft.IdentityModel.Tokens;
using PmrGateway.Gateway.Options;

namespace PmrGateway.Gateway.Smart;

/// <summary>Issuers of tokens other than the gateway: OpenID Connect by JwtBearer, Entra ID by Microsoft.Identity.Web.</summary>
internal static class ForeignIssuers
{
    // Signatures alone, by the algorithms that OpenID issuers and SMART use; what is not here (HMACs, SHA-1, none) is nobody's token.
    private static readonly string[] Algorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384,
    ];

    /// <summary>Adds a scheme for each issuer of Auth:Issuers.</summary>
    /// <returns>The schemes by issuer.</returns>
    public static Dictionary<string, string> AddIssuers(this AuthenticationBuilder authentication, AuthOptions options)
    {
        var schemes = new Dictionary<string, string>();
        for (var i = 0; i < options.Issuers.Count; i++)
        {
            var (issuer, scheme) = (options.Issuers[i], $"issuer{i}");
            schemes[issuer.Authority.TrimEnd('/')] = scheme;
            authentication.AddJwtBearer(scheme, bearer =>
            {
                bearer.Authority = issuer.Authority;
                bearer.Audience = issuer.Audience;
                bearer.MapInboundClaims = false;
                bearer.RequireHttpsMetadata = IsHttps(issuer.Authority);
                bearer.TokenValidationParameters.ClockSkew = CallerResolver.Skew;
                bearer.TokenValidationParameters.ValidAlgorithms = Algorithms;
                bearer.TokenValidationParameters.ByName();
            });
        }
        if (options.Entra is { } entra) schemes[authentication.AddEntra(entra)] = TokenIssuers.Entra;
        return schemes;
    }

    private static string AddEntra(this AuthenticationBuilder authentication, EntraOptions entra)
    {
        var issuer = $"{entra.Instance.TrimEnd('/')}/{entra.TenantId}/v2.0";
        authentication.AddMicrosoftIdentityWebApi(
            bearer =>
            {
                bearer.MapInboundClaims = false;
                bearer.RequireHttpsMetadata = IsHttps(entra.Instance);
                bearer.TokenValidationParameters.ValidAlgorithms = Algorithms;
                bearer.TokenValidationParameters.ByName();
                // One tenant, one issuer: the library's own check would also take its aliases, to which no actor is ever bound.
                bearer.TokenValidationParameters.IssuerValidator = (found, _, _) => found == issuer
                    ? found
                    : throw new SecurityTokenInvalidIssuerException($"the issuer is not {issuer}") { InvalidIssuer = found };
            },
            id => (id.Instance, id.TenantId, id.ClientId) = (entra.Instance, entra.TenantId, entra.ClientId),
            TokenIssuers.Entra);
        return issuer;
    }

    private static bool IsHttps(string url) => new Uri(url).Scheme == "https";
}
