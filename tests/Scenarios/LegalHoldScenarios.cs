using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Tests.Client;
using static PmrGateway.Tests.Scenarios.RetentionRequests;

namespace PmrGateway.Tests.Scenarios;

/// <summary>The legal hold on a patient: who files and lifts it, and what is not deleted while it stands.</summary>
[Collection(GatewayCollection.Name)]
public class LegalHoldScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task While_a_hold_stands_nothing_of_the_patient_is_deleted_and_only_a_system_of_the_keeper_is_told_why()
    {
        var patient = await gateway.PatientBornAsync("1970-05-06");
        var self = await gateway.LoginPatientAsync(patient);
        var document = await gateway.NewDocumentAsync(patient, [1]);
        var free = await gateway.NewDocumentAsync(await gateway.PatientBornAsync(null), [1]);
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

    [Theory]
    [InlineData("system/Observation.cruds system/Patient.r", false)]
    [InlineData("system/Observation.cruds system/Patient.r system/Task.r?code=supply-request", false)]
    [InlineData("system/Observation.cruds system/Patient.r system/Task.s", false)]
    [InlineData("system/Observation.cruds system/Patient.r system/Task.r?code=legal-hold", true)]
    public async Task A_hold_is_named_to_who_has_the_scope_to_read_it_alone(string scopes, bool isNamed)
    {
        var patient = await gateway.PatientBornAsync(null);
        var record = await gateway.NewObservationAsync(patient);
        var archive = await gateway.RegisterSystemAsync(
            "archive-" + Guid.CreateVersion7(), gateway.Hospital, $"{scopes} system/Organization.r", "TREAT");
        var hold = await HoldAsync(gateway.Ehr, patient);
        var refused = await archive.DeleteAsync($"Observation/{record}");
        Assert.True(refused.Status == 409, refused.Text);
        Assert.Equal(isNamed, refused.Text.Contains(hold, StringComparison.Ordinal));
        var told = await AskAsync(archive, patient);
        Assert.True(Parameter(told, "held").GetProperty("valueBoolean").GetBoolean());
        Assert.Equal(isNamed, told.Text.Contains(hold, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_record_that_was_corrected_away_from_a_held_patient_is_held_all_the_same()
    {
        var (other, held) = (await gateway.PatientBornAsync(null), await gateway.PatientBornAsync(null));
        var record = await gateway.NewObservationAsync(held);
        await HoldAsync(gateway.Ehr, held);
        foreach (var focus in new[] { $",\"focus\":[{{\"reference\":\"Patient/{held}\"}}]", "" })
        {
            var moved = await gateway.Ehr.PutAsync(
                $"Observation/{record}",
                $"{{\"resourceType\":\"Observation\",\"id\":\"{record}\",\"status\":\"final\",\"code\":{{\"text\":\"x\"}},"
                    + $"\"subject\":{{\"reference\":\"Patient/{other}\"}}{focus}}}");
            Assert.True(moved.Status == 200, moved.Text);
        }
        var refused = await gateway.Ehr.DeleteAsync($"Observation/{record}");
        Assert.True(refused.Status == 409, refused.Text);
    }

    [Fact]
    public async Task A_deletion_that_was_prepared_before_the_hold_is_not_committed_behind_it()
    {
        var patient = await gateway.PatientBornAsync(null);
        var record = await gateway.NewObservationAsync(patient);
        var system = new Requester(gateway.Hospital, gateway.Hospital, null, null, true, []) { Author = $"client:ehr {gateway.Hospital}" };
        var caller = new Caller(CallerKind.System, ActorKind.Hospital, system, "ehr", new SmartScopes(["system/*.cruds"]));
        var flow = gateway.Service<WriteFlow>();
        var current = await flow.VisibleAsync(caller, ScopeAction.Delete, "Observation", record, default);
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
        var patient = await gateway.PatientBornAsync("1970-05-06");
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
        var patient = await gateway.PatientBornAsync(null);
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
        var patient = await gateway.PatientBornAsync(null);
        var ordinary = Hold(patient).Replace("https://pmrgateway.example/fhir/CodeSystem/pmr-task", "urn:x", StringComparison.Ordinal);
        var task = (await gateway.Ehr.PostAsync("Task", ordinary)).Id;
        var turned = await gateway.Ehr.PutAsync(
            $"Task/{task}", Hold(patient).Replace("\"status\"", $"\"id\":\"{task}\",\"status\"", StringComparison.Ordinal));
        Assert.True(turned.Status == 422 && turned.Text.Contains("Task.code", StringComparison.Ordinal), turned.Text);
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Task/{task}")).Status);
        var self = await gateway.LoginPatientAsync(patient);
        var before = await RefusalsAsync(self, gateway.Hospital);
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => gateway.Ehr.PostAsync("Task", Hold(patient))));
        Assert.Equal(20, answers.Count(a => a.Status == 201));
        Assert.Equal(20, answers.Count(a => a.Status == 429));
        Assert.Equal(before + 20, await RefusalsAsync(self, gateway.Hospital));
        Assert.Equal(429, (await gateway.Operator.PostAsync("Task", Hold(patient))).Status);
    }

    [Fact]
    public async Task Whoever_tries_to_file_a_hold_in_vain_is_in_the_log_of_the_patient()
    {
        var patient = await gateway.PatientBornAsync(null);
        var self = await gateway.LoginPatientAsync(patient);
        var (reference, doctor) = await gateway.RegisterDoctorAsync("dr-" + Guid.CreateVersion7(), gateway.Hospital);
        Assert.Equal(0, await RefusalsAsync(self, reference));
        Assert.Equal(403, (await doctor.PostAsync("Task", Hold(patient))).Status);
        Assert.Equal(1, await RefusalsAsync(self, reference));
        Assert.Equal(422, (await gateway.OtherEhr.PostAsync("Task", Hold(patient))).Status);
        Assert.Equal(1, await RefusalsAsync(self, gateway.OtherHospital));
    }

    private static async Task<int> RefusalsAsync(GatewayClient self, string agent) =>
        (await self.GetAsync($"AuditEvent?outcome=4&agent={agent}&action=C")).Json.GetProperty("total").GetInt32();

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
}
