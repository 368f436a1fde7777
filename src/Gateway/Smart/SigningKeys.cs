using Microsoft.IdentityModel.Tokens;

namespace PmrGateway.Gateway.Smart;

/// <summary>Which of somebody's keys a signature is held against.</summary>
internal static class SigningKeys
{
    /// <summary>
    /// The keys of the name that a token's header gives; for a token that names none, those without a name. No others are tried: a token
    /// by a key that was taken back would otherwise be good under the name of any other.
    /// </summary>
    public static IEnumerable<SecurityKey> Named(IEnumerable<SecurityKey> keys, string? kid) =>
        [.. keys.Where(key => (key.KeyId ?? "") == (kid ?? ""))];

    /// <summary>Chooses among the keys that an issuer publishes.</summary>
    public static void ByName(this TokenValidationParameters parameters)
    {
        parameters.TryAllIssuerSigningKeys = false;
        parameters.IssuerSigningKeyResolverUsingConfiguration = (_, _, kid, ofToken, configuration) =>
            Named([.. configuration?.SigningKeys ?? [], .. ofToken.IssuerSigningKeys ?? []], kid);
    }
}
