using PmrGateway.Tests.Client;
using static PmrGateway.Tests.Scenarios.ConditionalRequests;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Update, patch and deletion by criteria in the URL. https://hl7.org/fhir/R4/http.html#cond-update</summary>
[Collection(GatewayCollection.Name)]
public class ConditionalScenarios(RunningGateway gateway)
{
    private async Task<int> CountAsync(string key) => (await gateway.Ehr.GetAsync(Criteria(key))).Json.GetProperty("total").GetInt32();

    [Fact]
    public async Task An_update_creates_where_nothing_matches_changes_the_one_match_and_refuses_several()
    {
        var key = New();
        var created = await gateway.Ehr.PutAsync(Criteria(key), Patient(key));
        Assert.True(created.Status == 201, created.Text);
        Assert.EndsWith($"/Patient/{created.Id}/_history/1", created.Headers.Headers.Location!.ToString());
        var changed = await gateway.Ehr.PutAsync(Criteria(key), Patient(key, "male"));
        Assert.Equal((200, created.Id), (changed.Status, changed.Id));
        Assert.Equal("W/\"2\"", changed.Headers.Headers.ETag!.ToString());
        Assert.Contains("\"gender\":\"male\"", (await gateway.Ehr.GetAsync($"Patient/{created.Id}")).Text);
        await MadeAsync(gateway.Ehr, key);
        var several = await gateway.Ehr.PutAsync(Criteria(key), Patient(key, "female"));
        Assert.Equal(412, several.Status);
        Assert.Contains("several", several.Text);
        Assert.Equal("W/\"2\"", (await gateway.Ehr.GetAsync($"Patient/{created.Id}")).Headers.Headers.ETag!.ToString());
    }

    [Fact]
    public async Task What_is_created_has_no_id_in_its_body_and_what_is_changed_has_its_own_or_none()
    {
        var key = New();
        async Task RefusedAsync(string id)
        {
            foreach (var refused in new[]
            {
                await gateway.Ehr.PutAsync(Criteria(key), Patient(key, id: id)),
                await SendAsync(gateway.Ehr, "transaction", Entry("PUT", Criteria(key), Patient(key, id: id))),
            })
            {
                Assert.Equal(400, refused.Status);
                Assert.Contains("Patient.id", refused.Json.GetProperty("issue")[0].GetProperty("expression")[0].GetString());
            }
        }

        await RefusedAsync("mine");
        Assert.Equal(0, await CountAsync(key));
        var id = await MadeAsync(gateway.Ehr, key);
        await RefusedAsync("mine");
        Assert.Equal(200, (await gateway.Ehr.PutAsync(Criteria(key), Patient(key, id: id))).Status);
    }

    [Theory]
    [InlineData("PATCH", 200)]
    [InlineData("DELETE", 204)]
    public async Task A_patch_and_a_deletion_are_of_the_one_match_and_of_nothing_else(string method, int done)
    {
        var key = New();
        var nothing = await AskAsync(gateway.Ehr, method, Criteria(key), "");
        Assert.Equal(404, nothing.Status);
        Assert.Contains("no Patient matches the criteria", nothing.Text);
        var id = await MadeAsync(gateway.Ehr, key);
        var one = await AskAsync(gateway.Ehr, method, Criteria(key), "");
        Assert.True(one.Status == done, one.Text);
        var read = await gateway.Ehr.GetAsync($"Patient/{id}");
        if (method == "PATCH") Assert.Contains("\"gender\":\"female\"", read.Text);
        else Assert.Equal(410, read.Status);

        var (first, second) = (await MadeAsync(gateway.Ehr, key + "x"), await MadeAsync(gateway.Ehr, key + "x"));
        Assert.Equal(412, (await AskAsync(gateway.Ehr, method, Criteria(key + "x"), "")).Status);
        foreach (var kept in new[] { first, second })
            Assert.Equal("W/\"1\"", (await gateway.Ehr.GetAsync($"Patient/{kept}")).Headers.Headers.ETag!.ToString());
    }

