using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PmrGateway.LedgerAdapter;

/// <summary>JSON-RPC 2.0 over HTTP, by polling only: the least that every EVM node serves.</summary>
public sealed class JsonRpcClient(HttpClient http)
{
    private long _id;

    /// <summary>Calls a method and returns its result, which may be JSON null.</summary>
    /// <exception cref="RpcUnavailableException">The node cannot be reached or talks no JSON-RPC: nothing is known about the call.</exception>
    /// <exception cref="RpcException">The node refused the call.</exception>
    public async Task<JsonElement> CallAsync(string method, JsonArray parameters, CancellationToken cancellation)
    {
        var id = Interlocked.Increment(ref _id);
        try
        {
            var request = new JsonObject { ["jsonrpc"] = "2.0", ["id"] = id, ["method"] = method, ["params"] = parameters };
            using var response = await http.PostAsJsonAsync("", request, cancellation);
            using var json = await JsonDocument.ParseAsync(await response.Content.ReadAsStreamAsync(cancellation), default, cancellation);
            var root = json.RootElement;
            if (root.TryGetProperty("error", out var error))
                throw new RpcException(method, error.GetProperty("code").GetInt32(), error.GetProperty("message").GetString() ?? "");
            if (root.GetProperty("id").GetInt64() != id) throw new RpcUnavailableException($"the node answered another call than {method}");
            return root.GetProperty("result").Clone();
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or KeyNotFoundException or InvalidOperationException
            || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            throw new RpcUnavailableException($"the Ethereum node at {http.BaseAddress} cannot be reached ({method})", e);
        }
    }

    /// <summary>The number, hash and base fee of a block by its tag or number; null where there is none.</summary>
    public async Task<BlockHeader?> BlockAsync(string tag, CancellationToken cancellation)
    {
        var block = await CallAsync("eth_getBlockByNumber", [tag, false], cancellation);
        if (block.ValueKind == JsonValueKind.Null) return null;
        return new BlockHeader(
            Hex.Number(block.GetProperty("number").GetString()!),
            block.GetProperty("hash").GetString()![2..],
            block.TryGetProperty("baseFeePerGas", out var fee) ? Hex.BigNumber(fee.GetString()!) : 0);
    }
}

/// <summary>What the adapter needs of a block.</summary>
/// <param name="Number">Height.</param>
/// <param name="Hash">Hash, hex without 0x.</param>
/// <param name="BaseFee">Base fee a gas, wei.</param>
public sealed record BlockHeader(long Number, string Hash, System.Numerics.BigInteger BaseFee);

/// <summary>The node cannot be asked now.</summary>
public sealed class RpcUnavailableException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>The node refused a call. Codes differ between nodes, so what it means is told by <see cref="Kind"/>, from code and text.</summary>
public sealed class RpcException(string method, int code, string text) : Exception($"{method}: {text} ({code})")
{
    /// <summary>What the refusal means.</summary>
    public RpcErrorKind Kind { get; } = Classify(text);

    private static RpcErrorKind Classify(string text)
    {
        bool Says(string words) => text.Contains(words, StringComparison.OrdinalIgnoreCase);
        if (Says("already imported") || Says("already known") || Says("already in the TxPool")) return RpcErrorKind.AlreadyKnown;
        if (Says("nonce too low") || Says("tx nonce too low")) return RpcErrorKind.NonceTooLow;
        if (Says("underpriced") || Says("replacement gas too low") || Says("less than block base fee")) return RpcErrorKind.Underpriced;
        if (Says("insufficient funds") || Says("does not have enough balance")) return RpcErrorKind.InsufficientFunds;
        return RpcErrorKind.Other;
    }
}

/// <summary>What a node's refusal means to the sender of a transaction.</summary>
public enum RpcErrorKind
{
    /// <summary>Something else.</summary>
    Other,

    /// <summary>The node has this very transaction.</summary>
    AlreadyKnown,

    /// <summary>The chain has a transaction with this nonce.</summary>
    NonceTooLow,

    /// <summary>The fee is below what the node takes.</summary>
    Underpriced,

    /// <summary>The sender cannot pay.</summary>
    InsufficientFunds,
}
