using PmrGateway.Gateway.Options;

namespace PmrGateway.Gateway.Smart;

/// <summary>The discovery document of SMART App Launch 2.2 (conformance.html).</summary>
internal static class SmartConfiguration
{
    public static IResult Get(BaseUrl baseUrl) => Results.Json(new
    {
        issuer = baseUrl.Issuer,
        jwks_uri = baseUrl.Public + SmartPaths.Keys,
        authorization_endpoint = baseUrl.Public + SmartPaths.Authorize,
        token_endpoint = baseUrl.Public + SmartPaths.Token,
        revocation_endpoint = baseUrl.Public + SmartPaths.Revoke,
        grant_types_supported = new[] { "authorization_code", "client_credentials" },
        response_types_supported = new[] { "code" },
        token_endpoint_auth_methods_supported = new[] { "private_key_jwt" },
        token_endpoint_auth_signing_alg_values_supported = ClientAssertions.Algorithms,
        code_challenge_methods_supported = new[] { "S256" },
        scopes_supported = new[] { "patient/*.rs", "patient/Consent.cruds", "user/*.cruds", "system/*.cruds" },
        capabilities = new[]
        {
            "client-confidential-asymmetric", "client-public", "context-standalone-patient",
            "permission-patient", "permission-user", "permission-v1", "permission-v2",
        },
    });
}
