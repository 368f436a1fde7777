using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Writes by a token whose scopes to write name search parameters: a record is one of those before, and after.</summary>
[Collection(GatewayCollection.Name)]
public class GranularScopeWrites(RunningGateway gateway)
{
    private const string Categories = "http://terminology.hl7.org/CodeSystem/observation-category";
    private const string OfLabs = "system/Observation.cud?category=laboratory";

    [Fact]
    public async Task A_record_is_created_where_a_scope_takes_it_and_the_refusal_names_the_scope()
    {
        var patient = await gateway.NewPatientAsync();
        var lab = await SystemAsync(OfLabs);
        Assert.Equal(201, (await lab.PostAsync("Observation", Observation(patient, "laboratory"))).Status);
        IsOutside(await lab.PostAsync("Observation", Observation(patient, "social-history")));
        var key = Guid.CreateVersion7().ToString();
        IsOutside(await (await SystemAsync($"{OfLabs} system/Observation.s")).PostAsync(
            "Observation", Observation(patient, "social-history", key), ("If-None-Exist", $"identifier=urn:key|{key}")));
        Assert.Equal(0, (await gateway.Ehr.GetAsync($"Observation?identifier=urn:key|{key}")).Json.GetProperty("total").GetInt32());
        // A scope without parameters besides takes all.
        var all = await SystemAsync($"{OfLabs} system/Observation.c");
        Assert.Equal(201, (await all.PostAsync("Observation", Observation(patient, "social-history"))).Status);
    }

    [Fact]
    public async Task A_record_out_of_reach_is_unknown_to_who_changes_it_by_its_id()
    {
        var patient = await gateway.NewPatientAsync();
        var lab = await SystemAsync(OfLabs + " system/Observation.rs");
        var social = (await gateway.Ehr.PostAsync("Observation", Observation(patient, "social-history"))).Id;
        var never = Guid.CreateVersion7().ToString();
        foreach (var ask in new Func<string, Task<Answer>>[]
        {
            id => lab.PutAsync($"Observation/{id}", Observation(patient, "laboratory", id: id)),
            id => lab.PutAsync($"Observation/{id}", Observation(patient, "laboratory", id: id), ("If-Match", "W/\"99\"")),
            id => lab.PatchAsync($"Observation/{id}", "[]", "application/json-patch+json"),
            id => lab.DeleteAsync($"Observation/{id}"),
            id => lab.PostAsync("", Transaction("DELETE", $"Observation/{id}")),
            id => lab.PostAsync("", Transaction("PUT", $"Observation/{id}", Observation(patient, "laboratory", id: id))),
        })
        {
            var (refused, unknown) = (await ask(social), await ask(never));
            Assert.Equal((404, unknown.Text.Replace(never, social, StringComparison.Ordinal)), (refused.Status, refused.Text));
        }
        Assert.Equal(200, (await gateway.Ehr.GetAsync($"Observation/{social}")).Status);
        // What has ended is none that a scope takes.
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Observation/{social}")).Status);
        Assert.Equal(404, (await lab.PutAsync($"Observation/{social}", Observation(patient, "laboratory", id: social))).Status);
        Assert.Equal(404, (await lab.DeleteAsync($"Observation/{social}")).Status);
    }

    [Fact]
    public async Task A_record_does_not_leave_what_a_scope_reaches_by_an_update_or_a_patch()
    {
        var patient = await gateway.NewPatientAsync();
        var lab = await SystemAsync(OfLabs + " system/Observation.rs");
        var record = (await lab.PostAsync("Observation", Observation(patient, "laboratory"))).Id;
        var other = Observation(patient, "social-history", id: record);
        const string Patch = """[{"op":"replace","path":"/category/0/coding/0/code","value":"social-history"}]""";
        IsOutside(await lab.PutAsync($"Observation/{record}", other));
        IsOutside(await lab.PatchAsync($"Observation/{record}", Patch, "application/json-patch+json"));
        IsOutside(await lab.PostAsync("", Transaction("PUT", $"Observation/{record}", other)));
        Assert.Contains("laboratory", (await lab.GetAsync($"Observation/{record}")).Text);
        Assert.Equal(200, (await lab.PutAsync($"Observation/{record}", Observation(patient, "laboratory", "k2", record))).Status);
        Assert.Equal(204, (await lab.DeleteAsync($"Observation/{record}")).Status);
    }

