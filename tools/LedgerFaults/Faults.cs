using System.Globalization;
using System.Text.Json.Nodes;
using PmrGateway.Tests.Client.Nodes;

namespace PmrGateway.Tools.LedgerFaults;

/// <summary>Something that goes wrong with a chain.</summary>
/// <param name="Name">What.</param>
/// <param name="PlayAsync">Has it go wrong, and right again.</param>
internal sealed record Fault(string Name, Func<FaultStage, Task> PlayAsync)
{
    /// <summary>Nodes that it can be played on; null: all.</summary>
    public Func<TestNode, bool>? Applies { get; init; }
}

/// <summary>All that go wrong, in the order in which they are played on one gateway; the last one cannot be put right.</summary>
internal static class Faults
{
    private static readonly string Ones = "0x" + new string('f', 512);
    private static readonly string Zeros = "0x" + new string('0', 512);

    public static IReadOnlyList<Fault> All { get; } =
    [
        new("nothing", _ => Task.CompletedTask),
        new("each answer takes 0.4 s", s => WhileAsync(s, p => p.Delay = TimeSpan.FromSeconds(0.4), speaks: false)),
        new("receipts are left out", s => WhileAsync(s, p => p.Lie = (call, said) => Receipts(call, said, _ => new JsonArray()))),
        new("logs are left out of receipts", s => WhileAsync(s, p => p.Lie = (call, said) => Receipts(call, said, Silenced))),
        new("logs and bloom filters are left out", s => WhileAsync(s, p => p.Lie = (call, said) =>
            Blocks(call, Receipts(call, said, Silenced), b => b["logsBloom"] = Zeros))),
        new("each block may tell something", s => WhileAsync(s, p => p.Lie = (call, said) =>
            Blocks(call, said, b => b["logsBloom"] = Ones))),
        new("receipts are refused", s => WhileAsync(s, p => p.Lie = (call, said) => Is(call, "eth_getBlockReceipts") ? No(said) : said,
            speaks: false)),
        new("logs are refused", s => WhileAsync(s, p => p.Lie = (call, said) => Is(call, "eth_getLogs") ? No(said) : said, speaks: false)),
        new("the head stands still", StandsStillAsync),
        new("answers are HTML", s => WhileAsync(s, p => p.Noise = r => WriteAsync(r, "<html>"))),
        new("answers are empty", s => WhileAsync(s, p => p.Noise = _ => Task.CompletedTask)),
        new("answers are 429", s => WhileAsync(s, p => p.Noise = r =>
        {
            r.StatusCode = 429;
            return Task.CompletedTask;
        })),
        new("answers have no end", s => WhileAsync(s, p => p.Noise = WriteForEverAsync)),
        new("connections are cut", s => WhileAsync(s, p => p.Noise = r =>
        {
            r.HttpContext.Abort();
            return Task.CompletedTask;
        })),
        new("the chain has another id", s => WhileAsync(s, p => p.Lie = (call, said) => Is(call, "eth_chainId") ? With(said, "0x1") : said,
            speaks: false)),
        new("the contracts say nothing", s => WhileAsync(s, p => p.Lie = (call, said) => Is(call, "eth_call") ? With(said, "0x") : said,
            speaks: false)),
        new("the node is away", async s =>
        {
            await WhileAsync(s, p => p.Noise = r =>
            {
                r.HttpContext.Abort();
                return Task.CompletedTask;
            });
        }),
        new("the node is killed and started again", NodeKilledAsync) { Applies = n => n.IsDurable },
        new("the gateway is killed, again and again", GatewayKilledAsync),
        new("another sender has the key", ForeignAsync),
        new("blocks are reorganised, 1 to 20 deep", ReorganizedAsync) { Applies = n => n.Reorganizes },
        new("the database is restored from a backup", RestoredAsync),
        new("the chain is another one with the same id", WipedAsync),
    ];

