using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// The development chain: anvil as a child on 127.0.0.1 with 1 s blocks and no fees, its state in the data folder. Its state file is
/// not crash-safe (written in place, without fsync): that costs nothing, since every transaction is a durable intent first and is
/// sent again when the chain has lost it. A state that does not load is put aside.
/// </summary>
public sealed partial class AnvilNode : IAsyncDisposable
{
    private readonly Process _process;

    private AnvilNode(Process process, int port) => (_process, Url) = (process, $"http://127.0.0.1:{port}");

    /// <summary>Its JSON-RPC URL.</summary>
    public string Url { get; }

    /// <summary>Starts the chain and waits until it answers.</summary>
    /// <param name="options">Path, port and chain id.</param>
    /// <param name="folder">Where its state lies; made when missing.</param>
    /// <param name="log">Told of a state that was put aside.</param>
    /// <param name="cancellation">Stops the wait.</param>
    /// <exception cref="LedgerStartException">anvil is not there, or does not start.</exception>
    public static async Task<AnvilNode> StartAsync(LedgerOptions options, string folder, ILogger log, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        var state = Path.GetFullPath(Path.Combine(folder, "state.json"));
        await KillLeftOverAsync(folder, cancellation);
        var port = options.AnvilPort != 0 ? options.AnvilPort : FreePort();
        if (await TryStartAsync(options, folder, state, port, cancellation) is { } node) return node;
        if (File.Exists(state))
        {
            LogStatePutAside(log, state);
            File.Move(state, state + ".broken", overwrite: true);
            if (await TryStartAsync(options, folder, state, port, cancellation) is { } second) return second;
        }
        throw new LedgerStartException($"anvil does not start on port {port} of 127.0.0.1: is the port in use?");
    }

    /// <summary>Ends the chain so that it writes its state.</summary>
    public async ValueTask DisposeAsync()
    {
        // The end of its input is the watcher's sign to end anvil; it also comes when this process is killed.
        _process.StandardInput.Close();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
        }
        _process.Dispose();
    }

    private static async Task<AnvilNode?> TryStartAsync(LedgerOptions options, string folder, string state, int port, CancellationToken cancellation)
    {
        // anvil does not see its parent die. This shell does: cat ends with the parent's end of the pipe.
        // Its own descriptor, because a shell gives what it puts into the background /dev/null for input.
        const string Watch = "exec 3<&0; \"$@\" </dev/null 3<&- & pid=$!; echo $pid > \"$PMR_PID_FILE\"; (cat <&3 >/dev/null 2>&1; kill -TERM $pid) >/dev/null 2>&1 & wait $pid";
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        string[] arguments =
        [
            "-c", Watch, "pmr-chain", Binary(options), "--quiet", "--host", "127.0.0.1", "-p", $"{port}", "-b", "1", "--chain-id", $"{options.ChainId}",
            "--accounts", "1", "--balance", "0", "--gas-price", "0", "--base-fee", "0", "--slots-in-an-epoch", "1", "--max-persisted-states", "0",
            "--state", state, "--state-interval", "5",
        ];
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        // anvil keeps caches under HOME; all that is ours stays in the data folder.
        start.Environment["HOME"] = Path.GetFullPath(folder);
        start.Environment["PMR_PID_FILE"] = PidFile(folder);
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var node = new AnvilNode(process, port);
        using var http = new HttpClient { BaseAddress = new Uri(node.Url), Timeout = TimeSpan.FromSeconds(2) };
        var rpc = new JsonRpcClient(http);
        for (var i = 0; i < 100 && !process.HasExited; i++)
        {
            try
            {
                await rpc.CallAsync("eth_chainId", [], cancellation);
                return node;
            }
            catch (RpcUnavailableException)
            {
                await Task.Delay(100, cancellation);
            }
        }
        await node.DisposeAsync();
        return null;
    }

    private static string Binary(LedgerOptions options)
    {
        if (options.AnvilPath.Length > 0)
            return File.Exists(options.AnvilPath) ? options.AnvilPath : throw new LedgerStartException($"Ledger:AnvilPath is '{options.AnvilPath}', where there is no file");
        foreach (var start in (string[])[Directory.GetCurrentDirectory(), AppContext.BaseDirectory])
        {
            for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            {
                var path = Path.Combine(folder.FullName, "contracts", "node_modules", ".bin", "anvil");
                if (File.Exists(path)) return path;
            }
        }
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(p => Path.Combine(p, "anvil")).FirstOrDefault(File.Exists);
        return found ?? throw new LedgerStartException("anvil is not there: run 'npm ci' in contracts/, set Ledger:AnvilPath, or set Ledger:RpcUrl to a node");
    }

    private static async Task KillLeftOverAsync(string folder, CancellationToken cancellation)
    {
        // After kill -9 of the gateway the watcher ends anvil, but perhaps not yet; two of them on one state file would spoil it.
        if (!File.Exists(PidFile(folder)) || !int.TryParse(await File.ReadAllTextAsync(PidFile(folder), cancellation), out var pid)) return;
        try
        {
            using var left = Process.GetProcessById(pid);
            if (!left.ProcessName.Contains("anvil", StringComparison.Ordinal)) return;
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            await left.WaitForExitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!left.HasExited) left.Kill();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // Gone already.
        }
    }

    private static string PidFile(string folder) => Path.GetFullPath(Path.Combine(folder, "anvil.pid"));

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The development chain does not start from {State}; it is put aside and the chain is told everything again")]
    private static partial void LogStatePutAside(ILogger log, string state);
}

/// <summary>The ledger adapter cannot start; the message says what to do.</summary>
public sealed class LedgerStartException(string message) : Exception(message);
