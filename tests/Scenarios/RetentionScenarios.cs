using System.Text.Json;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>How long records are kept, who is told, and the legal hold on a patient.</summary>
[Collection(GatewayCollection.Name)]
public class RetentionScenarios(RunningGateway gateway)
{
    private const string Codes = "https://pmrgateway.example/fhir/CodeSystem/pmr-task";

    [Fact]
    public async Task Patient_and_keeper_are_told_until_when_each_record_is_kept_and_others_that_there_is_no_such_patient()
    {
        var (adult, minor, unknown) = (await PatientAsync("1970-05-06"), await PatientAsync("2015-02-03"), await PatientAsync(null));
        foreach (var (patient, years, rule) in new[] { (adult, 3, "period"), (minor, 0, "minor"), (unknown, 21, "unknown-birth-date") })
        {
            var record = $"Observation/{await ObservationAsync(patient)}";
            var until = years == 0 ? new DateOnly(2036, 2, 3) : Today.AddYears(years);
            var self = await gateway.LoginPatientAsync(patient);
            foreach (var client in new[] { gateway.Ehr, self })
            {
                var told = Record(await AskAsync(client, patient), record);
                Assert.Equal((rule, 3), (Value(told, "rule", "valueCode").GetString(), Value(told, "years", "valueInteger").GetInt32()));
                Assert.InRange(
                    Value(told, "until", "valueDate").GetDateTime(), until.ToDateTime(default), until.AddDays(1).ToDateTime(default));
                Assert.False(Value(told, "held", "valueBoolean").GetBoolean());
            }
            // Until when what goes with the longest is kept is told as the least: what the longest is may be hidden.
            var own = Record(await AskAsync(self, patient), $"Patient/{patient}");
            Assert.True(Has(own, "atLeastUntil") && !Has(own, "until"), own.GetRawText());
            Assert.Contains(
                Convert.ToBase64String("$retention"u8), (await self.GetAsync($"AuditEvent?agent={gateway.Hospital}&action=E")).Text);
        }
        var nobody = await gateway.OtherEhr.GetAsync("Patient/never-existed/$retention");
        await RunningGateway.GrantAsync(gateway.Ehr, adult, gateway.InsurerOrganization);
        var (_, doctor) = await gateway.RegisterDoctorAsync("dr-" + Guid.CreateVersion7(), gateway.Hospital);
        var other = await gateway.LoginPatientAsync(minor, "q");
        foreach (var client in new[] { gateway.OtherEhr, gateway.Insurer, doctor, other })
        {
            var refused = await client.GetAsync($"Patient/{adult}/$retention");
            Assert.Equal((404, nobody.Text), (refused.Status, refused.Text));
        }
        foreach (var wrong in new[] { "colour=red", "_summary=true", "_elements=id", "_cursor=x", "_count=0" })
            Assert.Equal(400, (await gateway.Ehr.GetAsync($"Patient/{adult}/$retention?{wrong}")).Status);
    }

    [Fact]
    public async Task Who_keeps_a_patient_and_may_not_read_the_records_is_told_of_none_and_by_no_date_when_the_patient_was_born()
    {
        var patient = await PatientAsync("2015-02-03");
        var record = await ObservationAsync(patient);
        // Another system of the same hospital: it wrote none of these, and reads by consent alone.
        var archive = await gateway.RegisterSystemAsync("archive-" + Guid.CreateVersion7(), gateway.Hospital, "system/*.rs", "TREAT");
        var told = await AskAsync(archive, patient);
        Assert.Empty(Records(told));
        Assert.Equal(0, Parameter(told, "total").GetProperty("valueInteger").GetInt32());
        Assert.DoesNotContain(record, told.Text);
        await RunningGateway.GrantAsync(
            gateway.Ehr, patient, gateway.Hospital, "TREAT",
            ",\"class\":[{\"system\":\"http://hl7.org/fhir/resource-types\",\"code\":\"Observation\"}]");
        var permitted = await AskAsync(archive, patient);
        var seen = Record(permitted, $"Observation/{record}");
        Assert.Equal("period", Value(seen, "rule", "valueCode").GetString());
        Assert.True(Has(seen, "atLeastUntil") && !Has(seen, "until"), seen.GetRawText());
        Assert.DoesNotContain("2036", permitted.Text);
    }

