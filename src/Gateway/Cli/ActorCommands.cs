using System.CommandLine;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Cli;

/// <summary>
/// <c>pmr actor</c>: the organizations and practitioners of the directory, told to the operator from the database. The gateway may be
/// running meanwhile.
/// </summary>
internal static class ActorCommands
{
    private static readonly Option<bool> Json = new("--json") { Description = "One JSON document in place of text" };

    public static Command Create()
    {
        var list = new Command("list", "List the organizations and practitioners, and whether each may act") { Json };
        var given = CommandSettings.AddTo(list, "which database is looked at, and its keyring");
        list.SetAction((parsed, cancellation) => BesideGateway.RunAsync(
            given(parsed),
            (options, database, _) => ListAsync(options, database, parsed.GetValue(Json), cancellation), cancellation));
        var command = new Command("actor", "Tell who is registered to act") { list };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction(parsed => CommandError.Say("pmr actor list", 2));
        return command;
    }

    /// <summary>0: listed; 1: there is none; 2: wrong settings, or it could not be asked.</summary>
    private static async Task<int> ListAsync(
        GatewayOptions options, RecordDatabase database, bool isJson, CancellationToken cancellation)
    {
        await BesideGateway.WarnIfStaleAsync(options, database, cancellation);
        var now = TimeProvider.System.GetUtcNow();
        var block = (await new LedgerJournal(database).CheckpointAsync(cancellation)).Block;
        var actors = await new DirectoryStore(database).ActorsAsync(cancellation);
        // The operator has a row and is no actor of the chain.
        var rows = actors.Where(a => a.Kind != ActorKind.None).Select(a => new
        {
            a.Reference,
            Kind = a.Kind.ToString().ToLowerInvariant(),
            Organization = a.Hospital,
            Here = a.IsSuspended ? "suspended" : a.Ends <= now ? "ended" : "active",
            // One that waits for its registration is not active there either.
            Chain = a.IsActiveOnChain ? "active" : "not active",
            Acts = a.ActsAt(now),
            a.ActorId,
        }).ToList();
        if (isJson) return CommandOutput.Print(new { Block = block, Actors = rows }, rows.Count > 0 ? 0 : 1);
        if (rows.Count == 0) return CommandError.Say("nobody is registered");
        var lines = rows.Select(r => new[]
        {
            r.Reference, r.Kind, r.Organization ?? "-", r.Here + " here", r.Chain + " on the chain", "0x" + r.ActorId,
        });
        foreach (var line in CommandOutput.Aligned(lines)) Console.WriteLine(line);
        return 0;
    }
}
