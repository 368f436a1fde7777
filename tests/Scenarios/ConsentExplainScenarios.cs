using System.Text.Json;
using PmrGateway.Tests.Client;
using PmrGateway.Vault;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Why somebody sees a record: told to the patient, to the hospital that keeps it, and to the operator at the shell.</summary>
[Collection(GatewayCollection.Name)]
public class ConsentExplainScenarios(RunningGateway gateway)
{
    private const string Scope = "system/*.r";
    private const string Level = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    private const string Label = ",\"securityLabel\":[{\"system\":\"" + Level + "\",\"code\":\"N\"}]";

    [Fact]
    public async Task Each_consent_is_told_in_words_and_as_what_IHE_PCF_leaves_to_enforce()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1]);
        var grant = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization, more: Label);
        var self = await gateway.LoginPatientAsync(patient);
        var told = await self.GetAsync(Question(patient, "HPAYMT", gateway.InsurerOrganization, "DocumentReference/" + document));
        Assert.True(told.Status == 200, told.Text);
        Assert.Equal("permit", Parameter(told, "decision").GetProperty("valueCode").GetString());
        var consent = Parameter(told, "consent");
        Assert.Equal(
            $"Permit: {gateway.InsurerOrganization} may read and write records of confidentiality normal (N) or lower, "
                + "for healthcare payment (HPAYMT), without an end.",
            Part(consent, "words"));
        var pcf = JsonDocument.Parse(Part(consent, "residual")!).RootElement.GetProperty("ihe_pcf");
        Assert.Equal($"{gateway.Options.Url}/fhir/Patient/{patient}", pcf.GetProperty("patient_id").GetString());
        Assert.Equal([$"{gateway.Options.Url}/fhir/Consent/{grant}"], Texts(pcf, "doc_id"));
        // The policy stands in the Consent itself, which is the patient's to read.
        Assert.Equal(["https://profiles.ihe.net/ITI/PCF/Policy-deny"], Texts(pcf, "acp"));
        Assert.Equal(
            ["forbid", "permit"], pcf.GetProperty("residual").EnumerateArray().Select(r => r.GetProperty("type").GetString()));
    }

    [Fact]
    public async Task The_hospital_that_keeps_a_record_is_told_why_and_the_patient_reads_that_it_asked()
    {
        var patient = await gateway.NewPatientAsync();
        var document = "DocumentReference/" + await gateway.NewDocumentAsync(patient, [1]);
        // Not that it wrote the record: another system of the hospital asks, which may not read it.
        var officer = await gateway.RegisterSystemAsync($"officer-{patient}", gateway.Hospital, Scope, "TREAT");
        Assert.NotEqual(200, (await officer.GetAsync($"Patient/{patient}")).Status);
        var question = Question(patient, "HPAYMT", gateway.InsurerOrganization, document);
        var before = await officer.GetAsync(question);
        Assert.True(before.Status == 200, before.Text);
        Assert.Contains("no consent is about this viewer", before.Text);
        var grant = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
        var told = await officer.GetAsync(question);
        Assert.Equal("permit", Parameter(told, "decision").GetProperty("valueCode").GetString());
        var reason = Parameter(told, "reason").GetProperty("valueString").GetString();
        Assert.StartsWith("as far as the consents of this patient decide", reason);
        var consent = Parameter(told, "consent");
        Assert.StartsWith("Permit: ", Part(consent, "words"));
        Assert.Contains($"Consent/{grant}", Part(consent, "residual"));
        // Nothing was opened for it, not even the Consent that names the policy.
        Assert.DoesNotContain("acp", told.Text);
        var self = await gateway.LoginPatientAsync(patient);
        var log = await self.GetAsync($"AuditEvent?entity={document}&subtype=operation");
        var entry = RunningGateway.Entries(log).First().GetProperty("resource");
        Assert.Equal("0", entry.GetProperty("outcome").GetString());
        Assert.Contains($"officer-{patient}", entry.GetRawText());
        var query = entry.GetProperty("entity").EnumerateArray().Single(e => e.TryGetProperty("query", out _)).GetProperty("query");
        Assert.Equal(
            $"$consent-explain?viewer={gateway.InsurerOrganization}",
            System.Text.Encoding.UTF8.GetString(query.GetBytesFromBase64()));
    }

    [Fact]
    public async Task Whoever_does_not_keep_patient_and_record_is_told_what_is_told_of_none()
    {
        var patient = await gateway.NewPatientAsync();
        var document = "DocumentReference/" + await gateway.NewDocumentAsync(patient, [1]);
        var neighbour = "DocumentReference/" + await gateway.NewDocumentAsync(await gateway.NewPatientAsync(), [1]);
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "TREAT");
        var foreign = "Observation/" + Created(await gateway.OtherEhr.PostAsync("Observation", Observation(patient, "")));
        var stranger = Created(await gateway.OtherEhr.PostAsync("Patient", """{"resourceType":"Patient","name":[{"family":"Other"}]}"""));
        var theirs = "Observation/" + Created(await gateway.OtherEhr.PostAsync("Observation", Observation(stranger, "")));
        var (_, doctor) = await gateway.RegisterDoctorAsync($"explain-{patient}", gateway.Hospital);
        var unknown = await gateway.Ehr.GetAsync(Question("never-was", "HPAYMT", gateway.InsurerOrganization, document));
        Assert.Equal(404, unknown.Status);
        Assert.Equal(200, (await gateway.Ehr.GetAsync(Question(patient, "HPAYMT", gateway.InsurerOrganization, document))).Status);
        foreach (var (client, who, record) in new[]
        {
            // A grantee, another hospital, a doctor of the same.
            (gateway.Insurer, patient, document), (gateway.OtherEhr, patient, document), (doctor, patient, document),
            // Of a patient of its own: another patient's record, one that another hospital keeps, one that never was.
            (gateway.Ehr, patient, neighbour), (gateway.Ehr, patient, foreign), (gateway.Ehr, patient, "Observation/never-was"),
            // What another hospital keeps of a patient whom it did not register; and what it does not.
            (gateway.OtherEhr, patient, foreign), (gateway.Ehr, stranger, theirs), (gateway.Ehr, stranger, document),
        })
        {
            var answer = await client.GetAsync(Question(who, "HPAYMT", gateway.InsurerOrganization, record));
            Assert.True(answer.Status == 404 && answer.Text == unknown.Text, $"{who} {record}: {answer.Status} {answer.Text}");
        }
        Assert.Equal(400, (await gateway.Ehr.GetAsync(Question(patient, "HPAYMT", "Patient/x", document))).Status);
    }

    // Who keeps a record wrote into it what it likes: the answer must not tell whether somebody is known here by it.
    [Fact]
    public async Task Who_keeps_a_record_does_not_learn_by_asking_whom_else_it_concerns()
    {
        var patient = await gateway.NewPatientAsync();
        var mark = Guid.CreateVersion7().ToString();
        Created(await gateway.OtherEhr.PostAsync(
            "Patient", $$$"""{"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"{{{mark}}}"}]}"""));
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
        var told = new List<string>();
        foreach (var value in new[] { mark, Guid.CreateVersion7().ToString() })
        {
            var contained = $$$"""
                ,"contained":[{"resourceType":"Patient","id":"c","identifier":[{"system":"urn:mrn","value":"{{{value}}}"}]}],
                "focus":[{"reference":"#c"}]
                """;
            var record = "Observation/" + Created(await gateway.Ehr.PostAsync("Observation", Observation(patient, contained)));
            Assert.Equal(value == mark ? 404 : 200, (await gateway.Insurer.GetAsync(record)).Status);
            var answer = await gateway.Ehr.GetAsync(Question(patient, "HPAYMT", gateway.InsurerOrganization, record));
            Assert.Equal(200, answer.Status);
            told.Add(Parameter(answer, "decision").GetRawText() + Parameter(answer, "reason").GetRawText());
        }
        Assert.Equal(told[0], told[1]);
    }

    [Fact]
    public async Task The_operator_lists_and_explains_consents_at_the_shell_while_the_gateway_runs()
    {
        var patient = await gateway.NewPatientAsync();
        var document = "DocumentReference/" + await gateway.NewDocumentAsync(patient, [1]);
        Assert.Equal((1, $"pmr: Patient/{patient} has given no consent\n"), await FailedAsync("list", "--patient", patient));
        var revoked = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "TREAT");
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Consent/{revoked}")).Status);
        var grant = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization, more: Label);
        var self = await gateway.LoginPatientAsync(patient);
        var deny = RunningGateway.Consent(patient, gateway.OtherHospital, "TREAT").Replace("\"type\":\"permit\"", "\"type\":\"deny\"");
        var denial = Created(await self.PostAsync("Consent", deny));

        var list = (await JsonAsync(0, "list", "--patient", "Patient/" + patient)).GetProperty("consents").EnumerateArray()
            .ToDictionary(c => c.GetProperty("consent").GetString()!);
        Assert.Equal(3, list.Count);
        Assert.Equal("revoked", list[$"Consent/{revoked}"].GetProperty("state").GetString());
        var standing = list[$"Consent/{grant}"];
        Assert.Equal("standing", standing.GetProperty("state").GetString());
        Assert.True(standing.GetProperty("confirmedBlock").GetInt64() > 0);
        Assert.EndsWith(gateway.Hospital, standing.GetProperty("giver").GetString());
        Assert.Contains("records of confidentiality normal (N) or lower", standing.GetProperty("words").GetString());
        Assert.Equal($"Patient/{patient}", list[$"Consent/{denial}"].GetProperty("giver").GetString());
        var (code, text, _) = await PmrAsync("list", "--patient", patient);
        Assert.Equal(0, code);
        Assert.Contains($"Consent/{grant}  standing  confirmed in block ", text);

        string[] question =
            ["explain", "--patient", patient, "--viewer", gateway.InsurerOrganization, "--resource", document, "--purpose"];
        var said = await JsonAsync(0, [.. question, "HPAYMT"]);
        Assert.Equal(("permit", "consent"), (said.GetProperty("decision").GetString(), said.GetProperty("basis").GetString()));
        var told = said.GetProperty("consents")[0];
        Assert.Equal($"Consent/{grant}", told.GetProperty("consent").GetString());
        Assert.Equal("permit", told.GetProperty("says").GetString());
        Assert.True(told.GetProperty("residual").GetProperty("ihe_pcf").TryGetProperty("residual", out _));
        (code, text, _) = await PmrAsync([.. question, "TREAT"]);
        Assert.Equal((0, true), (code, text.StartsWith("deny: no consent is about this viewer and purpose", StringComparison.Ordinal)));

        var who = await JsonAsync(0, "who-can-see", "--resource", document);
        var seers = who.GetProperty("viewers").EnumerateArray()
            .Select(v => $"{v.GetProperty("viewer")} {v.GetProperty("basis")} {string.Join(' ', Texts(v, "purposes"))}".TrimEnd()).ToList();
        // The insurer by consent, for its purpose alone; the system that wrote it, whatever for.
        Assert.Equal(
            new[] { $"{gateway.InsurerOrganization} consent HPAYMT" }
                .Concat(new[] { "", " HPAYMT", " TREAT" }.Select(p => $"{gateway.Hospital} author{p}")).Order(StringComparer.Ordinal),
            seers.Order(StringComparer.Ordinal));
        var denied = who.GetProperty("denials").EnumerateArray().Single();
        Assert.Equal($"Consent/{denial}", denied.GetProperty("consent").GetString());
        // And whoever acts for it.
        Assert.Contains(gateway.OtherHospital, Texts(denied, "viewers"));
        (code, text, _) = await PmrAsync("who-can-see", "--resource", document, "--purpose", "HPAYMT");
        Assert.Equal(0, code);
        Assert.Contains($"for HPAYMT  by consent  Consent/{grant}", text);
    }

    [Fact]
    public async Task Who_asks_at_the_shell_for_what_is_not_there_or_wrongly_is_told_so()
    {
        var patient = await gateway.NewPatientAsync();
        var document = "DocumentReference/" + await gateway.NewDocumentAsync(await gateway.NewPatientAsync(), [1]);
        Assert.Equal((1, "pmr: Patient/never-was is no registered patient\n"), await FailedAsync("list", "--patient", "never-was"));
        Assert.Equal(
            (1, "pmr: there is no record Observation/never-was\n"),
            await FailedAsync("who-can-see", "--resource", "Observation/never-was"));
        Assert.Equal(
            (1, "pmr: Organization/never-was is no registered actor\n"),
            await FailedAsync("explain", "--patient", patient, "--viewer", "Organization/never-was", "--resource", document));
        Assert.Equal(
            (1, $"pmr: {document} does not concern Patient/{patient}\n"),
            await FailedAsync("explain", "--patient", patient, "--viewer", gateway.Hospital, "--resource", document));
        foreach (var wrong in new string[][]
        {
            [], ["forget"], ["list"], ["list", "--patient"], ["list", "--patient", "a", "--patient", "b"],
            ["list", "--patient", "a", "--X", "y"], ["who-can-see", "--resource", "what"],
            ["explain", "--patient", patient, "--resource", document],
            ["explain", "--patient", patient, "--viewer", "Patient/x", "--resource", document],
        })
        {
            var (code, error) = await FailedAsync(wrong);
            Assert.True(code == 2 && error.StartsWith("pmr: ", StringComparison.Ordinal), $"{string.Join(' ', wrong)}: {code} {error}");
        }
        // Another keyring than the database's: no row could be believed.
        var folder = Directory.CreateTempSubdirectory("pmr-keyring-");
        var file = Path.Combine(folder.FullName, "keyring.json");
        var (missing, _) = await FailedAsync("list", "--patient", patient, "--KeyringFile", file);
        Assert.Equal((2, false), (missing, File.Exists(file)));
        Keyring.Create(file);
        var (foreign, said) = await FailedAsync("list", "--patient", patient, "--KeyringFile", file);
        folder.Delete(recursive: true);
        Assert.True(foreign == 2 && said.Contains("of another deployment than the database", StringComparison.Ordinal), said);
    }

    private static string Question(string patient, string purpose, string viewer, string resource) =>
        $"Patient/{patient}/$consent-explain?viewer={viewer}&purpose={purpose}&resource={resource}";

    private static string Observation(string patient, string more) => $$$"""
        {"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},
        "subject":{"reference":"Patient/{{{patient}}}"}{{{more}}}}
        """;

    private static string Created(Answer answer)
    {
        Assert.True(answer.Status == 201, answer.Text);
        return answer.Id;
    }

    private static JsonElement Parameter(Answer answer, string name) =>
        answer.Json.GetProperty("parameter").EnumerateArray().First(p => p.GetProperty("name").GetString() == name);

    private static string? Part(JsonElement parameter, string name) => parameter.GetProperty("part").EnumerateArray()
        .First(p => p.GetProperty("name").GetString() == name).GetProperty("valueString").GetString();

    private static IEnumerable<string?> Texts(JsonElement parent, string name) =>
        parent.GetProperty(name).EnumerateArray().Select(t => t.GetString());

    private Task<(int Exit, string Out, string Error)> PmrAsync(params string[] arguments) => GatewayProcess.RunAsync(
    [
        "consent", .. arguments, "--data", gateway.Options.DataFolder, "--Ledger:Confirmations", "1",
        .. TestStore.Settings(gateway.Options.Store),
    ]);

    private async Task<JsonElement> JsonAsync(int code, params string[] arguments)
    {
        var (exit, output, error) = await PmrAsync([.. arguments, "--json"]);
        Assert.True(exit == code && error.Length == 0, $"{exit} {output} {error}");
        return JsonDocument.Parse(output).RootElement;
    }

    private async Task<(int Exit, string Error)> FailedAsync(params string[] arguments)
    {
        var (exit, _, error) = await PmrAsync(arguments);
        return (exit, error);
    }
}
