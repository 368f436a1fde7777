using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>
/// Scopes that name search parameters: what a token reaches at most.
/// https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
/// </summary>
[Collection(GatewayCollection.Name)]
public class GranularScopeScenarios(RunningGateway gateway)
{
    private const string Categories = "http://terminology.hl7.org/CodeSystem/observation-category";
    private const string Labs = $"patient/Observation.rs?category={Categories}|laboratory";
    internal const string App = "granular-app";

    [Fact]
    public async Task What_a_scope_does_not_reach_is_unknown_to_read_search_and_everything()
    {
        var patient = await gateway.NewPatientAsync();
        var (lab, social) = (await ObservationAsync(patient, "laboratory"), await ObservationAsync(patient, "social-history"));
        var app = await LoginAsync(patient, Labs + " patient/Patient.rs");

        Assert.Equal(200, (await app.GetAsync($"Observation/{lab}")).Status);
        await IsUnknownAsync(app, "Observation", social);
        Assert.Equal(404, (await app.AskAsync(HttpMethod.Head, $"Observation/{social}")).Status);
        Assert.Equal(200, (await app.AskAsync(HttpMethod.Head, $"Observation/{lab}")).Status);
        foreach (var search in new[]
        {
            "Observation", $"Observation?patient={patient}", $"Observation?_id={lab},{social}", $"Patient/{patient}/Observation",
            "Observation?category:not=vital-signs", "Observation?_sort=-date",
        })
            await FindsAsync(app, search, lab);
        await FindsAsync(app, "Observation?category=social-history");
        Assert.Equal(1, Total(await app.GetAsync("Observation?_summary=count")));
        await FindsAsync(app, $"Patient/{patient}/$everything", lab, patient);
        // Page by page, with the same total.
        await ObservationAsync(patient, "laboratory");
        await ObservationAsync(patient, "social-history");
        var page = await app.GetAsync("Observation?_count=1");
        Assert.Equal((2, 1), (Total(page), Ids(page).Count));
        var next = page.Json.GetProperty("link").EnumerateArray().Single(l => l.GetProperty("relation").GetString() == "next");
        var second = await app.GetAsync(next.GetProperty("url").GetString()!);
        Assert.Equal((2, 1), (Total(second), Ids(second).Count));
        Assert.DoesNotContain("\"next\"", second.Text);
        // To a token without the parameters all is there.
        Assert.Equal(4, Total(await (await LoginAsync(patient, "patient/Observation.rs")).GetAsync("Observation")));
    }

    [Fact]
    public async Task A_batch_and_a_transaction_reach_no_more_than_single_requests()
    {
        var patient = await gateway.NewPatientAsync();
        var (lab, social) = (await ObservationAsync(patient, "laboratory"), await ObservationAsync(patient, "social-history"));
        var app = await LoginAsync(patient, Labs);
        var batch = await app.PostAsync("", Bundle("batch", $"Observation/{lab}", $"Observation/{social}", "Observation"));
        Assert.Equal(200, batch.Status);
        var entries = RunningGateway.Entries(batch).Select(e => e.GetProperty("response").GetProperty("status").GetString()![..3]);
        Assert.Equal(["200", "404", "200"], entries);
        Assert.DoesNotContain(social, batch.Text.Replace($"\"Observation/{social}\"", "", StringComparison.Ordinal));
        Assert.Equal(404, (await app.PostAsync("", Bundle("transaction", $"Observation/{lab}", $"Observation/{social}"))).Status);
    }

