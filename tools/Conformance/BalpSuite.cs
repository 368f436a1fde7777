using System.Text.Json;
using Hl7.Fhir.Specification.Source;
using PmrGateway.Fhir;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Conformance;

/// <summary>
/// The AuditEvents that a running gateway makes of every interaction and every refusal, each against the profiles that it claims, of IHE's
/// package: by the native engine, and beside it by Firely's validator.
/// </summary>
internal static class BalpSuite
{
    /// <summary>Where IHE's package is in the folder of the suites.</summary>
    public const string Package = "packages/ihe_balp.tgz";

    private const string Prefix = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
    private const string App = "balp-app";
    private const string Emergency = "balp-emergency-app";

    // What a patient can see events of; each must be among those that come.
    private static readonly string[] Expected =
    [
        "AuthZconsent", "OAUTHaccessTokenUse.Minimal", "PatientCreate", "PatientDelete", "PatientQuery", "PatientRead", "PatientUpdate",
    ];

    public static IEnumerable<SuiteResult> Run(SuiteData data)
    {
        using var stream = File.OpenRead(Path.Combine(data.Folder("packages")!, Path.GetFileName(Package)));
        var profiles = ProfileSet.Core(FhirSchema.R4).With(FhirPackage.Read(stream));
        var events = EventsAsync().GetAwaiter().GetResult();
        var native = new Validator(FhirSchema.R4, profiles, new ValidationOptions());
        var second = new SecondValidator(profiles, ZipSource.CreateValidationSource);
        yield return Against("BALP", events, d => [.. native.Validate(d).Errors], "AuditEvents against the profiles that they claim");
        yield return Against("BALP-second", events, d => [.. second.Validate(d).Errors.Where(Counts)], "the same by Firely's validator");
    }

    // To Firely a reference by identifier alone breaks ref-1, which says nothing of it (docs/decisions/0010).
    private static bool Counts(ValidationIssue issue) => !issue.Text.Contains("constraint ref-1 ", StringComparison.Ordinal);

    private static SuiteResult Against(
        string name, IReadOnlyList<JsonElement> events, Func<ResourceDocument, IReadOnlyList<ValidationIssue>> errorsOf, string note)
    {
        var (passed, failures, claimed) = (0, new List<string>(), new HashSet<string>());
        foreach (var e in events)
        {
            ResourceDocument.TryParse(JsonSerializer.SerializeToUtf8Bytes(e), out var document, out _);
            var kept = e.GetProperty("meta").GetProperty("profile").EnumerateArray().Select(p => p.GetString()![Prefix.Length..]).ToList();
            claimed.UnionWith(kept);
            var errors = errorsOf(document!);
            if (errors.Count == 0) passed++;
            else failures.Add($"{string.Join('+', kept)}: {string.Join("; ", errors.Select(i => $"{i.Expression}: {i.Text}"))}: {e}");
        }
        // A kind that did not come is a case that did not pass.
        var missing = Expected.Except(claimed).Select(m => $"no event claims {m}").ToList();
        return new SuiteResult(name, passed, events.Count + missing.Count, 1, note, [.. failures.Distinct(), .. missing]);
    }

    private static async Task<IReadOnlyList<JsonElement>> EventsAsync()
    {
        var folder = Directory.CreateTempSubdirectory("pmr-balp-").FullName;
        try
        {
            await using var gateway = await GatewayProcess.StartAsync(
                folder, "--url", $"http://127.0.0.1:{GatewayProcess.FreePort()}", "--Ledger:Confirmations", "0");
            using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = TimeSpan.FromMinutes(1) };
            return await EventsAsync(new GatewayClient(http, gateway.Url), folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<IReadOnlyList<JsonElement>> EventsAsync(GatewayClient anyone, string folder)
    {
        var admin = await anyone.LoginOperatorAsync(folder);
        var registrar = new Registrar(anyone, admin);
        var hospital = await registrar.OrganizationAsync("General", "prov");
        var insurer = await registrar.OrganizationAsync("Insurer", "ins");
        var ehr = await registrar.SystemAsync("ehr", hospital, "system/*.cruds", "TREAT");
        var grantee = await registrar.SystemAsync("insurer", insurer, "system/*.rs", "HPAYMT");
        var stranger = await registrar.SystemAsync(
            "stranger", await registrar.OrganizationAsync("Other", "prov"), "system/*.cruds", "TREAT");
        await registrar.AppAsync(App);
        await registrar.EmergencyAppAsync(Emergency);
        await registrar.DoctorAsync("doctor", hospital, App);
        var emergency = await registrar.EmergencyAsync("doctor", Emergency, "unconscious");
        var patient = Ok(await ehr.PostAsync("Patient", """{"resourceType":"Patient","name":[{"family":"Example"}]}""")).Id;
        var self = await registrar.PatientAsync(patient, "patient", App);
        var consent = Ok(await self.PostAsync("Consent", ConsentText.Permit($"Patient/{patient}", insurer))).Id;
        await GatewayClient.UntilAsync(
            () => self.GetAsync($"Consent/{consent}/$ledger-status"), a => a.Text.Contains("confirmed", StringComparison.Ordinal));
        var every = new EveryInteraction(ehr, grantee, self, patient, consent, insurer, emergency);
        foreach (var play in every.Plays()) Ok(await play.AskAsync());
        foreach (var play in every.Refused(stranger)) await play.AskAsync();
        var log = Ok(await self.GetAsync("AuditEvent?_count=500"));
        return [.. log.Json.GetProperty("entry").EnumerateArray().Select(e => e.GetProperty("resource"))];
    }

    private static Answer Ok(Answer answer) =>
        answer.Status < 300 ? answer : throw new InvalidOperationException($"the gateway answered {answer.Status}: {answer.Text}");
}