    // What is revoked here and there while it lasts is not read, what is granted counts when it is over.
    private static async Task WhileAsync(FaultStage stage, Action<LyingNode> begin, bool speaks = true)
    {
        var (here, consent) = await stage.GrantedAsync();
        var (there, _) = await stage.GrantedAsync();
        begin(stage.Proxy);
        // Something is said on the chain.
        await stage.NewPatientAsync();
        if (speaks) await stage.ComplainsAsync("while it lasts");
        else await Task.Delay(TimeSpan.FromSeconds(2));
        var revoked = await stage.Ehr.DeleteAsync($"Consent/{consent}");
        stage.Check(revoked.Status == 204, $"a revocation is answered {revoked.Status}: {revoked.Text}");
        stage.Check((await stage.ReadAsync(here)).Status != 200, "a patient is read by the next request after the revocation");
        var granted = await stage.NewPatientAsync();
        await stage.ConsentAsync(granted);
        await stage.RevokeOnChainAsync(there);
        await Task.Delay(FaultStage.MaxStaleness + TimeSpan.FromSeconds(1));
        await stage.NeverReadsAsync(there, TimeSpan.FromSeconds(2), "after its revocation on the chain");
        await stage.NeverReadsAsync(here, TimeSpan.FromSeconds(1), "after its revocation here");
        stage.Proxy.Recover();
        stage.Check(await stage.ReadsAsync(granted, 200), $"a grant does not count: {(await stage.ReadAsync(granted)).Text}");
        await stage.NeverReadsAsync(here, TimeSpan.FromSeconds(1), "after all");
        await stage.NeverReadsAsync(there, TimeSpan.FromSeconds(1), "after all");
    }

    private static async Task StandsStillAsync(FaultStage stage)
    {
        var head = await stage.Node.Rpc.HeadAsync();
        var number = "0x" + head.ToString("x", CultureInfo.InvariantCulture);
        var block = await stage.Node.Rpc.CallAsync("eth_getBlockByNumber", number, false);
        await WhileAsync(stage, p => p.Lie = (call, said) =>
            Is(call, "eth_blockNumber") ? With(said, number)
            : Is(call, "eth_getBlockByNumber") && (string?)call["params"]![0] == "latest" ? With(said, JsonNode.Parse(block.GetRawText())!)
            : said);
    }

    private static async Task NodeKilledAsync(FaultStage stage)
    {
        var (here, consent) = await stage.GrantedAsync();
        await stage.Node.KillAsync();
        await stage.ComplainsAsync("while the node is dead");
        await stage.Ehr.DeleteAsync($"Consent/{consent}");
        var granted = await stage.NewPatientAsync();
        await stage.ConsentAsync(granted);
        await stage.Node.StartAsync();
        stage.Check(await stage.ReadsAsync(granted, 200), $"a grant does not count: {(await stage.ReadAsync(granted)).Text}");
        await stage.NeverReadsAsync(here, TimeSpan.FromSeconds(1), "after all");
    }

