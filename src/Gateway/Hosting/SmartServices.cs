using Microsoft.AspNetCore.DataProtection;
using PmrGateway.Gateway.Options;
using PmrGateway.Gateway.Smart;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Hosting;

/// <summary>Who asks: the gateway's own issuer of tokens, the issuers of others, from a token to a caller.</summary>
internal static class SmartServices
{
    public static IServiceCollection AddSmart(
        this IServiceCollection services, GatewayOptions options, Keyring keyring, BaseUrl baseUrl)
    {
        // Nothing here lives in protected cookies; the keys for them must not land in somebody's home folder.
        services.AddDataProtection().UseEphemeralDataProtectionProvider();
        services.AddAuthorizationServer(options, keyring, baseUrl);
        return services;
    }

    public static void MapSmart(this IEndpointRouteBuilder routes)
    {
        routes.MapAuthorizationServer();
        routes.MapGet(SmartPaths.SmartConfiguration, SmartConfiguration.Get);
        routes.MapGet("/fhir" + SmartPaths.SmartConfiguration, SmartConfiguration.Get);
    }
}