    [Theory]
    [InlineData("", "nothing to look for")]
    [InlineData("?", "nothing to look for")]
    [InlineData("?_format=json", "nothing to look for")]
    [InlineData("?_count=1", "'_count'")]
    [InlineData("?_sort=_id", "'_sort'")]
    [InlineData("?_include=Patient:organization", "'_include'")]
    [InlineData("?_revinclude=Observation:patient", "'_revinclude'")]
    [InlineData("?_total=none", "'_total'")]
    [InlineData("?identifier=urn:cond|KEY&_count=1", "'_count'")]
    [InlineData("?identifier=urn:cond|KEY&colour=red", "'colour'")]
    [InlineData("?identifier=", "'identifier'")]
    public async Task Criteria_that_are_none_or_are_not_understood_are_a_400_that_names_them(string query, string names)
    {
        var key = New();
        var id = await MadeAsync(gateway.Ehr, key);
        var url = "Patient" + query.Replace("KEY", key, StringComparison.Ordinal);
        var answers = new List<Answer>();
        foreach (var method in Methods)
        {
            answers.Add(await AskAsync(gateway.Ehr, method, url, Patient(key)));
            answers.Add(await SendAsync(gateway.Ehr, "transaction", Entry(method, url, Patient(key))));
        }
        if (query.Length > 1) answers.Add(await gateway.Ehr.PostAsync("Patient", Patient(key), ("If-None-Exist", url.Split('?')[1])));
        foreach (var answer in answers)
        {
            Assert.True(answer.Status == 400, answer.Text);
            Assert.Contains(names, answer.Text);
        }
        Assert.Equal("W/\"1\"", (await gateway.Ehr.GetAsync($"Patient/{id}")).Headers.Headers.ETag!.ToString());
        Assert.Equal(1, await CountAsync(key));
    }

    [Fact]
    public async Task Records_that_the_caller_may_not_see_are_no_matches_be_they_one_or_several()
    {
        var insurer = await gateway.RegisterSystemAsync("insurer-" + New(), gateway.InsurerOrganization, "system/*.cruds", "HPAYMT");
        var (one, several) = (New(), New());
        List<string> hidden = [await MadeAsync(gateway.Ehr, one)];
        for (var i = 0; i < 2; i++) hidden.Add(await MadeAsync(gateway.Ehr, several));
        foreach (var (client, put) in new[] { (gateway.OtherEhr, 201), (insurer, 403) })
        {
            foreach (var (method, status) in Methods.Zip([put, 404, 404]))
            {
                var nothing = await AskAsync(client, method, Criteria(New()), Patient("k"));
                Assert.True(nothing.Status == status, $"{method}: {nothing.Status} {nothing.Text}");
                foreach (var key in new[] { one, several })
                {
                    var answer = await AskAsync(client, method, Criteria(key), Patient("k"));
                    Assert.Equal(status, answer.Status);
                    if (status != 201) Assert.Equal(nothing.Text, answer.Text);
                    var entry = Entry(method, Criteria(key), method == "PATCH" ? FhirPathPatch : Patient("k"));
                    Assert.Equal(status == 201 ? 200 : status, (await SendAsync(client, "transaction", entry)).Status);
                    Assert.Equal([$"{status}"], Statuses(await SendAsync(client, "batch", entry)));
                }
            }
        }
        foreach (var id in hidden) Assert.Equal("W/\"1\"", (await gateway.Ehr.GetAsync($"Patient/{id}")).Headers.Headers.ETag!.ToString());

        // Of one that is seen and one that is not, it is the one that is seen.
        var own = await MadeAsync(gateway.OtherEhr, one);
        Assert.Equal(own, (await gateway.OtherEhr.PutAsync(Criteria(one), Patient(one))).Id);
        Assert.Equal(204, (await gateway.OtherEhr.DeleteAsync(Criteria(one))).Status);
        Assert.Equal(1, await CountAsync(one));
    }

