using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Nethereum.RPC.Eth;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// The development chain: anvil as a child on 127.0.0.1 with 1 s blocks and no fees, its state in the data folder, started again when it
/// dies. Its state file is not crash-safe (written in place, without fsync): that costs nothing, since every transaction is a durable
/// outbox entry first and is sent again when the chain has lost it. A state that anvil says it cannot read is put aside, and no other.
/// </summary>
public sealed partial class AnvilNode : IAsyncDisposable
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);
    private readonly LedgerOptions _options;
    private readonly string _folder;
    private readonly int _port;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stopping = new();
    private Child? _child;
    private Task _supervision = Task.CompletedTask;

    private AnvilNode(LedgerOptions options, string folder, int port, ILogger log) =>
        (_options, _folder, _port, _log) = (options, folder, port, log);

    /// <summary>Its JSON-RPC URL.</summary>
    public string Url => $"http://127.0.0.1:{_port}";

    /// <summary>Why the chain is not running; null while it is.</summary>
    internal string? Problem { get; private set; }

    private string State => Path.Combine(_folder, "state.json");

    private static string UrlFile(string folder) => Path.Combine(folder, "anvil.url");

    /// <summary>Starts the chain and waits until it answers.</summary>
    /// <param name="options">Path, port and chain id.</param>
    /// <param name="folder">Where its state lies; made when missing.</param>
    /// <param name="log">Told of a state that was put aside, and of a chain that died.</param>
    /// <param name="cancellation">Stops the wait.</param>
    /// <exception cref="LedgerStartException">anvil is not there, or does not start.</exception>
    public static async Task<AnvilNode> StartAsync(LedgerOptions options, string folder, ILogger log, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        for (var tries = 1; ; tries++)
        {
            var node = new AnvilNode(options, Path.GetFullPath(folder), options.AnvilPort != 0 ? options.AnvilPort : FreePort(), log);
            try
            {
                node._child = await node.StartChildAsync(cancellation);
            }
            catch (LedgerStartException) when (options.AnvilPort == 0 && tries < 5 && !IsFree(node._port))
            {
                // It was free a moment ago: somebody's connection has got it meanwhile.
                continue;
            }
            await File.WriteAllTextAsync(UrlFile(folder), node.Url, cancellation);
            node._supervision = node.SuperviseAsync();
            return node;
        }
    }

    /// <summary>Where the chain of a folder answers while its gateway runs; null where none has run.</summary>
    /// <param name="folder">Where its state lies.</param>
    public static string? UrlOf(string folder) => File.Exists(UrlFile(folder)) ? File.ReadAllText(UrlFile(folder)) : null;

    /// <summary>Ends the chain so that it writes its state.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _supervision.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_child is not null) await _child.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task SuperviseAsync()
    {
        while (true)
        {
            await _child!.Exited.WaitAsync(_stopping.Token);
            Problem = "the development chain has ended";
            LogEnded(_child.Errors);
            await _child.DisposeAsync();
            _child = null;
            for (var wait = TimeSpan.FromSeconds(1); _child is null; wait = TimeSpan.FromTicks(Math.Min(wait.Ticks * 2, LongestWait.Ticks)))
            {
                try
                {
                    _child = await StartChildAsync(_stopping.Token);
                }
                catch (LedgerStartException e)
                {
                    if (Problem != e.Message) LogNotStarted(e.Message);
                    Problem = e.Message;
                    await Task.Delay(wait, _stopping.Token);
                }
            }
            Problem = null;
            LogStarted();
        }
    }

    private async Task<Child> StartChildAsync(CancellationToken cancellation)
    {
        var binary = Binary(_options);
        await EndLeftOverAsync(cancellation);
        // Asked first: a stranger on the port would answer in our child's place.
        if (!IsFree(_port)) throw new LedgerStartException(
            $"port {_port} of 127.0.0.1 is in use: end what uses it, or set Ledger:AnvilPort");
        for (var isSecond = false; ; isSecond = true)
        {
            var child = Child.Start(binary, Arguments(), _folder);
            if (await IsAnsweringAsync(child, cancellation)) return child;
            await child.DisposeAsync();
            if (isSecond || !IsAboutState(child.Errors) || !File.Exists(State))
                throw new LedgerStartException($"anvil ({binary}) does not start on port {_port} of 127.0.0.1: {child.Errors.Trim()}");
            LogStatePutAside(State);
            File.Move(State, State + ".broken", overwrite: true);
        }
    }

    private async Task<bool> IsAnsweringAsync(Child child, CancellationToken cancellation)
    {
        using var http = new HttpClient { BaseAddress = new Uri(Url), Timeout = TimeSpan.FromSeconds(2) };
        for (var i = 0; i < 100 && !child.Exited.IsCompleted; i++)
        {
            try
            {
                await new EthChainId(new RpcConnection(http, cancellation)).SendRequestAsync();
                return true;
            }
            catch (RpcUnavailableException)
            {
                await Task.Delay(100, cancellation);
            }
        }
        return false;
    }

    private string[] Arguments() =>
    [
        "--quiet", "--host", "127.0.0.1", "-p", $"{_port}", "-b", "1", "--chain-id", $"{_options.ChainId}",
        "--accounts", "1", "--balance", "0", "--gas-price", "0", "--base-fee", "0", "--gas-limit", $"{LedgerOptions.DevelopmentGasLimit}",
        "--slots-in-an-epoch", "1", "--max-persisted-states", "0", "--state", State, "--state-interval", "5",
    ];

    // What anvil 1.7 says: invalid value '...' for '--state <PATH>': failed to parse json file.
    private static bool IsAboutState(string errors) =>
        errors.Contains("--state", StringComparison.Ordinal) || errors.Contains("load state", StringComparison.OrdinalIgnoreCase);

    private static string Binary(LedgerOptions options)
    {
        if (options.AnvilPath.Length > 0)
        {
            return File.Exists(options.AnvilPath)
                ? options.AnvilPath
                : throw new LedgerStartException($"Ledger:AnvilPath is '{options.AnvilPath}', where there is no file");
        }
        foreach (var start in (string[])[Directory.GetCurrentDirectory(), AppContext.BaseDirectory])
        {
            for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            {
                var path = Path.Combine(folder.FullName, "contracts", "node_modules", ".bin", "anvil");
                if (File.Exists(path)) return path;
            }
        }
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(p => Path.Combine(p, "anvil"))
            .FirstOrDefault(File.Exists);
        return found ?? throw new LedgerStartException(
            "anvil is not there: run 'npm ci' in contracts/, set Ledger:AnvilPath, or set Ledger:RpcUrl to a node");
    }

    private async Task EndLeftOverAsync(CancellationToken cancellation)
    {
        // After kill -9 of the gateway the watcher ends anvil, but perhaps not yet; two of them on one state file would spoil it.
        var file = Child.PidFile(_folder);
        if (!File.Exists(file) || !int.TryParse(await File.ReadAllTextAsync(file, cancellation), out var pid)) return;
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

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "anvil cannot read {State}; it is put aside and the chain is told everything again")]
    private partial void LogStatePutAside(string state);

    [LoggerMessage(Level = LogLevel.Error, Message = "The development chain has ended and is started again. It said: {Errors}")]
    private partial void LogEnded(string errors);

    [LoggerMessage(Level = LogLevel.Error, Message = "The development chain does not start: {Reason}. It is tried again")]
    private partial void LogNotStarted(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The development chain runs again")]
    private partial void LogStarted();

    /// <summary>One run of anvil, under a shell that ends it when this process is gone.</summary>
    private sealed class Child : IAsyncDisposable
    {
        // anvil does not see its parent die. This shell does: cat ends with the parent's end of the pipe.
        // Its own descriptor, because a shell gives what it puts into the background /dev/null for input.
        private const string Watch = """
            exec 3<&0; "$@" </dev/null 3<&- & pid=$!; echo $pid > "$PMR_PID_FILE"
            (cat <&3 >/dev/null 2>&1; kill -TERM $pid) >/dev/null 2>&1 & wait $pid
            """;

        private readonly Process _process;
        private readonly StringBuilder _errors = new();

        private Child(Process process)
        {
            _process = process;
            process.OutputDataReceived += (_, _) => { };
            process.ErrorDataReceived += (_, e) => Append(e.Data);
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            Exited = process.WaitForExitAsync();
        }

        public Task Exited { get; }

        public string Errors
        {
            get
            {
                lock (_errors) return _errors.ToString();
            }
        }

        public static string PidFile(string folder) => Path.Combine(folder, "anvil.pid");

        public static Child Start(string binary, string[] arguments, string folder)
        {
            var start = new ProcessStartInfo("/bin/sh")
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            foreach (var argument in (string[])["-c", Watch, "pmr-chain", binary, .. arguments]) start.ArgumentList.Add(argument);
            // What the gateway was started with, its secrets among it, is none of the child's.
            start.Environment.Clear();
            start.Environment["PATH"] = Environment.GetEnvironmentVariable("PATH");
            // anvil keeps caches under HOME; all that is ours stays in the data folder.
            start.Environment["HOME"] = folder;
            start.Environment["PMR_PID_FILE"] = PidFile(folder);
            return new Child(Process.Start(start)!);
        }

        public async ValueTask DisposeAsync()
        {
            // The end of its input is the watcher's sign to end anvil; it also comes when this process is killed.
            _process.StandardInput.Close();
            try
            {
                await Exited.WaitAsync(TimeSpan.FromSeconds(10));
            }
            catch (TimeoutException)
            {
                _process.Kill(entireProcessTree: true);
            }
            _process.Dispose();
        }

        private void Append(string? line)
        {
            lock (_errors)
                if (line is not null && _errors.Length < 4096) _errors.AppendLine(line);
        }
    }
}

/// <summary>The ledger adapter cannot start; the message says what to do.</summary>
public sealed class LedgerStartException(string message) : Exception(message);
