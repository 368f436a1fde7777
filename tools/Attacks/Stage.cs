using PmrGateway.Gateway.Ledger;
using PmrGateway.Tests.Client;
using PmrGateway.Vault;

namespace PmrGateway.Tools.Attacks;

/// <summary>A gateway as an operator runs it, a process of its own over real HTTP, with a chain, another issuer of tokens and a
/// cast.</summary>
internal sealed class Stage : IAsyncDisposable
{
    /// <summary>The app that people log in with.</summary>
    public const string App = "app";

    /// <summary>The audience of the other issuer's tokens.</summary>
    public const string Audience = "pmr-attacks";

    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(120) };
    private readonly int _port = GatewayProcess.FreePort();
    private readonly int _chainPort;
    private readonly string[] _settings;
    private GatewayProcess _gateway = null!;
    private string _saidBefore = "";

    private Stage(TokenIssuer issuer, int chainPort, string[] settings)
    {
        (Issuer, _chainPort, _settings) = (issuer, chainPort, settings);
        DataFolder = Directory.CreateTempSubdirectory("pmr-attacks-").FullName;
        Chain = new ChainNode(_http, _chainPort, DataFolder);
    }

    public string DataFolder { get; }

    public string Url => _gateway.Url;

    public int ProcessId => _gateway.Process.Id;

    /// <summary>Memory that the gateway has.</summary>
    public long ResidentBytes()
    {
        using var process = System.Diagnostics.Process.GetProcessById(ProcessId);
        return process.WorkingSet64;
    }

    /// <summary>All that the gateway has logged.</summary>
    public string Said => _saidBefore + _gateway.Said;

    public TokenIssuer Issuer { get; }

    public ChainNode Chain { get; }

    public GatewayClient Anyone => new(_http, Url);

    public GatewayClient Operator { get; private set; } = null!;

    public Registrar Registrar { get; private set; } = null!;

    public string Hospital { get; private set; } = "";

    public GatewayClient Ehr { get; private set; } = null!;

    public GatewayClient OtherEhr { get; private set; } = null!;

    public string InsurerOrganization { get; private set; } = "";

    public GatewayClient Insurer { get; private set; } = null!;

    /// <summary>The keys of the gateway: who attacks has them not, who checks what an attack came to does.</summary>
    public Keyring Keyring => Keyring.Open(Path.Combine(DataFolder, "keyring.json"));

    public Custody Custody => new(Keyring);

    /// <summary>Starts a gateway and registers its cast.</summary>
    /// <param name="chainPort">Where its chain is; null: a port of its own.</param>
    /// <param name="settings">Further settings.</param>
    public static async Task<Stage> StartAsync(int? chainPort = null, params string[] settings)
    {
        var stage = new Stage(await TokenIssuer.StartAsync(), chainPort ?? GatewayProcess.FreePort(), settings);
        try
        {
            await stage.ServeAsync();
            stage.Operator = await stage.Anyone.LoginOperatorAsync(stage.DataFolder);
            stage.Registrar = new Registrar(stage.Anyone, stage.Operator);
            stage.Hospital = await stage.Registrar.OrganizationAsync("General Hospital", "prov");
            stage.Ehr = await stage.Registrar.SystemAsync("ehr", stage.Hospital, "system/*.cruds", "TREAT");
            stage.OtherEhr = await stage.Registrar.SystemAsync(
                "other-ehr", await stage.Registrar.OrganizationAsync("Other Hospital", "prov"), "system/*.cruds", "TREAT");
            stage.InsurerOrganization = await stage.Registrar.OrganizationAsync("Insurer", "ins");
            stage.Insurer = await stage.Registrar.SystemAsync("insurer", stage.InsurerOrganization, "system/*.rs", "HPAYMT");
            await stage.Registrar.AppAsync(App);
            return stage;
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    /// <summary>Says that nothing else can be played on this stage.</summary>
    public void Spoil() => IsSpoiled = true;

    /// <summary>Whether an attack has left a chain or a gateway that no other can be played on.</summary>
    public bool IsSpoiled { get; private set; }

    /// <summary>Whether the gateway still serves.</summary>
    public async Task<bool> IsWellAsync()
    {
        try
        {
            return !_gateway.Process.HasExited && (await Anyone.GetAsync(Url + "/health", "*/*")).Status == 200;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return false;
        }
    }

    /// <summary>Ends the gateway and starts it again on the same data, at the same address.</summary>
    public async Task RestartAsync()
    {
        await _gateway.DisposeAsync();
        _saidBefore += _gateway.Said;
        await ServeAsync();
        await GatewayClient.UntilAsync(() => Anyone.GetAsync(Url + "/health", "*/*"), a => a.Status == 200);
    }

    /// <summary>Sends bytes as they are.</summary>
    public Task<RawAnswer> RawAsync(string request) => RawHttp.SendAsync(_port, request);

    public async Task<string> NewPatientAsync(string family = "Test") =>
        (await CreateAsync(Ehr, "Patient", $$"""{"resourceType":"Patient","name":[{"family":"{{family}}"}]}""")).Id;

    public Task<Answer> NewDocumentAsync(string patient, string content = "aGVsbG8=") => CreateAsync(
        Ehr, "DocumentReference", Documents.Of(patient, $"\"contentType\":\"text/plain\",\"data\":\"{content}\""));

    /// <summary>A consent of the patient for an actor, when it counts.</summary>
    public async Task<string> GrantAsync(string patient, string actor, string purpose = "HPAYMT")
    {
        var created = await CreateAsync(Ehr, "Consent", ConsentText.Permit("Patient/" + patient, actor, purpose));
        await SettleAsync(Ehr, created.Id);
        return created.Id;
    }

    /// <summary>Waits until the chain has a consent.</summary>
    public async Task SettleAsync(GatewayClient giver, string consent)
    {
        var status = await Chain.UntilAsync(
            () => giver.GetAsync($"Consent/{consent}/$ledger-status"), a => a.Text.Contains("\"confirmed\"", StringComparison.Ordinal));
        if (!status.Text.Contains("\"confirmed\"", StringComparison.Ordinal))
            throw new InvalidOperationException($"a consent is not confirmed: {status.Text}");
    }

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null) await _gateway.DisposeAsync();
        await Issuer.DisposeAsync();
        _http.Dispose();
        Directory.Delete(DataFolder, recursive: true);
    }

    private static async Task<Answer> CreateAsync(GatewayClient client, string type, string body)
    {
        var created = await client.PostAsync(type, body);
        return created.Status == 201 ? created : throw new InvalidOperationException($"no {type}: {created.Status} {created.Text}");
    }

    private async Task ServeAsync() => _gateway = await GatewayProcess.StartAsync(
        DataFolder,
        [
            "--Url", $"http://127.0.0.1:{_port}",
            "--Ledger:AnvilPort", $"{_chainPort}",
            "--Ledger:Confirmations", "0",
            "--Ledger:PollInterval", "00:00:00.050",
            "--Ledger:AnchorMaxAge", "00:00:00.500",
            "--Auth:Issuers:0:Authority", Issuer.Url,
            "--Auth:Issuers:0:Audience", Audience,
            // The cast logs in once.
            "--Auth:TokenLifetime", "06:00:00", .. _settings,
        ]);
}