    [Fact]
    public async Task A_version_is_shown_by_what_it_says_itself()
    {
        var patient = await gateway.NewPatientAsync();
        var record = await ObservationAsync(patient, "laboratory");
        await ChangeAsync(record, patient, "social-history");
        await ChangeAsync(record, patient, "laboratory");
        await ChangeAsync(record, patient, "laboratory");
        var app = await LoginAsync(patient, Labs);

        Assert.Equal(200, (await app.GetAsync($"Observation/{record}/_history/1")).Status);
        Assert.Equal(404, (await app.GetAsync($"Observation/{record}/_history/2")).Status);
        Assert.Equal(["4", "3", "1"], Versions(await app.GetAsync($"Observation/{record}/_history"), total: 3));
        var page = await app.GetAsync($"Observation/{record}/_history?_count=2");
        Assert.Equal(["4", "3"], Versions(page, total: 3));
        var next = page.Json.GetProperty("link").EnumerateArray().Single(l => l.GetProperty("relation").GetString() == "next");
        Assert.Equal(["1"], Versions(await app.GetAsync(next.GetProperty("url").GetString()!), total: 3));

        // Also where the current one is out of reach, and where there is none any more.
        await ChangeAsync(record, patient, "social-history");
        Assert.Equal(404, (await app.GetAsync($"Observation/{record}")).Status);
        Assert.Equal(["4", "3", "1"], Versions(await app.GetAsync($"Observation/{record}/_history"), total: 3));
        await FindsAsync(app, "Observation");
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Observation/{record}")).Status);
        await IsUnknownAsync(app, "Observation", record, historyToo: false);
        Assert.Equal(["4", "3", "1"], Versions(await app.GetAsync($"Observation/{record}/_history"), total: 3));
        var all = await LoginAsync(patient, "patient/Observation.rs");
        Assert.Equal(6, Versions(await all.GetAsync($"Observation/{record}/_history"), total: 6).Count);
    }

    [Theory]
    [InlineData("category=laboratory", true, false)]
    [InlineData("category=" + Categories + "|laboratory", true, false)]
    [InlineData("category=" + Categories + "|", true, true)]
    [InlineData("category=|laboratory", false, false)]
    [InlineData("category=http%3A%2F%2Fterminology.hl7.org%2FCodeSystem%2Fobservation-category%7Claboratory", true, false)]
    [InlineData("category=laboratory,social-history", true, true)]
    [InlineData("category=laboratory%2Csocial-history", true, true)]
    [InlineData("category=laboratory&status=final", true, false)]
    [InlineData("category=laboratory&status=preliminary", false, false)]
    [InlineData("category=laboratory&category=social-history", false, false)]
    [InlineData("category=vital-signs", false, false)]
    [InlineData("code=x&status=final", true, true)]
    public async Task A_parameter_in_a_scope_means_what_it_means_in_a_search(string query, bool lab, bool social)
    {
        var patient = await gateway.NewPatientAsync();
        var (first, second) = (await ObservationAsync(patient, "laboratory"), await ObservationAsync(patient, "social-history"));
        var app = await LoginAsync(patient, "patient/Observation.rs?" + query);
        Assert.Equal(lab ? 200 : 404, (await app.GetAsync($"Observation/{first}")).Status);
        Assert.Equal(social ? 200 : 404, (await app.GetAsync($"Observation/{second}")).Status);
        var expected = new[] { (first, lab), (second, social) }.Where(e => e.Item2).Select(e => e.Item1).ToArray();
        await FindsAsync(app, "Observation", expected);
        await FindsAsync(app, $"Observation?{query}&patient={patient}", expected);
    }

    [Fact]
    public async Task Several_scopes_of_a_type_are_alternatives_and_one_without_parameters_makes_the_others_superfluous()
    {
        var patient = await gateway.NewPatientAsync();
        var (lab, social) = (await ObservationAsync(patient, "laboratory"), await ObservationAsync(patient, "social-history"));
        var vital = await ObservationAsync(patient, "vital-signs");
        const string OrSocial = $"{Labs} patient/Observation.rs?category=social-history";
        await FindsAsync(await LoginAsync(patient, OrSocial), "Observation", lab, social);
        foreach (var all in new[] { "patient/Observation.rs", "patient/*.rs", "patient/*.read" })
            await FindsAsync(await LoginAsync(patient, $"{Labs} {all}"), "Observation", lab, social, vital);
        // What may be read need not be what is searched.
        var mixed = await LoginAsync(patient, "patient/Observation.r patient/Observation.s?category=laboratory");
        await FindsAsync(mixed, "Observation", lab);
        Assert.Equal(200, (await mixed.GetAsync($"Observation/{social}")).Status);
        var searched = await LoginAsync(patient, "patient/Observation.s?category=laboratory");
        foreach (var (app, path) in new[] { (mixed, "Observation/_history"), (searched, "Observation/_history"), (searched, "_history") })
            Assert.Equal((1, false), (Total(await app.GetAsync(path)), (await app.GetAsync(path)).Text.Contains(social)));
        var other = await LoginAsync(patient, "patient/Observation.r?category=laboratory patient/Observation.s");
        await FindsAsync(other, "Observation", lab, social, vital);
        Assert.Equal(404, (await other.GetAsync($"Observation/{social}")).Status);
        Assert.Equal(3, Total(await other.GetAsync("Observation/_history")));
    }

