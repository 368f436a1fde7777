using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging.Abstractions;
using PmrGateway.Gateway.Ledger;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Tests.Client;
using PmrGateway.Tests.Client.Nodes;

namespace PmrGateway.Tests.Scenarios;

/// <summary>The operator looks at the ledger at the shell, on a chain that goes on when its gateway is stopped.</summary>
public sealed class LedgerCommandScenarios : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("pmr-ledger-").FullName;
    private readonly HttpClient _http = new();
    private readonly RunningGateway _gateway = new();
    private AnvilNode _anvil = null!;

    private NodeRpc Node => new(_http, _anvil.Url);

    public async Task InitializeAsync()
    {
        _anvil = await AnvilNode.StartAsync(new LedgerOptions(), Path.Combine(_folder, "chain"), NullLogger.Instance, default);
        _gateway.Options.Ledger.RpcUrl = _anvil.Url;
        await _gateway.InitializeAsync();
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _anvil.DisposeAsync();
        _http.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_gateway_that_runs_well_is_told_as_that_and_every_row_is_as_on_its_chain()
    {
        var patient = await _gateway.NewPatientAsync();
        var consent = await RunningGateway.GrantAsync(_gateway.Ehr, patient, _gateway.InsurerOrganization);
        var (doctor, _) = await _gateway.RegisterDoctorAsync("dr-ledger", _gateway.Hospital);
        // Until all that was said is on the chain, deep enough.
        for (var tries = 0; tries < 30; tries++)
        {
            var entries = (await JsonAsync("ledger", "status")).Document.GetProperty("outbox").GetProperty("entries");
            if (entries.EnumerateObject().All(e => e.Name == "confirmed" || e.Value.GetInt64() == 0)) break;
        }

        var (code, text, error) = await PmrAsync("ledger", "status");
        Assert.True(code == 0 && error.Length == 0, text + error);
        Assert.EndsWith("\nok: nothing is wrong\n", text);
        var status = (await JsonAsync("ledger", "status")).Document;
        var chain = status.GetProperty("chain");
        Assert.Equal(1337, chain.GetProperty("id").GetInt64());
        Assert.Equal(Text(await Node.CallAsync("eth_getBlockByNumber", "0x0", false), "hash"), Text(chain, "genesis"));
        Assert.Equal(Text(chain, "genesis"), Text(chain, "followed"));
        Assert.Equal(3, status.GetProperty("contracts").EnumerateArray().Count(c => c.GetProperty("isThere").GetBoolean()));
        var (view, sender) = (status.GetProperty("view"), status.GetProperty("sender"));
        Assert.Equal("level", Text(view, "state"));
        Assert.InRange(view.GetProperty("head").GetInt64() - view.GetProperty("block").GetInt64(), -2, 2);
        Assert.Equal(
            await Node.NonceAsync(Text(sender, "address")!),
            status.GetProperty("outbox").GetProperty("entries").GetProperty("confirmed").GetInt64());
        Assert.Equal(("0", false), (Text(sender, "balance"), sender.GetProperty("paysFees").GetBoolean()));
        Assert.Contains($"batches   {_gateway.Hospital}: ", text);

        (code, text, error) = await PmrAsync("ledger", "verify");
        Assert.True(code == 0 && error.Length == 0, text + error);
        const string Ok = @"\n0 rows are stricter here than on the chain\nok: 1 consents and 4 actors are as on the chain at blocks? \d";
        Assert.True(Regex.IsMatch(text, Ok), text);

        var actors = (await JsonAsync("actor", "list")).Document.GetProperty("actors").EnumerateArray()
            .ToDictionary(a => Text(a, "reference")!);
        Assert.Equal(4, actors.Count);
        Assert.Equal(
            ("practitioner", _gateway.Hospital, "active", "active"),
            (Text(actors[doctor], "kind"), Text(actors[doctor], "organization"), Text(actors[doctor], "here"),
                Text(actors[doctor], "chain")));
        Assert.Equal("insurer", Text(actors[_gateway.InsurerOrganization], "kind"));
        (code, text, _) = await PmrAsync("actor", "list");
        Assert.Equal(0, code);
        Assert.Matches($@"{_gateway.Hospital} +hospital +- +active here +active on the chain +0x[0-9a-f]{{64}}\n", text);
        Assert.DoesNotContain(patient, text);

        (code, _, error) = await PmrAsync("ledger", "rebuild");
        Assert.Equal((2, true), (code, error.Contains("is in use: another gateway runs on it", StringComparison.Ordinal)));
        Assert.Equal(200, (await _gateway.Insurer.GetAsync($"Patient/{patient}")).Status);

        // Our own word, which the chain does not have yet.
        await Node.CallAsync("evm_setAutomine", false);
        await Node.CallAsync("evm_setIntervalMining", 0);
        Assert.Equal(204, (await _gateway.Ehr.DeleteAsync($"Consent/{consent}")).Status);
        var own = await JsonAsync("ledger", "verify");
        Assert.Equal((0, 1), (own.Code, own.Document.GetProperty("stricter").GetInt64()));
    }

    [Fact]
    public async Task What_the_view_missed_is_told_row_by_row_and_is_right_after_a_rebuild_which_opens_nothing()
    {
        var self = new Dictionary<string, (string Patient, string Consent)>();
        foreach (var name in new[] { "kept", "revoked", "all", "wallet", "own" })
        {
            var patient = await _gateway.NewPatientAsync();
            self[name] = (patient, await RunningGateway.GrantAsync(_gateway.Ehr, patient, _gateway.InsurerOrganization));
        }
        Assert.Equal(204, (await _gateway.Ehr.DeleteAsync($"Consent/{self["own"].Consent}")).Status);
        var sender = "0x" + Convert.ToHexStringLower(_gateway.Service<EthereumAccount>().Address);
        var contracts = _gateway.Service<ContractSet>().Addresses;
        var (actors, consents) = (contracts[ContractSet.Actors], contracts[ContractSet.Consents]);
        var other = (await _gateway.Service<DirectoryStore>().ActorAsync(_gateway.OtherHospital, default))!;
        var (revoked, all, wallet) = (await RowAsync("revoked"), await RowAsync("all"), await RowAsync("wallet"));
        var custody = "0x" + revoked.Row.Controller;
        var taker = new Wallet();
        var intent = new HandOverIntent(
            Convert.FromHexString(wallet.Row.PatientKey), "0x" + Convert.ToHexStringLower(taker.Address), ConsentIntents.NewNonce(),
            4_000_000_000);
        var digest = _gateway.Service<ConsentIntents>().Digest(intent);
        var handOver = ChainCommands.HandOver(
            "x", intent, _gateway.Service<Custody>().AccountOf(_gateway.Hospital).Sign(digest).ToBytes(), taker.Sign(digest)).Data;
        await _gateway.StopAsync();

        // Nobody tells the gateway, and its view is set to where all this has happened: as if it had been shown a block without it.
        await SendAsync(custody, consents, "revoke(bytes32,bytes32)", revoked.Row.PatientKey, revoked.Commitment);
        await SendAsync(custody, consents, "revokeAll(bytes32)", all.Row.PatientKey);
        await SendAsync(custody, consents, handOver);
        await SendAsync(sender, actors, "setStatus(bytes32,uint8)", other.ActorId, 2.ToString("x64", CultureInfo.InvariantCulture));
        Assert.Equal(0, (await PmrAsync("ledger", "verify")).Code);
        await SkipAsync();
        var (code, text, _) = await PmrAsync("ledger", "verify");
        Assert.Equal(1, code);
        Assert.Contains($"consents {revoked.Commitment} stands here, and is revoked on the chain\n", text);
        Assert.Contains($"consents {all.Commitment} stands here, and is revoked on the chain with all of its patient before it\n", text);
        Assert.Contains(
            $"patients {self["wallet"].Patient} has the wallet {custody} here, and {intent.NewController} on the chain\n", text);
        Assert.Contains($"actors {_gateway.OtherHospital} is active here, and suspended on the chain\n", text);
        Assert.Matches(@"\nFAILED: 4 of \d+ rows are not as on the chain at block \d+\n$", text);
        var told = await JsonAsync("ledger", "verify");
        Assert.Equal((1, 4), (told.Code, told.Document.GetProperty("contradictions").GetArrayLength()));

        // As long as another gateway on the database follows the chain nothing is forgotten.
        await SqlAsync("UPDATE leases SET holder = 'other/1/x', expires = 9000000000000 WHERE name = 'view'");
        (code, _, var error) = await PmrAsync("ledger", "rebuild");
        Assert.Equal((2, "pmr: another gateway on the database follows the chain: stop all of them first\n"), (code, error));
        await SqlAsync("UPDATE leases SET expires = 0");
        Assert.Equal(1, (await PmrAsync("ledger", "verify")).Code);
        (code, text, error) = await PmrAsync("ledger", "rebuild");
        Assert.True(code == 0, text + error);
        Assert.Contains("grants that stand  4 -> 1\n", text);
        Assert.Contains("revoked consents   1 -> 3\n", text);
        Assert.Contains("active actors      3 -> 2\n", text);
        (code, text, error) = await PmrAsync("ledger", "verify");
        Assert.True(code == 0, text + error);

        await _gateway.StartAsync();
        var read = await GatewayClient.UntilAsync(() => ReadAsync("kept"), a => a.Status == 200);
        Assert.Equal(200, read.Status);
        foreach (var name in new[] { "revoked", "all", "wallet", "own" })
            Assert.Equal((name, 404), (name, (await ReadAsync(name)).Status));

        Task<Answer> ReadAsync(string name) => _gateway.Insurer.GetAsync($"Patient/{self[name].Patient}");

        async Task<(RegisteredPatient Row, string Commitment)> RowAsync(string name)
        {
            var directory = _gateway.Service<DirectoryStore>();
            return ((await directory.PatientAsync(self[name].Patient, default))!,
                (await directory.LatestConsentAsync(self[name].Consent, default))!.Commitment);
        }
    }

    [Fact]
    public async Task A_node_of_another_chain_and_a_view_that_stands_still_are_wrong_and_nothing_is_forgotten_for_them()
    {
        var patient = await _gateway.NewPatientAsync();
        await RunningGateway.GrantAsync(_gateway.Ehr, patient, _gateway.InsurerOrganization);
        await using var other = await AnvilNode.StartAsync(
            new LedgerOptions(), Path.Combine(_folder, "other"), NullLogger.Instance, default);
        var (code, text, _) = await PmrAsync("ledger", "status", "--rpc", other.Url);
        Assert.Equal(1, code);
        Assert.Contains("\nwrong: the node's chain begins with block ", text);
        Assert.Contains("ActorRegistry at 0x", text);
        (code, text, _) = await PmrAsync("ledger", "verify", "--rpc", other.Url);
        Assert.Equal((1, true), (code, text.StartsWith("FAILED: the node's chain begins with block ", StringComparison.Ordinal)));
        // Taken for ours all the same, it has nothing of ours.
        var first = await new NodeRpc(_http, other.Url).CallAsync("eth_getBlockByNumber", "0x0", false);
        string[] pinned = ["--rpc", other.Url, "--Ledger:Genesis", Text(first, "hash")!];
        Assert.Equal(
            (1, "FAILED: the chain has no ActorRegistry where that of this gateway is\n", ""),
            await PmrAsync(["ledger", "verify", .. pinned]));
        (code, text, _) = await PmrAsync(["ledger", "status", .. pinned]);
        Assert.Equal((1, true), (code, text.Contains("\nwrong: the chain has no ConsentRegistry at 0x", StringComparison.Ordinal)));
        Assert.Equal(2, (await PmrAsync("ledger", "status", "--rpc", other.Url, "--Ledger:ChainId", "7", "--rpc", other.Url)).Code);
        (code, text, _) = await PmrAsync("ledger", "status", "--Ledger:ChainId", "7");
        Assert.Equal((1, true), (code, text.Contains("wrong: the node is of chain 1337, not of chain 7", StringComparison.Ordinal)));

        await _gateway.StopAsync();
        await Task.Delay(1500);
        (code, text, _) = await PmrAsync("ledger", "status", "--Ledger:MaxStaleness", "00:00:01");
        Assert.Equal(1, code);
        Assert.Contains("\nview      stale, block ", text);
        Assert.Contains(" s ago: until it is again, no read is answered\n", text);
        (code, _, var error) = await PmrAsync("ledger", "rebuild", "--Ledger:RpcUrl", other.Url);
        Assert.Equal((2, true), (code, error.Contains("the node's chain begins with", StringComparison.Ordinal)));
        Assert.Equal(0, (await PmrAsync("ledger", "verify")).Code);
        Assert.Equal(1, (await JsonAsync("ledger", "verify")).Document.GetProperty("consents").GetInt64());
        // An entry that its contract reverted is told with its reason.
        await SqlAsync("UPDATE outbox SET status = 4, error = 'GrantExists' WHERE key LIKE 'grant %'");
        (code, text, _) = await PmrAsync("ledger", "status", "--Ledger:MaxStaleness", "01:00:00");
        Assert.Equal((1, true), (code, text.Contains("': GrantExists\n", StringComparison.Ordinal)));
        Assert.Contains("\nwrong: 1 entries of the outbox were reverted, the first of them 'grant ", text);
    }

    [Fact]
    public async Task What_cannot_be_asked_is_one_line_and_the_exit_code_2()
    {
        string nowhere = $"http://127.0.0.1:{GatewayProcess.FreePort()}", empty = Path.Combine(_folder, "empty");
        foreach (var (wrong, said) in new (string[], string)[]
        {
            (["ledger"], "pmr ledger status, verify or rebuild"), (["ledger", "forget"], "pmr ledger status, verify or rebuild"),
            (["actor"], "pmr actor list"), (["ledger", "status", "--rpc"], "pmr ledger status takes one --rpc"),
            (["ledger", "verify", "--rpc", "node"], "pmr ledger verify takes one --rpc"),
            (["ledger", "status", "--rpc", nowhere], $"the Ethereum node at {nowhere}/ cannot be reached"),
            (["ledger", "verify", "--rpc", nowhere], $"the Ethereum node at {nowhere}/ cannot be reached"),
            (["ledger", "status", "--Ledger:ChainId", "0"], "Ledger:ChainId is 0"),
            (["actor", "list", "--Nonsense:Key", "x"], "the configuration cannot be read"),
            (["ledger", "rebuild", "--rpc", nowhere], "the configuration cannot be read"),
        })
        {
            var (code, output, error) = await PmrAsync(wrong);
            Assert.True(
                code == 2 && output.Length == 0 && error.StartsWith("pmr: " + said, StringComparison.Ordinal)
                    && error.Count(c => c == '\n') == 1,
                $"{string.Join(' ', wrong)}: {code} {output} {error}");
        }
        foreach (var command in new string[][] { ["ledger", "status"], ["ledger", "verify"], ["ledger", "rebuild"], ["actor", "list"] })
        {
            var (code, _, error) = await GatewayProcess.RunAsync([.. command, "--data", empty]);
            Assert.Equal((2, $"pmr: there is no database {Path.Combine(empty, "gateway.db")}\n"), (code, error));
            Assert.False(Directory.Exists(empty));
        }
    }

    private static string? Text(JsonElement parent, string name) => parent.GetProperty(name).GetString();

    private Task<(int Code, string Out, string Error)> PmrAsync(params string[] arguments)
    {
        string[] own = arguments.Contains("--Ledger:RpcUrl") ? [] : ["--Ledger:RpcUrl", _anvil.Url];
        return GatewayProcess.RunAsync(
        [
            .. arguments, "--data", _gateway.Options.DataFolder, "--Ledger:Confirmations", "1", .. own,
            .. TestStore.Settings(_gateway.Options.Store),
        ]);
    }

    private async Task<(int Code, JsonElement Document)> JsonAsync(params string[] arguments)
    {
        var (code, output, error) = await PmrAsync([.. arguments, "--json"]);
        Assert.True(output.Length > 0, error);
        return (code, JsonDocument.Parse(output).RootElement);
    }

    private Task SendAsync(string from, byte[] to, string function, params string[] words) => SendAsync(
        from, to, [.. Keccak256.Hash([Encoding.ASCII.GetBytes(function)])[..4], .. Convert.FromHexString(string.Concat(words))]);

    // As whoever holds the key of an account; the node does not ask for it.
    private async Task SendAsync(string from, byte[] to, byte[] data)
    {
        await Node.CallAsync("anvil_impersonateAccount", from);
        var hash = await Node.CallAsync("eth_sendTransaction", new
        {
            from,
            to = "0x" + Convert.ToHexStringLower(to),
            data = "0x" + Convert.ToHexStringLower(data),
            gas = "0x92000",
            maxFeePerGas = "0x0",
            maxPriorityFeePerGas = "0x0",
        });
        for (var tries = 0; ; tries++)
        {
            var receipt = await Node.CallAsync("eth_getTransactionReceipt", hash.GetString());
            if (receipt.ValueKind == JsonValueKind.Object)
            {
                Assert.Equal("0x1", Text(receipt, "status"));
                return;
            }
            Assert.True(tries < 100, "it is not mined");
            await Task.Delay(100);
        }
    }

    private async Task SkipAsync()
    {
        var head = await Node.CallAsync("eth_getBlockByNumber", "latest", false);
        var (number, hash) = (Convert.ToInt64(Text(head, "number"), 16), Text(head, "hash")![2..]);
        await SqlAsync($"INSERT INTO chain_blocks (number, hash) VALUES ({number}, '{hash}')");
        await SqlAsync($"UPDATE chain_view SET block = {number}, hash = '{hash}'");
    }

    private async Task SqlAsync(string sql)
    {
        await using var connection = await TestStore.OpenAsync(_gateway.Options);
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        Assert.True(await command.ExecuteNonQueryAsync() > 0, sql);
    }
}

