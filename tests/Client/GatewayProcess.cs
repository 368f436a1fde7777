using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace PmrGateway.Tests.Client;

/// <summary>A gateway as a process of its own, as an operator starts it: <c>pmr serve</c>.</summary>
public sealed class GatewayProcess : IAsyncDisposable
{
    private static readonly ConcurrentDictionary<int, bool> Given = new();
    private readonly Process _process;
    private readonly StringBuilder _said;

    private GatewayProcess(Process process, string url, StringBuilder said) => (_process, Url, _said) = (process, url, said);

    /// <summary>Its root URL.</summary>
    public string Url { get; }

    public Process Process => _process;

    /// <summary>What it has said on its standard output and error since it serves.</summary>
    public string Said
    {
        get
        {
            lock (_said) return _said.ToString();
        }
    }

    /// <summary>pmr.dll beside the running program: every program that refers to the gateway has it there.</summary>
    public static string Pmr => Path.Combine(AppContext.BaseDirectory, "pmr.dll");

    /// <summary>Starts a gateway and waits until it serves.</summary>
    /// <exception cref="InvalidOperationException">It ended instead; the text is what it said.</exception>
    public static async Task<GatewayProcess> StartAsync(string dataFolder, params string[] settings)
    {
        var process = Launch(["serve", "--data", dataFolder, .. settings]);
        var said = new StringBuilder();
        var errors = KeepAsync(process.StandardError, said);
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (!line.Contains("serves FHIR R4 at ", StringComparison.Ordinal)) continue;
            // What it says from here on is read, or the pipe would fill and the gateway stand still.
            _ = KeepAsync(process.StandardOutput, said);
            return new GatewayProcess(process, line.Split(" at ")[1].Split("/fhir")[0], said);
        }
        await Task.WhenAll(process.WaitForExitAsync(), errors);
        throw new InvalidOperationException($"pmr serve ended with {process.ExitCode}: {said}");
    }

    /// <summary>Runs a command of pmr to its end; one that does not end in a minute is killed, and its exit code says so.</summary>
    public static async Task<(int Exit, string Out, string Error)> RunAsync(params string[] arguments)
    {
        using var process = Launch(arguments);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
        }
        return (process.ExitCode, await output, await error);
    }

    /// <summary>
    /// A port of the loopback that nobody listens on now, and that is given once. It is below those that the system gives to outgoing
    /// connections: one of these could have it before it is listened on.
    /// </summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(10_000, 32_000);
            if (!Given.TryAdd(port, true)) continue;
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody listens on it.
            }
        }
    }

    /// <summary>Ends it as an operator does (SIGTERM); one that does not end in 20 s is killed.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            using (var kill = Process.Start("kill", ["-TERM", $"{_process.Id}"])) await kill.WaitForExitAsync();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            try
            {
                await _process.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                _process.Kill(entireProcessTree: true);
                await _process.WaitForExitAsync();
            }
        }
        _process.Dispose();
    }

    private static async Task KeepAsync(StreamReader from, StringBuilder said)
    {
        while (await from.ReadLineAsync() is { } line)
            lock (said) said.Append(line).Append('\n');
    }

    private static Process Launch(IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Pmr);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }
}
