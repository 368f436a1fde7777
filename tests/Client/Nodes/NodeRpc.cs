using System.Net.Http.Json;
using System.Text.Json;

namespace PmrGateway.Tests.Client.Nodes;

/// <summary>JSON-RPC to a node, past everything that is tested.</summary>
/// <param name="http">What it is asked with.</param>
/// <param name="url">Its URL.</param>
public sealed class NodeRpc(HttpClient http, string url)
{
    /// <summary>Calls a method.</summary>
    /// <exception cref="InvalidOperationException">The node refuses; the text is its answer.</exception>
    /// <exception cref="HttpRequestException">It cannot be reached.</exception>
    public async Task<JsonElement> CallAsync(string method, params object?[] parameters)
    {
        using var answer = await http.PostAsJsonAsync(url, new { jsonrpc = "2.0", id = 1, method, @params = parameters });
        var json = await answer.Content.ReadFromJsonAsync<JsonElement>();
        return json.TryGetProperty("result", out var result)
            ? result
            : throw new InvalidOperationException($"{method}: {json.GetRawText()}");
    }

    /// <summary>The number of the last block.</summary>
    public async Task<long> HeadAsync() => Number(await CallAsync("eth_blockNumber"));

    /// <summary>How many transactions of an account the chain has.</summary>
    public async Task<long> NonceAsync(string address) => Number(await CallAsync("eth_getTransactionCount", address, "latest"));

    private static long Number(JsonElement hex) => Convert.ToInt64(hex.GetString(), 16);
}
