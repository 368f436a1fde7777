using System.Diagnostics;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

[Collection(GatewayCollection.Name)]
public class AuditScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task A_patient_sees_who_read_what_and_who_was_refused()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1]);
        await gateway.Insurer.GetAsync($"Patient/{patient}");
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
        await gateway.Insurer.GetAsync($"DocumentReference/{document}");
        await gateway.Insurer.GetAsync($"DocumentReference?patient={patient}");

        var self = await gateway.LoginPatientAsync(patient);
        var log = await self.GetAsync($"AuditEvent?patient={patient}&_count=100");
        Assert.True(ResourceDocument.TryParse(log.Body, out var bundle, out _));
        Assert.Empty(new Validator(FhirSchema.R4).Validate(bundle!).Errors);
        var byInsurer = RunningGateway.Entries(log).Select(e => e.GetProperty("resource"))
            .Where(e => e.GetProperty("type").GetProperty("code").ValueEquals("rest")
                && e.GetProperty("agent")[0].GetProperty("who").TryGetProperty("reference", out var who)
                && who.GetString() == gateway.InsurerOrganization)
            .Select(e => (e.GetProperty("subtype")[0].GetProperty("code").GetString(), e.GetProperty("outcome").GetString())).ToList();
        Assert.Equal([("search-type", "0"), ("read", "0"), ("read", "4")], byInsurer);
        Assert.Contains($"DocumentReference/{document}", log.Text);
        Assert.Contains("urn:pmr:consent:", log.Text);
    }

    [Fact]
    public async Task A_refused_write_is_in_the_log_too()
    {
        var patient = await gateway.NewPatientAsync();
        var body = $"{{\"resourceType\":\"Patient\",\"id\":\"{patient}\"}}";
        Assert.Equal(404, (await gateway.OtherEhr.PutAsync($"Patient/{patient}", body)).Status);
        Assert.Equal(404, (await gateway.OtherEhr.DeleteAsync($"Patient/{patient}")).Status);
        var log = await (await gateway.LoginPatientAsync(patient)).GetAsync("AuditEvent");
        var refused = RunningGateway.Entries(log).Select(e => e.GetProperty("resource"))
            .Where(e => e.GetProperty("outcome").GetString() == "4");
        Assert.Equal(["delete", "update"], refused.Select(e => e.GetProperty("subtype")[0].GetProperty("code").GetString()));
    }

    [Fact]
    public async Task A_refusal_that_no_record_was_asked_for_is_in_the_log_too()
    {
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var key = new ClientKey();
        var clientId = "audit-" + Guid.CreateVersion7();
        await gateway.Operator.AdminAsync(
            "clients", new { clientId, jwks = key.Jwks, scopes = new[] { "system/Patient.r" }, purposes = Array.Empty<string>() });
        var unbound = await gateway.Anyone.LoginAsync(clientId, key.Credentials, "system/Patient.r");
        Assert.Equal(403, (await unbound.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal(403, (await unbound.PostAsync("", "{}")).Status);
        Assert.Equal(403, (await unbound.AdminAsync("clients", new { clientId = "x" })).Status);
        Assert.Equal(404, (await self.GetAsync("AuditEvent/unknown")).Status);
        Assert.Equal(403, (await self.PostAsync("Consent/$intent", RunningGateway.Consent("other", gateway.InsurerOrganization))).Status);
        var appOnly = await gateway.Anyone.LoginUserAsync(
            RunningGateway.App, RunningGateway.Redirect, "p-" + patient, RunningGateway.Password, "openid patient/Patient.rs");
        Assert.Equal(403, (await appOnly.GetAsync("AuditEvent")).Status);
        Assert.Equal(403, (await appOnly.GetAsync("AuditEvent/x")).Status);

        Assert.Equal([("read", $"Patient/{patient}"), ("transaction", ""), ("operation", "admin/clients")], await DeniedAsync(clientId));
        Assert.Equal(
            [("read", "AuditEvent/unknown"), ("operation", "Consent/$intent"), ("search-type", "AuditEvent"), ("read", "AuditEvent/x")],
            await DeniedAsync(RunningGateway.App, "Patient/" + patient));
        // The patient learns of the first: somebody without a name here asked for the record.
        Assert.Contains(clientId, (await self.GetAsync("AuditEvent")).Text);
    }

    private async Task<List<(string Interaction, string Asked)>> DeniedAsync(string client, string? agent = null)
    {
        await using var connection = await TestStore.OpenAsync(gateway.Options);
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT interaction, entities, client, agent FROM audit WHERE outcome = 'deny' ORDER BY seq";
        var denied = new List<(string, string)>();
        await using var rows = await command.ExecuteReaderAsync();
        while (await rows.ReadAsync())
            if (rows.GetString(2) == client && (agent is null || rows.GetString(3) == agent))
                denied.Add((rows.GetString(0), JsonDocument.Parse(rows.GetString(1)).RootElement[0].GetString()!));
        return denied;
    }

    [Fact]
    public async Task Nobody_but_the_patient_sees_the_log()
    {
        var (patient, other) = (await gateway.NewPatientAsync(), await gateway.NewPatientAsync());
        var stranger = await gateway.LoginPatientAsync(other);
        foreach (var client in new[] { gateway.Insurer, gateway.OtherEhr, gateway.Ehr, stranger })
            Assert.Equal(0, (await client.GetAsync($"AuditEvent?patient={patient}")).Json.GetProperty("total").GetInt32());
        Assert.Equal(405, (await gateway.Ehr.DeleteAsync("AuditEvent/x")).Status);
        Assert.Equal(405, (await gateway.Ehr.PostAsync("AuditEvent", "{\"resourceType\":\"AuditEvent\"}")).Status);
    }

    [Theory]
    [InlineData("Patient/\\u0000")]
    [InlineData("Patient/a\\\"b")]
    [InlineData("Patient/LONG")]
    public async Task What_can_be_no_patients_id_is_refused_without_harm_to_the_log(string url)
    {
        var random = System.Security.Cryptography.RandomNumberGenerator.GetBytes(2000);
        url = url.Replace("LONG", Convert.ToHexString(random), StringComparison.Ordinal);
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var refused = await gateway.Insurer.PostAsync("", $$$"""
            {"resourceType":"Bundle","type":"transaction","entry":[
              {"resource":{"resourceType":"Patient"},"request":{"method":"PUT","url":"{{{url}}}"}}]}
            """);
        Assert.Equal(403, refused.Status);
        // So many that the index by patient takes them in.
        for (var i = 0; i < 40; i++)
            await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => gateway.Insurer.GetAsync($"Patient/{patient}")));
        Assert.Equal(200, (await self.GetAsync("AuditEvent?_count=1")).Status);
        Assert.Equal(200, (await self.GetAsync("AuditEvent?entity=Consent/x")).Status);
        Assert.Equal(200, (await gateway.Ehr.GetAsync($"Patient/{patient}")).Status);
    }

    [Fact]
    public async Task A_search_over_several_patients_tells_each_of_the_own_records_alone()
    {
        var (a, b) = (await gateway.NewPatientAsync(), await gateway.NewPatientAsync());
        await gateway.Ehr.GetAsync($"Patient?_id={a},{b}");
        var log = await (await gateway.LoginPatientAsync(a)).GetAsync("AuditEvent");
        Assert.Contains("search-type", log.Text);
        Assert.Contains($"Patient/{a}", log.Text);
        Assert.DoesNotContain(b, log.Text);
    }

    [Fact]
    public async Task A_release_by_the_consents_of_two_patients_tells_each_of_the_own_alone()
    {
        var (a, b) = (await gateway.NewPatientAsync(), await gateway.NewPatientAsync());
        var record = await gateway.Ehr.PostAsync("Observation", $$$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{{{a}}}"},
            "focus":[{"reference":"Patient/{{{b}}}"}]}
            """);
        Assert.Equal(201, record.Status);
        var given = new[]
        {
            await RunningGateway.GrantAsync(gateway.Ehr, a, gateway.InsurerOrganization),
            await RunningGateway.GrantAsync(gateway.Ehr, b, gateway.InsurerOrganization),
        };
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"Observation/{record.Id}")).Status);
        foreach (var (own, others, patient) in new[] { (given[0], given[1], a), (given[1], given[0], b) })
        {
            var self = await gateway.LoginPatientAsync(patient);
            var released = RunningGateway.Entries(await self.GetAsync($"AuditEvent?entity=Observation/{record.Id}&_count=100"))
                .Select(e => e.GetProperty("resource").GetRawText()).ToList();
            var all = (await self.GetAsync("AuditEvent?_count=100")).Text;
            Assert.Contains("Consent/" + own, all);
            Assert.DoesNotContain("Consent/" + others, all);
            Assert.DoesNotContain("Consent/" + others, string.Concat(released));
            var ofOther = await self.GetAsync($"AuditEvent?entity=Consent/{others}");
            Assert.True(ofOther.Status == 200, ofOther.Text);
            Assert.Equal(0, ofOther.Json.GetProperty("total").GetInt32());
            Assert.NotEqual(0, (await self.GetAsync($"AuditEvent?entity=Consent/{own}")).Json.GetProperty("total").GetInt32());
            // One consent permitted as far as this patient is concerned: its commitment alone is named.
            Assert.Single(System.Text.RegularExpressions.Regex.Matches(all, "urn:pmr:consent:[0-9a-fx]+").Select(m => m.Value).Distinct());
        }
    }

    [Fact]
    public async Task An_entry_names_the_block_that_the_release_was_decided_at_also_where_the_chain_has_gone_on_since()
    {
        var patient = await gateway.NewPatientAsync();
        var view = gateway.Service<ConsentView>();
        var caller = new Caller(
            CallerKind.System, ActorKind.Hospital,
            new Requester(gateway.Hospital, gateway.Hospital, null, null, true, ["TREAT"]) { Author = "client:ehr " + gateway.Hospital },
            "block",
            new SmartScopes(["system/*.r"]));
        var decided = -1L;
        await gateway.Service<ReadFlow>().RunAsync(
            caller,
            new ReadRequest(Interaction.Read, "Patient", ScopeAction.Read, $"Patient/{patient}", patient),
            async snapshot =>
            {
                var found = Found.Of(await snapshot.ReadAsync("Patient", patient, null, default));
                decided = found.Versions[0].Permit.Block;
                // The next batch is anchored meanwhile: a block is made.
                await gateway.NewPatientAsync();
                for (var i = 0; i < 300 && view.Block == decided; i++) await Task.Delay(100);
                Assert.True(view.Block > decided);
                return found;
            },
            _ => FhirResponse.NoContent,
            default);
        var page = await gateway.Service<AuditLog>().SearchAsync(new AuditQuery(patient, 10), default);
        Assert.Equal(decided, page.Events.Single(e => e.Entry.Client == "block").Entry.Block);
    }

    [Fact]
    public async Task The_log_is_a_chain_without_a_gap()
    {
        await gateway.Ehr.GetAsync("Patient/$a%20b");
        await gateway.Ehr.PostAsync(
            "", """{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Patient/a b"}}]}""");
        Assert.Null(await gateway.Service<AuditLog>().FirstBrokenAsync(default));
    }

    [Fact]
    public async Task The_log_is_verified_at_the_shell_while_the_gateway_runs()
    {
        await gateway.NewPatientAsync();
        string[] verify = ["verify", "audit", "--data", gateway.Options.DataFolder, .. TestStore.Settings(gateway.Options.Store)];
        var (code, output) = await PmrAsync(verify);
        Assert.Equal((0, true), (code, output.Contains("ok: each entry", StringComparison.Ordinal)));
        await ChangeSecondAsync();
        try
        {
            (code, output) = await PmrAsync(verify);
            Assert.Equal((1, true), (code, output.Contains("FAILED: entry 2", StringComparison.Ordinal)));
        }
        finally
        {
            await ChangeSecondAsync();
        }
        // Two that changed places: each is as it was written, and follows on another.
        await TurnRoundAsync();
        (code, output) = await PmrAsync(verify);
        await TurnRoundAsync();
        Assert.Equal((1, true), (code, output.Contains("FAILED: entry 3", StringComparison.Ordinal)));
        (code, _) = await PmrAsync(verify);
        Assert.Equal(0, code);
    }

    [Fact]
    public async Task The_log_is_held_against_the_heads_that_were_anchored_and_those_against_the_chain()
    {
        var patient = await gateway.NewPatientAsync();
        await GatewayClient.UntilAsync(
            () => gateway.Ehr.GetAsync($"Patient/{patient}/$anchor-proof"), a => a.Text.Contains("transaction", StringComparison.Ordinal));
        string[] verify = ["verify", "audit", "--data", gateway.Options.DataFolder, .. TestStore.Settings(gateway.Options.Store)];
        string[] onChain = [.. verify, "--rpc", gateway.Service<AnvilNode>().Url];
        var (code, output) = await PmrAsync(onChain);
        Assert.True(code == 0, output);
        Assert.Contains("batches anchor this log", output);
        Assert.Contains("are on chain 1337 as they are here", output);

        // Each change is its own undoing.
        const string Last = "WHERE batch = (SELECT MAX(batch) FROM audit_heads)";
        const string MoveLast = $"UPDATE audit_heads SET seq = -seq {Last}";
        await ChangeAsync(MoveLast);
        (code, output) = await PmrAsync(verify);
        await ChangeAsync(MoveLast);
        Assert.Equal((1, true), (code, output.Contains("is not the one under its root", StringComparison.Ordinal)));

        // The first batch as one of before heads were anchored, with another root: nothing here contradicts it, the chain does.
        const string First = "WHERE batch = (SELECT MIN(batch) FROM batches)";
        const string HideFirst = "UPDATE audit_heads SET batch = -batch WHERE ABS(batch) = (SELECT MIN(batch) FROM batches)";
        await ChangeAsync(HideFirst);
        await ChangeAsync($"UPDATE batches SET root = substr(root, 33, 32) || substr(root, 1, 32) {First}");
        var (here, there) = (await PmrAsync(verify), await PmrAsync(onChain));
        await ChangeAsync($"UPDATE batches SET root = substr(root, 33, 32) || substr(root, 1, 32) {First}");
        await ChangeAsync(HideFirst);
        Assert.True(here.Code == 0, here.Output);
        Assert.Equal((1, true), (there.Code, there.Output.Contains("FAILED: batch 0 of", StringComparison.Ordinal)));
    }

    // Somebody changes an entry; twice, it is as it was.
    private Task ChangeSecondAsync() =>
        ChangeAsync("UPDATE audit SET outcome = CASE outcome WHEN 'deny' THEN 'permit' ELSE 'deny' END WHERE seq = 2");

    // The third and the fourth; twice, they are as they were.
    private async Task TurnRoundAsync()
    {
        await ChangeAsync("UPDATE audit SET seq = -seq WHERE seq IN (3, 4)", 2);
        await ChangeAsync("UPDATE audit SET seq = 7 + seq WHERE seq < 0", 2);
    }

    private async Task ChangeAsync(string sql, int rows = 1)
    {
        await using var connection = await TestStore.OpenAsync(gateway.Options);
        await using var change = connection.CreateCommand();
        change.CommandText = sql;
        Assert.Equal(rows, await change.ExecuteNonQueryAsync());
    }

    [Fact]
    [Trait(TestStore.Trait, TestStore.Own)]
    public async Task A_data_folder_without_a_database_has_no_log_to_verify()
    {
        var (code, _) = await PmrAsync("verify", "audit", "--data", Path.Combine(gateway.Options.DataFolder, "nothing"));
        Assert.Equal(2, code);
    }

    private static async Task<(int Code, string Output)> PmrAsync(params string[] arguments)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "pmr.dll");
        using var process = Process.Start(new ProcessStartInfo("dotnet", [program, .. arguments]) { RedirectStandardOutput = true })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output);
    }
}
