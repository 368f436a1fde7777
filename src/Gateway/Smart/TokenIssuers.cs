namespace PmrGateway.Gateway.Smart;

/// <summary>Which authentication scheme validates the tokens of which issuer.</summary>
/// <param name="Own">The gateway's own issuer, without a slash at its end.</param>
/// <param name="Schemes">Schemes by issuer, without a slash at its end.</param>
internal sealed record TokenIssuers(string Own, IReadOnlyDictionary<string, string> Schemes)
{
    /// <summary>Authentication scheme of Microsoft Entra ID.</summary>
    public const string Entra = "entra";

    /// <summary>The scheme for an issuer, or null for one that is not configured.</summary>
    public string? SchemeOf(string? issuer) => issuer is null ? null : Schemes.GetValueOrDefault(issuer.TrimEnd('/'));
}
