using System.Text.Json;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Update, patch and deletion by criteria in the URL. https://hl7.org/fhir/R4/http.html#cond-update</summary>
[Collection(GatewayCollection.Name)]
public class ConditionalScenarios(RunningGateway gateway)
{
    private const string FhirJson = "application/fhir+json";
    private const string JsonPatch = "application/json-patch+json";
    private const string ToFemale = """[{"op":"add","path":"/gender","value":"female"}]""";
    private static readonly string[] Methods = ["PUT", "PATCH", "DELETE"];

    private static string New() => Guid.CreateVersion7().ToString();

    private static string Criteria(string key) => "Patient?identifier=urn:cond|" + key;

    private static string Patient(string key, string gender = "other", string? id = null) => $$$"""
        {"resourceType":"Patient",{{{(id is null ? "" : $"\"id\":\"{id}\",")}}}"gender":"{{{gender}}}",
        "identifier":[{"system":"urn:cond","value":"{{{key}}}"}]}
        """;

    private static Task<Answer> AskAsync(
        GatewayClient client, string method, string url, string body, params (string Name, string Value)[] headers) =>
        client.WriteAsync(
            new HttpMethod(method), url, System.Text.Encoding.UTF8.GetBytes(method switch { "PATCH" => ToFemale, "PUT" => body, _ => "" }),
            method == "PATCH" ? JsonPatch : FhirJson, headers);

    private static async Task<string> MadeAsync(GatewayClient by, string key)
    {
        var made = await by.PostAsync("Patient", Patient(key));
        Assert.True(made.Status == 201, made.Text);
        return made.Id;
    }

    private static string Entry(string method, string url, string? resource = null, string more = "", string? fullUrl = null) => $$$"""
        {{{{(fullUrl is null ? "" : $"\"fullUrl\":\"{fullUrl}\",")}}}{{{(resource is null ? "" : $"\"resource\":{resource},")}}}
        "request":{"method":"{{{method}}}","url":"{{{url}}}"{{{more}}}}}
        """;

    private static Task<Answer> SendAsync(GatewayClient client, string type, params string[] entries) =>
        client.PostAsync("", $$"""{"resourceType":"Bundle","type":"{{type}}","entry":[{{string.Join(',', entries)}}]}""");

    private static IEnumerable<string?> Statuses(Answer answer) =>
        RunningGateway.Entries(answer).Select(e => e.GetProperty("response").GetProperty("status").GetString());

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

