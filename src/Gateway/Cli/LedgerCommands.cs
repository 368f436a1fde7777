using System.CommandLine;
using System.Diagnostics;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Logging.Console;
using PmrGateway.Gateway.Hosting;
using PmrGateway.Gateway.Ledger;
using PmrGateway.Gateway.Options;
using PmrGateway.LedgerAdapter;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Cli;

/// <summary>
/// <c>pmr ledger</c>: what a gateway has of its chain, told to the operator; held against the chain; and read anew from it. For the last
/// alone the gateway is stopped.
/// </summary>
internal static class LedgerCommands
{
    private sealed record Asked(
        GatewayOptions Options, RecordDatabase Database, Keyring Keyring, string? Rpc, bool IsJson, CancellationToken Cancellation)
    {
        public EthereumAccount Account { get; } = new Custody(Keyring).Sender;

        public Task<string?> FollowedAsync() => BesideGateway.FollowedAsync(Options, Database);

        public async Task<IChain> ChainAsync() => BesideGateway.ChainOf(Options, Keyring, await FollowedAsync(), Rpc);
    }

    private static readonly Option<bool> Json = new("--json") { Description = "One JSON document in place of text" };

    private static readonly Option<string[]> Rpc = new("--rpc")
    {
        Description = "JSON-RPC URL of a node that is asked in the place of the gateway's own",
        // Whether it is there once is asked with an exit code of its own.
        Arity = ArgumentArity.ZeroOrMore,
    };

    public static Command Create()
    {
        var command = new Command("ledger", "Tell, check and rebuild what a gateway has of its chain")
        {
            Of("status", "Tell what of the chain the gateway has, and what the node says", StatusAsync, Rpc),
            Of("verify", "Hold every row that decides access against the contracts' state", VerifyAsync, Rpc),
            Of("rebuild", "Forget the view and read the chain anew; the gateway must be stopped", RebuildAsync),
        };
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction(parsed => CommandError.Say("pmr ledger status, verify or rebuild", 2));
        return command;
    }

    private static Command Of(string name, string description, Func<Asked, Task<int>> answer, params Option[] options)
    {
        var command = new Command(name, description) { Json };
        foreach (var option in options) command.Options.Add(option);
        var given = CommandSettings.AddTo(command, "which database and chain, and its keyring");
        command.SetAction(async (parsed, cancellation) =>
        {
            var nodes = options.Contains(Rpc) && parsed.GetResult(Rpc) is not null ? parsed.GetValue(Rpc) ?? [] : null;
            if (nodes is not null && !(nodes is [var url] && Allowed.IsHttp(url)))
                return CommandError.Say($"pmr ledger {name} takes one --rpc: the http or https URL of a node", 2);
            try
            {
                return await BesideGateway.RunAsync(
                    given(parsed),
                    (o, database, keyring) => answer(new Asked(o, database, keyring, nodes?[0], parsed.GetValue(Json), cancellation)),
                    cancellation);
            }
            catch (Exception e) when (e is RpcUnavailableException or RpcException or LedgerStartException)
            {
                return CommandError.Say(e.Message, 2);
            }
            catch (LeaseLostException)
            {
                return CommandError.Say("another gateway on the database follows the chain: stop all of them first", 2);
            }
        });
        return command;
    }

    /// <summary>0: nothing is wrong; 1: something is; 2: it could not be asked.</summary>
    private static async Task<int> StatusAsync(Asked asked)
    {
        var report = await LedgerReport.MakeAsync(
            asked.Options.Ledger, asked.Database, asked.Account, await asked.FollowedAsync(), await asked.ChainAsync(), TimeProvider.System,
            asked.Cancellation);
        var code = report.Wrong.Count == 0 ? 0 : 1;
        if (asked.IsJson) return CommandOutput.Print(report, code);
        foreach (var line in CommandOutput.Aligned(Rows(report).Select(r => new[] { r.Name, r.Text }))) Console.WriteLine(line);
        foreach (var wrong in report.Wrong) Console.WriteLine("wrong: " + wrong);
        if (code == 0) Console.WriteLine("ok: nothing is wrong");
        return code;
    }

