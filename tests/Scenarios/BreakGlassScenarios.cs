using System.Text.Json;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

[Collection(GatewayCollection.Name)]
public class BreakGlassScenarios(RunningGateway gateway)
{
    private const string App = RunningGateway.EmergencyApp;
    private const string Scope = "openid fhirUser user/*.cruds";

    [Fact]
    public async Task Breaking_the_glass_takes_a_person_a_reason_and_a_permit_that_says_so_and_the_patient_reads_why()
    {
        var username = "dr-" + Guid.CreateVersion7();
        await gateway.RegisterDoctorAsync(username, gateway.Hospital);
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var denial = Denial(patient, $"\"provision\":[{{\"type\":\"permit\",{Purpose("BTG")}}}]");
        var posted = await self.PostAsync("Consent", denial);
        Assert.True(posted.Status == 201, posted.Text);
        await GatewayClient.UntilAsync(
            () => self.GetAsync($"Consent/{posted.Id}/$ledger-status"), a => a.Text.Contains("confirmed", StringComparison.Ordinal));

        Task<GatewayClient> LoginAsync(string app, params (string, string)[] more) =>
            gateway.Anyone.LoginUserAsync(app, RunningGateway.Redirect, username, RunningGateway.Password, Scope, more);
        Assert.Equal(404, (await (await LoginAsync(App)).GetAsync($"Patient/{patient}")).Status);
        // Without a reason, and in an app that is not registered for it, there is no such token.
        await Assert.ThrowsAsync<InvalidOperationException>(() => LoginAsync(App, ("purpose_of_use", "BTG")));
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => LoginAsync(RunningGateway.App, ("purpose_of_use", "BTG"), ("purpose_of_use_reason", "x")));
        foreach (var unseen in new[] { "x", "...", "\u200b\u200b\u200b", "\u202e\u2066 \u3164\u3164", "\u0001\u0002\u0003" })
        {
            await Assert.ThrowsAsync<InvalidOperationException>(
                () => LoginAsync(App, ("purpose_of_use", "BTG"), ("purpose_of_use_reason", unseen)));
        }
        var emergency = await LoginAsync(
            App, ("purpose_of_use", "BTG"), ("purpose_of_use_reason", "\u202eunconscious,\r\nno\u200b history\u0007"));
        // However much a login reads, the patient is told once, and the hospital has it to review once.
        var reads = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => emergency.GetAsync($"Patient/{patient}")));
        Assert.All(reads, r => Assert.Equal(200, r.Status));
        // It is for reading, also where the record is one that a doctor of this hospital changes.
        var changed = await emergency.PatchAsync(
            $"Patient/{patient}", "[{\"op\":\"add\",\"path\":\"/active\",\"value\":true}]", "application/json-patch+json");
        Assert.True(changed.Status == 403 && changed.Text.Contains("breaks the glass", StringComparison.Ordinal), changed.Text);
        var notice = RunningGateway.Only(await self.GetAsync($"Communication?patient={patient}"));
        Assert.Contains("unconscious, no history", notice.GetRawText());
        var review = RunningGateway.Only(await gateway.Ehr.GetAsync($"Task?patient={patient}"));
        Assert.Equal("requested", review.GetProperty("status").GetString());
        var second = await LoginAsync(App, ("purpose_of_use", "BTG"), ("purpose_of_use_reason", "still unconscious"));
        Assert.Equal(200, (await second.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal(2, (await self.GetAsync($"Communication?patient={patient}")).Json.GetProperty("total").GetInt32());

        var log = await self.GetAsync("AuditEvent");
        var told = RunningGateway.Entries(log).Select(e => e.GetProperty("resource").GetRawText())
            .Where(e => e.Contains("BTG") && !e.Contains("AuthZ-Consent")).ToList();
        // Five reads; and the patch, which read what it was to change, and was refused.
        Assert.Equal(7, told.Count);
        Assert.Equal(6, told.Count(e => e.Contains("unconscious, no history")));
        Assert.Null(await gateway.Service<AuditLog>().FirstBrokenAsync(default));
    }

    [Fact]
    public async Task A_doctor_opens_in_an_emergency_what_no_consent_permits_for_four_hours_and_the_patient_and_the_hospital_are_told()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1, 2, 3]);
        var self = await gateway.LoginPatientAsync(patient);
        // Of another hospital than the one that keeps the record.
        var (doctor, emergency) = await gateway.RegisterEmergencyAsync(gateway.OtherHospital, "unconscious, no history");
        Assert.Equal(404, (await emergency.GetAsync($"DocumentReference/{document}")).Status);
        var broken = await emergency.PostAsync($"Patient/{patient}/$break-glass", "");
        Assert.True(broken.Status == 201, broken.Text);
        var consent = ConsentOf(broken)!;
        var until = Part(broken, "until").GetProperty("valueInstant").GetDateTimeOffset() - TimeProvider.System.GetUtcNow();
        Assert.InRange(until, TimeSpan.FromMinutes(235), TimeSpan.FromHours(4));
        var read = await GatewayClient.UntilAsync(() => emergency.GetAsync($"DocumentReference/{document}"), a => a.Status == 200);
        Assert.True(read.Status == 200, read.Text);
        Assert.Equal(200, (await emergency.GetAsync(consent)).Status);
        Assert.Contains("confirmed", (await emergency.GetAsync($"{consent}/$ledger-status")).Text);
        Assert.Equal(1, (await emergency.GetAsync($"DocumentReference?patient={patient}")).Json.GetProperty("total").GetInt32());
        // Once is enough; and it is this doctor's alone.
        var again = await emergency.PostAsync($"Patient/{patient}/$break-glass", "");
        Assert.Equal((200, consent), (again.Status, ConsentOf(again)));
        var (_, colleague) = await gateway.RegisterEmergencyAsync(gateway.OtherHospital, "curious");
        Assert.Equal(404, (await colleague.GetAsync($"DocumentReference/{document}")).Status);
        Assert.Equal(404, (await gateway.OtherEhr.GetAsync($"DocumentReference/{document}")).Status);

        // The patient is told, and reads in the log which consent it was.
        var notice = RunningGateway.Only(await self.GetAsync($"Communication?patient={patient}"));
        Assert.Contains("unconscious, no history", notice.GetRawText());
        Assert.Equal(doctor, notice.GetProperty("sender").GetProperty("reference").GetString());
        Assert.NotEqual(0, (await self.GetAsync($"AuditEvent?entity={consent}")).Json.GetProperty("total").GetInt32());
        // The hospital that keeps the record has it to review; nobody else sees that there is anything.
        var review = RunningGateway.Only(await gateway.Ehr.GetAsync($"Task?patient={patient}"));
        Assert.Equal("break-glass-review", review.GetProperty("code").GetProperty("coding")[0].GetProperty("code").GetString());
        Assert.Equal(gateway.Hospital, review.GetProperty("owner").GetProperty("reference").GetString());
        var task = $"Task/{review.GetProperty("id").GetString()}";
        foreach (var client in new[] { gateway.OtherEhr, gateway.Insurer, emergency, colleague })
        {
            Assert.Equal(404, (await client.GetAsync(task)).Status);
            Assert.Equal(0, (await client.GetAsync($"Task?patient={patient}")).Json.GetProperty("total").GetInt32());
            Assert.Equal(0, (await client.GetAsync($"Communication?patient={patient}")).Json.GetProperty("total").GetInt32());
        }
        await DisposedAsync(task, review, self);

        // Nothing was opened to be written about.
        Assert.InRange((await emergency.PostAsync("Observation", $$$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{{{patient}}}"}}
            """)).Status, 403, 422);
        // Nobody changes what was opened.
        var text = (await self.GetAsync(consent)).Text;
        foreach (var client in new[] { gateway.Ehr, gateway.OtherEhr, self, emergency })
        {
            Assert.InRange((await client.PutAsync(consent, text)).Status, 403, 404);
            var inactive = text.Replace("\"active\"", "\"inactive\"", StringComparison.Ordinal);
            Assert.InRange((await client.PutAsync(consent, inactive)).Status, 403, 404);
        }
        // The patient ends it, and it is over at once, whatever is asked again.
        Assert.Equal(204, (await self.DeleteAsync(consent)).Status);
        Assert.Equal(404, (await emergency.GetAsync($"DocumentReference/{document}")).Status);
        Assert.Equal(404, (await emergency.PostAsync($"Patient/{patient}/$break-glass", "")).Status);
        var form = text.Replace("\"policy\":", "\"sourceAttachment\":{\"url\":\"urn:x\"},\"policy\":", StringComparison.Ordinal);
        Assert.InRange((await gateway.Ehr.PutAsync(consent, form)).Status, 403, 404);
        Assert.Equal(404, (await emergency.GetAsync($"DocumentReference/{document}")).Status);
    }

    [Fact]
    public async Task What_an_emergency_opened_is_shut_after_four_hours_by_the_gateways_clock()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1, 2, 3]);
        var (doctor, emergency) = await gateway.RegisterEmergencyAsync(gateway.OtherHospital, "unconscious");
        var broken = await emergency.PostAsync($"Patient/{patient}/$break-glass", "");
        var until = Part(broken, "until").GetProperty("valueInstant").GetDateTimeOffset();
        var read = await GatewayClient.UntilAsync(() => emergency.GetAsync($"DocumentReference/{document}"), a => a.Status == 200);
        Assert.Equal(200, read.Status);
        // The same doctor for the same purpose at another instant.
        var requester = new Requester(doctor, gateway.OtherHospital, doctor, null, true, ["BTG"]);
        foreach (var now in new[] { TimeProvider.System.GetUtcNow(), until.AddMilliseconds(-1) })
            Assert.True(await gateway.IsSeenAsync(requester, "DocumentReference", document, now), $"{now:O}");
        foreach (var later in new[] { until, until.AddMinutes(1), until.AddDays(1) })
            Assert.False(await gateway.IsSeenAsync(requester, "DocumentReference", document, later), $"{later:O}");
    }

    [Fact]
    public async Task Asked_many_times_at_once_the_glass_is_broken_once()
    {
        var patient = await gateway.NewPatientAsync();
        var (_, emergency) = await gateway.RegisterEmergencyAsync(gateway.Hospital, "unconscious");
        var answers = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(_ => emergency.PostAsync($"Patient/{patient}/$break-glass", "")));
        Assert.All(answers, a => Assert.InRange(a.Status, 200, 201));
        Assert.Single(answers, a => a.Status == 201);
        Assert.Single(answers.Select(ConsentOf).Distinct());
        Assert.Equal(1, (await gateway.Ehr.GetAsync($"Task?patient={patient}")).Json.GetProperty("total").GetInt32());
        var confirmed = await GatewayClient.UntilAsync(
            () => emergency.PostAsync($"Patient/{patient}/$break-glass", ""), a => a.Text.Contains("confirmed", StringComparison.Ordinal));
        Assert.Equal("confirmed", Part(confirmed, "status").GetProperty("valueCode").GetString());
        // Of whom a mere number tells nobody could be told.
        foreach (var search in new[] { "_summary=count", "_count=0" })
            Assert.Equal(403, (await emergency.GetAsync($"Observation?patient={patient}&{search}")).Status);
        // Nor of how many there are on other pages.
        await gateway.NewDocumentAsync(patient, [1]);
        var page = await GatewayClient.UntilAsync(
            () => emergency.GetAsync($"Patient/{patient}/$everything?_count=1"),
            a => a.Text.Contains("\"next\"", StringComparison.Ordinal));
        Assert.True(page.Status == 200, page.Text);
        Assert.False(page.Json.TryGetProperty("total", out _), page.Text);
        var whole = (await emergency.GetAsync($"Patient/{patient}/$everything")).Json;
        Assert.Equal(whole.GetProperty("entry").GetArrayLength(), whole.GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task A_denial_of_some_records_does_not_keep_the_others_from_an_emergency()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1]);
        var self = await gateway.LoginPatientAsync(patient);
        var denial = Denial(patient, "\"dataPeriod\":{\"start\":\"2010\",\"end\":\"2012\"}");
        var posted = await self.PostAsync("Consent", denial);
        Assert.True(posted.Status == 201, posted.Text);
        var (_, emergency) = await gateway.RegisterEmergencyAsync(gateway.Hospital, "unconscious");
        Assert.Equal(201, (await emergency.PostAsync($"Patient/{patient}/$break-glass", "")).Status);
        var read = await GatewayClient.UntilAsync(() => emergency.GetAsync($"DocumentReference/{document}"), a => a.Status == 200);
        Assert.Equal(200, read.Status);
        // What is denied stays closed: of no time, the Patient may be of that time.
        Assert.Equal(404, (await emergency.GetAsync($"Patient/{patient}")).Status);
        // Of who is no patient any more, nothing is opened.
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Patient/{patient}")).Status);
        var (_, late) = await gateway.RegisterEmergencyAsync(gateway.Hospital, "unconscious");
        Assert.Equal(404, (await late.PostAsync($"Patient/{patient}/$break-glass", "")).Status);
    }

    [Fact]
    public async Task What_the_patient_denies_is_not_opened_by_an_emergency_and_is_answered_as_an_unknown_patient()
    {
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var denial = Denial(patient, Purpose("TREAT"));
        Assert.Equal(201, (await self.PostAsync("Consent", denial)).Status);
        var (_, emergency) = await gateway.RegisterEmergencyAsync(gateway.Hospital, "unconscious");
        var (known, unknown) = (
            await emergency.PostAsync($"Patient/{patient}/$break-glass", ""),
            await emergency.PostAsync("Patient/never-existed/$break-glass", ""));
        Assert.Equal((404, known.Text), (unknown.Status, unknown.Text));
        Assert.Equal(404, known.Status);
        Assert.Equal(0, (await self.GetAsync($"Communication?patient={patient}")).Json.GetProperty("total").GetInt32());
        // Who tried is told to the patient.
        Assert.Contains("unconscious", (await self.GetAsync("AuditEvent?outcome=4")).Text);
    }

    [Fact]
    public async Task Without_a_policy_of_the_hospital_there_is_no_breaking_of_glass_on_either_side()
    {
        var (hospital, ehr) = await gateway.RegisterAsync(
            "gl-" + Guid.CreateVersion7(), "Strict Hospital", "prov", "system/*.cruds", "TREAT");
        var patient = (await ehr.PostAsync("Patient", """{"resourceType":"Patient","name":[{"family":"Strict"}]}""")).Id;
        var own = await gateway.NewPatientAsync();
        var (_, strict) = await gateway.RegisterEmergencyAsync(hospital, "unconscious");
        var (_, other) = await gateway.RegisterEmergencyAsync(gateway.Hospital, "unconscious");
        await RunningGateway.GrantAsync(ehr, patient, hospital, "BTG");
        Assert.Equal(200, (await strict.GetAsync($"Patient/{patient}")).Status);
        var withdrawn = (await gateway.Operator.GetAsync(hospital)).Text;
        withdrawn = System.Text.RegularExpressions.Regex.Replace(withdrawn, "\"extension\":\\[[^\\]]*\\],", "");
        Assert.Equal(200, (await gateway.Operator.PutAsync(hospital, withdrawn)).Status);
        Assert.Equal(404, (await strict.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal(403, (await strict.PostAsync($"Patient/{own}/$break-glass", "")).Status);
        Assert.Equal(404, (await other.PostAsync($"Patient/{patient}/$break-glass", "")).Status);
        Assert.Equal(201, (await other.PostAsync($"Patient/{own}/$break-glass", "")).Status);
        // An insurer has no such policy, and an extension without its URL is none.
        foreach (var (type, value) in new[] { ("ins", "\"valueUrl\":\"https://x.example\""), ("prov", "\"valueString\":\"x\"") })
        {
            var refused = await gateway.Operator.PostAsync("Organization", $$$"""
                {"resourceType":"Organization","name":"X","extension":[
                {"url":"https://pmrgateway.example/fhir/StructureDefinition/pmr-break-glass-policy",{{{value}}}}],
                "type":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/organization-type","code":"{{{type}}}"}]}]}
                """);
            Assert.True(refused.Status == 422, refused.Text);
            Assert.Contains("Organization.extension", refused.Text);
        }
    }

    [Fact]
    public async Task Who_has_not_said_why_does_not_break_the_glass()
    {
        var patient = await gateway.NewPatientAsync();
        var (_, doctor) = await gateway.RegisterDoctorAsync("dr-" + Guid.CreateVersion7(), gateway.Hospital);
        foreach (var client in new[] { doctor, gateway.Ehr, gateway.Insurer, await gateway.LoginPatientAsync(patient) })
            Assert.Equal(403, (await client.PostAsync($"Patient/{patient}/$break-glass", "")).Status);
        Assert.Equal(0, (await gateway.Ehr.GetAsync($"Task?patient={patient}")).Json.GetProperty("total").GetInt32());
    }

    // The office says what came of it, once, and changes nothing else; what it says the patient reads.
    private async Task DisposedAsync(string task, JsonElement review, GatewayClient self)
    {
        static string Parameters(params (string Name, string Value)[] named) =>
            "{\"resourceType\":\"Parameters\",\"parameter\":["
                + string.Join(',', named.Select(n => $"{{\"name\":\"{n.Name}\",\"valueString\":\"{n.Value}\"}}")) + "]}";
        foreach (var (body, status) in new[]
        {
            (Parameters(("status", "completed")), 422),
            (Parameters(("status", "accepted"), ("disposition", "justified")), 422),
            (Parameters(("status", "completed"), ("disposition", "maybe")), 422),
            (Parameters(("status", "cancelled")), 422),
            (Parameters(("reason", "x")), 400),
            ("{\"resourceType\":\"Task\"}", 400),
        })
        {
            var refused = await gateway.Ehr.PostAsync($"{task}/$dispose", body);
            Assert.True(refused.Status == status, $"{body}: {refused.Status} {refused.Text}");
        }
        var done = Parameters(("status", "completed"), ("disposition", "justified"), ("note", "seen in the emergency room"));
        Assert.Equal(422, (await self.PostAsync($"{task}/$dispose", done)).Status);
        Assert.InRange((await gateway.OtherEhr.PostAsync($"{task}/$dispose", done)).Status, 403, 404);
        Assert.Equal(403, (await gateway.Ehr.PutAsync(task, review.GetRawText())).Status);
        Assert.Equal(403, (await gateway.Ehr.DeleteAsync(task)).Status);
        Assert.Equal(200, (await gateway.Ehr.PostAsync($"{task}/$dispose", Parameters(("status", "accepted")))).Status);
        Assert.Equal(200, (await gateway.Ehr.PostAsync($"{task}/$dispose", done)).Status);
        Assert.Equal(422, (await gateway.Ehr.PostAsync($"{task}/$dispose", done)).Status);
        var closed = (await self.GetAsync(task)).Json;
        Assert.Equal("completed", closed.GetProperty("status").GetString());
        Assert.Equal("3", closed.GetProperty("meta").GetProperty("versionId").GetString());
        Assert.Contains("seen in the emergency room", closed.GetRawText());
        Assert.Equal(review.GetProperty("reasonCode").GetRawText(), closed.GetProperty("reasonCode").GetRawText());
        Assert.Equal(3, (await gateway.Ehr.GetAsync($"{task}/_history")).Json.GetProperty("total").GetInt32());
    }

    // Denies the hospital what a provision with this member names.
    private string Denial(string patient, string member) => RunningGateway.Consent(patient, gateway.Hospital, "HPAYMT")
        .Replace("\"provision\":{\"type\":\"permit\",", "\"provision\":{\"type\":\"deny\",", StringComparison.Ordinal)
        .Replace(Purpose("HPAYMT"), member, StringComparison.Ordinal);

    private static string Purpose(string code) =>
        $"\"purpose\":[{{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ActReason\",\"code\":\"{code}\"}}]";

    private static string? ConsentOf(Answer answer) =>
        Part(answer, "consent").GetProperty("valueReference").GetProperty("reference").GetString();

    private static JsonElement Part(Answer answer, string name) => answer.Json.GetProperty("parameter").EnumerateArray()
        .Single(p => p.GetProperty("name").ValueEquals(name));

    [Fact]
    public async Task A_system_does_not_break_the_glass()
    {
        var client = await gateway.RegisterSystemAsync("btg-" + Guid.CreateVersion7(), gateway.InsurerOrganization, "system/*.rs", "BTG");
        var patient = await gateway.NewPatientAsync();
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization, "BTG");
        Assert.Equal(200, (await client.GetAsync(gateway.Hospital)).Status);
        Assert.Equal(404, (await client.GetAsync($"Patient/{patient}")).Status);
        // That it tried is told the patient, with what it claimed.
        var log = await (await gateway.LoginPatientAsync(patient)).GetAsync($"AuditEvent?patient={patient}");
        Assert.Contains(
            RunningGateway.Entries(log).Select(e => e.GetProperty("resource").GetRawText()),
            e => e.Contains("\"BTG\"", StringComparison.Ordinal) && e.Contains("\"outcome\":\"4\"", StringComparison.Ordinal));
    }
}
