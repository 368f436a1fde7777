using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace PmrGateway.Bench.Rest;

/// <summary>A server as a process of its own, its output in a file.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private static readonly ConcurrentDictionary<Process, bool> Running = [];
    private readonly Process _process;
    private readonly string _log;

    private ServerProcess(string name, Process process, int port, string log) => (Name, _process, Port, _log) = (name, process, port, log);

    public string Name { get; }

    public int Port { get; }

    public int Id => _process.Id;

    public string BaseUrl => $"http://127.0.0.1:{Port}";

    /// <summary>The first line of its output, or null so far.</summary>
    public string? FirstLine => File.Exists(_log) ? File.ReadLines(_log).FirstOrDefault() : null;

    public static ServerProcess Start(string name, int port, string log, params string[] arguments)
    {
        // Through a shell that becomes the server: its output goes to the file without a pipe that this program would have to empty.
        var start = new ProcessStartInfo("/bin/sh") { WorkingDirectory = BenchOptions.Root };
        const string BecomeServer = "exec dotnet \"$@\" >\"$BENCH_LOG\" 2>&1";
        foreach (var argument in (string[])["-c", BecomeServer, "sh", .. arguments]) start.ArgumentList.Add(argument);
        start.Environment["BENCH_LOG"] = log;
        // A setting of the load driver alone (see the Makefile); servers run as they do in production.
        start.Environment.Remove("DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS");
        var process = Process.Start(start)!;
        Running[process] = true;
        return new ServerProcess(name, process, port, log);
    }

    /// <summary>Asks until the server is ready.</summary>
    /// <exception cref="BenchException">It ended, or is not ready in time.</exception>
    public async Task WaitAsync(Func<Task<bool>> isReady, TimeSpan patience)
    {
        var start = Stopwatch.GetTimestamp();
        while (!_process.HasExited && Stopwatch.GetElapsedTime(start) < patience)
        {
            try
            {
                if (await isReady()) return;
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }
            await Task.Delay(20);
        }
        throw new BenchException($"{Name} did not start; its output ends with: {string.Join('\n', File.ReadLines(_log).TakeLast(10))}");
    }

    /// <summary>Ends it as an operator does (SIGTERM), and by force when it does not.</summary>
    public async Task StopAsync()
    {
        if (_process.HasExited) return;
        using var kill = Process.Start("kill", ["-TERM", $"{Id}"]);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Running.TryRemove(_process, out _);
        _process.Dispose();
    }

    /// <summary>Ends all by force: no server outlives a bench that is told to end.</summary>
    public static void KillAll()
    {
        foreach (var process in Running.Keys) process.Kill(entireProcessTree: true);
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