    [Fact]
    public async Task The_records_come_in_pages_and_one_of_several_patients_tells_nothing_of_the_others()
    {
        var (patient, other) = (await PatientAsync("1970-05-06"), await PatientAsync("2015-02-03"));
        var shared = (await gateway.Ehr.PostAsync("Observation", Observation(
            patient, $",\"performer\":[{{\"reference\":\"Patient/{other}\"}}]"))).Id;
        await HoldAsync(gateway.Ehr, other);
        var records = new List<string>();
        for (var path = $"Patient/{patient}/$retention?_count=1"; path is not null;)
        {
            var page = await gateway.Ehr.GetAsync(path);
            Assert.True(page.Status == 200, page.Text);
            records.AddRange(Records(page).Select(r => Value(r, "reference", "valueReference").GetProperty("reference").GetString()!));
            Assert.Equal(2, Parameter(page, "total").GetProperty("valueInteger").GetInt32());
            path = page.Json.GetProperty("parameter").EnumerateArray().FirstOrDefault(p => p.GetProperty("name").GetString() == "next")
                is { ValueKind: JsonValueKind.Object } next ? next.GetProperty("valueUri").GetString() : null;
        }
        Assert.Equal([$"Patient/{patient}", $"Observation/{shared}"], records);
        var told = Record(await AskAsync(gateway.Ehr, patient), $"Observation/{shared}");
        Assert.True(Has(told, "atLeastUntil") && !Has(told, "until"), told.GetRawText());
        Assert.False(Value(told, "held", "valueBoolean").GetBoolean());
        // At the shell it is the latest of all, and held.
        var line = (await ListAsync("--patient", patient)).Single(r => Text(r, "resource") == $"Observation/{shared}");
        Assert.Equal(("2036-02-03", "minor", true), (Text(line, "until"), Text(line, "rule"), line.GetProperty("held").GetBoolean()));
    }