    private const string FhirPathPatch = """
        {"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},
        {"name":"path","valueString":"Patient.gender"},{"name":"value","valueCode":"female"}]}]}
        """;

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
    public async Task A_transaction_updates_by_criteria_and_points_to_what_that_comes_to()
    {
        var (key, fullUrl) = (New(), "urn:uuid:" + New());
        var observation = $$$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"{{{fullUrl}}}"},
            "identifier":[{"system":"urn:cond","value":"{{{key}}}"}]}
            """;
        string[] entries =
        [
            Entry("PUT", $"Observation?identifier=urn:cond|{key}", observation),
            Entry("PUT", Criteria(key), Patient(key), fullUrl: fullUrl),
        ];
        Assert.Equal(["201", "201"], Statuses(await SendAsync(gateway.Ehr, "transaction", entries)));
        Assert.Equal(["200", "200"], Statuses(await SendAsync(gateway.Ehr, "transaction", entries)));
        var patient = RunningGateway.Only(await gateway.Ehr.GetAsync(Criteria(key))).GetProperty("id").GetString();
        var made = RunningGateway.Only(await gateway.Ehr.GetAsync($"Observation?identifier=urn:cond|{key}"));
        Assert.Equal($"Patient/{patient}", made.GetProperty("subject").GetProperty("reference").GetString());
        Assert.Equal("2", made.GetProperty("meta").GetProperty("versionId").GetString());

        var ended = await SendAsync(
            gateway.Ehr, "transaction", Entry("PATCH", Criteria(key), FhirPathPatch),
            Entry("DELETE", $"Observation?identifier=urn:cond|{key}"), Entry("GET", $"Patient/{patient}"));
        Assert.Equal(["200", "204", "200"], Statuses(ended));
        Assert.Contains("\"gender\":\"female\"", ended.Text);
    }

    [Fact]
    public async Task A_transaction_one_of_whose_criteria_match_nothing_or_several_changes_nothing()
    {
        var (key, other) = (New(), New());
        var put = Entry("PUT", Criteria(key), Patient(key));
        var nothing = await SendAsync(gateway.Ehr, "transaction", put, Entry("DELETE", Criteria(other)));
        Assert.Equal(404, nothing.Status);
        Assert.Contains("Bundle.entry[1]", nothing.Text);
        for (var i = 0; i < 2; i++) await MadeAsync(gateway.Ehr, other);
        foreach (var method in Methods)
        {
            var resource = method == "PATCH" ? FhirPathPatch : Patient(other);
            Assert.Equal(412, (await SendAsync(gateway.Ehr, "transaction", put, Entry(method, Criteria(other), resource))).Status);
            Assert.Equal(["412"], Statuses(await SendAsync(gateway.Ehr, "batch", Entry(method, Criteria(other), resource))));
        }
        Assert.Equal((0, 2), (await CountAsync(key), await CountAsync(other)));
        Assert.Equal(["201", "204"], Statuses(await SendAsync(gateway.Ehr, "batch", put, Entry("DELETE", Criteria(key)))));
    }

    [Fact]
    public async Task Two_entries_that_find_the_same_record_or_would_both_make_it_are_a_400()
    {
        var (key, none) = (New(), New());
        var id = await MadeAsync(gateway.Ehr, key);
        var found = Entry("PUT", Criteria(key), Patient(key));
        var would = Entry("PUT", Criteria(none) + "&_lastUpdated=ge2026", Patient(none));
        foreach (var (one, two) in new[]
        {
            (found, Entry("DELETE", Criteria(key))),
            (found, Entry("DELETE", $"Patient/{id}")),
            (Entry("PUT", $"Patient/{id}", Patient(key, id: id)), Entry("PATCH", $"Patient?_id={id}", FhirPathPatch)),
            (would, would),
            (would, Entry("PUT", $"Patient?_lastUpdated=ge2026&identifier=urn%3Acond%7C{none}", Patient(none))),
            (would, Entry("POST", "Patient", Patient(none), $$""","ifNoneExist":"identifier=urn:cond|{{none}}&_lastUpdated=ge2026" """)),
        })
        {
            var refused = await SendAsync(gateway.Ehr, "transaction", one, two);
            Assert.True(refused.Status == 400, refused.Text);
            Assert.Contains("two entries write the same resource", refused.Text);
        }
        Assert.Equal("W/\"1\"", (await gateway.Ehr.GetAsync($"Patient/{id}")).Headers.Headers.ETag!.ToString());
        Assert.Equal(0, await CountAsync(none));
    }

    [Fact]
    public async Task A_transaction_goes_on_where_ifNoneExist_finds_one_and_no_other_method_has_it()
    {
        var (key, other) = (New(), New());
        var id = await MadeAsync(gateway.Ehr, key);
        var condition = $",\"ifNoneExist\":{JsonSerializer.Serialize("identifier=urn:cond|" + key)}";
        var done = await SendAsync(
            gateway.Ehr, "transaction", Entry("POST", "Patient", Patient(key), condition), Entry("POST", "Patient", Patient(other)));
        Assert.Equal(["200", "201"], Statuses(done));
        Assert.Contains($"Patient/{id}/_history/1", done.Text);
        foreach (var type in (string[])["batch", "transaction"])
        {
            var refused = await SendAsync(gateway.Ehr, type, Entry("PUT", Criteria(key), Patient(key), condition));
            Assert.Equal(400, refused.Status);
            Assert.Contains("Bundle.entry[0].request.ifNoneExist", refused.Text);
        }
    }

    [Fact]
    public async Task A_body_of_another_type_than_the_URL_is_a_400_alone_and_in_a_transaction()
    {
        var key = New();
        var id = await MadeAsync(gateway.Ehr, key);
        const string Other = """{"resourceType":"Observation","status":"final","code":{"text":"x"}}""";
        var named = Other.Replace("\"status\"", $"\"id\":\"{id}\",\"status\"", StringComparison.Ordinal);
        foreach (var answer in new[]
        {
            await gateway.Ehr.PutAsync(Criteria(key), Other),
            await SendAsync(gateway.Ehr, "transaction", Entry("PUT", Criteria(key), Other)),
            await SendAsync(gateway.Ehr, "transaction", Entry("PUT", Criteria(New()), Other)),
            await SendAsync(gateway.Ehr, "transaction", Entry("PUT", $"Patient/{id}", named)),
        })
        {
            Assert.True(answer.Status == 400, answer.Text);
            Assert.Contains("resourceType", answer.Text);
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
