using System.Text.Json;
using System.Text.Json.Nodes;
using PmrGateway.Tests.Client;
using Spectre.Console;

namespace PmrGateway.Tools.Demo;

/// <summary>
/// The main job as a transcript: register, push, anchor, refuse, grant, read, revoke, refuse, look at the log, verify. Each line says what
/// was asked and what came; a line whose answer is not what it must be fails the demo.
/// </summary>
internal sealed class DemoScript(string url, string dataFolder, string rpcUrl, string bundles)
{
    private const string App = "demo-app";
    private const string Redirect = "http://127.0.0.1/callback";
    private const string Password = "correct horse battery";
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = TimeSpan.FromMinutes(5) };
    private readonly List<(string Step, string Result)> _summary = [];
    private int _failures;

    /// <summary>Plays all; whether every step was as it must be.</summary>
    public async Task<bool> RunAsync()
    {
        var anyone = new GatewayClient(_http, url);
        AnsiConsole.MarkupLineInterpolated($"[bold]PmrGateway demo[/]  FHIR at {url}/fhir, chain at {rpcUrl}");

        Title("1. Who takes part: registered on the chain by the operator");
        var operatorClient = await anyone.LoginOperatorAsync(dataFolder);
        var (hospital, ehr) =
            await RegisterAsync(operatorClient, anyone, "General Hospital", "prov", "general-ehr", "system/*.cruds", "TREAT");
        var (other, _) = await RegisterAsync(operatorClient, anyone, "Harbour Hospital", "prov", "harbour-ehr", "system/*.cruds", "TREAT");
        var (insurer, claims) =
            await RegisterAsync(operatorClient, anyone, "Sample Insurance", "ins", "claims-system", "system/*.rs", "HPAYMT");
        Check("app of patients and doctors", await operatorClient.AdminAsync("clients", new
        {
            clientId = App,
            redirectUris = new[] { Redirect },
            scopes = new[] { "patient/*.rs", "patient/Consent.cruds", "user/*.rs" }
        }), 201);
        var (doctor, doctorClient) = await RegisterDoctorAsync(operatorClient, anyone, "Grace", "Harbour Hospital", other);
        var (_, ownDoctor) = await RegisterDoctorAsync(operatorClient, anyone, "Ada", "General Hospital", hospital);

        Title("2. The EHR of General Hospital pushes FHIR bundles");
        var pushed = await PushAsync(ehr);
        if (pushed.Patient is not { } patient)
        {
            Fail("a patient in the bundles", "none was pushed");
            return Finish();
        }
        // Bundles without attachments (older Synthea) get a letter, so that there is a document to ask for.
        if (pushed.Document is null) pushed = await PushLetterAsync(ehr, patient);
        if (pushed.Document is not { } document) return Finish();
        await PushDocumentAsync(ehr);
        Check("a doctor of the hospital that wrote the records reads none by that", await ownDoctor.GetAsync($"Patient/{patient}"), 404);
        Check("the hospital files its treatment consent without a form: refused", await FileAsync(ehr, patient, hospital, ""), 422);
        Check("with the form that the patient signed", await FileAsync(ehr, patient, hospital, SignedForm), 201);
        var treated = await GatewayClient.UntilAsync(() => ownDoctor.GetAsync($"Patient/{patient}"), a => a.Status == 200, 60);
        Check("its doctor reads, once the chain has the consent", treated, 200);

        Title("3. The records are sealed in IPFS blocks, their root is on the chain");
        var proof = await GatewayClient.UntilAsync(
            () => ehr.GetAsync($"DocumentReference/{document}/$anchor-proof"),
            a => a.Text.Contains("\"block\"", StringComparison.Ordinal),
            120);
        Check("anchor proof of the document", proof, 200, proof.Text.Contains("\"block\"", StringComparison.Ordinal));

        Title("4. The insurer asks without consent");
        Check($"insurer reads DocumentReference/{Short(document)}", await claims.GetAsync($"DocumentReference/{document}"), 404);
        var none = await claims.GetAsync($"DocumentReference?patient={patient}");
        Check("insurer searches the patient's documents: total 0", none, 200, none.Json.GetProperty("total").GetInt32() == 0);
        Check("insurer reads an id that never existed: the same answer", await claims.GetAsync("DocumentReference/never-existed"), 404);

        Title("5. The patient logs in and grants: payment purposes, documents only");
        Check(
            "account of the patient",
            await operatorClient.AdminAsync("users", new { username = "patient", password = Password, fhirUser = $"Patient/{patient}" }),
            201);
        var patientClient =
            await anyone.LoginUserAsync(App, Redirect, "patient", Password, "openid fhirUser patient/*.rs patient/Consent.cruds");
        var toInsurer = await GrantAsync(
            patientClient,
            patient,
            insurer,
            "HPAYMT",
            """,{"system":"http://hl7.org/fhir/resource-types","code":"Binary"},"""
                + """{"system":"http://hl7.org/fhir/resource-types","code":"DocumentReference"}""");

        Title("6. The insurer reads");
        var read = await claims.GetAsync($"DocumentReference/{document}");
        Check("insurer reads the document", read, 200);
        var attachment = read.Status == 200 ? read.Json.GetProperty("content")[0].GetProperty("attachment") : default;
        if (read.Status == 200)
        {
            var bytes =
                await claims.GetAsync(attachment.GetProperty("url").GetString()!, attachment.GetProperty("contentType").GetString()!);
            var same = pushed.Content is not null && bytes.Body.AsSpan().SequenceEqual(pushed.Content);
            Check($"its attachment, {bytes.Body.Length} bytes: the bytes that were pushed", bytes, 200, same);
        }
        Check(
            "insurer reads a Condition search: not granted",
            await claims.GetAsync($"Condition?patient={patient}"),
            200,
            (await claims.GetAsync($"Condition?patient={patient}")).Json.GetProperty("total").GetInt32() == 0);

        Title("7. A doctor of Harbour Hospital");
        Check("doctor reads the patient without consent", await doctorClient.GetAsync($"Patient/{patient}"), 404);
        await GrantAsync(patientClient, patient, doctor, "TREAT", null);
        Check("doctor reads the patient with consent", await doctorClient.GetAsync($"Patient/{patient}"), 200);
        Check("doctor reads everything", await doctorClient.GetAsync($"Patient/{patient}/$everything"), 200);

        Title("8. The patient revokes; the very next read is refused");
        Check("patient deletes the consent", await patientClient.DeleteAsync($"Consent/{toInsurer}"), 204);
        Check("insurer reads the document", await claims.GetAsync($"DocumentReference/{document}"), 404);

        Title("9. The patient looks who read what");
        var log = await patientClient.GetAsync($"AuditEvent?patient={patient}&_count=200");
        Check("access log", log, 200);
        if (log.Status == 200) ShowLog(log.Json, $"Patient/{patient}", insurer, doctor);

        Title("10. The proof verifies without the gateway");
        var file = Path.Combine(dataFolder, "proof.json");
        await File.WriteAllBytesAsync(file, proof.Body);
        var (exit, output, error) = await GatewayProcess.RunAsync("verify", file, "--rpc", rpcUrl);
        AnsiConsole.WriteLine((output + error).TrimEnd());
        Check("pmr verify (offline, and against the chain)", exit == 0);
        return Finish();
    }

    private async Task<(string Reference, GatewayClient Client)> RegisterAsync(GatewayClient admin, GatewayClient anyone, string name,
        string type, string clientId, string scope, string purpose)
    {
        var organization = new JsonObject
        {
            ["resourceType"] = "Organization",
            ["active"] = true,
            ["type"] = new JsonArray(new JsonObject
            {
                ["coding"] = new JsonArray(
                    new JsonObject { ["system"] = "http://terminology.hl7.org/CodeSystem/organization-type", ["code"] = type })
            }),
            ["name"] = name,
            ["address"] = new JsonArray(new JsonObject { ["city"] = "Exampleton" }),
        };
        var created = await admin.PostAsync("Organization", organization.ToJsonString());
        var reference = "Organization/" + created.Id;
        var key = new ClientKey();
        await admin.AdminAsync(
            "clients", new { clientId, jwks = key.Jwks, actor = reference, scopes = new[] { scope }, purposes = new[] { purpose } });
        var client = await anyone.LoginAsync(clientId, key.Credentials, scope);
        Check(
            $"{name}, its client {clientId}: active on the chain",
            await GatewayClient.UntilAsync(() => client.GetAsync(reference), a => a.Status == 200),
            200);
        return (reference, client);
    }

    private async Task<(string Reference, GatewayClient Client)> RegisterDoctorAsync(GatewayClient admin,
        GatewayClient anyone, string given, string name, string hospital)
    {
        var practitioner = "Practitioner/"
            + (await admin.PostAsync(
                "Practitioner",
                $$$"""
                {"resourceType":"Practitioner","identifier":[{"system":"https://council.example/registration","value":"R-{{{given}}}"}],
                "name":[{"family":"Example","given":["{{{given}}}"],"prefix":["Dr"]}]}
                """)).Id;
        await admin.PostAsync(
            "PractitionerRole",
            $$$"""{"resourceType":"PractitionerRole","active":true,"identifier":[{"value":"R-{{{given}}}"}"""
                + $$$"""],"practitioner":{"reference":"{{{practitioner}}}"},"organization":{"reference":"{{{hospital}}}"}}""");
        var username = $"doctor-{given}";
        await admin.AdminAsync("users", new { username, password = Password, fhirUser = practitioner });
        var client = await anyone.LoginUserAsync(App, Redirect, username, Password, "openid fhirUser user/*.rs");
        Check(
            $"Dr {given} Example of {name}: active on the chain",
            await GatewayClient.UntilAsync(() => client.GetAsync(practitioner), a => a.Status == 200),
            200);
        return (practitioner, client);
    }

    private async Task<(string? Patient, string? Document, byte[]? Content)> PushAsync(GatewayClient ehr)
    {
        // Directory bundles first: patients' bundles point to them by identifier.
        var files = Directory.GetFiles(bundles, "*.json")
            .OrderBy(f => !Path.GetFileName(f).Contains("nformation", StringComparison.Ordinal)).ThenBy(f => f, StringComparer.Ordinal)
            .ToList();
        (string? Patient, string? Document, byte[]? Content) first = default;
        var (resources, refused) = (0, new List<string>());
        var start = TimeProvider.System.GetTimestamp();
        await AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .StartAsync(async context =>
            {
                var progress = context.AddTask("pushing bundles", maxValue: files.Count);
                foreach (var file in files)
                {
                    var json = await File.ReadAllTextAsync(file);
                    using var bundle = JsonDocument.Parse(json);
                    await RegisterMissingAsync(ehr, bundle.RootElement);
                    var answer = await ehr.PostAsync("", json);
                    if (answer.Status != 200) refused.Add($"{Path.GetFileName(file)}: {answer.Text}");
                    else
                    {
                        var locations = answer.Json.GetProperty("entry").EnumerateArray()
                            .Select(e => e.GetProperty("response").TryGetProperty("location", out var l) ? l.GetString()! : "").ToList();
                        resources += locations.Count;
                        if (first.Document is null && Remember(bundle.RootElement, locations) is { } found
                            && (found.Document is not null || first.Patient is null))
                            first = found;
                    }
                    progress.Increment(1);
                }
            });
        var seconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds;
        Check($"{files.Count - refused.Count} of {files.Count} bundles, {resources} resources in {seconds:F1} s", refused.Count == 0);
        foreach (var text in refused.Take(5)) AnsiConsole.MarkupLineInterpolated($"     [red]{text[..Math.Min(400, text.Length)]}[/]");
        return first;
    }

    // Synthea points to places and payers that its patient bundles do not hold: an EHR has them registered already.
    private static async Task RegisterMissingAsync(GatewayClient ehr, JsonElement bundle)
    {
        var text = bundle.GetRawText();
        foreach (System.Text.RegularExpressions.Match match in System.Text.RegularExpressions.Regex.Matches(
            text, "\"reference\"\\s*:\\s*\"((Location|Organization|Practitioner)\\?identifier=([^\"|]*)\\|([^\"]*))\""))
        {
            if (!Registered.Add(match.Groups[1].Value)) continue;
            var (type, system, value) = (match.Groups[2].Value, match.Groups[3].Value, match.Groups[4].Value);
            await ehr.PostAsync(
                type,
                $$"""{"resourceType":"{{type}}","identifier":[{"system":"{{system}}","value":"{{value}}"}]}""",
                ("If-None-Exist", match.Groups[1].Value.Split('?')[1]));
        }
    }

    private static readonly HashSet<string> Registered = [];

    private static (string? Patient, string? Document, byte[]? Content)? Remember(JsonElement bundle, List<string> locations)
    {
        var entries = bundle.GetProperty("entry").EnumerateArray().Select(e => e.GetProperty("resource")).ToList();
        var patient = entries.FindIndex(r => r.GetProperty("resourceType").GetString() == "Patient");
        var document = entries.FindIndex(r => r.GetProperty("resourceType").GetString() == "DocumentReference"
            && r.GetProperty("content")[0].GetProperty("attachment").TryGetProperty("data", out _));
        if (patient < 0) return null;
        if (document < 0) return (locations[patient].Split('/')[^3], null, null);
        return (
            locations[patient].Split('/')[^3],
            locations[document].Split('/')[^3],
            entries[document].GetProperty("content")[0].GetProperty("attachment").GetProperty("data").GetBytesFromBase64());
    }

    private async Task<(string? Patient, string? Document, byte[]? Content)> PushLetterAsync(GatewayClient ehr, string patient)
    {
        var letter = "Dear colleague, the record of this patient is attached.\n"u8.ToArray();
        var created = await ehr.PostAsync("DocumentReference", $$$"""
            {"resourceType":"DocumentReference","status":"current","type":{"coding":[{"system":"http://loinc.org","code":"34133-9"}]},
            "subject":{"reference":"Patient/{{{patient}}}"},
            "date":"2026-02-01T10:00:00Z",
            "content":[{"attachment":{"contentType":"text/plain","data":"{{{Convert.ToBase64String(letter)}}}"}}]}
            """);
        Check("a letter about the first patient, since the bundles hold no attachment", created, 201);
        return (patient, created.Status == 201 ? created.Id : null, letter);
    }

    private async Task PushDocumentAsync(GatewayClient ehr)
    {
        var file = Path.Combine(bundles, "..", "documents", "discharge-document.json");
        if (!File.Exists(file)) return;
        Check("a FHIR document becomes a DocumentReference", await ehr.PostAsync("Bundle", await File.ReadAllTextAsync(file)), 201);
    }

    private const string SignedForm =
        "\"sourceAttachment\":{\"contentType\":\"application/pdf\",\"title\":\"signed form\",\"data\":\"JVBERi0xLjQ=\"},";

    private static Task<Answer> FileAsync(GatewayClient ehr, string patient, string actor, string source) => ehr.PostAsync(
        "Consent",
        ConsentText.Permit($"Patient/{patient}", actor, "TREAT").Replace(SignedForm, source, StringComparison.Ordinal));

    private async Task<string> GrantAsync(GatewayClient patientClient, string patient, string actor, string purpose, string? classes)
    {
        var limit = classes is null ? "" : $",\"class\":[{classes[1..]}]";
        var created = await patientClient.PostAsync("Consent", ConsentText.Permit($"Patient/{patient}", actor, purpose, limit));
        Check($"patient posts a Consent for {actor.Split('/')[0]} ({purpose})", created, 201);
        if (created.Status != 201) return "";
        var status = await GatewayClient.UntilAsync(
            () => patientClient.GetAsync($"Consent/{created.Id}/$ledger-status"),
            a => a.Text.Contains("confirmed", StringComparison.Ordinal),
            60);
        Check("the grant is confirmed on the chain", status, 200, status.Text.Contains("confirmed", StringComparison.Ordinal));
        return created.Id;
    }

    private void ShowLog(JsonElement bundle, string patient, string insurer, string doctor)
    {
        var table = new Table().AddColumns("when", "who", "did", "outcome");
        var seen = new HashSet<string>();
        foreach (var entry in bundle.GetProperty("entry").EnumerateArray().Select(e => e.GetProperty("resource")))
        {
            var who = entry.GetProperty("agent")[0].GetProperty("who");
            var name = who.TryGetProperty("reference", out var reference)
                ? reference.GetString()!
                : who.GetProperty("display").GetString()!;
            var permitted = entry.GetProperty("outcome").GetString() == "0";
            seen.Add(name + permitted);
            // The patient's own look-ups are in the log too; what others did is what one wants to see here.
            if (name != patient && table.Rows.Count < 12)
                table.AddRow(
                    entry.GetProperty("recorded").GetString()![11..19],
                    Markup.Escape(name.Length > 24 ? name[..24] + "…" : name),
                    entry.GetProperty("subtype")[0].GetProperty("code").GetString()!,
                    permitted ? "released" : "[yellow]refused[/]");
        }
        AnsiConsole.Write(table);
        Check("the log has the insurer's and the doctor's reads", seen.Contains(insurer + true) && seen.Contains(doctor + true));
        Check("the log has the doctor's refused read", seen.Contains(doctor + false));
    }

    private static string Short(string id) => id[..Math.Min(8, id.Length)];

    private static void Title(string text) => AnsiConsole.MarkupLineInterpolated($"\n[bold]{text}[/]");

    private void Check(string step, Answer answer, int status, bool and = true)
    {
        if (answer.Status == status && and) Pass(step, $"{answer.Status}");
        else
            Fail(step, $"{answer.Status}, must be {status}{(answer.Status == status ? " and more" : "")}: "
                + $"{answer.Text[..Math.Min(300, answer.Text.Length)]}");
    }

    private void Check(string step, bool holds)
    {
        if (holds) Pass(step, "ok");
        else Fail(step, "it is not so");
    }

    private void Pass(string step, string result)
    {
        _summary.Add((step, result));
        AnsiConsole.MarkupLineInterpolated($"  [green]ok[/] {step} ({result})");
    }

    private void Fail(string step, string result)
    {
        _failures++;
        _summary.Add((step, "FAILED"));
        AnsiConsole.MarkupLineInterpolated($"  [red]FAILED[/] {step}: {result}");
    }

    private bool Finish()
    {
        AnsiConsole.WriteLine();
        var table = new Table().Title("Summary").AddColumns("step", "result");
        foreach (var (step, result) in _summary) table.AddRow(Markup.Escape(step), result == "FAILED" ? "[red]FAILED[/]" : result);
        AnsiConsole.Write(table);
        AnsiConsole.MarkupLineInterpolated($"{_summary.Count - _failures} steps as they must be, {_failures} not");
        _http.Dispose();
        return _failures == 0;
    }
}
