namespace PmrGateway.Gateway.Options;

/// <summary>The URLs under which the gateway is reached.</summary>
/// <param name="Public">Its root, without a slash at its end.</param>
public sealed record BaseUrl(string Public)
{
    /// <summary>
    /// The gateway as an issuer of tokens: in their <c>iss</c> and in both discovery documents the same text, letter by letter (RFC 8414,
    /// 3.3). A URL without a path ends in a slash.
    /// </summary>
    public string Issuer => new Uri(Public).AbsoluteUri;

    /// <summary>The FHIR base.</summary>
    public string Fhir => Public + "/fhir";
}
