namespace PmrGateway.Gateway.Options;

/// <summary>The URLs under which the gateway is reached.</summary>
/// <param name="Public">Its root, without a slash at its end.</param>
public sealed record BaseUrl(string Public)
{
    /// <summary>The FHIR base.</summary>
    public string Fhir => Public + "/fhir";
}