    [Fact]
    public async Task What_a_search_finds_and_a_scope_to_change_does_not_reach_is_not_changed_by_criteria()
    {
        var (patient, key) = (await gateway.NewPatientAsync(), Guid.CreateVersion7().ToString());
        var lab = await SystemAsync(OfLabs + " system/Observation.rs");
        var social = await (await SystemAsync("system/Observation.cruds")).PostAsync(
            "Observation", Observation(patient, "social-history", key));
        Assert.Equal(201, social.Status);
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.Hospital, "TREAT");
        var criteria = $"Observation?identifier=urn:key|{key}";
        Assert.Equal(1, (await lab.GetAsync(criteria)).Json.GetProperty("total").GetInt32());
        IsOutside(await lab.PutAsync(criteria, Observation(patient, "laboratory", key)));
        IsOutside(await lab.DeleteAsync(criteria));
        IsOutside(await lab.PatchAsync(criteria, "[]", "application/json-patch+json"));
        IsOutside(await lab.PostAsync("", Transaction("DELETE", criteria)));
        Assert.Contains("social-history", (await gateway.Ehr.GetAsync(criteria)).Text + (await lab.GetAsync(criteria)).Text);
    }

    [Fact]
    public async Task A_patient_asks_and_grants_what_the_scopes_of_the_app_take()
    {
        var patient = await gateway.NewPatientAsync();
        var app = await PatientAsync(patient, "patient/Task.c?code=supply-request patient/Consent.c?status=inactive");
        foreach (var (code, status) in new[] { ("supply-request", 201), ("correction-request", 403) })
        {
            var asked = await app.PostAsync("Task", $$$"""
                {"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"Patient/{{{patient}}}"},
                "code":{"coding":[{"system":"https://pmrgateway.example/fhir/CodeSystem/pmr-task","code":"{{{code}}}"}]},
                "description":"x"}
                """);
            Assert.True(asked.Status == status, asked.Text);
        }
        var consent = RunningGateway.Consent(patient, gateway.InsurerOrganization);
        Assert.Equal(403, (await app.PostAsync("Consent", consent)).Status);
        Assert.Equal(403, (await app.PostAsync("Consent/$intent", consent)).Status);
        Assert.Equal(201, (await (await PatientAsync(patient, "patient/Consent.c?status=active")).PostAsync("Consent", consent)).Status);
    }

    [Fact]
    public async Task The_office_of_a_hospital_disposes_of_what_its_scopes_reach_by_evidence_that_they_reach()
    {
        var patient = await gateway.NewPatientAsync();
        var self = await PatientAsync(patient, "patient/Task.c");
        var asked = await self.PostAsync("Task", $$$"""
            {"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"Patient/{{{patient}}}"},
            "code":{"coding":[{"system":"https://pmrgateway.example/fhir/CodeSystem/pmr-task","code":"correction-request"}]},
            "description":"x"}
            """);
        Assert.True(asked.Status == 201, asked.Text);
        var dispose = $"Task/{asked.Id}/$dispose";
        foreach (var (scopes, status) in new[]
        {
            ("system/Task.u?code=supply-request system/Task.r", 404), ("system/Task.u system/Task.r?code=supply-request", 404),
            // It would be one of another status.
            ("system/Task.u?status=requested system/Task.r", 403), ("system/Task.ru?code=correction-request", 200),
        })
        {
            var answer = await (await SystemAsync(scopes)).PostAsync(dispose, Said("accepted", ""));
            Assert.True(answer.Status == status, $"{scopes}: {answer.Status} {answer.Text}");
        }
        var office = await SystemAsync("system/Task.ru system/Observation.r?category=laboratory");
        foreach (var (category, status) in new[] { ("social-history", 422), ("laboratory", 200) })
        {
            var corrected = (await gateway.Ehr.PostAsync("Observation", Observation(patient, category))).Id;
            var answer = await office.PostAsync(dispose, Said("completed", $$$"""
                ,{"name":"disposition","valueCode":"corrected"},
                {"name":"evidence","valueReference":{"reference":"Observation/{{{corrected}}}"}}
                """));
            Assert.True(answer.Status == status, answer.Text);
        }
    }

    [Fact]
    public async Task The_glass_of_a_patient_whom_the_scopes_do_not_reach_is_not_broken()
    {
        var patient = await gateway.NewPatientAsync();
        var username = "dr-" + Guid.CreateVersion7();
        await gateway.RegisterDoctorAsync(username, gateway.Hospital);
        foreach (var (identifier, status) in new[] { ("urn:mrn|nobody", 404), ("urn:mrn|", 201) })
        {
            var scope = "user/Patient.r?identifier=" + identifier;
            var doctor = await gateway.Anyone.LoginUserAsync(
                RunningGateway.EmergencyApp, RunningGateway.Redirect, username, RunningGateway.Password, "openid fhirUser " + scope,
                ("purpose_of_use", "BTG"), ("purpose_of_use_reason", "unconscious"));
            var answer = await doctor.PostAsync($"Patient/{patient}/$break-glass", "");
            Assert.True(answer.Status == status, answer.Text);
        }
    }

    private static string Said(string status, string more) =>
        $$$"""{"resourceType":"Parameters","parameter":[{"name":"status","valueCode":"{{{status}}}"}{{{more}}}]}""";

    private static void IsOutside(Answer answer)
    {
        Assert.True(answer.Status == 403, $"{answer.Status} {answer.Text}");
        Assert.Contains("Observation.cud?category=laboratory", answer.Text);
    }

    private async Task<GatewayClient> PatientAsync(string patient, string scopes)
    {
        await GranularScopeScenarios.RegisterAppAsync(gateway);
        var username = $"writes-{Guid.CreateVersion7()}";
        Assert.Equal(201, (await gateway.Operator.AdminAsync(
            "users", new { username, password = RunningGateway.Password, fhirUser = "Patient/" + patient })).Status);
        return await gateway.Anyone.LoginUserAsync(
            GranularScopeScenarios.App, RunningGateway.Redirect, username, RunningGateway.Password, "openid fhirUser " + scopes);
    }

    private Task<GatewayClient> SystemAsync(string scopes) => gateway.RegisterSystemAsync(
        "writes-" + Guid.CreateVersion7(), gateway.Hospital, scopes + " system/Organization.rs", "TREAT");

    private static string Transaction(string method, string url, string? resource = null) => $$$"""
        {"resourceType":"Bundle","type":"transaction","entry":[{{{{(resource is null ? "" : $"\"resource\":{resource},")}}}
        "request":{"method":"{{{method}}}","url":"{{{url}}}"}}]}
        """;

    private static string Observation(string patient, string category, string key = "k", string? id = null) => $$$"""
        {{{{(id is null ? "" : $"\"id\":\"{id}\",")}}}"resourceType":"Observation","status":"final",
        "identifier":[{"system":"urn:key","value":"{{{key}}}"}],
        "category":[{"coding":[{"system":"{{{Categories}}}","code":"{{{category}}}"}]}],
        "code":{"coding":[{"system":"http://loinc.org","code":"x"}]},"subject":{"reference":"Patient/{{{patient}}}"},
        "effectiveDateTime":"2026-01-02"}
        """;
}
