using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Tests.Client;
using PmrGateway.Tests.Client.Nodes;

namespace PmrGateway.Tools.Attacks;

/// <summary>A node that lies, stands still, or says what no node says.</summary>
internal static class Nodes
{
    private static readonly TimeSpan MaxStaleness = TimeSpan.FromSeconds(4);

    [Plays("AT-093")]
    public static async Task A_node_that_lies(Attempt a)
    {
        var folder = Directory.CreateTempSubdirectory("pmr-attacks-node-").FullName;
        var port = GatewayProcess.FreePort();
        try
        {
            await using var anvil = await AnvilNode.StartAsync(new LedgerOptions { AnvilPort = port }, folder, NullLogger.Instance,
                default);
            await using var node = await LyingNode.StartAsync(anvil.Url);
            await using var stage = await Stage.StartAsync(
                port, "--Ledger:RpcUrl", node.Url, "--Ledger:MaxStaleness", MaxStaleness.ToString("c", CultureInfo.InvariantCulture));
            var there = new Attempt(stage);
            await LogsThatAreNotThereAsync(there, node);
            await LogsThatAreLeftOutAsync(there, node, "a log of the end of all grants that is left out", (call, said) =>
            {
                if ((string?)call["method"] == "eth_getLogs" && said["result"] is JsonArray) said["result"] = new JsonArray();
                foreach (var receipt in Receipts(call, said)) receipt["logs"] = new JsonArray();
                return said;
            });
            await LogsThatAreLeftOutAsync(there, node, "receipts and a bloom filter of a block in which nothing was said", (call, said) =>
            {
                foreach (var receipt in Receipts(call, said)) receipt["logs"] = new JsonArray();
                if (said["result"]?["logsBloom"] is not null) said["result"]!["logsBloom"] = "0x" + new string('0', 512);
                return said;
            });
            var head = await stage.Chain.HeadAsync();
            var block = await stage.Chain.RpcAsync("eth_getBlockByNumber", "0x" + head.ToString("x", CultureInfo.InvariantCulture), false);
            await LogsThatAreLeftOutAsync(there, node, "a head that stands still", (call, said) =>
            {
                if ((string?)call["method"] == "eth_blockNumber") said["result"] = "0x" + head.ToString("x", CultureInfo.InvariantCulture);
                var isHead = (string?)call["method"] == "eth_getBlockByNumber" && (string?)call["params"]?[0] == "latest";
                if (isHead) said["result"] = JsonNode.Parse(block.GetRawText());
                return said;
            });
            await NoiseAsync(there, node);
            await AnotherChainAsync(there, node);
            a.Take(there);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static List<JsonNode> Receipts(JsonNode call, JsonNode said) => (string?)call["method"] switch
    {
        "eth_getBlockReceipts" when said["result"] is JsonArray all => [.. all.Select(r => r!)],
        "eth_getTransactionReceipt" when said["result"] is JsonObject one => [one],
        _ => [],
    };

    // A grant that was lost on its way is said to have come, by its event and by its receipt.
    private static async Task LogsThatAreNotThereAsync(Attempt a, LyingNode node)
    {
        var ledger = new Ledger(a);
        var patient = await ledger.NewPatientAsync();
        await ledger.WithoutClockAsync(async () =>
        {
            await a.Stage.Ehr.PostAsync("Consent", ConsentText.Permit("Patient/" + patient.Id, a.Stage.InsurerOrganization));
            for (var i = 0; i < 100 && (await ledger.WaitingAsync()).Count == 0; i++) await Task.Delay(100);
            var grant = (await ledger.WaitingAsync())[0];
            await a.Stage.Chain.RpcAsync("anvil_dropAllTransactions");
            node.Lie = (call, said) =>
            {
                var (method, next) = ((string?)call["method"], "0x0");
                if (method == "eth_sendRawTransaction" && said["result"] is null)
                {
                    said.AsObject().Remove("error");
                    said["result"] = "0x" + new string('1', 64);
                }
                // A block that may have said something, and what it said.
                var ones = "0x" + new string('f', 512);
                if (method == "eth_getBlockByNumber" && said["result"] is JsonObject block) block["logsBloom"] = ones;
                if (method == "eth_getBlockReceipts" && said["result"] is JsonArray receipts)
                {
                    var log = new JsonObject
                    {
                        ["address"] = ledger.Consents,
                        ["topics"] = new JsonArray(
                            Ledger.Hex(Keccak256.Hash("ConsentGranted(bytes32,bytes32,uint64,uint64,uint64)")), Ledger.Hex(patient.Key),
                            Ledger.Hex(grant.AsSpan(4 + 32, 32).ToArray())),
                        ["data"] = Ledger.Hex([.. grant.AsSpan(4 + 64, 64), .. new byte[32]]),
                        ["logIndex"] = next,
                    };
                    receipts.Add(new JsonObject
                    {
                        ["transactionHash"] = "0x" + new string('1', 64),
                        ["transactionIndex"] = next,
                        ["cumulativeGasUsed"] = next,
                        ["status"] = "0x1",
                        ["type"] = "0x2",
                        ["logsBloom"] = ones,
                        ["logs"] = new JsonArray(log),
                    });
                }
                return said;
            };
            await a.Stage.Chain.RpcAsync("anvil_dropAllTransactions");
            await a.Stage.Chain.MineAsync();
            await Task.Delay(1500);
            var read = await a.Stage.Insurer.GetAsync($"Patient/{patient.Id}");
            a.Check(read.Status is 404 or 503, "a read after a grant that the node made up", "404 or 503", read);
            node.Lie = null;
        });
    }

    // What ended on the chain must end here, or nothing is read.
    private static async Task LogsThatAreLeftOutAsync(Attempt a, LyingNode node, string sent, Func<JsonNode, JsonNode, JsonNode> lie)
    {
        var ledger = new Ledger(a);
        var patient = await ledger.NewPatientAsync();
        await a.Stage.GrantAsync(patient.Id, a.Stage.InsurerOrganization);
        a.Status(await a.Stage.Insurer.GetAsync($"Patient/{patient.Id}"), "a read by consent", 200);
        node.Lie = lie;
        await ledger.SendAsync(Ledger.Hex(patient.Controller.Address), new RevokeAllFunction(patient.Key).Data());
        var read = await GatewayClient.UntilAsync(
            () => a.Stage.Insurer.GetAsync($"Patient/{patient.Id}"), x => x.Status is 404 or 503, (int)MaxStaleness.TotalSeconds * 2);
        a.Check(read.Status is 404 or 503, $"a read after {sent}", "404 or 503", read);
        node.Lie = null;
        await WellAsync(a);
    }

    private static async Task NoiseAsync(Attempt a, LyingNode node)
    {
        var patient = await a.Stage.NewPatientAsync();
        var before = a.Stage.ResidentBytes();
        foreach (var (sent, noise) in new (string, Func<HttpResponse, Task>)[]
        {
            ("HTML", r => r.WriteAsync("<html><body>no node</body></html>")),
            ("1 GB", async r =>
            {
                var block = new byte[1 << 20];
                Array.Fill(block, (byte)' ');
                for (var i = 0; i < 1024 && !r.HttpContext.RequestAborted.IsCancellationRequested; i++)
                    await r.Body.WriteAsync(block, r.HttpContext.RequestAborted);
            }),
            ("nothing", _ => Task.CompletedTask),
            ("another answer", r => r.WriteAsync("{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"x\":[]}}")),
        })
        {
            node.Noise = noise;
            var read = await GatewayClient.UntilAsync(
                () => a.Stage.Ehr.GetAsync($"Patient/{patient}"), x => x.Status == 503, (int)MaxStaleness.TotalSeconds * 3);
            a.Refused(read, $"a read where the node says {sent}", 503);
            node.Noise = null;
            await WellAsync(a);
        }
        var grown = a.Stage.ResidentBytes() - before;
        a.Check(grown < 512 << 20, "a node that says 1 GB", "memory that stays as it is", $"{grown >> 20} MiB more");
    }

    private static async Task AnotherChainAsync(Attempt a, LyingNode node)
    {
        var patient = await a.Stage.NewPatientAsync();
        node.Lie = (call, said) =>
        {
            if ((string?)call["method"] == "eth_chainId") said["result"] = "0x1";
            return said;
        };
        // A node that was away is asked again what it is.
        node.Noise = r => r.WriteAsync("x");
        await GatewayClient.UntilAsync(() => a.Stage.Ehr.GetAsync($"Patient/{patient}"), x => x.Status == 503);
        node.Noise = null;
        await Task.Delay(MaxStaleness);
        a.Refused(await a.Stage.Ehr.GetAsync($"Patient/{patient}"), "a read where the node is of another chain", 503);
        node.Lie = null;
    }

    private static async Task WellAsync(Attempt a)
    {
        for (var i = 0; i < 300 && !await a.Stage.IsWellAsync(); i++) await Task.Delay(100);
        a.Check(await a.Stage.IsWellAsync(), "the node as it was", "a gateway that is well again", "it is not");
    }
}