/// <summary>A gateway with a development chain of its own, which runs while it does.</summary>
public class DevelopmentLedgerScenarios
{
    [Fact]
    public async Task The_development_chain_is_found_while_its_gateway_runs_and_started_for_a_rebuild()
    {
        var gateway = new RunningGateway();
        await gateway.InitializeAsync();
        try
        {
            var patient = await gateway.NewPatientAsync();
            await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
            var (code, text, error) = await PmrAsync("ledger", "status");
            Assert.True(code == 0, text + error);
            (code, text, error) = await PmrAsync("ledger", "verify");
            Assert.True(code == 0, text + error);
            await gateway.StopAsync();
            (code, text, error) = await PmrAsync("ledger", "verify");
            Assert.Equal((2, true), (code, error.Contains("cannot be reached", StringComparison.Ordinal)));
            (code, text, error) = await PmrAsync("ledger", "rebuild");
            Assert.True(code == 0, text + error);
            Assert.Contains("grants that stand  1 -> 1\n", text);
            await gateway.StartAsync();
            Assert.Equal(
                200, (await GatewayClient.UntilAsync(() => gateway.Insurer.GetAsync($"Patient/{patient}"), a => a.Status == 200)).Status);
        }
        finally
        {
            await gateway.DisposeAsync();
        }

        Task<(int Code, string Out, string Error)> PmrAsync(params string[] arguments) => GatewayProcess.RunAsync(
        [
            .. arguments, "--data", gateway.Options.DataFolder, "--Ledger:Confirmations", "1", .. TestStore.Settings(gateway.Options.Store),
        ]);
    }
}
