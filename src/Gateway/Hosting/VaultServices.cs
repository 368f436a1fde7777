using PmrGateway.Vault;

namespace PmrGateway.Gateway.Hosting;

/// <summary>Keys and the envelope.</summary>
internal static class VaultServices
{
    public static IServiceCollection AddVault(this IServiceCollection services, Keyring keyring) =>
        services.AddSingleton(keyring).AddSingleton<RecordVault>();
}
