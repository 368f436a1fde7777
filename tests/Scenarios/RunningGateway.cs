using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Hosting;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>A whole gateway as it runs in production, over real HTTP, with a real chain of its own and a cast of actors.</summary>
public sealed class RunningGateway : IAsyncLifetime
{
    internal const string App = "demo-app";
    internal const string EmergencyApp = "emergency-app";
    internal const string Redirect = Registrar.Redirect;
    internal const string Password = Registrar.Password;
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(60) };
    private readonly StoreOptions? _store;
    private WebApplication? _app;
    private Registrar _registrar = null!;

    /// <summary>On the run's store.</summary>
    public RunningGateway()
    {
    }

    /// <summary>On a store of its own.</summary>
    internal RunningGateway(StoreOptions store) => _store = store;

    internal GatewayOptions Options { get; } = new()
    {
        Url = $"http://127.0.0.1:{GatewayProcess.FreePort()}",
        DataFolder = Directory.CreateTempSubdirectory("pmr-scenario-").FullName,
        Ledger =
        {
            PollInterval = TimeSpan.FromMilliseconds(100),
            AnchorMaxAge = TimeSpan.FromMilliseconds(500),
            Confirmations = 1,
            MaxStaleness = TimeSpan.FromSeconds(15)
        },
        Limits = { MaxBodyBytes = 8 << 20, MaxBinaryBytes = 48 << 20 },
        // The cast logs in once, and a slow machine takes its time.
        Auth = { TokenLifetime = TimeSpan.FromHours(1) },
    };

    internal IServiceProvider Services => _app!.Services;

    /// <summary>What it has logged since it was made, as production writes it; the test's own output has the warnings.</summary>
    internal LoggedLines Logged { get; } = new();

    internal GatewayClient Anyone => new(_http, Options.Url);

    internal GatewayClient Operator { get; private set; } = null!;

    internal GatewayClient Ehr { get; private set; } = null!;

    internal GatewayClient OtherEhr { get; private set; } = null!;

    internal GatewayClient Insurer { get; private set; } = null!;

    internal string Hospital { get; private set; } = "";

    internal string OtherHospital { get; private set; } = "";

    internal string InsurerOrganization { get; private set; } = "";

    public async Task InitializeAsync()
    {
        var store = _store ?? await TestStore.NewAsync();
        (Options.Store.Provider, Options.Store.ConnectionString, Options.Store.SingleGateway) =
            (store.Provider, store.ConnectionString, store.SingleGateway);
        await StartAsync();
        Operator = await Anyone.LoginOperatorAsync(Options.DataFolder);
        _registrar = new Registrar(Anyone, Operator);
        (Hospital, Ehr) = await RegisterAsync("ehr", "General Hospital", "prov", "system/*.cruds", "TREAT");
        (OtherHospital, OtherEhr) = await RegisterAsync("other-ehr", "Other Hospital", "prov", "system/*.cruds", "TREAT");
        (InsurerOrganization, Insurer) = await RegisterAsync("insurer", "Insurer", "ins", "system/*.rs", "HPAYMT");
        await _registrar.AppAsync(App);
        await _registrar.EmergencyAppAsync(EmergencyApp);
    }

    internal async Task StartAsync()
    {
        _app = await GatewayHost.BuildAsync(Options, quiet: true, default, Logged.AddTo);
        await _app.StartAsync();
    }

    internal async Task StopAsync() => await _app!.DisposeAsync();

    /// <summary>Registers an organisation and its system client, and waits until the chain has both.</summary>
    internal async Task<(string Reference, GatewayClient Client)> RegisterAsync(string clientId, string name, string type,
        string scope, string purpose)
    {
        var reference = await _registrar.OrganizationAsync(name, type);
        return (reference, await RegisterSystemAsync(clientId, reference, scope, purpose));
    }

    /// <summary>Registers a system client of an organisation, and waits until the chain has both.</summary>
    internal Task<GatewayClient> RegisterSystemAsync(string clientId, string organization, string scope, string purpose) =>
        _registrar.SystemAsync(clientId, organization, scope, purpose);

    /// <summary>A doctor of a hospital, logged in.</summary>
    internal Task<(string Reference, GatewayClient Client)> RegisterDoctorAsync(string username, string hospital) =>
        _registrar.DoctorAsync(username, hospital, App);

    /// <summary>A doctor of a hospital, logged in to break the glass.</summary>
    internal async Task<(string Reference, GatewayClient Client)> RegisterEmergencyAsync(string hospital, string reason)
    {
        var username = "dr-" + Guid.CreateVersion7();
        var (reference, _) = await RegisterDoctorAsync(username, hospital);
        return (reference, await _registrar.EmergencyAsync(username, EmergencyApp, reason));
    }

    /// <summary>Everything that can be asked about a new patient, who has granted the insurer what there is.</summary>
    internal async Task<(EveryInteraction Every, GatewayClient Self)> EveryInteractionAsync()
    {
        var patient = await NewPatientAsync();
        var self = await LoginPatientAsync(patient);
        var consent = await GrantAsync(self, patient, InsurerOrganization);
        var (_, emergency) = await RegisterEmergencyAsync(Hospital, "unconscious");
        return (new EveryInteraction(Ehr, Insurer, self, patient, consent, InsurerOrganization, emergency), self);
    }

    /// <summary>A patient of the hospital.</summary>
    internal async Task<string> NewPatientAsync(string family = "Test")
    {
        var created = await Ehr.PostAsync(
            "Patient",
            $$$"""{"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"{{{Guid.CreateVersion7()}}}"}],"name":["""
                + $$$"""{"family":"{{{family}}}"}]}""");
        Assert.True(created.Status == 201, created.Text);
        return created.Id;
    }

    /// <summary>A patient who can log in.</summary>
    internal Task<GatewayClient> LoginPatientAsync(string patient, string login = "p") =>
        _registrar.PatientAsync(patient, $"{login}-{patient}", App);

    internal async Task<string> NewDocumentAsync(string patient, byte[] content, string type = "34133-9")
    {
        var created = await Ehr.PostAsync("DocumentReference", $$$"""
            {"resourceType":"DocumentReference","status":"current","type":{"coding":[{"system":"http://loinc.org","code":"{{{type}}}"}]},
            "subject":{"reference":"Patient/{{{patient}}}"},
            "date":"2026-01-02T03:04:05Z","content":[{"attachment":{"contentType":"application/pdf",
            "data":"{{{Convert.ToBase64String(content)}}}"}}]}
            """);
        Assert.True(created.Status == 201, created.Text);
        return created.Id;
    }

    /// <summary>Grants and waits until the grant counts.</summary>
    internal static async Task<string> GrantAsync(GatewayClient giver, string patient, string actor,
        string purpose = "HPAYMT", string more = "")
    {
        var created = await giver.PostAsync("Consent", Consent(patient, actor, purpose, more));
        Assert.True(created.Status == 201, created.Text);
        var status = await GatewayClient.UntilAsync(
            () => giver.GetAsync($"Consent/{created.Id}/$ledger-status"), a => a.Text.Contains("confirmed", StringComparison.Ordinal));
        Assert.Contains("confirmed", status.Text);
        return created.Id;
    }

    internal static string Consent(string patient, string actor, string purpose = "HPAYMT", string more = "",
        string status = "active", string? id = null) => ConsentText.Permit($"Patient/{patient}", actor, purpose, more, status, id);

    /// <summary>
    /// Whether a record is seen at another instant than now: its store is asked as a read asks it, by a read and by a search that must
    /// agree. The gateway's clock stays what it is.
    /// </summary>
    internal async Task<bool> IsSeenAsync(Requester requester, string type, string id, DateTimeOffset now)
    {
        var viewer = Service<Viewers>().Of(requester) with { Now = now };
        await using var snapshot = await Service<RecordDatabase>().SnapshotAsync(viewer, searches: true, default);
        var found = await snapshot.SearchAsync(
            new SearchQuery(type, [new SearchCriterion("_id", "id", [new SearchValue(null, id)])], 10, 0), default);
        var isSeen = await snapshot.ReadAsync(type, id, null, default) is not null;
        Assert.Equal(isSeen ? 1 : 0, found.Total);
        return isSeen;
    }

    internal T Service<T>()
        where T : notnull => Services.GetRequiredService<T>();

    /// <summary>The one resource of a Bundle that has no other.</summary>
    internal static JsonElement Only(Answer bundle) => Entries(bundle).Single().GetProperty("resource");

    internal static IEnumerable<JsonElement> Entries(Answer bundle) =>
        bundle.Json.TryGetProperty("entry", out var entries) ? entries.EnumerateArray() : [];

    public async Task DisposeAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
        _http.Dispose();
        Directory.Delete(Options.DataFolder, recursive: true);
    }
}
