using PmrGateway.Gateway.Hosting;
using PmrGateway.Gateway.Ledger;
using PmrGateway.Gateway.Options;
using PmrGateway.LedgerAdapter;
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

    /// <summary>Says, where it is so, that what follows rests on a view that no read is answered from.</summary>
    public static async Task WarnIfStaleAsync(GatewayOptions options, RecordDatabase database, CancellationToken cancellation)
    {
        if ((await new LedgerJournal(database).CheckpointAsync(cancellation)).Observed > options.Ledger.MaxStaleness)
            CommandError.Say("the chain was not looked at for longer than Ledger:MaxStaleness: until it is, every read is refused");
    }

    /// <summary>Where the development chain of a gateway lies.</summary>
    public static string ChainFolder(GatewayOptions options) => Path.Combine(options.DataFolder, "chain");

    /// <summary>The chain that a gateway follows.</summary>
    /// <param name="options">Its settings.</param>
    /// <param name="keyring">Its keyring: where the contracts are follows from its account.</param>
    /// <param name="followed">As <see cref="FollowedAsync"/> has it.</param>
    /// <param name="rpc">JSON-RPC URL of a node that is asked in the place of its own; null: its own.</param>
    /// <exception cref="RpcUnavailableException">There is no node to ask.</exception>
    public static IChain ChainOf(GatewayOptions options, Keyring keyring, string? followed, string? rpc)
    {
        var contracts = new ContractSet(new Custody(keyring).Sender.Address);
        Func<string, Task<string>>? genesis = followed is null ? null : _ => Task.FromResult(followed);
        if (rpc is null && options.Ledger.RpcUrl.Length > 0) return LedgerServices.ChainOf(options.Ledger, contracts, genesis);
        var url = rpc ?? AnvilNode.UrlOf(ChainFolder(options))
            ?? throw new RpcUnavailableException("there is no node to ask: set Ledger:RpcUrl, or --rpc where the command takes it");
        return LedgerServices.ChainOf(url, options.Ledger.ChainId, contracts, genesis);
    }

    /// <summary>
    /// The first block of the chain that a gateway follows; null: it has followed none yet, or its own development chain, whichever that
    /// is.
    /// </summary>
    public static async Task<string?> FollowedAsync(GatewayOptions options, RecordDatabase database) =>
        options.Ledger.Genesis.Length > 0 ? LedgerOptions.Hash(options.Ledger.Genesis)
        : options.Ledger.RpcUrl.Length > 0 ? await new LedgerJournal(database).FollowedChainAsync()
        : null;
}
