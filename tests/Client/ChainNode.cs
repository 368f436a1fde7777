using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;

namespace PmrGateway.Tests.Client;

/// <summary>
/// The development chain of a gateway beside the gateway: blocks come when they are asked for, so that who asks says how deep something is.
/// </summary>
/// <param name="http">What it is asked with.</param>
/// <param name="port">Its port on 127.0.0.1.</param>
/// <param name="dataFolder">The gateway's data folder, where its process id is.</param>
public sealed class ChainNode(HttpClient http, int port, string dataFolder)
{
    /// <summary>From here on a block comes only when it is asked for.</summary>
    public Task StopClockAsync() => Task.WhenAll(RpcAsync("evm_setAutomine", false), RpcAsync("evm_setIntervalMining", 0));

    /// <summary>Makes blocks.</summary>
    public async Task MineAsync(int blocks = 1)
    {
        for (var i = 0; i < blocks; i++) await RpcAsync("evm_mine");
    }

    /// <summary>A state to go back to.</summary>
    public async Task<string> SnapshotAsync() => (await RpcAsync("evm_snapshot")).GetString()!;

    /// <summary>The chain loses every block since a snapshot.</summary>
    public async Task RevertAsync(string snapshot)
    {
        if (!(await RpcAsync("evm_revert", snapshot)).GetBoolean())
            throw new InvalidOperationException("the chain did not go back to its snapshot");
    }

    /// <summary>The number of the last block.</summary>
    public async Task<long> HeadAsync() => Convert.ToInt64((await RpcAsync("eth_blockNumber")).GetString(), 16);

    /// <summary>How far the chain's clock is ahead of ours: each block has a second of its own.</summary>
    public async Task<TimeSpan> AheadAsync()
    {
        var block = await RpcAsync("eth_getBlockByNumber", "latest", false);
        var time = DateTimeOffset.FromUnixTimeSeconds(Convert.ToInt64(block.GetProperty("timestamp").GetString(), 16));
        return time - TimeProvider.System.GetUtcNow();
    }

    /// <summary>The node answers nobody, or does again.</summary>
    public async Task SetRunningAsync(bool runs)
    {
        var id = (await File.ReadAllTextAsync(Path.Combine(dataFolder, "chain", "anvil.pid"))).Trim();
        using var kill = Process.Start("kill", [runs ? "-CONT" : "-STOP", id]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Asks until the answer is as wanted, with a new block between two questions; gives the last answer.</summary>
    public async Task<Answer> UntilAsync(Func<Task<Answer>> ask, Func<Answer, bool> wanted, int seconds = 30)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var answer = await ask();
            if (wanted(answer) || TimeProvider.System.GetElapsedTime(start) > TimeSpan.FromSeconds(seconds)) return answer;
            await MineAsync();
            await Task.Delay(120);
        }
    }

    /// <summary>Calls a method many times at once, each time with one parameter.</summary>
    public async Task BatchAsync(string method, IEnumerable<object> parameters)
    {
        var calls = parameters.Select((p, i) => new { jsonrpc = "2.0", id = i, method, @params = new[] { p } });
        using var answer = await http.PostAsJsonAsync($"http://127.0.0.1:{port}", calls);
        var json = await answer.Content.ReadFromJsonAsync<JsonElement>();
        foreach (var each in json.EnumerateArray())
            if (!each.TryGetProperty("result", out _)) throw new InvalidOperationException($"{method}: {each.GetRawText()}");
    }

    /// <summary>Calls a method of the node.</summary>
    /// <exception cref="InvalidOperationException">The node refuses; the text is its answer.</exception>
    public async Task<JsonElement> RpcAsync(string method, params object[] parameters)
    {
        using var answer = await http.PostAsJsonAsync(
            $"http://127.0.0.1:{port}", new { jsonrpc = "2.0", id = 1, method, @params = parameters });
        var json = await answer.Content.ReadFromJsonAsync<JsonElement>();
        return json.TryGetProperty("result", out var result)
            ? result
            : throw new InvalidOperationException($"{method}: {json.GetRawText()}");
    }
}
