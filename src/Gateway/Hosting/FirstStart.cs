using System.Text.Json;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using PmrGateway.Gateway.Admin;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Gateway.Smart;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Hosting;

/// <summary>What a gateway must have before it serves, made on its first start: the operator, in the directory and as a client.</summary>
internal static class FirstStart
{
    public static async Task PrepareAsync(IServiceProvider services, GatewayOptions options)
    {
        var key = Path.Combine(options.DataFolder, "operator.jwk");
        if (File.Exists(key)) PrivateFile.Require(key, "the operator's key");
        // What the operator writes is anchored under an id of its own.
        var operatorId = Convert.ToHexStringLower(Keccak256.Hash("pmr/1 operator"));
        var actor = new DirectoryChange.AddActor(WriteFlow.OperatorCustodian, operatorId, ActorKind.None, null);
        await services.GetRequiredService<RecordDatabase>().CommitAsync(new CommitPlan { Directory = [actor] }, default);
        await using var scope = services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<AuthDatabase>().CreateTablesAsync(default);
        var applications = scope.ServiceProvider.GetRequiredService<IOpenIddictApplicationManager>();
        // Of gateways that share a database the first one registers the operator: the key lies in its data folder, and in no other.
        if (await applications.FindByClientIdAsync(CallerResolver.OperatorClient) is not null) return;
        var jwks = JsonSerializer.SerializeToElement(JwkFile.PublicSet(OperatorKey(key)));
        var registration = new ClientRegistration(CallerResolver.OperatorClient, jwks, null, ["system/*.cruds"], [], null);
        await applications.CreateAsync(RegisterClient.Describe(registration));
    }

    // The operator's private key, beside the keyring: who may read it is the operator.
    private static JsonWebKey OperatorKey(string path) => File.Exists(path) ? new JsonWebKey(File.ReadAllText(path)) : JwkFile.Create(path);
}
