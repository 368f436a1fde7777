using System.Text.Json;

namespace PmrGateway.Tests.Client.Nodes;

/// <summary>
/// Makes blocks on an execution client over the Engine API, one a second, as a consensus client would: the last but one block is safe, the
/// one before final. It can put a branch in the place of the last blocks.
/// https://github.com/ethereum/execution-apis/tree/main/src/engine
/// </summary>
public sealed class BlockProducer : IAsyncDisposable
{
    private static readonly string Zero = "0x" + new string('0', 64);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ToFill = TimeSpan.FromMilliseconds(100);
    private readonly NodeRpc _engine;
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _turn = new(1);
    private readonly List<string> _chain = [];
    private Task _loop = Task.CompletedTask;
    private long _time;

    private BlockProducer(NodeRpc engine) => _engine = engine;

    /// <summary>Takes up where the client's chain ends.</summary>
    public static async Task<BlockProducer> StartAsync(NodeRpc engine)
    {
        var producer = new BlockProducer(engine);
        var head = await engine.CallAsync("eth_getBlockByNumber", "latest", false);
        var last = Convert.ToInt64(head.GetProperty("number").GetString(), 16);
        for (var number = Math.Max(0, last - 63); number <= last; number++)
            producer._chain.Add(await HashAsync(engine, number));
        producer._time = Convert.ToInt64(head.GetProperty("timestamp").GetString(), 16);
        producer._loop = producer.RunAsync();
        return producer;
    }

    /// <summary>Another branch from a block below the head, one block longer than what it takes the place of.</summary>
    /// <param name="depth">How many blocks it takes away.</param>
    public async Task ReorganizeAsync(int depth)
    {
        await _turn.WaitAsync();
        try
        {
            _chain.RemoveRange(_chain.Count - depth, depth);
            for (var i = 0; i <= depth; i++) await ProduceAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Ends it; the client stands still.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _stopping.Dispose();
        _turn.Dispose();
    }

    private static async Task<string> HashAsync(NodeRpc engine, long number) =>
        (await engine.CallAsync("eth_getBlockByNumber", $"0x{number:x}", false)).GetProperty("hash").GetString()!;

    private async Task RunAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            await _turn.WaitAsync();
            try
            {
                await ProduceAsync();
            }
            catch (Exception e) when (e is HttpRequestException or InvalidOperationException or JsonException)
            {
                // The client was killed, or is not up yet: the next second asks again.
            }
            finally
            {
                _turn.Release();
            }
            await Task.Delay(Period, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ProduceAsync()
    {
        _time = Math.Max(_time + 1, TimeProvider.System.GetUtcNow().ToUnixTimeSeconds());
        var attributes = new
        {
            timestamp = $"0x{_time:x}",
            // Two branches from one block must not be one.
            prevRandao = "0x" + Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32)),
            suggestedFeeRecipient = "0x" + new string('0', 40),
            withdrawals = Array.Empty<object>(),
            parentBeaconBlockRoot = Zero,
        };
        var begun = await _engine.CallAsync("engine_forkchoiceUpdatedV3", Choice(), attributes);
        if (begun.GetProperty("payloadId").GetString() is not { } id) throw new InvalidOperationException("the client begins no block");
        await Task.Delay(ToFill);
        var payload = (await _engine.CallAsync("engine_getPayloadV3", id)).GetProperty("executionPayload");
        var checkedBlock = await _engine.CallAsync("engine_newPayloadV3", payload, Array.Empty<string>(), Zero);
        if (checkedBlock.GetProperty("status").GetString() != "VALID")
            throw new InvalidOperationException($"the client's own block: {checkedBlock.GetRawText()}");
        _chain.Add(payload.GetProperty("blockHash").GetString()!);
        await _engine.CallAsync("engine_forkchoiceUpdatedV3", Choice(), null);
    }

    private object Choice() => new
    {
        headBlockHash = _chain[^1],
        safeBlockHash = _chain[Math.Max(0, _chain.Count - 2)],
        finalizedBlockHash = _chain[Math.Max(0, _chain.Count - 40)],
    };
}
