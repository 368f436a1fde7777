using System.Text.Json;
using static PmrGateway.Tests.Scenarios.ConditionalRequests;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Entries of batches and transactions whose URL has criteria. https://hl7.org/fhir/R4/http.html#trules</summary>
[Collection(GatewayCollection.Name)]
public class ConditionalBundleScenarios(RunningGateway gateway)
{
    private async Task<int> CountAsync(string key) => (await gateway.Ehr.GetAsync(Criteria(key))).Json.GetProperty("total").GetInt32();

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
}
