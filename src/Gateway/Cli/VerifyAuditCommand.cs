using System.CommandLine;
using PmrGateway.Gateway.Hosting;
using PmrGateway.Gateway.Ledger;
using PmrGateway.Gateway.Options;
using PmrGateway.LedgerAdapter;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Cli;

/// <summary>
/// <c>pmr verify audit</c>: follows the audit log from its first entry to its last, and holds it against the heads of it that were anchored
/// with the batches; with a node, those against the chain. The gateway may be running meanwhile.
/// </summary>
internal static class VerifyAuditCommand
{
    public static Command Create()
    {
        var rpc = new Option<string?>("--rpc")
        {
            Description = "JSON-RPC URL of a node: the batches must be those on the chain. Without it, that of Ledger:RpcUrl, if any",
        };
        var command = new Command("audit", "Check that no entry of the audit log was changed, moved or taken out") { rpc };
        var given = CommandSettings.AddTo(command, "which database is looked at");
        command.SetAction((parsed, cancellation) => RunAsync(given(parsed), parsed.GetValue(rpc), cancellation));
        return command;
    }

    /// <summary>0: the log is whole; 1: it is not; 2: it could not be checked.</summary>
    internal static async Task<int> RunAsync(string[] settings, string? rpc, CancellationToken cancellation)
    {
        if (Settings.Read(settings, out var problem) is not { } options) return CommandError.Say(problem!, 2);
        var file = Path.Combine(options.DataFolder, "gateway.db");
        if (options.Store.Provider == "sqlite" && !File.Exists(file)) return CommandError.Say($"there is no database {file}", 2);
        try
        {
            await using var database = RecordDatabase.OpenCurrent(options.Store, file);
            if (await new AuditLog(database).FirstBrokenAsync(cancellation) is { } broken)
                return Failed($"entry {broken} of the audit log does not follow from the one before");
            Console.WriteLine("ok: each entry of the audit log follows from the one before");
            var batches = new List<BatchOfHeads>();
            await foreach (var batch in new AnchoredHeads(database).CheckAsync(cancellation))
            {
                if (batch.Problem is { } wrong) return Failed($"batch {batch.Sequence} of {batch.Custodian}: {wrong}");
                batches.Add(batch);
            }
            Console.WriteLine(batches.FindLast(b => b.Seq is not null) is { Seq: { } seq }
                ? $"ok: {batches.Count(b => b.Seq is not null)} batches anchor this log, the last one entry {seq} and all before it"
                : "no batch anchors this log: it could have been written anew");
            var url = rpc ?? (options.Ledger.RpcUrl.Length > 0 ? options.Ledger.RpcUrl : null);
            return url is null ? 0 : await OnChainAsync(batches, options, url, cancellation);
        }
        catch (WrongChainException e)
        {
            return Failed(e.Message);
        }
        catch (Exception e) when (e is StoreStartException or StoreUnavailableException or KeyringException or UriFormatException
            or RpcUnavailableException or RpcException)
        {
            return CommandError.Say(e.Message, 2);
        }
    }

    // Where the contracts are follows from the gateway's account, and that from the keyring.
    private static async Task<int> OnChainAsync(
        List<BatchOfHeads> batches, GatewayOptions options, string url, CancellationToken cancellation)
    {
        var contracts = new ContractSet(new Custody(Keyring.Open(DeploymentKeyring.PathOf(options))).Sender.Address);
        var chain = LedgerServices.ChainOf(url, options.Ledger.ChainId, contracts);
        var anchored = 0L;
        foreach (var custodian in batches.Where(b => b.ActorId is not null).GroupBy(b => (b.Custodian, b.ActorId)))
        {
            var actor = Convert.FromHexString(custodian.Key.ActorId!);
            var (next, kept) = (await chain.NextSequenceAsync(actor, cancellation), custodian.ToDictionary(b => b.Sequence));
            for (var sequence = 0L; sequence < next; sequence++)
            {
                var root = await chain.RootAsync(actor, sequence, cancellation);
                if (!kept.TryGetValue(sequence, out var batch) || root is null || !root.AsSpan().SequenceEqual(batch.Root))
                    return Failed($"batch {sequence} of {custodian.Key.Custodian} is another one on the chain, or not in the database");
            }
            anchored += next;
        }
        Console.WriteLine($"ok: {anchored} of {batches.Count} batches are on chain {options.Ledger.ChainId} as they are here");
        return 0;
    }

    private static int Failed(string what)
    {
        Console.WriteLine("FAILED: " + what);
        return 1;
    }
}
