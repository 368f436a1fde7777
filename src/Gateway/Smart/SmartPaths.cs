namespace PmrGateway.Gateway.Smart;

/// <summary>Where the authorization server is, below the gateway's public URL.</summary>
internal static class SmartPaths
{
    public const string Authorize = "/connect/authorize";
    public const string Token = "/connect/token";
    public const string Revoke = "/connect/revoke";
    public const string Keys = "/.well-known/jwks";
    public const string OpenIdConfiguration = "/.well-known/openid-configuration";
    public const string SmartConfiguration = "/.well-known/smart-configuration";
}