    [Fact]
    public async Task While_a_hold_stands_nothing_of_the_patient_is_deleted_and_only_a_system_of_the_keeper_is_told_why()
    {
        var patient = await PatientAsync("1970-05-06");
        var self = await gateway.LoginPatientAsync(patient);
        var document = await gateway.NewDocumentAsync(patient, [1]);
        var free = await gateway.NewDocumentAsync(await PatientAsync(null), [1]);
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.Hospital, "TREAT");
        var consent = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "TREAT");
        var (_, doctor) = await gateway.RegisterDoctorAsync("dr-" + Guid.CreateVersion7(), gateway.Hospital);
        var written = (await doctor.PostAsync("Observation", Observation(patient))).Id;
        // Another hospital's, by a consent to write about the patient.
        var foreign = (await gateway.OtherEhr.PostAsync("Observation", Observation(patient))).Id;
        string[] paths = [$"DocumentReference/{document}", $"Patient/{patient}", $"Observation/{written}"];
        Task<List<(int, string)>> OthersAsync() => AnswersAsync(paths[..2], gateway.OtherEhr, self);
        var before = await OthersAsync();
        var hold = $"Task/{await HoldAsync(gateway.Ehr, patient)}";
        Assert.Equal(before, await OthersAsync());

        foreach (var path in paths)
        {
            foreach (var delete in new Func<Task<Answer>>[]
            {
                () => gateway.Ehr.DeleteAsync(path),
                () => gateway.Ehr.PostAsync("", Bundle("transaction", path)),
                () => gateway.Ehr.DeleteAsync($"{path.Replace("/", "?_id=", StringComparison.Ordinal)}"),
            })
            {
                var refused = await delete();
                Assert.True(refused.Status is 409 or 404, $"{path}: {refused.Status} {refused.Text}");
                // By criteria only what the system may see is there.
                if (refused.Status == 409) Assert.Contains(hold, refused.Text);
                else Assert.Equal(paths[2], path);
            }
            Assert.Contains("409", (await gateway.Ehr.PostAsync("", Bundle("batch", path))).Text);
        }
        // A bundle is refused as a whole, what is not held with it.
        var both = await gateway.Ehr.PostAsync("", Bundle("transaction", $"DocumentReference/{free}", paths[0]));
        Assert.Equal(409, both.Status);
        Assert.Equal(200, (await gateway.Ehr.GetAsync($"DocumentReference/{free}")).Status);
        // The doctor is told no more than of a record that is another hospital's.
        var byDoctor = await doctor.DeleteAsync(paths[2]);
        Assert.Equal(403, byDoctor.Status);
        Assert.DoesNotContain("hold", byDoctor.Text);
        Assert.DoesNotContain(hold, byDoctor.Text);
        Assert.Equal(200, (await doctor.GetAsync(paths[2])).Status);
        var byOther = await gateway.OtherEhr.DeleteAsync($"Observation/{foreign}");
        Assert.Equal((403, byDoctor.Text), (byOther.Status, byOther.Text));
        Assert.Equal(byDoctor.Text, (await gateway.OtherEhr.DeleteAsync(paths[0])).Text);
        // The refusals are in the patient's log.
        var refusals = await self.GetAsync($"AuditEvent?outcome=4&agent={gateway.Hospital}&action=D");
        Assert.NotEqual(0, refusals.Json.GetProperty("total").GetInt32());
        // What is permitted is ended all the same, and the record is corrected.
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Consent/{consent}")).Status);
        var text = (await gateway.Ehr.GetAsync(paths[0])).Text;
        Assert.Equal(200, (await gateway.Ehr.PutAsync(paths[0], text)).Status);

        Assert.Equal(200, (await gateway.Ehr.PostAsync($"{hold}/$dispose", Lifted("the case is closed"))).Status);
        Assert.Equal(204, (await gateway.OtherEhr.DeleteAsync($"Observation/{foreign}")).Status);
        foreach (var path in paths) Assert.Equal(204, (await gateway.Ehr.DeleteAsync(path)).Status);
    }

    [Fact]
    public async Task A_deletion_that_was_prepared_before_the_hold_is_not_committed_behind_it()
    {
        var patient = await PatientAsync(null);
        var record = await ObservationAsync(patient);
        var system = new Requester(gateway.Hospital, gateway.Hospital, null, null, true, []) { Author = $"client:ehr {gateway.Hospital}" };
        var caller = new Caller(CallerKind.System, ActorKind.Hospital, system, "ehr", new SmartScopes(["system/*.cruds"]));
        var flow = gateway.Service<WriteFlow>();
        var current = await flow.VisibleAsync(caller, "Observation", record, default);
        var context = flow.Begin(caller, null);
        var deletion = await flow.PrepareAsync(context, new WriteRequest(null, "Observation", record, current), default);
        Assert.Null(deletion.Failure);
        await HoldAsync(gateway.Ehr, patient);
        Assert.IsType<CommitResult.NotHeld>((await flow.CommitAsync(context, [deletion.Value], default)).Value);
        Assert.Equal(200, (await gateway.Ehr.GetAsync($"Observation/{record}")).Status);
    }

    [Fact]
    public async Task A_hold_is_filed_and_lifted_by_the_keeper_or_the_operator_and_by_nobody_else()
    {
        var patient = await PatientAsync("1970-05-06");
        var self = await gateway.LoginPatientAsync(patient);
        var (_, doctor) = await gateway.RegisterDoctorAsync("dr-" + Guid.CreateVersion7(), gateway.Hospital);
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "TREAT");
        var unknown = await gateway.OtherEhr.PostAsync("Task", Hold("never-existed"));
        var foreign = await gateway.OtherEhr.PostAsync("Task", Hold(patient));
        Assert.Equal((422, unknown.Text), (foreign.Status, foreign.Text));
        Assert.Equal(403, (await doctor.PostAsync("Task", Hold(patient))).Status);
        Assert.Equal(422, (await self.PostAsync("Task", Hold(patient))).Status);
        Assert.Equal(403, (await gateway.Insurer.PostAsync("Task", Hold(patient))).Status);
        Assert.False(Parameter(await AskAsync(gateway.Ehr, patient), "held").GetProperty("valueBoolean").GetBoolean());

        foreach (var (filer, lifter) in new[]
        {
            (gateway.Ehr, gateway.Ehr), (gateway.Ehr, gateway.Operator),
            (gateway.Operator, gateway.Ehr), (gateway.Operator, gateway.Operator),
        })
        {
            var hold = $"Task/{await HoldAsync(filer, patient)}";
            foreach (var client in new[] { gateway.Ehr, gateway.Operator, self })
            {
                var told = await AskAsync(client, patient);
                Assert.True(Parameter(told, "held").GetProperty("valueBoolean").GetBoolean());
                Assert.Equal(hold, Parameter(told, "hold").GetProperty("valueReference").GetProperty("reference").GetString());
                Assert.Equal(client == gateway.Operator, !Records(told).Any());
            }
            // The patient reads it, and nobody else does.
            Assert.Contains("a claim is pending", (await self.GetAsync(hold)).Text);
            Assert.Equal(403, (await self.PostAsync($"{hold}/$dispose", Lifted("please"))).Status);
            Assert.Equal(403, (await self.PostAsync($"{hold}/$dispose", Said("cancelled"))).Status);
            foreach (var client in new[] { gateway.OtherEhr, doctor })
            {
                Assert.Equal(404, (await client.GetAsync(hold)).Status);
                Assert.Equal(404, (await client.PostAsync($"{hold}/$dispose", Lifted("please"))).Status);
            }
            Assert.Equal(403, (await gateway.Ehr.DeleteAsync(hold)).Status);
            Assert.Equal(403, (await gateway.Ehr.PutAsync(hold, (await gateway.Ehr.GetAsync(hold)).Text)).Status);
            string[] notLifting = [Said("completed"), Said("completed", "lifted"), Said("completed", "justified", "x"), Said("cancelled")];
            foreach (var wrong in notLifting)
                Assert.Equal(422, (await lifter.PostAsync($"{hold}/$dispose", wrong)).Status);
            var lifted = await lifter.PostAsync($"{hold}/$dispose", Lifted("the case is closed"));
            Assert.True(lifted.Status == 200, lifted.Text);
            Assert.Equal("completed", lifted.Json.GetProperty("status").GetString());
            Assert.False(Parameter(await AskAsync(gateway.Ehr, patient), "held").GetProperty("valueBoolean").GetBoolean());
            // Each step is in the log, of who made it.
            var (by, with) = (filer == gateway.Operator ? "operator" : "ehr", lifter == gateway.Operator ? "operator" : "ehr");
            foreach (var (action, client) in new[] { ("C", by), ("E", with) })
            {
                var entry = await self.GetAsync($"AuditEvent?action={action}&entity={hold}&agent:identifier={client}");
                Assert.NotEqual(0, entry.Json.GetProperty("total").GetInt32());
            }
        }
        // What else is before an office the operator neither reads nor disposes of.
        var asked = await self.PostAsync("Task", Hold(patient).Replace("legal-hold", "supply-request", StringComparison.Ordinal)
            .Replace("accepted", "requested", StringComparison.Ordinal));
        Assert.True(asked.Status == 201, asked.Text);
        Assert.Equal(404, (await gateway.Operator.PostAsync($"Task/{asked.Id}/$dispose", Said("accepted"))).Status);
    }

    [Theory]
    [InlineData("\"status\":\"accepted\"", "\"status\":\"requested\"", "Task.status")]
    [InlineData("\"description\":\"a claim is pending\"", "\"description\":\" \"", "Task.description")]
    [InlineData("\"intent\"", "\"priority\":\"stat\",\"intent\"", "Task.priority")]
    [InlineData("\"intent\"", "\"focus\":{\"reference\":\"Observation/x\"},\"intent\"", "Task.focus")]
    [InlineData("\"intent\"", "\"owner\":{\"reference\":\"Organization/x\"},\"intent\"", "Task.owner")]
    [InlineData("\"intent\"", "\"requester\":{\"reference\":\"Organization/x\"},\"intent\"", "Task.requester")]
    [InlineData("\"reference\":\"Patient/", "\"reference\":\"Group/", "Task.for")]
    [InlineData("\"coding\":[", "\"coding\":[{\"system\":\"urn:x\",\"code\":\"y\"},", "Task.code")]
    public async Task What_is_no_hold_is_refused_by_its_name(string text, string with, string path)
    {
        var patient = await PatientAsync(null);
        foreach (var client in new[] { gateway.Ehr, gateway.Operator })
        {
            var refused = await client.PostAsync("Task", Hold(patient).Replace(text, with, StringComparison.Ordinal));
            Assert.True(refused.Status == 422, refused.Text);
            Assert.Contains(path, refused.Text);
        }
    }

    [Fact]
    public async Task A_Task_of_the_hospital_itself_becomes_no_hold_and_holds_are_bounded()
    {
        var patient = await PatientAsync(null);
        var ordinary = Hold(patient).Replace(Codes, "urn:x", StringComparison.Ordinal);
        var task = (await gateway.Ehr.PostAsync("Task", ordinary)).Id;
        var turned = await gateway.Ehr.PutAsync(
            $"Task/{task}", Hold(patient).Replace("\"status\"", $"\"id\":\"{task}\",\"status\"", StringComparison.Ordinal));
        Assert.True(turned.Status == 422 && turned.Text.Contains("Task.code", StringComparison.Ordinal), turned.Text);
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Task/{task}")).Status);
        for (var i = 0; i < 20; i++) await HoldAsync(gateway.Ehr, patient);
        Assert.Equal(429, (await gateway.Ehr.PostAsync("Task", Hold(patient))).Status);
    }

    [Fact]
    public async Task The_operator_lists_at_the_shell_what_is_past_retention_and_what_is_held()
    {
        var patient = await PatientAsync("1970-05-06");
        var (kept, deleted) = (await ObservationAsync(patient), await ObservationAsync(patient));
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Observation/{deleted}")).Status);
        string[] ofZero = ["--patient", patient, "--Retention:Years:Observation", "0"];
        var all = await ListAsync(ofZero);
        // What was deleted is kept too; with the log, which is one.
        Assert.Equal(
            ["AuditEvent", "Consent", "Observation", "Observation", "Patient"],
            all.Select(r => Text(r, "resource")!.Split('/')[0]).Where(t => t != "Binary").Order());
        Assert.True(all.Single(r => Text(r, "resource") == $"Observation/{deleted}").GetProperty("deleted").GetBoolean());
        Assert.All(all, r => Assert.False(r.GetProperty("past").GetBoolean()));
        // Nothing is past retention on the day that it was written; so the clock of the database is put back.
        await using (var connection = await TestStore.OpenAsync(gateway.Options))
        {
            await using var command = connection.CreateCommand();
            command.CommandText = $"UPDATE resources SET last_updated = 1700000000000 WHERE type = 'Observation' AND id = '{deleted}'";
            Assert.Equal(1, await command.ExecuteNonQueryAsync());
        }
        var due = await ListAsync([.. ofZero, "--due"]);
        Assert.Equal($"Observation/{deleted}", Text(Assert.Single(due), "resource"));
        var (code, text, error) = await PmrAsync([.. ofZero, "--due"]);
        Assert.True(code == 0, error);
        Assert.Contains("1 listed: 1 past retention, 0 held", text);
        Assert.DoesNotContain(kept, text);
        // The Consent goes with the longest record, which is the document of the form or the Patient itself.
        Assert.True(string.CompareOrdinal(
            Text(all.Single(r => Text(r, "resource")!.StartsWith("Consent/", StringComparison.Ordinal)), "until"),
            Text(all.Single(r => Text(r, "resource") == $"Observation/{kept}"), "until")) > 0);
        await HoldAsync(gateway.Ehr, patient);
        Assert.Empty(await ListAsync([.. ofZero, "--due"]));
        Assert.All(await ListAsync(ofZero), r => Assert.True(r.GetProperty("held").GetBoolean()));
        // Of all patients, page by page.
        Assert.Contains($"Observation/{kept}", (await PmrAsync()).Out);
    }

    [Fact]
    public async Task Who_asks_at_the_shell_wrongly_is_told_so()
    {
        Assert.Equal((1, "pmr: Patient/never-was is no registered patient\n"), await FailedAsync("list", "--patient", "never-was"));
        foreach (var wrong in new string[][]
        {
            [], ["forget"], ["list", "--patient"], ["list", "--patient", "a", "--patient", "b"],
            ["list", "--Retention:DefaultYears", "-1"], ["list", "--X", "y"],
        })
        {
            var (code, error) = await FailedAsync(wrong);
            Assert.True(code == 2 && error.StartsWith("pmr: ", StringComparison.Ordinal), $"{string.Join(' ', wrong)}: {code} {error}");
        }
    }

    private static DateOnly Today => DateOnly.FromDateTime(TimeProvider.System.GetUtcNow().UtcDateTime);

    private async Task<string> PatientAsync(string? birth)
    {
        var created = await gateway.Ehr.PostAsync("Patient", $$$"""
            {"resourceType":"Patient",{{{(birth is null ? "" : $"\"birthDate\":\"{birth}\",")}}}"name":[{"family":"Test"}]}
            """);
        Assert.True(created.Status == 201, created.Text);
        return created.Id;
    }

    private async Task<string> ObservationAsync(string patient)
    {
        var created = await gateway.Ehr.PostAsync("Observation", Observation(patient));
        Assert.True(created.Status == 201, created.Text);
        return created.Id;
    }

    private static async Task<string> HoldAsync(GatewayClient client, string patient)
    {
        var filed = await client.PostAsync("Task", Hold(patient));
        Assert.True(filed.Status == 201, filed.Text);
        return filed.Id;
    }

    private static async Task<Answer> AskAsync(GatewayClient client, string patient)
    {
        var answer = await client.GetAsync($"Patient/{patient}/$retention");
        Assert.True(answer.Status == 200, answer.Text);
        return answer;
    }

    // What deletions are answered, alone and in a transaction.
    private static async Task<List<(int, string)>> AnswersAsync(string[] paths, params GatewayClient[] clients)
    {
        var answers = new List<(int, string)>();
        foreach (var client in clients)
        {
            foreach (var path in paths)
            {
                foreach (var answer in new[] { await client.DeleteAsync(path), await client.PostAsync("", Bundle("transaction", path)) })
                    answers.Add((answer.Status, answer.Text));
            }
        }
        return answers;
    }

    private static string Observation(string patient, string more = "") => $$$"""
        {"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},
        "subject":{"reference":"Patient/{{{patient}}}"},"effectiveDateTime":"2020-01-02"{{{more}}}}
        """;

    private static string Hold(string patient) => $$$"""
        {"resourceType":"Task","status":"accepted","intent":"order","code":{"coding":[{"system":"{{{Codes}}}","code":"legal-hold"}]},
        "for":{"reference":"Patient/{{{patient}}}"},"description":"a claim is pending"}
        """;

    private static string Bundle(string type, params string[] paths) =>
        $"{{\"resourceType\":\"Bundle\",\"type\":\"{type}\",\"entry\":["
            + string.Join(',', paths.Select(p => $"{{\"request\":{{\"method\":\"DELETE\",\"url\":\"{p}\"}}}}")) + "]}";

    private static string Lifted(string why) => Said("completed", "lifted", why);

    private static string Said(string status, string? disposition = null, string? note = null) =>
        $"{{\"resourceType\":\"Parameters\",\"parameter\":[{{\"name\":\"status\",\"valueCode\":\"{status}\"}}"
            + (disposition is null ? "" : $",{{\"name\":\"disposition\",\"valueCode\":\"{disposition}\"}}")
            + (note is null ? "" : $",{{\"name\":\"note\",\"valueString\":\"{note}\"}}") + "]}";

    private static IEnumerable<JsonElement> Records(Answer answer) =>
        answer.Json.GetProperty("parameter").EnumerateArray().Where(p => p.GetProperty("name").GetString() == "record");

    private static JsonElement Record(Answer answer, string reference) => Records(answer).Single(
        r => Value(r, "reference", "valueReference").GetProperty("reference").GetString() == reference);

    private static JsonElement Parameter(Answer answer, string name) =>
        answer.Json.GetProperty("parameter").EnumerateArray().Single(p => p.GetProperty("name").GetString() == name);

    private static bool Has(JsonElement record, string name) =>
        record.GetProperty("part").EnumerateArray().Any(p => p.GetProperty("name").GetString() == name);

    private static JsonElement Value(JsonElement record, string name, string type) =>
        record.GetProperty("part").EnumerateArray().Single(p => p.GetProperty("name").GetString() == name).GetProperty(type);

    private static string? Text(JsonElement line, string name) => line.TryGetProperty(name, out var text) ? text.GetString() : null;

    private Task<(int Exit, string Out, string Error)> PmrAsync(params string[] arguments) => RunAsync(["list", .. arguments]);

    private Task<(int Exit, string Out, string Error)> RunAsync(params string[] arguments) => GatewayProcess.RunAsync(
        ["retention", .. arguments, "--data", gateway.Options.DataFolder, .. TestStore.Settings(gateway.Options.Store)]);

    private async Task<List<JsonElement>> ListAsync(params string[] arguments)
    {
        var (exit, output, error) = await PmrAsync([.. arguments, "--json"]);
        Assert.True(exit == 0 && error.Length == 0, $"{exit} {output} {error}");
        return [.. JsonDocument.Parse(output).RootElement.GetProperty("records").EnumerateArray()];
    }

    private async Task<(int Exit, string Error)> FailedAsync(params string[] arguments)
    {
        var (exit, _, error) = await RunAsync(arguments);
        return (exit, error);
    }
}