    [Fact]
    public async Task What_is_seen_and_not_the_callers_to_change_is_refused_as_by_its_id()
    {
        var patient = await gateway.NewPatientAsync();
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "TREAT");
        var body = $$$"""{"resourceType":"Patient","id":"{{{patient}}}"}""";
        foreach (var method in Methods)
        {
            var byId = await AskAsync(gateway.OtherEhr, method, $"Patient/{patient}", body);
            var byCriteria = await AskAsync(gateway.OtherEhr, method, $"Patient?_id={patient}", body);
            Assert.Equal((403, byId.Text), (byCriteria.Status, byCriteria.Text));
        }
    }

    [Fact]
    public async Task A_patient_named_by_the_criteria_sees_in_the_log_who_tried()
    {
        var patient = await gateway.NewPatientAsync();
        await gateway.NewDocumentAsync(patient, [1]);
        var self = await gateway.LoginPatientAsync(patient);
        var url = $"DocumentReference?patient=Patient/{patient}";
        Assert.Equal(404, (await gateway.OtherEhr.DeleteAsync(url)).Status);
        Assert.Equal(404, (await SendAsync(gateway.OtherEhr, "transaction", Entry("DELETE", url))).Status);
        var seen = await self.GetAsync($"AuditEvent?outcome=4&agent={gateway.OtherHospital}");
        Assert.Equal(
            ["delete", "transaction"],
            RunningGateway.Entries(seen).Select(e => e.GetProperty("resource").GetProperty("subtype")[0].GetProperty("code").GetString())
                .Order());
        Assert.Equal(1, (await gateway.Ehr.GetAsync(url)).Json.GetProperty("total").GetInt32());
    }

    [Theory]
    [InlineData("Patient/")]
    [InlineData("")]
    public async Task A_patient_whom_a_search_names_sees_in_the_log_who_searched_whatever_it_found(string type)
    {
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        Assert.Equal(0, (await gateway.OtherEhr.GetAsync($"Observation?subject={type}{patient}")).Json.GetProperty("total").GetInt32());
        var seen = await self.GetAsync($"AuditEvent?agent={gateway.OtherHospital}");
        Assert.Equal(1, seen.Json.GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task Each_takes_the_scope_to_search_and_its_own_and_a_creation_that_to_create()
    {
        Task<GatewayClient> WithAsync(string scope) => gateway.RegisterSystemAsync(
            "c-" + New(), gateway.Hospital, scope + " system/Organization.r", "TREAT");
        var key = New();
        var (noSearch, noCreate, onlySearch) =
            (await WithAsync("system/Patient.crud"), await WithAsync("system/Patient.ruds"), await WithAsync("system/Patient.rs"));
        foreach (var method in Methods)
        {
            foreach (var client in new[] { noSearch, onlySearch })
            {
                Assert.Equal(403, (await AskAsync(client, method, Criteria(key), Patient(key))).Status);
                var entry = Entry(method, Criteria(key), method == "PATCH" ? FhirPathPatch : Patient(key));
                Assert.Equal(403, (await SendAsync(client, "transaction", entry)).Status);
            }
        }
        Assert.Equal(403, (await noCreate.PutAsync(Criteria(key), Patient(key))).Status);
        Assert.Equal(0, await CountAsync(key));
    }

    [Fact]
    public async Task Who_breaks_the_glass_changes_nothing_by_criteria_either()
    {
        var key = New();
        var id = await MadeAsync(gateway.Ehr, key);
        var (_, emergency) = await gateway.RegisterEmergencyAsync(gateway.Hospital, "unconscious");
        Assert.Equal(201, (await emergency.PostAsync($"Patient/{id}/$break-glass", "")).Status);
        await GatewayClient.UntilAsync(() => emergency.GetAsync($"Patient/{id}"), a => a.Status == 200);
        foreach (var method in Methods)
        {
            var refused = await AskAsync(emergency, method, Criteria(key), Patient(key));
            Assert.True(refused.Status == 403, $"{method}: {refused.Status} {refused.Text}");
        }
        Assert.Equal(403, (await emergency.PutAsync(Criteria(New()), Patient(key))).Status);
        Assert.Equal("W/\"1\"", (await gateway.Ehr.GetAsync($"Patient/{id}")).Headers.Headers.ETag!.ToString());
    }

    [Theory]
    [InlineData("PUT", "If-Match", "W/\"1\"", 412, 200)]
    [InlineData("PUT", "If-Match", "*", 412, 200)]
    [InlineData("PUT", "If-Match", "W/\"2\"", 412, 412)]
    [InlineData("PUT", "If-None-Match", "*", 201, 412)]
    [InlineData("PATCH", "If-Match", "W/\"1\"", 404, 200)]
    [InlineData("PATCH", "If-Match", "W/\"2\"", 404, 412)]
    [InlineData("DELETE", "If-Match", "W/\"1\"", 404, 204)]
    [InlineData("DELETE", "If-Match", "W/\"2\"", 404, 412)]
    public async Task Preconditions_are_of_the_match(string method, string header, string value, int ofNone, int ofOne)
    {
        var (none, one) = (New(), New());
        await MadeAsync(gateway.Ehr, one);
        Assert.Equal(ofNone, (await AskAsync(gateway.Ehr, method, Criteria(none), Patient(none), (header, value))).Status);
        Assert.Equal(ofOne, (await AskAsync(gateway.Ehr, method, Criteria(one), Patient(one), (header, value))).Status);
    }

    [Fact]
    public async Task Of_two_updates_at_once_that_both_would_create_one_creates_and_the_other_changes_what_that_made()
    {
        for (var round = 0; round < 20; round++)
        {
            var key = New();
            var answers = await Task.WhenAll(
                Enumerable.Range(0, 2).Select(_ => gateway.Ehr.PutAsync(Criteria(key), Patient(key))));
            Assert.Equal([200, 201], answers.Select(a => a.Status).Order());
            Assert.Single(answers.Select(a => a.Id).Distinct());
            Assert.Equal(1, await CountAsync(key));
            var deleted = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => gateway.Ehr.DeleteAsync(Criteria(key))));
            Assert.Equal([204, 404], deleted.Select(a => a.Status).Order());
        }
    }

    [Fact]
    public async Task A_Binary_by_criteria_is_sent_as_JSON()
    {
        var raw = await gateway.Ehr.WriteAsync(HttpMethod.Put, $"Binary?_id={New()}", [1, 2, 3], "image/png");
        Assert.Equal(415, raw.Status);
        const string Body = """{"resourceType":"Binary","contentType":"image/png","data":"AQID"}""";
        var created = await gateway.Ehr.PutAsync($"Binary?_id={New()}", Body);
        Assert.True(created.Status == 201, created.Text);
        var id = created.Headers.Headers.Location!.ToString().Split('/')[^3];
        var changed = await gateway.Ehr.PutAsync($"Binary?_id={id}", Body.Replace("AQID", "BAUG", StringComparison.Ordinal));
        Assert.True(changed.Status == 200, changed.Text);
        Assert.Equal([4, 5, 6], (await gateway.Ehr.GetAsync($"Binary/{id}", "image/png")).Body);
    }

    [Fact]
    public async Task The_CapabilityStatement_has_them_for_every_type_of_record_and_for_no_other()
    {
        var rest = (await gateway.Anyone.GetAsync("metadata")).Json.GetProperty("rest")[0];
        foreach (var resource in rest.GetProperty("resource").EnumerateArray())
        {
            if (resource.GetProperty("type").GetString() is "AuditEvent" or "Bundle")
            {
                Assert.False(resource.TryGetProperty("conditionalUpdate", out _) || resource.TryGetProperty("conditionalDelete", out _));
                continue;
            }
            Assert.True(resource.GetProperty("conditionalUpdate").GetBoolean());
            Assert.Equal("single", resource.GetProperty("conditionalDelete").GetString());
            Assert.Contains("Conditional patch", resource.GetProperty("documentation").GetString());
        }
    }
}