    [Fact]
    public async Task Consent_is_asked_as_before_and_a_scope_opens_nothing()
    {
        var patient = await gateway.NewPatientAsync();
        var (lab, social) = (await ObservationAsync(patient, "laboratory"), await ObservationAsync(patient, "social-history"));
        var denied = await ObservationAsync(patient, "laboratory", "11502-2");
        const string Denies =
            ",\"provision\":[{\"type\":\"deny\",\"code\":[{\"coding\":[{\"system\":\"http://loinc.org\",\"code\":\"11502-2\"}]}]}]";
        var insurer = await SystemAsync(gateway.InsurerOrganization, "system/Observation.rs?category=laboratory system/Organization.rs");
        await FindsAsync(insurer, $"Observation?patient={patient}");
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization, "HPAYMT", Denies);
        await FindsAsync(insurer, $"Observation?patient={patient}", lab);
        await IsUnknownAsync(insurer, "Observation", denied);
        await IsUnknownAsync(insurer, "Observation", social);
        await FindsAsync(gateway.Insurer, $"Observation?patient={patient}", lab, social);
    }

    [Fact]
    public async Task Who_wrote_a_record_reads_it_back_by_a_scope_that_reaches_it_alone()
    {
        var patient = await gateway.NewPatientAsync();
        var system = await SystemAsync(
            gateway.Hospital, "system/Observation.c system/Observation.rs?category=laboratory system/Organization.rs");
        var made = await system.PostAsync("Observation", Observation(patient, "social-history"));
        Assert.True(made.Status == 201, made.Text);
        await IsUnknownAsync(system, "Observation", made.Id);
        var lab = await system.PostAsync("Observation", Observation(patient, "laboratory"));
        await FindsAsync(system, $"Observation?patient={patient}", lab.Id);
    }

    [Fact]
    public async Task The_directory_is_narrowed_too()
    {
        var system = await SystemAsync(gateway.Hospital, "system/Organization.rs?type=ins system/Practitioner.rs");
        Assert.Equal(200, (await system.GetAsync(gateway.InsurerOrganization)).Status);
        await IsUnknownAsync(system, "Organization", gateway.OtherHospital.Split('/')[1]);
        Assert.DoesNotContain(gateway.OtherHospital.Split('/')[1], (await system.GetAsync("Organization")).Text);
    }

    [Fact]
    public async Task What_comes_along_and_what_a_link_finds_is_reached_by_the_scope_of_its_own_type()
    {
        var patient = await gateway.NewPatientAsync();
        var (lab, social) = (await ObservationAsync(patient, "laboratory"), await ObservationAsync(patient, "social-history"));
        var app = await LoginAsync(patient, Labs + " patient/Patient.rs");
        await FindsAsync(app, $"Patient?_id={patient}&_revinclude=Observation:patient", patient, lab);
        await FindsAsync(app, $"Observation?_include=Observation:patient", lab, patient);
        await FindsAsync(app, "Patient?_has:Observation:patient:category=laboratory", patient);
        await FindsAsync(app, "Patient?_has:Observation:patient:category=social-history");
        await FindsAsync(app, $"Patient?_has:Observation:patient:_id={social}");

        var identifier = (await app.GetAsync($"Patient/{patient}")).Json.GetProperty("identifier")[0].GetProperty("value").GetString();
        var nobody = await LoginAsync(patient, "patient/Observation.rs patient/Patient.rs?identifier=urn:mrn|nobody");
        await FindsAsync(nobody, $"Observation?_include=Observation:patient", lab, social);
        await FindsAsync(nobody, $"Observation?patient.identifier=urn:mrn|{identifier}");
        await FindsAsync(app, $"Observation?patient.identifier=urn:mrn|{identifier}", lab);
        await FindsAsync(nobody, $"Patient/{patient}/$everything", lab, social);
        await IsUnknownAsync(nobody, "Patient", patient);
        var self = await LoginAsync(patient, $"patient/Patient.rs?identifier=urn:mrn|{identifier}");
        Assert.Equal(200, (await self.GetAsync($"Patient/{patient}")).Status);
    }

    [Fact]
    public async Task A_Binary_is_reached_where_all_that_link_to_it_are()
    {
        var patient = await gateway.NewPatientAsync();
        var summary = await gateway.NewDocumentAsync(patient, [1], "34133-9");
        var note = await gateway.NewDocumentAsync(patient, [2], "11488-4");
        var (seen, hidden) = (await BinaryOfAsync(summary), await BinaryOfAsync(note));
        var both = (await gateway.Ehr.PostAsync("Binary", """{"resourceType":"Binary","contentType":"text/plain","data":"AAAA"}""")).Id;
        foreach (var type in new[] { "34133-9", "11488-4" })
            Assert.Equal(201, (await gateway.Ehr.PostAsync("DocumentReference", Linking(patient, both, type))).Status);

        foreach (var actions in new[] { "rs", "r", "s" })
        {
            var app = await LoginAsync(
                patient, $"patient/Binary.rs patient/DocumentReference.{actions}?type=http://loinc.org|34133-9");
            Assert.Equal(200, (await app.GetAsync($"Binary/{seen}", "*/*")).Status);
            foreach (var binary in new[] { hidden, both })
            {
                await IsUnknownAsync(app, "Binary", binary);
                Assert.Equal(404, (await app.GetAsync($"Binary/{binary}", "*/*")).Status);
            }
            await FindsAsync(app, "Binary", seen);
            await FindsAsync(app, $"Patient/{patient}/Binary", seen);
        }
        var all = await LoginAsync(patient, "patient/Binary.rs patient/DocumentReference.rs");
        await FindsAsync(all, "Binary", seen, hidden, both);
        await FindsAsync(await LoginAsync(patient, "patient/*.rs patient/DocumentReference.rs?type=34133-9"), "Binary", seen, hidden, both);
        // Both ways of coming by it: the compartment of the patient shows it with what links to it.
        var everything = await LoginAsync(
            patient, "patient/Patient.r patient/Binary.r patient/DocumentReference.r?type=http://loinc.org|34133-9");
        var shown = Ids(await everything.GetAsync($"Patient/{patient}/$everything"));
        Assert.Contains(seen, shown);
        Assert.DoesNotContain(hidden, shown);
        Assert.DoesNotContain(both, shown);
    }

    [Fact]
    public async Task A_condition_of_a_write_finds_what_the_scope_reaches()
    {
        var patient = await gateway.NewPatientAsync();
        var system = await SystemAsync(
            gateway.Hospital,
            "system/Observation.cud system/Observation.rs?category=laboratory system/Organization.rs system/Patient.rs");
        var (key, hidden) = (Guid.CreateVersion7().ToString(), "");
        var made = await system.PostAsync("Observation", Observation(patient, "social-history", key: key));
        hidden = made.Id;
        // It is no match, and what is created beside it is.
        var beside = await system.PostAsync(
            "Observation", Observation(patient, "laboratory", key: key), ("If-None-Exist", $"identifier=urn:key|{key}"));
        Assert.True(beside.Status == 201, beside.Text);
        Assert.Equal(200, (await system.PostAsync(
            "Observation", Observation(patient, "laboratory", key: key), ("If-None-Exist", $"identifier=urn:key|{key}"))).Status);
        var updated = await system.PutAsync($"Observation?identifier=urn:key|{key}", Observation(patient, "laboratory", key: key));
        Assert.True(updated.Status == 200, updated.Text);
        Assert.Equal(404, (await system.DeleteAsync($"Observation?_id={hidden}")).Status);
        // A patch shows what there is: it takes the read.
        const string Patch = """[{"op":"test","path":"/status","value":"final"}]""";
        Assert.Equal(404, (await system.PatchAsync($"Observation/{hidden}", Patch, "application/json-patch+json")).Status);
        Assert.Equal(404, (await system.PatchAsync($"Observation?_id={hidden}", Patch, "application/json-patch+json")).Status);
        Assert.Equal(200, (await system.PatchAsync($"Observation/{beside.Id}", Patch, "application/json-patch+json")).Status);
        // A scope to update that names no parameters reaches it by its id.
        var body = Observation(patient, "social-history", key: key).Replace("\"resourceType\"", $"\"id\":\"{hidden}\",\"resourceType\"");
        Assert.Equal(200, (await system.PutAsync($"Observation/{hidden}", body)).Status);
    }

    [Fact]
    public async Task An_operation_on_a_record_out_of_reach_finds_none()
    {
        var patient = await gateway.NewPatientAsync();
        var (lab, social) = (await ObservationAsync(patient, "laboratory"), await ObservationAsync(patient, "social-history"));
        var app = await LoginAsync(patient, Labs + " patient/Patient.rs patient/Consent.rs patient/Task.c");
        var explain = $"Patient/{patient}/$consent-explain?viewer={gateway.InsurerOrganization}&resource=Observation/";
        foreach (var (record, status) in new[] { (lab, 200), (social, 404) })
        {
            Assert.Equal(status, (await app.GetAsync($"Observation/{record}/$anchor-proof")).Status);
            Assert.Equal(status, (await app.GetAsync(explain + record)).Status);
            // What a patient asks about must be one of the records that the token reaches: else asking would tell of it.
            var asked = await app.PostAsync("Task", $$$"""
                {"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"Patient/{{{patient}}}"},
                "code":{"coding":[{"system":"https://pmrgateway.example/fhir/CodeSystem/pmr-task","code":"correction-request"}]},
                "description":"x","focus":{"reference":"Observation/{{{record}}}"}}
                """);
            Assert.True(asked.Status == (status == 200 ? 201 : 422), asked.Text);
        }
        var consents = await LoginAsync(patient, "patient/Consent.c patient/Consent.rs?status=inactive");
        var consent = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
        Assert.Equal(404, (await consents.GetAsync($"Consent/{consent}/$ledger-status")).Status);
    }

    [Fact]
    public async Task The_log_of_the_patient_tells_of_a_read_that_the_scope_did_not_reach()
    {
        var patient = await gateway.NewPatientAsync();
        var social = await ObservationAsync(patient, "social-history");
        Assert.Equal(404, (await (await LoginAsync(patient, Labs)).GetAsync($"Observation/{social}")).Status);
        var reader = await LoginAsync(patient, "patient/AuditEvent.rs");
        var log = await reader.GetAsync($"AuditEvent?entity=Observation/{social}&outcome=4,8");
        Assert.True(Total(log) > 0, log.Text);
    }

    internal static async Task RegisterAppAsync(RunningGateway gateway) => Assert.Contains((await gateway.Operator.AdminAsync(
        "clients", new
        {
            clientId = App,
            redirectUris = new[] { RunningGateway.Redirect },
            scopes = new[] { "patient/*.rs", "patient/*.read", "patient/Consent.cruds", "patient/Task.cu" },
        })).Status, new[] { 201, 409 });

    private async Task<GatewayClient> LoginAsync(string patient, string scopes)
    {
        await RegisterAppAsync(gateway);
        var username = $"granular-{Guid.CreateVersion7()}";
        Assert.Equal(201, (await gateway.Operator.AdminAsync(
            "users", new { username, password = RunningGateway.Password, fhirUser = "Patient/" + patient })).Status);
        return await gateway.Anyone.LoginUserAsync(
            App, RunningGateway.Redirect, username, RunningGateway.Password, "openid fhirUser " + scopes);
    }

    private async Task<GatewayClient> SystemAsync(string organization, string scopes)
    {
        var (key, clientId) = (new ClientKey(), "granular-" + Guid.CreateVersion7());
        var registered = await gateway.Operator.AdminAsync(
            "clients",
            new { clientId, jwks = key.Jwks, actor = organization, scopes = scopes.Split(' '), purposes = new[] { "HPAYMT", "TREAT" } });
        Assert.True(registered.Status == 201, registered.Text);
        var client = await gateway.Anyone.LoginAsync(
            clientId, key.Credentials, scopes, organization == gateway.InsurerOrganization ? "HPAYMT" : "TREAT");
        await GatewayClient.UntilAsync(
            () => client.GetAsync("Organization"), a => !a.Text.Contains("not bound", StringComparison.Ordinal));
        return client;
    }

    private async Task<string> ObservationAsync(string patient, string category, string code = "x")
    {
        var created = await gateway.Ehr.PostAsync("Observation", Observation(patient, category, code));
        Assert.True(created.Status == 201, created.Text);
        return created.Id;
    }

    private async Task ChangeAsync(string id, string patient, string category)
    {
        var body = Observation(patient, category).Replace("\"resourceType\"", $"\"id\":\"{id}\",\"resourceType\"");
        Assert.Equal(200, (await gateway.Ehr.PutAsync($"Observation/{id}", body)).Status);
    }

    private static string Observation(string patient, string category, string code = "x", string key = "k") => $$$"""
        {"resourceType":"Observation","status":"final","identifier":[{"system":"urn:key","value":"{{{key}}}"}],
        "category":[{"coding":[{"system":"{{{Categories}}}","code":"{{{category}}}"}]}],
        "code":{"coding":[{"system":"http://loinc.org","code":"{{{code}}}"}]},"subject":{"reference":"Patient/{{{patient}}}"},
        "effectiveDateTime":"2026-01-02"}
        """;

    private static string Linking(string patient, string binary, string type) => $$$"""
        {"resourceType":"DocumentReference","status":"current","type":{"coding":[{"system":"http://loinc.org","code":"{{{type}}}"}]},
        "subject":{"reference":"Patient/{{{patient}}}"},"content":[{"attachment":{"url":"Binary/{{{binary}}}"}}]}
        """;

    private async Task<string> BinaryOfAsync(string document) => (await gateway.Ehr.GetAsync($"DocumentReference/{document}")).Json
        .GetProperty("content")[0].GetProperty("attachment").GetProperty("url").GetString()!.Split('/')[1];

    private static string Bundle(string type, params string[] reads) => $$$"""
        {"resourceType":"Bundle","type":"{{{type}}}","entry":[{{{string.Join(
            ',', reads.Select(r => $"{{\"request\":{{\"method\":\"GET\",\"url\":\"{r}\"}}}}"))}}}]}
        """;

    // As one that there never was.
    private static async Task IsUnknownAsync(GatewayClient client, string type, string id, bool historyToo = true)
    {
        foreach (var more in historyToo ? new[] { "", "/_history/1", "/_history" } : [""])
        {
            var (answer, never) = (
                await client.GetAsync($"{type}/{id}{more}"), await client.GetAsync($"{type}/{Guid.CreateVersion7()}{more}"));
            Assert.Equal((404, never.Text), (answer.Status, answer.Text));
        }
    }

    private static async Task FindsAsync(GatewayClient client, string search, params string[] ids)
    {
        var answer = await client.GetAsync(search);
        Assert.True(answer.Status == 200 || (ids.Length == 0 && answer.Status == 404), $"{search}: {answer.Status} {answer.Text}");
        if (answer.Status != 200) return;
        Assert.Equal(ids.Order(), Ids(answer).Order());
        if (!search.Contains("include=", StringComparison.Ordinal)) Assert.Equal(ids.Length, Total(answer));
    }

    private static List<string> Versions(Answer history, int total)
    {
        Assert.True(history.Status == 200, history.Text);
        Assert.Equal(total, Total(history));
        var tags = RunningGateway.Entries(history).Select(e => e.GetProperty("response").GetProperty("etag").GetString()!);
        return [.. tags.Select(t => t.Trim('W', '/', '"'))];
    }

    private static int Total(Answer bundle) => bundle.Json.GetProperty("total").GetInt32();

    private static List<string> Ids(Answer bundle) =>
        [.. RunningGateway.Entries(bundle).Select(e => e.GetProperty("resource").GetProperty("id").GetString()!)];
}
