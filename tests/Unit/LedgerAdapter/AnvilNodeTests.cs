using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Tests.Unit.LedgerAdapter;

public sealed class AnvilNodeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly LogLines _log = new();

    private string Chain => _folder["chain"];

    private string State => Path.Combine(Chain, "state.json");

    [Fact]
    public async Task A_port_that_is_taken_is_named_and_a_good_state_stays_where_it_is()
    {
        WriteState("{\"good\":1}");
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;
        var failure = await Assert.ThrowsAsync<LedgerStartException>(() => StartAsync(new LedgerOptions { AnvilPort = port }));
        Assert.Contains($"port {port} of 127.0.0.1 is in use", failure.Message);
        Assert.True(File.Exists(State));
        Assert.False(File.Exists(State + ".broken"));
    }

    [Fact]
    public async Task A_wrong_path_is_told_and_a_good_state_stays_where_it_is()
    {
        WriteState("{\"good\":1}");
        await Assert.ThrowsAsync<LedgerStartException>(() => StartAsync(new LedgerOptions { AnvilPath = "/bin/false" }));
        await Assert.ThrowsAsync<LedgerStartException>(() => StartAsync(new LedgerOptions { AnvilPath = _folder["nowhere"] }));
        Assert.True(File.Exists(State));
        Assert.Empty(_log.Lines);
    }

    [Fact]
    public async Task The_child_is_told_nothing_of_the_gateways_environment_but_the_path()
    {
        var binary = _folder["anvil"];
        File.WriteAllText(binary, "#!/bin/sh\nenv > \"$HOME/env\"\n");
        File.SetUnixFileMode(binary, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Environment.SetEnvironmentVariable("OPERATORS_TEST_SECRET", "s3cret");
        try
        {
            await Assert.ThrowsAsync<LedgerStartException>(() => StartAsync(new LedgerOptions { AnvilPath = binary }));
        }
        finally
        {
            Environment.SetEnvironmentVariable("OPERATORS_TEST_SECRET", null);
        }
        var names = File.ReadLines(Path.Combine(Chain, "env")).Select(l => l.Split('=')[0]).Except(["PWD", "OLDPWD", "SHLVL", "_"]);
        Assert.Equal(["HOME", "PATH", "PMR_PID_FILE"], names.Order());
    }

    [Fact]
    public async Task A_state_that_anvil_cannot_read_is_put_aside()
    {
        WriteState("{\"spoilt\":");
        await using var node = await StartAsync(new LedgerOptions());
        Assert.True(File.Exists(State + ".broken"));
        // A new chain; it makes a block a second.
        Assert.InRange((await Connect(node).HeadAsync(default)).Number, 0, 20);
        Assert.Single(_log.Lines);
    }

    [Fact]
    public async Task A_chain_that_dies_is_started_again_where_it_was()
    {
        await using var node = await StartAsync(new LedgerOptions());
        var pid = Pid();
        using (var anvil = Process.GetProcessById(pid)) anvil.Kill();
        for (var i = 0; i < 150 && (node.Problem is not null || Pid() == pid); i++) await Task.Delay(100);
        Assert.NotEqual(pid, Pid());
        Assert.Null(node.Problem);
        await Connect(node).HeadAsync(default);
        Assert.Equal(2, _log.Lines.Count);
    }

    public void Dispose() => _folder.Dispose();

    private int Pid() => int.TryParse(File.ReadAllText(Path.Combine(Chain, "anvil.pid")), out var pid) ? pid : 0;

    private Task<AnvilNode> StartAsync(LedgerOptions options) => AnvilNode.StartAsync(options, Chain, _log, default);

    private static IChain Connect(AnvilNode node) => LedgerServices.ChainOf(node.Url, 1337, new ContractSet(new byte[20]));

    private void WriteState(string content)
    {
        Directory.CreateDirectory(Chain);
        File.WriteAllText(State, content);
    }
}
