using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.IdentityModel.Tokens;
using Npgsql;
using PmrGateway.Gateway.Ledger;
using PmrGateway.LedgerAdapter;
using PmrGateway.Tests.Client;
using PmrGateway.Tests.StoreContract;

namespace PmrGateway.Tests.Scenarios;

/// <summary>
/// Three gateways as processes on one PostgreSQL, one block store, one chain and one keyring, under one public URL; each has a data
/// folder of its own.
/// </summary>
public sealed class Replicas : IAsyncLifetime
{
    internal const string Public = "https://pmr.example";
    internal const int Count = 3;
    private const string TokenUrl = Public + "/connect/token";
    private readonly string _folder = Directory.CreateTempSubdirectory("pmr-replicas-").FullName;
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(20) };
    private readonly GatewayProcess?[] _gateways = new GatewayProcess?[Count];
    private readonly Dictionary<string, SigningCredentials> _keys = [];
    private PostgresServer _postgres = null!;
    private FakeKubo _kubo = null!;
    private AnvilNode _anvil = null!;
    private string _database = "";

    internal string Hospital { get; private set; } = "";

    internal string Insurer { get; private set; } = "";

    /// <summary>The hospital's system, at each gateway, with one token.</summary>
    internal IReadOnlyList<GatewayClient> Ehr { get; private set; } = [];

    public async Task InitializeAsync()
    {
        var ledger = new LedgerOptions();
        _anvil = await AnvilNode.StartAsync(ledger, Path.Combine(_folder, "chain"), NullLogger.Instance, default);
        _kubo = await FakeKubo.StartAsync();
        _postgres = await PostgresServer.StartAsync();
        _database = await _postgres.NewDatabaseAsync();
        // All at once on a database and a keyring that are not there yet.
        await Task.WhenAll(Enumerable.Range(0, Count).Select(StartAsync));
        // The operator's key lies with the one that was first.
        var folder = Enumerable.Range(0, Count).Select(FolderOf).Single(f => File.Exists(Path.Combine(f, "operator.jwk")));
        var jwk = new JsonWebKey(await File.ReadAllTextAsync(Path.Combine(folder, "operator.jwk")));
        _keys["operator"] = new SigningCredentials(jwk, SecurityAlgorithms.EcdsaSha256);
        var token = await TokenAsync(1, "operator", "system/*.cruds");
        var @operator = At(2, token);
        Hospital = await RegisterAsync(@operator, "ehr", "prov", "system/*.cruds", "TREAT");
        Insurer = await RegisterAsync(@operator, "insurer", "ins", "system/*.rs", "HPAYMT");
        Ehr = Everywhere(await TokenAsync(2, "ehr", "system/*.cruds"));
        foreach (var ehr in Ehr)
            Assert.Equal(200, (await GatewayClient.UntilAsync(() => ehr.GetAsync(Insurer), a => a.Status == 200)).Status);
    }

    public async Task DisposeAsync()
    {
        foreach (var gateway in _gateways)
            if (gateway is not null) await gateway.DisposeAsync();
        if (_postgres is not null) await _postgres.DisposeAsync();
        if (_kubo is not null) await _kubo.DisposeAsync();
        if (_anvil is not null) await _anvil.DisposeAsync();
        _http.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    internal GatewayClient At(int gateway, string? token) => new(_http, _gateways[gateway]!.Url) { Token = token };

    /// <summary>One token at each gateway.</summary>
    internal GatewayClient[] Everywhere(string token) => [.. Enumerable.Range(0, Count).Select(i => At(i, token))];

    internal async Task<string> TokenAsync(int gateway, string client, string scope)
    {
        var answer = await At(gateway, null).RequestTokenAsync(client, _keys[client], scope, audience: TokenUrl);
        Assert.True(answer.Status == 200, answer.Text);
        return answer.Json.GetProperty("access_token").GetString()!;
    }

    internal Task<Answer> RevokeTokenAsync(int gateway, string client, string token) =>
        At(gateway, token).RevokeAsync(client, _keys[client], TokenUrl);

    /// <summary>Starts a gateway under the port it had, if it had one.</summary>
    internal async Task StartAsync(int gateway)
    {
        var url = _gateways[gateway]?.Url ?? $"http://127.0.0.1:{GatewayProcess.FreePort()}";
        _gateways[gateway] = await GatewayProcess.StartAsync(
            FolderOf(gateway), "--url", url, "--PublicUrl", Public, "--KeyringFile", Keyring, "--Store:Provider", "postgres",
            "--Store:ConnectionString", _database, "--Ipfs:Store", "kubo", "--Ipfs:KuboUrl", _kubo.Url, "--Ledger:RpcUrl", _anvil.Url,
            "--Ledger:Confirmations", "1", "--Ledger:AnchorMaxAge", "00:00:00.5");
    }

    /// <summary>SIGKILL.</summary>
    internal async Task KillAsync(int gateway)
    {
        _gateways[gateway]!.Process.Kill();
        await _gateways[gateway]!.Process.WaitForExitAsync();
    }

    /// <summary>SIGTERM, and waits for its end.</summary>
    internal Task StopAsync(int gateway) => _gateways[gateway]!.DisposeAsync().AsTask();

    /// <summary>The gateway that holds a lease: its process stands in the holder's name.</summary>
    internal int GatewayOf(string holder) =>
        Array.FindIndex(_gateways, g => $"{g!.Process.Id}" == holder.Split('/')[1]);

    internal static string NewPatient() => $$$"""
        {"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"{{{Guid.CreateVersion7()}}}"}]}
        """;

    /// <summary>What the chain itself has: how many transactions of the gateways' account, and every batch that was anchored.</summary>
    internal async Task<(long Transactions, IReadOnlyList<BatchAnchoredEvent> Anchors)> ChainAsync()
    {
        var sender = new Custody(PmrGateway.Vault.Keyring.Open(Keyring)).Sender;
        var chain = LedgerServices.ChainOf(_anvil.Url, 1337, new ContractSet(sender.Address));
        var anchors = (await chain.EventsAsync()).OfType<BatchAnchoredEvent>().ToList();
        return (await chain.NonceAsync(sender.Address, default), anchors);
    }

    internal async Task<List<T>> QueryAsync<T>(string sql, Func<NpgsqlDataReader, T> map)
    {
        await using var connection = new NpgsqlConnection(_database);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<T>();
        while (await reader.ReadAsync()) rows.Add(map(reader));
        return rows;
    }

    private string Keyring => Path.Combine(_folder, "keyring.json");

    private string FolderOf(int gateway) => Path.Combine(_folder, $"gateway-{gateway}");

    private async Task<string> RegisterAsync(GatewayClient @operator, string client, string type, string scope, string purpose)
    {
        var created = await @operator.PostAsync("Organization", $$$"""
            {"resourceType":"Organization","active":true,"name":"x",
            "type":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/organization-type","code":"{{{type}}}"}]}]}
            """);
        Assert.True(created.Status == 201, created.Text);
        var (key, actor) = (new ClientKey(), "Organization/" + created.Id);
        _keys[client] = key.Credentials;
        var registered = await @operator.AdminAsync(
            "clients", new { clientId = client, jwks = key.Jwks, actor, scopes = new[] { scope }, purposes = new[] { purpose } });
        Assert.True(registered.Status == 201, registered.Text);
        return actor;
    }
}
