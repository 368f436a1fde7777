using PmrGateway.Gateway.Hosting;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Cli;

/// <summary>What the operator asks of the database and the keyring of a gateway, which may be running meanwhile.</summary>
internal static class BesideGateway
{
    /// <summary>Opens both and answers.</summary>
    /// <param name="settings">Settings as <c>pmr serve</c> takes them.</param>
    /// <param name="answer">What is answered, with its exit code.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <returns>The exit code of the answer; 2: wrong settings, or it could not be asked.</returns>
    public static async Task<int> RunAsync(
        string[] settings, Func<GatewayOptions, RecordDatabase, Keyring, Task<int>> answer, CancellationToken cancellation)
    {
        if (Settings.Read(settings, out var problem) is not { } options) return CommandError.Say(problem!, 2);
        var file = Path.Combine(options.DataFolder, "gateway.db");
        if (options.Store.Provider == "sqlite" && !File.Exists(file)) return CommandError.Say($"there is no database {file}", 2);
        try
        {
            await using var database = RecordDatabase.OpenCurrent(options.Store, file);
            var keyring = await DeploymentKeyring.OpenExistingAsync(DeploymentKeyring.PathOf(options), database, cancellation);
            await database.SealAsync(new RowSeal(keyring.Derive("row seals")), keyring.Derive("search index"),
                keyring.RowsAreSealed, cancellation);
            return await answer(options, database, keyring);
        }
        catch (Exception e) when (e is StoreStartException or StoreUnavailableException or KeyringException)
        {
            return CommandError.Say(e.Message, 2);
        }
    }
}
