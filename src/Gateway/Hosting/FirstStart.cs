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
    /// <returns>How many clients and users were sealed, of a database from before there were seals.</returns>
    public static async Task<long> PrepareAsync(IServiceProvider services, GatewayOptions options)
    {
        var key = Path.Combine(options.DataFolder, "operator.jwk");
        if (File.Exists(key)) PrivateFile.Require(key, "the operator's key");
        // What the operator writes is anchored under an id of its own.
        var operatorId = Convert.ToHexStringLower(Keccak256.Hash("pmr/1 operator"));
        var actor = new DirectoryChange.AddActor(WriteFlow.OperatorCustodian, operatorId, ActorKind.None, null);
        await services.GetRequiredService<RecordDatabase>().CommitAsync(new CommitPlan { Directory = [actor] }, default);
        await using var scope = services.CreateAsyncScope();
        var auth = scope.ServiceProvider.GetRequiredService<AuthDatabase>();
        await auth.CreateTablesAsync(default);
        var newlySealed = await services.GetRequiredService<AuthSeals>().PutAllOnceAsync(auth, default);
        // Of gateways that share a database the first one registers the operator: the key lies in its data folder, and in no other.
        if (await auth.HasClientAsync(CallerResolver.OperatorClient, default)) return newlySealed;
        var jwks = JsonSerializer.SerializeToElement(JwkFile.PublicSet(OperatorKey(key)));
        var registration = new ClientRegistration(CallerResolver.OperatorClient, jwks, null, ["system/*.cruds"], [], null);
        var applications = scope.ServiceProvider.GetRequiredService<IOpenIddictApplicationManager>();
        await applications.CreateAsync(RegisterClient.Describe(registration));
        return newlySealed;
    }

    // The operator's private key, beside the keyring: who may read it is the operator.
    private static JsonWebKey OperatorKey(string path) => File.Exists(path) ? new JsonWebKey(File.ReadAllText(path)) : JwkFile.Create(path);
}
