using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using Microsoft.Data.Sqlite;
using Nethereum.Contracts;
using PmrGateway.Gateway.Ledger;
using PmrGateway.LedgerAdapter;
using PmrGateway.Tests.Client;
using PmrGateway.Tests.Client.Nodes;
using PmrGateway.Vault;

namespace PmrGateway.Tools.LedgerFaults;

/// <summary>
/// A gateway as an operator runs it, on a node of one maker, with a node that can lie between the two. What is true is asked of the node
/// itself.
/// </summary>
internal sealed class FaultStage : IAsyncDisposable
{
    /// <summary>How old the view may be.</summary>
    public static readonly TimeSpan MaxStaleness = TimeSpan.FromSeconds(6);

    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(60) };
    private readonly int _port = GatewayProcess.FreePort();
    private readonly string _folder = Directory.CreateTempSubdirectory("pmr-faults-").FullName;
    private readonly List<string> _documents = [];
    private readonly Custody _custody;
    private GatewayProcess _gateway = null!;

    private FaultStage(Custody custody, TestNode node, LyingNode proxy) => (_custody, Node, Proxy) = (custody, node, proxy);

    public TestNode Node { get; }

    public LyingNode Proxy { get; }

    public GatewayClient Ehr { get; private set; } = null!;

    public GatewayClient Insurer { get; private set; } = null!;

    public string InsurerOrganization { get; private set; } = "";

    public string Hospital { get; private set; } = "";

    /// <summary>What must not be, and was.</summary>
    public List<string> Violations { get; } = [];

    private string DataFolder => Path.Combine(_folder, "gateway");

    private GatewayClient Anyone => new(_http, _gateway.Url);

    public static async Task<FaultStage> StartAsync(string nodeName)
    {
        var folder = Directory.CreateTempSubdirectory("pmr-faults-node-").FullName;
        var keyring = Keyring.Create(Path.Combine(folder, "keyring.json"));
        var custody = new Custody(keyring);
        var node = await TestNode.StartAsync(nodeName, Path.Combine(folder, "chain"), Hex(custody.Sender.Address));
        var stage = new FaultStage(custody, node, await LyingNode.StartAsync(node.Url));
        Directory.CreateDirectory(stage.DataFolder);
        File.Move(Path.Combine(folder, "keyring.json"), Path.Combine(stage.DataFolder, "keyring.json"));
        try
        {
            await stage.ServeAsync();
            var admin = await stage.Anyone.LoginOperatorAsync(stage.DataFolder);
            var registrar = new Registrar(stage.Anyone, admin);
            stage.Hospital = await registrar.OrganizationAsync("General Hospital", "prov");
            stage.Ehr = await registrar.SystemAsync("ehr", stage.Hospital, "system/*.cruds", "TREAT");
            stage.InsurerOrganization = await registrar.OrganizationAsync("Insurer", "ins");
            stage.Insurer = await registrar.SystemAsync("insurer", stage.InsurerOrganization, "system/*.rs", "HPAYMT");
            return stage;
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    public void Check(bool holds, string violation)
    {
        if (!holds) Violations.Add(violation);
    }

    /// <summary>A patient; a document, written while whatever is wrong is wrong, is to be anchored in the end.</summary>
    public async Task<string> NewPatientAsync()
    {
        var patient = (await Created("Patient", """{"resourceType":"Patient"}""")).Id;
        await NewDocumentAsync(patient);
        return patient;
    }

    public async Task NewDocumentAsync(string patient) => _documents.Add((await Created(
        "Observation",
        $$$"""{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{{{patient}}}"}}""")).Id);

    /// <summary>A Consent of a patient for the insurer.</summary>
    public async Task<string> ConsentAsync(string patient) =>
        (await Created("Consent", ConsentText.Permit("Patient/" + patient, InsurerOrganization))).Id;

    /// <summary>A patient whom the insurer may read, when it may.</summary>
    public async Task<(string Patient, string Consent)> GrantedAsync()
    {
        var patient = await NewPatientAsync();
        var consent = await ConsentAsync(patient);
        Check(await ReadsAsync(patient, 200), $"a grant does not count: {(await ReadAsync(patient)).Text}");
        return (patient, consent);
    }

    public Task<Answer> ReadAsync(string patient) => Insurer.GetAsync($"Patient/{patient}");

    /// <summary>Whether a read by the insurer has a status in the end.</summary>
    public async Task<bool> ReadsAsync(string patient, int status, int seconds = 90) =>
        (await GatewayClient.UntilAsync(() => ReadAsync(patient), a => a.Status == status, seconds)).Status == status;

    /// <summary>That a patient is not read for so long.</summary>
    public async Task NeverReadsAsync(string patient, TimeSpan time, string when)
    {
        for (var start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < time; await Task.Delay(100))
        {
            if ((await ReadAsync(patient)).Status != 200) continue;
            Check(false, $"a patient whose consent was revoked is read {when}");
            return;
        }
    }

    /// <summary>
    /// All is as if nothing had been wrong: well, every document anchored, once, and no nonce left out.
    /// </summary>
    public async Task HealsAsync()
    {
        var health = await GatewayClient.UntilAsync(() => Anyone.GetAsync(_gateway.Url + "/health", "*/*"), IsWell, 120);
        Check(IsWell(health), $"it is not well again: {health.Text}");
        foreach (var document in _documents)
        {
            var proof = await GatewayClient.UntilAsync(
                () => Ehr.GetAsync($"Observation/{document}/$anchor-proof"),
                a => a.Text.Contains("\"block\"", StringComparison.Ordinal), 120);
            Check(proof.Text.Contains("\"block\"", StringComparison.Ordinal), $"a document is not anchored: {proof.Text}");
        }
        _documents.Clear();
        var (next, used, waiting) = (0L, -1L, 1L);
        for (var i = 0; i < 120 && (next > used || waiting > 0); i++)
        {
            await Task.Delay(500);
            used = await Node.Rpc.NonceAsync(Hex(_custody.Sender.Address));
            // Others may have used more: it is their key too.
            next = 1 + (long)(await ScalarAsync("SELECT COALESCE(MAX(nonce), -1) FROM outbox_transactions"))!;
            waiting = (long)(await ScalarAsync("SELECT COUNT(*) FROM outbox WHERE status IN (0, 1, 4)"))!;
        }
        Check(next <= used, $"nonces below {next} were given, the chain has used {used}");
        Check(waiting == 0, $"{waiting} entries of the outbox are not on the chain");
        var verify = await GatewayProcess.RunAsync("verify", "audit", "--data", DataFolder, "--rpc", Node.Url);
        Check(verify.Exit == 0, $"pmr verify audit: {verify.Out}{verify.Error}");
    }

    /// <summary>Whether health has said something of the chain in the end.</summary>
    public async Task ComplainsAsync(string when)
    {
        var told = await GatewayClient.UntilAsync(
            () => Anyone.GetAsync(_gateway.Url + "/health", "*/*"), a => !IsWell(a), (int)MaxStaleness.TotalSeconds * 4);
        Check(!IsWell(told), $"health says nothing {when}: {told.Text}");
    }

    private static bool IsWell(Answer health) => health.Status == 200 && health.Text.Contains("\"ok\"", StringComparison.Ordinal);

    /// <summary>The gateway dies.</summary>
    public async Task KillAsync()
    {
        _gateway.Process.Kill();
        await _gateway.Process.WaitForExitAsync();
    }

    /// <summary>The gateway ends.</summary>
    public ValueTask StopAsync() => _gateway.DisposeAsync();

    /// <summary>The gateway starts on the data that it has.</summary>
    public async Task ServeAsync() => _gateway = await GatewayProcess.StartAsync(
        DataFolder,
        "--Url", $"http://127.0.0.1:{_port}",
        "--Ledger:RpcUrl", Proxy.Url,
        "--Ledger:Confirmations", "1",
        "--Ledger:PollInterval", "00:00:00.100",
        "--Ledger:MaxStaleness", MaxStaleness.ToString("c", CultureInfo.InvariantCulture),
        "--Ledger:AnchorMaxAge", "00:00:00.500",
        "--Auth:TokenLifetime", "06:00:00");

    /// <summary>Copies the database away.</summary>
    public void BackUp() => Copy(DataFolder, Path.Combine(_folder, "backup"));

    /// <summary>Puts the database back as it was.</summary>
    public void Restore() => Copy(Path.Combine(_folder, "backup"), DataFolder);

    /// <summary>What the hospital's key revokes of a patient past the gateway: everything, on the chain alone.</summary>
    public async Task RevokeOnChainAsync(string patient)
    {
        var key = (string)(await ScalarAsync($"SELECT patient_key FROM patients WHERE id = '{patient}'"))!;
        var contracts = new ContractSet(_custody.Sender.Address);
        var intents = new ConsentIntents(1337, contracts.Addresses[ContractSet.Consents]);
        var intent = new RevokeAllIntent(Convert.FromHexString(key), ConsentIntents.NewNonce(), new BigInteger(4_000_000_000));
        var signature = _custody.AccountOf(Hospital).Sign(intents.Digest(intent)).ToBytes();
        await SendAsSenderAsync(contracts.Addresses[ContractSet.Consents], new RevokeAllBySigFunction(intent, signature).GetCallData());
    }

    /// <summary>A transaction of the gateway's own key, past the gateway: another sender has the key.</summary>
    public async Task SendAsSenderAsync(byte[] to, byte[] data)
    {
        var sender = _custody.Sender;
        for (var tries = 0; ; tries++)
        {
            var nonce = await Node.Rpc.NonceAsync(Hex(sender.Address));
            var (raw, hash) = sender.SignTransaction(1337, nonce, 2_000_000_000, 200_000_000_000, 600_000, to, data);
            try
            {
                await Node.Rpc.CallAsync("eth_sendRawTransaction", Hex(raw));
            }
            catch (InvalidOperationException) when (tries < 20)
            {
                // The gateway has taken the nonce meanwhile.
                await Task.Delay(500);
                continue;
            }
            for (var i = 0; i < 40; i++)
            {
                var receipt = await Node.Rpc.CallAsync("eth_getTransactionReceipt", "0x" + hash);
                if (receipt.ValueKind == System.Text.Json.JsonValueKind.Object) return;
                await Task.Delay(250);
            }
            if (tries >= 20) throw new InvalidOperationException("a transaction of another sender is not mined");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null) await _gateway.DisposeAsync();
        await Proxy.DisposeAsync();
        await Node.DisposeAsync();
        _http.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var old in Directory.GetFiles(to, "*.db*")) File.Delete(old);
        foreach (var file in Directory.GetFiles(from, "*.db*")) File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }

    private static string Hex(byte[] bytes) => "0x" + Convert.ToHexStringLower(bytes);

    private async Task<object?> ScalarAsync(string sql)
    {
        await using var connection = new SqliteConnection($"Data Source={Path.Combine(DataFolder, "gateway.db")};Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        return await command.ExecuteScalarAsync();
    }

    private async Task<Answer> Created(string type, string body)
    {
        var created = await Ehr.PostAsync(type, body);
        return created.Status == 201 ? created : throw new InvalidOperationException($"no {type}: {created.Status} {created.Text}");
    }
}