    private static IEnumerable<(string Name, string Text)> Rows(LedgerReport report)
    {
        const string Unknown = "not known";
        var (chain, view, sender) = (report.Chain, report.View, report.Sender);
        yield return ("chain", $"{chain.Id}, which begins with {chain.Genesis ?? Unknown}");
        yield return ("followed", chain.Followed is null ? "any chain of this id" : $"the chain that begins with {chain.Followed}");
        foreach (var c in report.Contracts)
        {
            var isThere = c.IsThere switch { true => "there", false => "not there", _ => Unknown };
            yield return ("contract", $"{c.Name} at {c.Address}, {isThere}");
        }
        yield return ("view", view.Block < 0
            ? $"{view.State}, head {view.Head?.ToString(null, null) ?? Unknown}"
            : $"{view.State}, block {view.Block} of head {view.Head?.ToString(null, null) ?? Unknown}, made {view.Time} "
                + $"({view.Age} s ago), {view.Hash}");
        yield return ("outbox", string.Join(", ", report.Outbox.Entries.Select(e => $"{e.Key} {e.Value}")));
        if (report.Outbox.Oldest is { } oldest) yield return ("oldest", $"'{oldest}' waits for the chain");
        foreach (var failed in report.Outbox.Failed) yield return ("failed", $"'{failed.Key}': {failed.Reason}");
        yield return ("sender", sender.Nonce is null
            ? $"{sender.Address}, {Unknown} to the chain"
            : $"{sender.Address}, nonce {sender.Nonce}, {sender.Balance} wei, "
                + (sender.PaysFees == true ? "which it needs for the fees" : "the chain takes no fees"));
        foreach (var b in report.Batches) yield return ("batches", $"{b.Custodian}: {b.Anchored} anchored, {b.Waiting} waiting");
    }

    /// <summary>0: all is as on the chain; 1: something is not; 2: it could not be asked.</summary>
    private static async Task<int> VerifyAsync(Asked asked)
    {
        try
        {
            await BesideGateway.WarnIfStaleAsync(asked.Options, asked.Database, asked.Cancellation);
            var chain = await asked.ChainAsync();
            foreach (var name in (string[])[ContractSet.Actors, ContractSet.Consents])
                if (!await chain.IsDeployedAsync(name, asked.Cancellation))
                    return Failed(asked, $"the chain has no {name} where that of this gateway is");
            var rows = new ViewRows(asked.Database);
            var check = new ViewCheck(rows, chain, TimeProvider.System);
            var (all, progress) = (await rows.CountAsync(asked.Cancellation), new Progress());
            check.Told = () => progress.Tell($"{check.Actors + check.Clients + check.Patients} of {all} actors, clients and patients");
            return await (asked.IsJson ? WriteJsonAsync(check, asked.Cancellation) : WriteTextAsync(check, asked.Cancellation));
        }
        catch (WrongChainException e)
        {
            return Failed(asked, e.Message);
        }
    }

    private static int Failed(Asked asked, string what)
    {
        if (asked.IsJson) return CommandOutput.Print(new { Failed = what }, 1);
        Console.WriteLine("FAILED: " + what);
        return 1;
    }

    private static async Task<int> WriteTextAsync(ViewCheck check, CancellationToken cancellation)
    {
        var wrong = 0L;
        await foreach (var c in check.RunAsync(cancellation))
        {
            wrong++;
            Console.WriteLine($"{c.Table} {c.Key} {c.Text}");
        }
        if (check.AtHead is { } why) CommandError.Say(why + ": it was asked at its head");
        Console.WriteLine($"{check.Patients} patients and {check.Clients} clients were looked at too");
        Console.WriteLine($"{check.Stricter} rows are stricter here than on the chain");
        var (first, last) = check.Blocks;
        var block = first == last ? $"block {last}" : $"blocks {first} to {last}";
        var rows = check.Consents + check.Actors + check.Patients + check.Clients;
        Console.WriteLine(wrong == 0
            ? $"ok: {check.Consents} consents and {check.Actors} actors are as on the chain at {block}"
            : $"FAILED: {wrong} of {rows} rows are not as on the chain at {block}");
        return wrong == 0 ? 0 : 1;
    }

