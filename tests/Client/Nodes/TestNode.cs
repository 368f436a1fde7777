using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace PmrGateway.Tests.Client.Nodes;

/// <summary>
/// An Ethereum node of one of three makers, a process of its own on 127.0.0.1 with a block a second and the chain id 1337: anvil, ganache
/// (durable over SIGKILL), or @ethereumjs/client (an execution client with fork choice). make brings them into node_modules.
/// </summary>
public sealed class TestNode : IAsyncDisposable
{
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(20) };
    private readonly string _folder;
    private readonly string _funded;
    private readonly int _port = GatewayProcess.FreePort();
    private readonly int _enginePort = GatewayProcess.FreePort();
    private Process? _process;
    private BlockProducer? _producer;

    private TestNode(string name, string folder, string funded) => (Name, _folder, _funded) = (name, folder, funded);

    /// <summary>The makers.</summary>
    public static IReadOnlyList<string> Names { get; } = ["anvil", "ganache", "ethereumjs"];

    /// <summary>Which one.</summary>
    public string Name { get; }

    /// <summary>Where it answers.</summary>
    public string Url => $"http://127.0.0.1:{_port}";

    /// <summary>What it is asked by, past whoever is tested.</summary>
    public NodeRpc Rpc => new(_http, Url);

    /// <summary>Whether it can put another branch in the place of its last blocks.</summary>
    public bool Reorganizes => Name != "ganache";

    /// <summary>Whether it has its chain again after SIGKILL.</summary>
    public bool IsDurable => Name != "anvil";

    /// <summary>Starts a node in an empty folder.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="folder">Where its data lie.</param>
    /// <param name="funded">Address that has ether, hex with 0x.</param>
    public static async Task<TestNode> StartAsync(string name, string folder, string funded)
    {
        var node = new TestNode(name, folder, funded);
        await node.StartAsync();
        return node;
    }

    /// <summary>Starts it again after <see cref="KillAsync"/>, with the data that it has.</summary>
    public async Task StartAsync()
    {
        Directory.CreateDirectory(_folder);
        _process = Launch();
        for (var tries = 0; !await IsUpAsync(); tries++)
        {
            if (_process.HasExited || tries > 300) throw new InvalidOperationException($"{Name} does not start: {_process.ExitCode}");
            await Task.Delay(100);
        }
        if (Name == "anvil") await Rpc.CallAsync("anvil_setBalance", _funded, "0x56bc75e2d63100000");
        if (Name == "ganache") await Rpc.CallAsync("evm_setAccountBalance", _funded, "0x56bc75e2d63100000");
        if (Name == "ethereumjs") _producer = await BlockProducer.StartAsync(new NodeRpc(_http, $"http://127.0.0.1:{_enginePort}"));
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        if (_producer is not null) await _producer.DisposeAsync();
        _producer = null;
        if (_process is null) return;
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    /// <summary>Kills it and takes its data away: what starts next is another chain with the same id.</summary>
    public async Task WipeAsync()
    {
        await KillAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Puts another branch in the place of the last blocks.</summary>
    /// <param name="depth">How many.</param>
    public Task ReorganizeAsync(int depth) => _producer is not null
        ? _producer.ReorganizeAsync(depth)
        : Rpc.CallAsync("anvil_reorg", depth, Array.Empty<object>());

    /// <summary>Ends it.</summary>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _http.Dispose();
    }

    private async Task<bool> IsUpAsync()
    {
        try
        {
            return (await Rpc.CallAsync("eth_chainId")).GetString() == "0x539";
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or InvalidOperationException or TaskCanceledException)
        {
            return false;
        }
    }

    private Process Launch()
    {
        var port = _port.ToString(CultureInfo.InvariantCulture);
        var (file, arguments) = Name switch
        {
            "anvil" => (Module("contracts", "anvil"), (string[])
            [
                "--quiet", "--host", "127.0.0.1", "-p", port, "-b", "1", "--chain-id", "1337", "--slots-in-an-epoch", "1",
                "--max-persisted-states", "0", "--state", Path.Combine(_folder, "state.json"), "--state-interval", "1",
            ]),
            "ganache" => ("node",
            [
                Module("tests/nodes/ganache", "ganache"), "--server.host", "127.0.0.1", "--server.port", port, "--database.dbPath", _folder,
                "--chain.chainId", "1337", "--wallet.deterministic", "--logging.quiet", "--miner.blockTime", "1",
                "--miner.blockGasLimit", "30000000",
            ]),
            _ => ("node",
            [
                "--require", Path.Combine(Root, "tests", "nodes", "loopback.cjs"), Module("tests/nodes/ethereumjs", "ethereumjs"),
                "--gethGenesis", Genesis(), "--dataDir", Path.Combine(_folder, "data"), "--isSingleNode", "--rpc", "--rpcPort", port,
                "--rpcEngine", "--rpcEnginePort", $"{_enginePort}", "--rpcEngineAuth=false", "--port", $"{GatewayProcess.FreePort()}",
                "--discDns=false", "--discV4=false", "--maxPeers", "0", "--logFile=false", "--saveReceipts", "--txLookupLimit", "0",
            ]),
        };
        var start = new ProcessStartInfo(file) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        var process = Process.Start(start)!;
        // Read to their ends, or the node would stand still when the pipes are full.
        _ = process.StandardOutput.ReadToEndAsync();
        _ = process.StandardError.ReadToEndAsync();
        return process;
    }

    // A chain after the merge, up to Cancun, whose first block gives the account its ether.
    private string Genesis()
    {
        var path = Path.Combine(_folder, "genesis.json");
        if (!File.Exists(path))
        {
            var text = File.ReadAllText(Path.Combine(Root, "tests", "nodes", "genesis.json"));
            // Every chain begins with another block.
            var extra = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(16));
            text = text.Replace("FUNDED", _funded[2..], StringComparison.Ordinal).Replace("EXTRA", extra, StringComparison.Ordinal);
            File.WriteAllText(path, text);
        }
        return path;
    }

    private static string Module(string folder, string name)
    {
        var path = Path.Combine(Root, folder, "node_modules", ".bin", name);
        return File.Exists(path) ? path : throw new InvalidOperationException($"{path} is not there: make build brings it");
    }

    private static string Root { get; } = FindRoot();

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "PmrGateway.sln"))) folder = Path.GetDirectoryName(folder)!;
        return folder;
    }
}
