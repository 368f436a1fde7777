using System.Net;
using System.Text;
using System.Text.Json;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Tests.Unit.LedgerAdapter;

public sealed class RpcConnectionTests
{
    private const string Hash = "00000000000000000000000000000000000000000000000000000000000000aa";

    [Fact]
    public async Task A_node_of_another_chain_is_refused_and_asked_again_when_it_comes_back()
    {
        var id = "0x1";
        var chain = Chain((method, _) => method == "eth_chainId" ? $"\"{id}\"" : "\"0x5\"", asksChain: true);
        Assert.Contains("chain 1", (await Assert.ThrowsAsync<WrongChainException>(() => chain.NonceAsync(new byte[20], default))).Message);
        id = "0x539";
        Assert.Equal(5, await chain.NonceAsync(new byte[20], default));
    }

    [Fact]
    public async Task A_block_is_read_with_its_parent_where_it_hashes_to_its_hash()
    {
        var shown = Vectors.Read("blocks.json").GetProperty("anvil").GetProperty("block").GetRawText();
        var head = await Chain((_, _) => shown).HeadAsync(default);
        Assert.Equal($"0x{head.Hash} 0x{head.ParentHash}", $"{Field("hash")} {Field("parentHash")}");
        Assert.Equal((Convert.ToInt64(Field("number"), 16), Convert.ToInt64(Field("timestamp"), 16)), (head.Number, head.Time));
        var forged = shown.Replace(Field("receiptsRoot"), "0x" + Hash, StringComparison.Ordinal);
        var refused = await Assert.ThrowsAsync<RpcUnavailableException>(() => Chain((_, _) => forged).HeadAsync(default));
        Assert.Contains("does not hash", refused.Message);

        string Field(string name) => JsonDocument.Parse(shown).RootElement.GetProperty(name).GetString()!;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_said_in_a_block_is_all_of_it_or_nothing_is_believed(bool knowsReceiptsOfABlock)
    {
        var node = Vectors.Read("blocks.json").GetProperty("anvil");
        var (block, receipts) = (node.GetProperty("block").GetRawText(), node.GetProperty("receipts"));
        var isWhole = true;
        var chain = Chain((method, first) => method switch
        {
            "eth_getBlockReceipts" when !knowsReceiptsOfABlock => "!the method does not exist",
            "eth_getBlockReceipts" => isWhole ? receipts.GetRawText() : "[]",
            "eth_getTransactionReceipt" => isWhole
                ? receipts.EnumerateArray().Single(r => r.GetProperty("transactionHash").GetString() == first).GetRawText()
                : "null",
            _ => block,
        });
        var header = await chain.HeadAsync(default);
        // The roles that contracts give when they are made are no event of the view.
        Assert.Empty(await chain.EventsAsync(header, default));
        isWhole = false;
        await Assert.ThrowsAsync<RpcUnavailableException>(() => chain.EventsAsync(header, default));
    }

    [Fact]
    public async Task A_chain_that_begins_with_another_block_is_refused_though_it_has_the_id()
    {
        var genesis = Vectors.Read("blocks.json").GetProperty("anvil").GetProperty("genesis");
        var first = genesis.GetProperty("hash").GetString()![2..];
        var followed = first;
        var chain = Chain((_, _) => genesis.GetRawText(), genesis: _ => Task.FromResult(followed));
        Assert.Equal(first, (await chain.HeadAsync(default)).Hash);
        followed = Hash;
        Assert.Equal(first, (await chain.HeadAsync(default)).Hash);
        chain.Unknown();
        await Assert.ThrowsAsync<WrongChainException>(() => chain.HeadAsync(default));
        await Assert.ThrowsAsync<WrongChainException>(() => chain.RecognizeAsync(default));
    }

    [Fact]
    public async Task A_block_that_is_not_there_is_null() => Assert.Null(await Chain((_, _) => "null").BlockAsync(5, default));

    [Fact]
    public async Task Each_transaction_of_a_batch_gets_the_nodes_word_on_it_in_any_order_of_the_answers()
    {
        var chain = Chain((_, raw) => raw switch
        {
            "0x01" => "\"0xaa\"",
            "0x02" => "!nonce too low",
            "0x03" => "!already known",
            "0x04" => "!insufficient funds for gas * price + value",
            _ => "!exceeds block gas limit",
        });
        Assert.Equal(
            [
                SubmitOutcome.Accepted, SubmitOutcome.NonceTooLow, SubmitOutcome.Accepted,
                SubmitOutcome.InsufficientFunds, SubmitOutcome.Refused,
            ],
            (await chain.SubmitAsync([[1], [2], [3], [4], [5]], default)).Select(r => r.Outcome));
    }

    [Fact]
    public async Task Receipts_come_in_the_order_of_their_hashes_in_batches_of_a_hundred()
    {
        var sizes = new List<int>();
        var chain = Chain(
            (_, hash) => hash[^2..] switch
            {
                "05" => "null",
                "07" => """{"blockNumber":"0x07","status":"0x0"}""",
                var block => $$"""{"blockNumber":"0x{{block}}","status":"0x1"}""",
            },
            sizes);
        var receipts = await chain.ReceiptsAsync([.. Enumerable.Range(0, 130).Select(i => $"{i:x64}")], default);
        Assert.Null(receipts[5]);
        Assert.Equal(new ChainReceipt(7, true), receipts[7]);
        Assert.Equal(new ChainReceipt(129, false), receipts[129]);
        Assert.Equal([1, 100, 30], sizes);
    }

    [Fact]
    public async Task An_answer_is_read_up_to_a_bound()
    {
        var chain = Chain((_, _) => "\"0x" + new string('0', RpcConnection.MaxAnswer) + "\"");
        var refused = await Assert.ThrowsAsync<RpcException>(() => chain.BlocksAsync(0, 1, default));
        Assert.Contains("larger than", refused.Message);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"jsonrpc":"2.0","id":"another","result":"0x539"}""")]
    [InlineData("""{"jsonrpc":"2.0","id":0,"result":"0x539"}""")]
    public async Task What_is_no_answer_to_the_question_is_a_node_that_cannot_be_asked(string answer) =>
        await Assert.ThrowsAsync<RpcUnavailableException>(
            () => new NethereumChain(Http(_ => answer), 1337, Contracts()).NonceAsync(new byte[20], default));

    [Fact]
    public async Task An_answer_that_is_not_what_was_asked_for_is_a_node_that_cannot_be_asked() =>
        await Assert.ThrowsAsync<RpcUnavailableException>(() => Chain((_, _) => "\"no number\"").NonceAsync(new byte[20], default));

    [Fact]
    public async Task A_question_stops_when_it_is_cancelled_and_a_node_that_is_silent_cannot_be_asked()
    {
        using var stop = new CancellationTokenSource();
        var handler = new Handler(async (_, c) =>
        {
            await Task.Delay(Timeout.Infinite, c);
            return "";
        });
        var silent = new HttpClient(handler) { BaseAddress = new Uri("http://127.0.0.1:1"), Timeout = TimeSpan.FromMilliseconds(200) };
        var chain = new NethereumChain(silent, 1337, Contracts());
        await Assert.ThrowsAsync<RpcUnavailableException>(() => chain.HeadAsync(default));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => chain.HeadAsync(stop.Token));
    }

    [Fact]
    public async Task A_simulation_gives_the_contracts_error_by_its_name()
    {
        var selector = Convert.ToHexStringLower(PmrGateway.Mapping.Keccak256.Hash("CustodianNotActive(bytes32)")[..4]);
        var answer = $$"""!{"code":3,"message":"execution reverted","data":"0x{{selector}}{{Hash}}"}""";
        var revert = await Chain((_, _) => answer)
            .SimulateAsync(new byte[20], new ChainCommand("k", ContractSet.Actors, "a", [1], OutboxPriority.Grant), default);
        Assert.Equal(new Revert("CustodianNotActive", false), revert);
    }

    private static ContractSet Contracts() => new(new byte[20]);

    // Answers each call by its method and its first parameter; what begins with "!" is an error.
    private static NethereumChain Chain(Func<string, string, string> answer, List<int>? sizes = null, bool asksChain = false,
        Func<string, Task<string>>? genesis = null) => new(
        Http(body =>
        {
            using var json = JsonDocument.Parse(body);
            var calls = json.RootElement.ValueKind == JsonValueKind.Array ? json.RootElement.EnumerateArray().ToList() : [json.RootElement];
            sizes?.Add(calls.Count);
            // Answers of a batch may come in any order.
            var answers = Enumerable.Reverse(calls).Select(call =>
            {
                var parameters = call.GetProperty("params");
                var first = parameters.GetArrayLength() > 0 ? parameters[0].ToString() : "";
                var method = call.GetProperty("method").GetString()!;
                // The chain is ours unless a test answers for it.
                var result = method == "eth_chainId" && !asksChain ? "\"0x539\"" : answer(method, first);
                var text = result.StartsWith("!{", StringComparison.Ordinal) ? $"\"error\":{result[1..]}"
                    : result[0] == '!' ? $$"""{"code":-32000,"message":"{{result[1..]}}"}""".Insert(0, "\"error\":")
                    : $"\"result\":{result}";
                return $$"""{"jsonrpc":"2.0","id":{{call.GetProperty("id").GetRawText()}},{{text}}}""";
            }).ToList();
            return json.RootElement.ValueKind == JsonValueKind.Array ? $"[{string.Join(',', answers)}]" : answers[0];
        }),
        1337,
        Contracts(),
        genesis);

    private static HttpClient Http(Func<string, string> answer) =>
        new(new Handler((body, _) => Task.FromResult(answer(body)))) { BaseAddress = new Uri("http://127.0.0.1:1") };

    private sealed class Handler(Func<string, CancellationToken, Task<string>> answer) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var text = await answer(await request.Content!.ReadAsStringAsync(cancellationToken), cancellationToken);
            return new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(text, Encoding.UTF8, "application/json") };
        }
    }
}