    // At any moment between signing, sending, receipt and commit.
    private static async Task GatewayKilledAsync(FaultStage stage)
    {
        var granted = new List<string>();
        var revoked = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            var (patient, consent) = await stage.GrantedAsync();
            var late = await stage.NewPatientAsync();
            await stage.ConsentAsync(late);
            granted.Add(late);
            await stage.Ehr.DeleteAsync($"Consent/{consent}");
            revoked.Add(patient);
            await Task.Delay(100 + (i * 350));
            await stage.KillAsync();
            await stage.ServeAsync();
        }
        foreach (var patient in granted) stage.Check(await stage.ReadsAsync(patient, 200), "a grant of before a kill does not count");
        foreach (var patient in revoked) await stage.NeverReadsAsync(patient, TimeSpan.FromSeconds(0.5), "after a kill");
    }

    private static async Task ForeignAsync(FaultStage stage)
    {
        for (var i = 0; i < 3; i++)
        {
            var patient = await stage.NewPatientAsync();
            await stage.ConsentAsync(patient);
            await stage.SendAsSenderAsync(new byte[20], []);
            stage.Check(await stage.ReadsAsync(patient, 200), $"a grant does not count: {(await stage.ReadAsync(patient)).Text}");
        }
    }

    private static async Task ReorganizedAsync(FaultStage stage)
    {
        foreach (var depth in (int[])[1, 2, 3, 5, 8, 13, 20])
        {
            var (kept, _) = await stage.GrantedAsync();
            var (here, consent) = await stage.GrantedAsync();
            await stage.Ehr.DeleteAsync($"Consent/{consent}");
            await stage.NewDocumentAsync(kept);
            while (await stage.Node.Rpc.HeadAsync() < depth + 2) await Task.Delay(500);
            await stage.Node.ReorganizeAsync(depth);
            stage.Check(await stage.ReadsAsync(kept, 200), $"a grant is lost by a reorganisation of {depth}");
            await stage.NeverReadsAsync(here, TimeSpan.FromSeconds(1), $"after a reorganisation of {depth}");
        }
    }

    // What was acknowledged after the backup is lost with it, but nothing that was revoked is read.
    private static async Task RestoredAsync(FaultStage stage)
    {
        var (patient, consent) = await stage.GrantedAsync();
        await stage.HealsAsync();
        await stage.StopAsync();
        stage.BackUp();
        await stage.ServeAsync();
        stage.Check(await stage.ReadsAsync(patient, 200), "a grant does not count after a start");
        stage.Proxy.Noise = r =>
        {
            r.HttpContext.Abort();
            return Task.CompletedTask;
        };
        var revoked = await stage.Ehr.DeleteAsync($"Consent/{consent}");
        stage.Check(revoked.Status == 204, $"a revocation is answered {revoked.Status}: {revoked.Text}");
        await stage.StopAsync();
        stage.Restore();
        stage.Proxy.Recover();
        await stage.ServeAsync();
        var (again, _) = await stage.GrantedAsync();
        stage.Check(await stage.ReadsAsync(again, 200), "a grant does not count after a restore");
        await stage.NeverReadsAsync(patient, TimeSpan.FromSeconds(2), "on a database of before its revocation");
    }

    private static async Task WipedAsync(FaultStage stage)
    {
        var (patient, consent) = await stage.GrantedAsync();
        await stage.HealsAsync();
        await stage.Node.WipeAsync();
        await stage.Node.StartAsync();
        await stage.ComplainsAsync("of another chain");
        var revoked = await stage.Ehr.DeleteAsync($"Consent/{consent}");
        stage.Check(revoked.Status == 204, $"a revocation is answered {revoked.Status}: {revoked.Text}");
        await stage.NeverReadsAsync(patient, FaultStage.MaxStaleness * 2, "on another chain");
        stage.Check(await stage.Node.Rpc.HeadAsync() >= 0, "the node is gone");
    }

    private static bool Is(JsonNode call, string method) => (string?)call["method"] == method;

    private static JsonNode With(JsonNode said, JsonNode result)
    {
        said["result"] = result;
        return said;
    }

    private static JsonNode No(JsonNode said)
    {
        said.AsObject().Remove("result");
        said["error"] = new JsonObject { ["code"] = -32601, ["message"] = "the method does not exist" };
        return said;
    }

    private static JsonNode Blocks(JsonNode call, JsonNode said, Action<JsonObject> change)
    {
        if (Is(call, "eth_getBlockByNumber") && said["result"] is JsonObject block) change(block);
        return said;
    }

    private static JsonNode Receipts(JsonNode call, JsonNode said, Func<JsonArray, JsonArray> change)
    {
        if (Is(call, "eth_getBlockReceipts") && said["result"] is JsonArray all) said["result"] = change(all);
        if (Is(call, "eth_getTransactionReceipt") && said["result"] is JsonObject one && change([one.DeepClone()]) is var changed)
            said["result"] = changed.Count == 0 ? null : changed[0]!.DeepClone();
        return said;
    }

    private static JsonArray Silenced(JsonArray receipts) => new([.. receipts.Select(r =>
    {
        var copy = r!.DeepClone();
        copy["logs"] = new JsonArray();
        return copy;
    })]);

    private static Task WriteAsync(HttpResponse response, string text) => response.WriteAsync(text);

    private static async Task WriteForEverAsync(HttpResponse response)
    {
        var block = new byte[1 << 20];
        Array.Fill(block, (byte)' ');
        for (var i = 0; i < 1024 && !response.HttpContext.RequestAborted.IsCancellationRequested; i++)
            await response.Body.WriteAsync(block, response.HttpContext.RequestAborted);
    }
}