    // Line by line onto the output: there may be more of them than memory.
    private static async Task<int> WriteJsonAsync(ViewCheck check, CancellationToken cancellation)
    {
        var wrong = 0L;
        await using var output = Console.OpenStandardOutput();
        await using var json = new Utf8JsonWriter(
            output, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteStartArray("contradictions");
        await foreach (var c in check.RunAsync(cancellation))
        {
            wrong++;
            json.WriteStartObject();
            json.WriteString("table", c.Table);
            json.WriteString("key", c.Key);
            json.WriteString("text", c.Text);
            json.WriteEndObject();
            if (json.BytesPending > 32 * 1024) await json.FlushAsync(cancellation);
        }
        json.WriteEndArray();
        foreach (var (name, number) in (ReadOnlySpan<(string, long)>)
        [
            ("consents", check.Consents), ("actors", check.Actors), ("patients", check.Patients), ("clients", check.Clients),
            ("stricter", check.Stricter), ("firstBlock", check.Blocks.First), ("lastBlock", check.Blocks.Last),
        ])
            json.WriteNumber(name, number);
        if (check.AtHead is { } why) json.WriteString("atHead", why);
        json.WriteEndObject();
        await json.FlushAsync(cancellation);
        output.WriteByte((byte)'\n');
        return wrong == 0 ? 0 : 1;
    }

    /// <summary>0: done; 2: the gateway runs, or the chain could not be read.</summary>
    private static async Task<int> RebuildAsync(Asked asked)
    {
        using var log = LoggerFactory.Create(
            l => l.AddSimpleConsole().SetMinimumLevel(LogLevel.Warning).Services.Configure<ConsoleLoggerOptions>(
                o => o.LogToStandardErrorThreshold = LogLevel.Trace));
        try
        {
            // Where gateways share a database each has a folder of its own: the lease of the view tells whether one of them runs.
            using var folder = DataFolderLock.Take(asked.Options.DataFolder, log.CreateLogger("data"));
            return await RebuildAsync(asked, log);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return CommandError.Say(e.Message, 2);
        }
    }

    private static async Task<int> RebuildAsync(Asked asked, ILoggerFactory log)
    {
        await using var anvil = asked.Options.Ledger.RpcUrl.Length > 0
            ? null
            : await AnvilNode.StartAsync(
                asked.Options.Ledger, BesideGateway.ChainFolder(asked.Options), log.CreateLogger("chain"), asked.Cancellation);
        var (figures, progress) = (new LedgerFigures(asked.Database), new Progress());
        var before = await figures.ViewAsync(asked.Cancellation);
        var view = new ConsentView(
            await asked.ChainAsync(), new LedgerJournal(asked.Database), asked.Options.Ledger, TimeProvider.System,
            log.CreateLogger<ConsentView>());
        await view.RebuildAsync((block, head) => progress.Tell($"block {block} of {head}"), asked.Cancellation);
        var after = await figures.ViewAsync(asked.Cancellation);
        if (asked.IsJson) return CommandOutput.Print(new { view.Block, Before = before, After = after });
        foreach (var line in CommandOutput.Aligned(
            Pairs(before).Zip(Pairs(after), (b, a) => new[] { b.Name, $"{b.Count} -> {a.Count}" }))) Console.WriteLine(line);
        Console.WriteLine($"ok: the view was read anew, up to block {view.Block}");
        return 0;
    }

    private static IEnumerable<(string Name, long Count)> Pairs(ViewFigures f) =>
    [
        ("grants that stand", f.Grants), ("revoked consents", f.Revoked), ("active actors", f.Actors), ("patients", f.Patients),
        ("clients", f.Clients),
    ];

    // On standard error, where it takes long.
    private sealed class Progress
    {
        private static readonly TimeSpan Every = TimeSpan.FromSeconds(3);
        private long _told = Stopwatch.GetTimestamp();

        public void Tell(string text)
        {
            if (Stopwatch.GetElapsedTime(_told) < Every) return;
            _told = Stopwatch.GetTimestamp();
            CommandError.Say(text);
        }
    }
}
