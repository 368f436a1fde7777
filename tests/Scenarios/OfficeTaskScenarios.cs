using System.Text.Json;
using PmrGateway.Gateway.Flows;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>What a patient asks of the hospital that keeps the record: put before its office, and answered in time.</summary>
[Collection(GatewayCollection.Name)]
public class OfficeTaskScenarios(RunningGateway gateway)
{
    private const string Codes = "https://pmrgateway.example/fhir/CodeSystem/pmr-task";

    [Fact]
    public async Task A_patient_asks_for_a_correction_and_the_hospital_answers_with_the_record_that_it_corrected()
    {
        var (patient, self) = await PatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1]);
        var asked = await AskAsync(
            self, patient, "correction-request", $",\"focus\":{{\"reference\":\"DocumentReference/{document}\"}}");
        var task = $"Task/{asked}";
        var seen = RunningGateway.Only(await gateway.Ehr.GetAsync($"Task?patient={patient}"));
        Assert.Equal(gateway.Hospital, Reference(seen, "owner"));
        Assert.Equal($"Patient/{patient}", Reference(seen, "requester"));
        Assert.Equal($"DocumentReference/{document}", Reference(seen, "focus"));
        var due = seen.GetProperty("restriction").GetProperty("period").GetProperty("end").GetDateTimeOffset();
        Assert.InRange(due - TimeProvider.System.GetUtcNow(), TimeSpan.FromDays(29), TimeSpan.FromDays(30));
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
        foreach (var client in new[] { gateway.OtherEhr, gateway.Insurer })
            Assert.Equal(404, (await client.GetAsync(task)).Status);
        // It is done by a record of this patient that the hospital keeps, and by nothing else.
        var others = await gateway.NewDocumentAsync(await gateway.NewPatientAsync(), [1]);
        foreach (var (evidence, status) in new[]
        {
            ("", 422),
            (Evidence($"DocumentReference/{others}"), 422),
            (Evidence("DocumentReference/never-existed"), 422),
            (Evidence("x"), 422),
            (Evidence(task), 422),
            (Evidence($"Patient/{patient}"), 422),
            // It was so before it was asked.
            (Evidence($"DocumentReference/{document}"), 422),
        })
        {
            var answer = await gateway.Ehr.PostAsync($"{task}/$dispose", Said("completed", "corrected", evidence));
            Assert.True(answer.Status == status, $"{evidence}: {answer.Status} {answer.Text}");
        }
        var text = (await gateway.Ehr.GetAsync($"DocumentReference/{document}")).Text;
        Assert.Equal(200, (await gateway.Ehr.PutAsync($"DocumentReference/{document}", text)).Status);
        var corrected = await gateway.Ehr.PostAsync(
            $"{task}/$dispose", Said("completed", "corrected", Evidence($"DocumentReference/{document}")));
        Assert.True(corrected.Status == 200, corrected.Text);
        var done = (await self.GetAsync(task)).Json;
        Assert.Equal("completed", done.GetProperty("status").GetString());
        Assert.Equal($"DocumentReference/{document}", Reference(done.GetProperty("output")[0], "valueReference"));
        Assert.Equal(403, (await gateway.Ehr.PutAsync(task, done.GetRawText())).Status);
        Assert.Equal(403, (await self.DeleteAsync(task)).Status);
    }

    [Fact]
    public async Task What_a_patient_asked_the_patient_takes_back_and_the_hospital_refuses_only_with_a_reason()
    {
        var (patient, self) = await PatientAsync();
        var (first, second) = (await AskAsync(self, patient, "supply-request"), await AskAsync(self, patient, "supply-request"));
        Assert.Equal(422, (await self.PostAsync($"Task/{first}/$dispose", Said("completed", "supplied", ""))).Status);
        Assert.Equal(422, (await gateway.Ehr.PostAsync($"Task/{first}/$dispose", Said("cancelled", null, ""))).Status);
        var back = await self.PostAsync($"Task/{first}/$dispose", Said("cancelled", null, ""));
        Assert.True(back.Status == 200, back.Text);
        Assert.Equal(422, (await gateway.Ehr.PostAsync($"Task/{first}/$dispose", Said("accepted", null, ""))).Status);
        Assert.Equal(422, (await gateway.Ehr.PostAsync($"Task/{second}/$dispose", Said("completed", "refused", ""))).Status);
        Assert.Equal(422, (await gateway.Ehr.PostAsync($"Task/{second}/$dispose", Said("completed", "justified", ""))).Status);
        var long2 = Said("accepted", null, $",{{\"name\":\"note\",\"valueString\":\"{new string('x', 2001)}\"}}");
        Assert.Equal(422, (await gateway.Ehr.PostAsync($"Task/{second}/$dispose", long2)).Status);
        Assert.Equal(200, (await gateway.Ehr.PostAsync($"Task/{second}/$dispose", Said("in-progress", null, ""))).Status);
        // Forward alone, and each step once.
        foreach (var step in new[] { "in-progress", "accepted" })
            Assert.Equal(422, (await gateway.Ehr.PostAsync($"Task/{second}/$dispose", Said(step, null, ""))).Status);
        var refused = await gateway.Ehr.PostAsync(
            $"Task/{second}/$dispose", Said("completed", "refused", ",{\"name\":\"note\",\"valueString\":\"asked twice\"}"));
        Assert.True(refused.Status == 200, refused.Text);
        Assert.Contains("asked twice", (await self.GetAsync($"Task/{second}")).Text);
    }

    [Theory]
    [InlineData("\"status\":\"requested\"", "\"status\":\"completed\"", "Task.status")]
    [InlineData("supply-request", "break-glass-review", "Task.code")]
    [InlineData("\"description\":\"please\"", "\"description\":\" \"", "Task.description")]
    [InlineData("\"description\":\"please\"", "\"description\":\"please\",\"priority\":\"stat\"", "Task.priority")]
    [InlineData("\"description\":\"please\"", "\"description\":\"please\",\"owner\":{\"reference\":\"Organization/x\"}", "Task.owner")]
    [InlineData("\"description\":\"please\"", "\"description\":\"please\",\"requester\":{\"reference\":\"Patient/x\"}", "Task.requester")]
    [InlineData("\"description\":\"please\"", "\"description\":\"please\",\"focus\":{\"reference\":\"Patient/other\"}", "Task.focus")]
    [InlineData("\"description\":\"please\"", "\"description\":\"please\",\"focus\":{\"display\":\"x\"}", "Task.focus")]
    [InlineData("\"for\":{\"reference\":\"Patient/", "\"for\":{\"reference\":\"Patient/x", "Task.for")]
    public async Task What_cannot_be_asked_is_refused_by_its_name(string text, string with, string path)
    {
        var (patient, self) = await PatientAsync();
        var refused = await self.PostAsync("Task", Asked(patient, "supply-request", "").Replace(text, with, StringComparison.Ordinal));
        Assert.True(refused.Status == 422, refused.Text);
        Assert.Contains(path, refused.Text);
    }

    [Fact]
    public async Task A_copy_that_is_not_supplied_within_72_hours_becomes_urgent_once_and_the_patient_is_told()
    {
        var (patient, self) = await PatientAsync();
        var (open, done) = (await AskAsync(self, patient, "supply-request"), await AskAsync(self, patient, "supply-request"));
        Assert.Equal(200, (await self.PostAsync($"Task/{done}/$dispose", Said("cancelled", null, ""))).Status);
        var overdue = gateway.Service<OverdueTasks>();
        var now = TimeProvider.System.GetUtcNow();
        await overdue.EscalateAsync(now.AddHours(71), default);
        Assert.Equal("routine", (await self.GetAsync($"Task/{open}")).Json.GetProperty("priority").GetString());
        Assert.NotEqual(0, await overdue.EscalateAsync(now.AddHours(73), default));
        await overdue.EscalateAsync(now.AddHours(74), default);
        var urgent = (await self.GetAsync($"Task/{open}")).Json;
        Assert.Equal(("urgent", "2"), (
            urgent.GetProperty("priority").GetString(), urgent.GetProperty("meta").GetProperty("versionId").GetString()));
        Assert.Equal("routine", (await self.GetAsync($"Task/{done}")).Json.GetProperty("priority").GetString());
        var told = RunningGateway.Only(await self.GetAsync($"Communication?patient={patient}"));
        Assert.Equal($"Task/{open}", told.GetProperty("about")[0].GetProperty("reference").GetString());
        Assert.Equal(1, (await gateway.Ehr.GetAsync($"Communication?patient={patient}")).Json.GetProperty("total").GetInt32());
        Assert.Equal(0, (await gateway.OtherEhr.GetAsync($"Communication?patient={patient}")).Json.GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task A_copy_is_supplied_by_what_was_written_since_it_was_asked_for_and_by_nothing_older()
    {
        var (patient, self) = await PatientAsync();
        var before = await gateway.NewDocumentAsync(patient, [1]);
        var task = $"Task/{await AskAsync(self, patient, "supply-request")}";
        var due = (await self.GetAsync(task)).Json.GetProperty("restriction").GetProperty("period").GetProperty("end").GetDateTimeOffset();
        Assert.InRange(due - TimeProvider.System.GetUtcNow(), TimeSpan.FromHours(71), TimeSpan.FromHours(72));
        Task<Answer> SupplyAsync(string evidence) => gateway.Ehr.PostAsync($"{task}/$dispose", Said("completed", "supplied", evidence));
        foreach (var evidence in new[] { "", Evidence($"DocumentReference/{before}"), Evidence($"DocumentReference/{before}/_history/1") })
        {
            var refused = await SupplyAsync(evidence);
            Assert.True(refused.Status == 422 && refused.Text.Contains("evidence", StringComparison.Ordinal), refused.Text);
        }
        Assert.Equal("requested", (await self.GetAsync(task)).Json.GetProperty("status").GetString());
        var since = await gateway.NewDocumentAsync(patient, [2]);
        var supplied = await SupplyAsync(Evidence($"DocumentReference/{since}"));
        Assert.True(supplied.Status == 200, supplied.Text);
        var done = (await self.GetAsync(task)).Json;
        Assert.Equal("completed", done.GetProperty("status").GetString());
        Assert.Equal($"DocumentReference/{since}", Reference(done.GetProperty("output")[0], "valueReference"));
        // In time, and so never urgent.
        await gateway.Service<OverdueTasks>().EscalateAsync(TimeProvider.System.GetUtcNow().AddHours(73), default);
        Assert.Equal("routine", (await self.GetAsync(task)).Json.GetProperty("priority").GetString());
    }

    [Fact]
    public async Task What_a_patient_asks_is_bounded_and_names_nobody_else()
    {
        var (patient, self) = await PatientAsync();
        var other = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1]);
        // Of what it is about the reference alone is taken: nothing in it makes the task another's, or the holder of a Binary.
        var asked = await self.PostAsync("Task", Asked(patient, "correction-request", $$$"""
            ,"focus":{"reference":"DocumentReference/{{{document}}}","extension":[{"url":"urn:x",
            "valueReference":{"reference":"Patient/{{{other}}}"}},{"url":"urn:y","valueAttachment":{"url":"Binary/x"}}]}
            """));
        Assert.True(asked.Status == 201, asked.Text);
        Assert.DoesNotContain(other, asked.Text);
        Assert.DoesNotContain("Binary/x", asked.Text);
        Assert.Equal(200, (await self.GetAsync($"Task/{asked.Id}")).Status);
        Assert.Equal(422, (await self.PostAsync(
            "Task", Asked(patient, "supply-request", "").Replace("please", new string('x', 2001), StringComparison.Ordinal))).Status);
        for (var i = 1; i < 20; i++) await AskAsync(self, patient, "supply-request");
        Assert.Equal(429, (await self.PostAsync("Task", Asked(patient, "supply-request", ""))).Status);
        Assert.Equal(200, (await self.PostAsync($"Task/{asked.Id}/$dispose", Said("cancelled", null, ""))).Status);
        await AskAsync(self, patient, "supply-request");
    }

    [Fact]
    public async Task What_many_ask_at_once_is_bounded_as_well_and_so_is_what_one_transaction_asks()
    {
        var (patient, self) = await PatientAsync();
        var text = Asked(patient, "supply-request", "");
        var one = $"{{\"resource\":{text},\"request\":{{\"method\":\"POST\",\"url\":\"Task\"}}}}";
        string Bundle(int count) =>
            $"{{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{string.Join(',', Enumerable.Repeat(one, count))}]}}";
        var tooMany = await self.PostAsync("", Bundle(21));
        Assert.True(tooMany.Status == 429, tooMany.Text);
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => self.PostAsync("Task", text)));
        Assert.Equal(20, answers.Count(a => a.Status == 201));
        Assert.Equal(20, answers.Count(a => a.Status == 429));
        Assert.Equal(20, (await self.GetAsync($"Task?patient={patient}&_count=0")).Json.GetProperty("total").GetInt32());
        Assert.Equal(429, (await self.PostAsync("", Bundle(1))).Status);
    }

    [Theory]
    [InlineData("supply-request")]
    [InlineData("correction-request")]
    [InlineData("break-glass-review")]
    [InlineData("anything-else")]
    public async Task A_Task_that_says_that_the_gateway_wrote_it_nobody_else_writes(string code)
    {
        var (patient, self) = await PatientAsync();
        var (_, doctor) = await gateway.RegisterDoctorAsync("dr-" + Guid.CreateVersion7(), gateway.Hospital);
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.Hospital, "TREAT");
        var text = Asked(patient, code, $",\"requester\":{{\"reference\":\"Patient/{patient}\"}}");
        foreach (var client in new[] { gateway.Ehr, doctor })
        {
            var refused = await client.PostAsync("Task", text);
            Assert.True(refused.Status == 422 && refused.Text.Contains("Task.code", StringComparison.Ordinal), refused.Text);
        }
        var plain = await gateway.Ehr.PostAsync("Task", text.Replace(Codes, "urn:x", StringComparison.Ordinal));
        Assert.True(plain.Status == 201, plain.Text);
        var turned = await gateway.Ehr.PatchAsync(
            $"Task/{plain.Id}", $"[{{\"op\":\"replace\",\"path\":\"/code/coding/0/system\",\"value\":\"{Codes}\"}}]",
            "application/json-patch+json");
        Assert.True(turned.Status == 422 && turned.Text.Contains("Task.code", StringComparison.Ordinal), turned.Text);
        Assert.Equal(1, (await self.GetAsync($"Task?patient={patient}&_count=0")).Json.GetProperty("total").GetInt32());
    }

    private async Task<(string Patient, GatewayClient Self)> PatientAsync()
    {
        var patient = await gateway.NewPatientAsync();
        return (patient, await gateway.LoginPatientAsync(patient));
    }

    private static async Task<string> AskAsync(GatewayClient self, string patient, string code, string more = "")
    {
        var asked = await self.PostAsync("Task", Asked(patient, code, more));
        Assert.True(asked.Status == 201, asked.Text);
        return asked.Id;
    }

    private static string Asked(string patient, string code, string more) => $$$"""
        {"resourceType":"Task","status":"requested","intent":"order","code":{"coding":[{"system":"{{{Codes}}}","code":"{{{code}}}"}]},
        "for":{"reference":"Patient/{{{patient}}}"},"description":"please"{{{more}}}}
        """;

    private static string Said(string status, string? disposition, string more) =>
        $"{{\"resourceType\":\"Parameters\",\"parameter\":[{{\"name\":\"status\",\"valueCode\":\"{status}\"}}"
            + (disposition is null ? "" : $",{{\"name\":\"disposition\",\"valueCode\":\"{disposition}\"}}") + more + "]}";

    private static string Evidence(string reference) =>
        $",{{\"name\":\"evidence\",\"valueReference\":{{\"reference\":\"{reference}\"}}}}";

    private static string? Reference(JsonElement resource, string name) => resource.GetProperty(name).GetProperty("reference").GetString();
}
