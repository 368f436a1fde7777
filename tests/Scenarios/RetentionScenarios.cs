using System.Text.Json;
using PmrGateway.Tests.Client;
using static PmrGateway.Tests.Scenarios.RetentionRequests;

namespace PmrGateway.Tests.Scenarios;

/// <summary>How long records are kept, and who is told.</summary>
[Collection(GatewayCollection.Name)]
public class RetentionScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task Patient_and_keeper_are_told_until_when_each_record_is_kept_and_others_that_there_is_no_such_patient()
    {
        var (adult, minor) = (await gateway.PatientBornAsync("1970-05-06"), await gateway.PatientBornAsync("2015-02-03"));
        var unknown = await gateway.PatientBornAsync(null);
        foreach (var (patient, years, rule) in new[] { (adult, 3, "period"), (minor, 0, "minor"), (unknown, 21, "unknown-birth-date") })
        {
            var record = $"Observation/{await gateway.NewObservationAsync(patient)}";
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
        var patient = await gateway.PatientBornAsync("2015-02-03");
        var record = await gateway.NewObservationAsync(patient);
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
        var (patient, other) = (await gateway.PatientBornAsync("1970-05-06"), await gateway.PatientBornAsync("2015-02-03"));
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
    public async Task The_operator_lists_at_the_shell_what_is_past_retention_and_what_is_held()
    {
        var patient = await gateway.PatientBornAsync("1970-05-06");
        var (kept, deleted) = (await gateway.NewObservationAsync(patient), await gateway.NewObservationAsync(patient));
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
    public async Task A_Binary_is_kept_as_long_as_what_links_to_it_or_did_when_it_ended()
    {
        var patient = await gateway.PatientBornAsync("1970-05-06");
        var document = $"DocumentReference/{await gateway.NewDocumentAsync(patient, [1])}";
        // Of the patient there is what is kept longer.
        await gateway.NewObservationAsync(patient);
        string[] years = ["--Retention:Years:DocumentReference", "10", "--Retention:Years:Observation", "20"];
        for (var isDeleted = false; ; isDeleted = true)
        {
            var lines = await ListAsync(["--patient", patient, .. years]);
            var binary = lines.Single(l => Text(l, "resource")!.StartsWith("Binary/", StringComparison.Ordinal));
            Assert.Equal((isDeleted, "longest"), (binary.GetProperty("deleted").GetBoolean(), Text(binary, "rule")));
            Assert.Equal(Text(lines.Single(l => Text(l, "resource") == document), "until"), Text(binary, "until"));
            // Who else links to it may be hidden.
            if (isDeleted) break;
            var told = Record(await AskAsync(gateway.Ehr, patient), Text(binary, "resource")!);
            Assert.True(Has(told, "atLeastUntil") && !Has(told, "until"), told.GetRawText());
            Assert.Equal(204, (await gateway.Ehr.DeleteAsync(document)).Status);
        }
    }

    [Fact]
    public async Task What_an_earlier_version_alone_makes_a_patients_is_listed_among_the_records_of_that_patient()
    {
        var (patient, former) = (await gateway.PatientBornAsync("1970-05-06"), await gateway.PatientBornAsync("2015-02-03"));
        var record = (await gateway.Ehr.PostAsync("Observation", Observation(
            patient, $",\"performer\":[{{\"reference\":\"Patient/{former}\"}}]"))).Id;
        var corrected = Observation(patient).Replace("\"status\"", $"\"id\":\"{record}\",\"status\"", StringComparison.Ordinal);
        Assert.Equal(200, (await gateway.Ehr.PutAsync($"Observation/{record}", corrected)).Status);
        await gateway.NewObservationAsync(patient);
        var lines = await ListAsync("--patient", former);
        Assert.Equal(
            ["AuditEvent", $"Observation/{record}", $"Patient/{former}"], lines.Select(l => Text(l, "resource")!).Order());
        Assert.Equal("2036-02-03", Text(lines.Single(l => Text(l, "resource") == $"Observation/{record}"), "until"));
    }

    [Fact]
    public async Task What_is_of_the_directory_is_kept_as_long_as_any_record()
    {
        var lines = await ListAsync();
        foreach (var reference in new[] { gateway.Hospital, gateway.InsurerOrganization })
        {
            var line = lines.Single(l => Text(l, "resource") == reference);
            Assert.Equal(("directory", null, false), (Text(line, "rule"), Text(line, "until"), line.GetProperty("past").GetBoolean()));
        }
        Assert.Contains("as long as any record", (await PmrAsync()).Out);
    }

    [Fact]
    public async Task The_birth_date_of_a_Patient_that_is_linked_to_another_one_is_not_known_at_the_shell()
    {
        var other = await gateway.PatientBornAsync("1970-05-06");
        var linked = await gateway.Ehr.PostAsync("Patient", $$$"""
            {"resourceType":"Patient","birthDate":"1970-05-06","link":[{"type":"seealso","other":{"reference":"Patient/{{{other}}}"}}]}
            """);
        Assert.True(linked.Status == 201, linked.Text);
        var record = $"Observation/{await gateway.NewObservationAsync(linked.Id)}";
        var line = (await ListAsync("--patient", linked.Id)).Single(l => Text(l, "resource") == record);
        Assert.Equal("unknown-birth-date", Text(line, "rule"));
        // The one that it is linked to is as it was.
        var plain = $"Observation/{await gateway.NewObservationAsync(other)}";
        Assert.Equal("period", Text((await ListAsync("--patient", other)).Single(l => Text(l, "resource") == plain), "rule"));
    }

    [Fact]
    public async Task What_somebody_has_changed_in_the_database_is_past_retention_by_no_such_change()
    {
        var patient = await gateway.PatientBornAsync("1970-05-06");
        var (other, changed) = (await gateway.NewObservationAsync(patient), await gateway.NewObservationAsync(patient));
        await using var connection = await TestStore.OpenAsync(gateway.Options);
        await ChangedAsync("resources", "data_to", "data_to - 1", $"type = 'Observation' AND id = '{changed}'", async () =>
        {
            var lines = await ListAsync("--patient", patient);
            Assert.Equal("row-broken", RuleOf(lines, $"Observation/{changed}"));
            Assert.Equal("period", RuleOf(lines, $"Observation/{other}"));
            // With what may be the longest of all, the Patient has no end.
            Assert.Equal("no-end", RuleOf(lines, $"Patient/{patient}"));
        });
        // Who keeps the patient says before whose office holds are.
        await ChangedAsync("patients", "custodian", "custodian || 'x'", $"id = '{patient}'", async () =>
        {
            var all = await ListAsync();
            Assert.All(new[] { other, changed }, o => Assert.Equal("row-broken", RuleOf(all, $"Observation/{o}")));
        });

        static string? RuleOf(List<JsonElement> lines, string resource) => Text(lines.Single(l => Text(l, "resource") == resource), "rule");

        async Task ChangedAsync(string table, string column, string to, string where, Func<Task> see)
        {
            await using var read = connection.CreateCommand();
            read.CommandText = $"SELECT {column} FROM {table} WHERE {where}";
            var before = await read.ExecuteScalarAsync();
            await using var write = connection.CreateCommand();
            write.CommandText = $"UPDATE {table} SET {column} = {to} WHERE {where}";
            Assert.Equal(1, await write.ExecuteNonQueryAsync());
            await see();
            write.CommandText = $"UPDATE {table} SET {column} = {(before is string text ? $"'{text}'" : before)} WHERE {where}";
            Assert.Equal(1, await write.ExecuteNonQueryAsync());
        }
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
