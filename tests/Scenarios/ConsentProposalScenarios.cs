using System.Text.Json;
using System.Text.RegularExpressions;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>A consent that somebody asks for: put before the patient as a Task, accepted, narrowed, refused, taken back.</summary>
[Collection(GatewayCollection.Name)]
public class ConsentProposalScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task A_consent_that_an_insurer_proposes_counts_from_the_patients_acceptance_and_its_task_is_done_with_it()
    {
        var (patient, insurer, actor) = await CastAsync();
        var document = await gateway.NewDocumentAsync(patient, [1, 2, 3]);
        var proposed = await ProposeAsync(insurer, patient, actor);
        var self = await gateway.LoginPatientAsync(patient);
        var task = RunningGateway.Only(await self.GetAsync($"Task?patient={patient}"));
        Assert.Equal("requested", task.GetProperty("status").GetString());
        Assert.Equal($"Consent/{proposed}", Reference(task, "focus"));
        Assert.Equal(actor, Reference(task, "requester"));
        Assert.Equal($"Patient/{patient}", Reference(task, "owner"));
        Assert.Equal(404, (await insurer.GetAsync($"DocumentReference/{document}")).Status);
        // Who proposes does not accept.
        var forced = await insurer.PutAsync($"Consent/{proposed}", Text(patient, actor, "active", proposed));
        Assert.Equal(403, forced.Status);

        // The patient accepts less than was asked for: one version of each, and one grant.
        const string Documents = ",\"class\":[{\"system\":\"http://hl7.org/fhir/resource-types\",\"code\":\"DocumentReference\"}]";
        var accepted = await self.PutAsync($"Consent/{proposed}", Text(patient, actor, "active", proposed, Documents));
        Assert.True(accepted.Status == 200, accepted.Text);
        var read = await GatewayClient.UntilAsync(() => insurer.GetAsync($"DocumentReference/{document}"), a => a.Status == 200);
        Assert.Equal(200, read.Status);
        Assert.Equal(404, (await insurer.GetAsync($"Patient/{patient}")).Status);
        var done = await self.GetAsync($"Task/{proposed}");
        Assert.Equal("completed", done.Json.GetProperty("status").GetString());
        Assert.Equal("2", done.Json.GetProperty("meta").GetProperty("versionId").GetString());
        Assert.Equal(200, (await insurer.GetAsync($"Consent/{proposed}")).Status);

        // Entered in error: it ends at once, and the task stays as it was.
        var error = await self.PutAsync($"Consent/{proposed}", Text(patient, actor, "entered-in-error", proposed, Documents));
        Assert.Equal(200, error.Status);
        Assert.Equal(404, (await insurer.GetAsync($"DocumentReference/{document}")).Status);
        Assert.Equal(404, (await insurer.GetAsync($"Consent/{proposed}")).Status);
        Assert.Equal("2", (await self.GetAsync($"Task/{proposed}")).Json.GetProperty("meta").GetProperty("versionId").GetString());
    }

    [Fact]
    public async Task A_patient_refuses_a_proposal_and_its_author_takes_one_back()
    {
        var (patient, insurer, actor) = await CastAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var refused = await ProposeAsync(insurer, patient, actor);
        Assert.Equal(200, (await self.PutAsync($"Consent/{refused}", Text(patient, actor, "rejected", refused))).Status);
        Assert.Equal("rejected", (await self.GetAsync($"Task/{refused}")).Json.GetProperty("status").GetString());
        // Accepted after all, the consent counts; what the insurer asked stays refused, in the insurer's name.
        Assert.Equal(200, (await self.PutAsync($"Consent/{refused}", Text(patient, actor, "active", refused))).Status);
        var closed = (await self.GetAsync($"Task/{refused}")).Json;
        Assert.Equal(("rejected", actor), (closed.GetProperty("status").GetString(), Reference(closed, "requester")));
        Assert.Equal(204, (await self.DeleteAsync($"Consent/{refused}")).Status);
        var back = await ProposeAsync(insurer, patient, actor);
        Assert.Equal(204, (await insurer.DeleteAsync($"Consent/{back}")).Status);
        Assert.Equal("cancelled", (await self.GetAsync($"Task/{back}")).Json.GetProperty("status").GetString());
        Assert.Equal(404, (await insurer.GetAsync($"Patient/{patient}")).Status);
    }

    [Fact]
    public async Task A_proposal_tells_nothing_of_whether_its_patient_is_known()
    {
        var (patient, insurer, actor) = await CastAsync();
        var unknown = Guid.CreateVersion7().ToString();
        var (known, other) = (await ProposeAsync(insurer, patient, actor), await ProposeAsync(insurer, unknown, actor));
        foreach (var path in new[] { "Consent/{0}", "Task/{0}", "Consent/{0}/_history", "Consent/{0}/$ledger-status", "Task?_id={0}" })
        {
            var (a, b) = (await ReadAsync(path, known), await ReadAsync(path, other));
            Assert.Equal(a.Status, b.Status);
            Assert.Equal(Told(a, known, patient), Told(b, other, unknown));
        }
        // A colleague of who proposed is told nothing either.
        var colleague = await gateway.RegisterSystemAsync("colleague-" + Guid.CreateVersion7(), actor, "system/*.cruds", "HPAYMT");
        foreach (var status in new[] { "proposed", "active", "rejected" })
        {
            var (a, b) = (await PutAsync(known, patient, status), await PutAsync(other, unknown, status));
            Assert.Equal((403, Told(a, known, patient)), (b.Status, Told(b, other, unknown)));
            Assert.Equal(403, a.Status);
        }
        var (c, d) = (await colleague.DeleteAsync($"Consent/{known}"), await colleague.DeleteAsync($"Consent/{other}"));
        Assert.Equal((c.Status, Told(c, known, patient)), (d.Status, Told(d, other, unknown)));
        Assert.InRange(c.Status, 403, 404);
        Assert.Equal(204, (await insurer.DeleteAsync($"Consent/{other}")).Status);

        Task<Answer> PutAsync(string id, string of, string status) =>
            colleague.PutAsync($"Consent/{id}", Text(of, actor, status, id));

        static string Told(Answer answer, string consent, string of) => Regex.Replace(
            answer.Text.Replace(consent, "c", StringComparison.Ordinal).Replace(of, "p", StringComparison.Ordinal),
            @"\d{4}-\d\d-\d\dT[\d:.]+|_cursor=[^""]+|[0-9a-f-]{36}", "*");

        Task<Answer> ReadAsync(string path, string id) => insurer.GetAsync(string.Format(null, path, id));
    }

    [Fact]
    public async Task What_was_proposed_and_its_task_are_changed_by_the_patients_decision_alone()
    {
        var (patient, insurer, actor) = await CastAsync();
        var proposed = await ProposeAsync(insurer, patient, actor);
        // What the patient accepts is what the patient has read.
        var wider = await insurer.PutAsync(
            $"Consent/{proposed}", Text(patient, actor, "proposed", proposed).Replace("HPAYMT", "HRESCH", StringComparison.Ordinal));
        Assert.True(wider.Status == 403, wider.Text);
        var self = await gateway.LoginPatientAsync(patient);
        foreach (var client in new[] { gateway.Ehr, insurer, self })
        {
            var task = (await client.GetAsync($"Task/{proposed}")).Text;
            if (client == gateway.Ehr) task = (await self.GetAsync($"Task/{proposed}")).Text;
            var done = task.Replace("\"requested\"", "\"completed\"", StringComparison.Ordinal);
            Assert.NotEqual(task, done);
            Assert.InRange((await client.PutAsync($"Task/{proposed}", done)).Status, 403, 404);
            Assert.InRange((await client.DeleteAsync($"Task/{proposed}")).Status, 403, 404);
        }
        // A consent for tasks opens none that tells of a consent.
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "TREAT");
        Assert.Equal(200, (await gateway.OtherEhr.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal(404, (await gateway.OtherEhr.GetAsync($"Task/{proposed}")).Status);
        // What the patient refused stays as the patient wrote it, also under custody.
        Assert.Equal(200, (await self.PutAsync($"Consent/{proposed}", Text(patient, actor, "rejected", proposed))).Status);
        foreach (var client in new[] { gateway.Ehr, insurer })
        {
            Assert.InRange((await client.DeleteAsync($"Consent/{proposed}")).Status, 403, 404);
            Assert.InRange((await client.PutAsync($"Consent/{proposed}", Text(patient, actor, "active", proposed))).Status, 403, 404);
        }
        Assert.Equal("rejected", (await self.GetAsync($"Consent/{proposed}")).Json.GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_hospital_that_keeps_the_patient_neither_changes_its_own_proposal_nor_refuses_it_for_the_patient()
    {
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var proposed = await ProposeAsync(gateway.Ehr, patient, gateway.Hospital);
        foreach (var status in new[] { "draft", "proposed", "rejected", "active", "inactive", "entered-in-error" })
        {
            var changed = await gateway.Ehr.PutAsync($"Consent/{proposed}", Text(patient, gateway.Hospital, status, proposed));
            Assert.True(changed.Status == 403, $"{status}: {changed.Status} {changed.Text}");
        }
        Assert.Equal("requested", (await self.GetAsync($"Task/{proposed}")).Json.GetProperty("status").GetString());
        Assert.Equal("1", (await self.GetAsync($"Consent/{proposed}")).Json.GetProperty("meta").GetProperty("versionId").GetString());
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Consent/{proposed}")).Status);
        Assert.Equal("cancelled", (await self.GetAsync($"Task/{proposed}")).Json.GetProperty("status").GetString());
    }

    [Fact]
    public async Task Only_what_permits_the_proposer_itself_is_proposed()
    {
        var (patient, insurer, actor) = await CastAsync();
        foreach (var text in new[]
        {
            Text(patient, gateway.OtherHospital, "proposed"),
            Text(patient, actor, "proposed").Replace("\"type\":\"permit\"", "\"type\":\"deny\"", StringComparison.Ordinal),
        })
        {
            var refused = await insurer.PostAsync("Consent", text);
            Assert.True(refused.Status == 422, refused.Text);
            Assert.Contains("Consent.provision.actor", refused.Text);
        }
        Assert.Equal(403, (await insurer.PostAsync("Consent", Text(patient, actor, "active"))).Status);
        // A consent is proposed by its creation alone: what stands, or is a draft, does not become a proposal past the limits.
        var own = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.Hospital, "TREAT");
        var (_, doctor) = await gateway.RegisterDoctorAsync("dr-" + Guid.CreateVersion7(), gateway.Hospital);
        Assert.Equal(200, (await doctor.GetAsync($"Patient/{patient}")).Status);
        var again = RunningGateway.Consent(patient, gateway.Hospital, "TREAT", status: "proposed", id: own);
        var draft = await gateway.Ehr.PostAsync("Consent", RunningGateway.Consent(patient, gateway.Hospital, "TREAT", status: "draft"));
        Assert.True(draft.Status == 201, draft.Text);
        foreach (var update in new[]
        {
            await gateway.Ehr.PutAsync($"Consent/{own}", again),
            await gateway.Ehr.PutAsync($"Consent/{draft.Id}", again.Replace(own, draft.Id, StringComparison.Ordinal)),
            await gateway.Ehr.PatchAsync(
                $"Consent/{draft.Id}", """[{"op":"replace","path":"/status","value":"proposed"}]""", "application/json-patch+json"),
        })
        {
            Assert.True(update.Status == 422 && update.Text.Contains("Consent.status", StringComparison.Ordinal), update.Text);
        }
        Assert.Equal(200, (await doctor.GetAsync($"Patient/{patient}")).Status);
    }

    [Fact]
    public async Task So_many_proposals_wait_for_a_patients_decision_whether_the_patient_is_known_or_not()
    {
        var (patient, insurer, actor) = await CastAsync();
        var self = await gateway.LoginPatientAsync(patient);
        // Another system of the same insurer is the same proposer.
        var second = await gateway.RegisterSystemAsync("second-" + Guid.CreateVersion7(), actor, "system/*.cruds", "HPAYMT");
        var told = new List<string>();
        foreach (var of in new[] { patient, Guid.CreateVersion7().ToString() })
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(
                i => (i % 2 == 0 ? insurer : second).PostAsync("Consent", Text(of, actor, "proposed"))));
            Assert.Equal(5, answers.Count(a => a.Status == 201));
            Assert.Equal(7, answers.Count(a => a.Status == 429));
            told.Add(answers.First(a => a.Status == 429).Text);
        }
        Assert.Equal(told[0], told[1]);
        Assert.DoesNotContain(patient, told[0]);
        Assert.Equal(5, (await self.GetAsync("Task?_count=0")).Json.GetProperty("total").GetInt32());
        // What is decided on waits no more; and others may ask, until there are too many of all.
        var first = RunningGateway.Entries(await self.GetAsync("Task")).First().GetProperty("resource").GetProperty("id").GetString()!;
        Assert.Equal(200, (await self.PutAsync($"Consent/{first}", Text(patient, actor, "rejected", first))).Status);
        await ProposeAsync(insurer, patient, actor);
        Assert.Equal(429, (await insurer.PostAsync("Consent", Text(patient, actor, "proposed"))).Status);
        for (var i = 1; i < 4; i++)
        {
            var (_, other, name) = await CastAsync();
            for (var j = 0; j < 5; j++) await ProposeAsync(other, patient, name);
        }
        var (_, last, late) = await CastAsync();
        var full = await last.PostAsync("Consent", Text(patient, late, "proposed"));
        Assert.Equal((429, told[0]), (full.Status, full.Text));
    }

    [Fact]
    public async Task A_proposal_with_a_label_that_nothing_had_is_counted_where_the_patient_denies_everybody_something()
    {
        var (patient, insurer, actor) = await CastAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var denial = await self.PostAsync("Consent", $$$"""
            {"resourceType":"Consent","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope",
            "code":"patient-privacy"}]},"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],
            "patient":{"reference":"Patient/{{{patient}}}"},"policyRule":{"coding":[{
            "system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTIN"}]},
            "provision":{"type":"deny","dataPeriod":{"start":"2010","end":"2012"}}
            }
            """);
        Assert.True(denial.Status == 201, denial.Text);
        for (var i = 0; i < 6; i++)
        {
            var label = $"\"meta\":{{\"security\":[{{\"system\":\"urn:label\",\"code\":\"{Guid.CreateVersion7()}\"}}]}},\"status\"";
            var proposed = await insurer.PostAsync(
                "Consent", Text(patient, actor, "proposed").Replace("\"status\"", label, StringComparison.Ordinal));
            Assert.True(proposed.Status == (i < 5 ? 201 : 429), proposed.Text);
        }
    }

    private async Task<(string Patient, GatewayClient Insurer, string Actor)> CastAsync()
    {
        var (actor, insurer) = await gateway.RegisterAsync(
            "asking-" + Guid.CreateVersion7(), "Asking", "ins", "system/*.cruds", "HPAYMT");
        return (await gateway.NewPatientAsync(), insurer, actor);
    }

    private static async Task<string> ProposeAsync(GatewayClient proposer, string patient, string actor)
    {
        var proposed = await proposer.PostAsync("Consent", Text(patient, actor, "proposed"));
        Assert.True(proposed.Status == 201, proposed.Text);
        return proposed.Id;
    }

    private static string Text(string patient, string actor, string status, string? id = null, string more = "") =>
        ConsentText.Permit($"Patient/{patient}", actor, "HPAYMT", more, status, id);

    private static string? Reference(JsonElement resource, string name) => resource.GetProperty(name).GetProperty("reference").GetString();
}
