using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>What is asked of records by those that they are tied to. https://hl7.org/fhir/R4/search.html#chaining</summary>
[Collection(GatewayCollection.Name)]
public class LinkedSearchScenarios(RunningGateway gateway)
{
    private const string DeniesHiv =
        ",\"provision\":[{\"type\":\"deny\",\"code\":[{\"coding\":[{\"system\":\"http://loinc.org\",\"code\":\"11502-2\"}]}]}]";

    [Fact]
    public async Task A_reverse_chain_finds_by_what_may_be_seen_and_a_denied_document_tells_nothing()
    {
        var (patient, _, _) = await WorldAsync();
        Assert.Equal([patient], await FoundAsync(gateway.Insurer, $"Patient?_id={patient}&_has:DocumentReference:patient:type=34133-9"));
        Assert.Empty(await FoundAsync(gateway.Insurer, $"Patient?_id={patient}&_has:DocumentReference:patient:type=11502-2"));
        Assert.Empty(await FoundAsync(gateway.Insurer, "Patient?_has:DocumentReference:subject:type=http://loinc.org|11502-2"));
        // The hospital wrote it.
        Assert.Equal([patient], await FoundAsync(gateway.Ehr, $"Patient?_id={patient}&_has:DocumentReference:patient:type=11502-2"));
        // Of a patient who granted nothing there is nothing to be tied to.
        var other = await gateway.NewPatientAsync();
        await gateway.NewDocumentAsync(other, [3], "34133-9");
        Assert.Empty(await FoundAsync(gateway.Insurer, $"DocumentReference?patient._id={other}"));
        Assert.Single(await FoundAsync(gateway.Ehr, $"DocumentReference?patient._id={other}"));
    }

    [Fact]
    public async Task A_chain_goes_through_what_is_referred_to_to_three_links()
    {
        var (patient, seen, denied) = await WorldAsync();
        foreach (var query in new[]
        {
            $"patient._id={patient}", $"subject:Patient._id={patient}",
            $"patient._has:DocumentReference:patient:type=34133-9&patient={patient}",
            $"patient._id={patient}&type:missing=false", $"patient._id={patient}&status:not=superseded",
        })
        {
            Assert.Equal([seen], await FoundAsync(gateway.Insurer, "DocumentReference?" + query));
            Assert.Equal(new[] { seen, denied }.Order(), (await FoundAsync(gateway.Ehr, "DocumentReference?" + query)).Order());
        }
        Assert.Empty(await FoundAsync(
            gateway.Insurer, $"DocumentReference?patient={patient}&patient._has:DocumentReference:patient:type=11502-2"));
    }

    [Fact]
    public async Task What_a_link_asks_of_another_type_takes_the_scope_to_search_that()
    {
        var key = new ClientKey();
        var client = new
        {
            clientId = "chained-" + Guid.CreateVersion7(),
            jwks = key.Jwks,
            actor = gateway.Hospital,
            scopes = new[] { "system/DocumentReference.rs" },
            purposes = new[] { "TREAT" },
        };
        Assert.Equal(201, (await gateway.Operator.AdminAsync("clients", client)).Status);
        var narrow = await gateway.Anyone.LoginAsync(client.clientId, key.Credentials, client.scopes[0]);
        var patient = await gateway.NewPatientAsync();
        var ready = await GatewayClient.UntilAsync(() => narrow.GetAsync($"DocumentReference?patient={patient}"), a => a.Status == 200);
        Assert.True(ready.Status == 200, ready.Text);
        foreach (var path in new[]
        {
            $"DocumentReference?patient._id={patient}", "DocumentReference?patient._has:Observation:patient:status=final",
        })
        {
            var refused = await narrow.GetAsync(path);
            Assert.True(refused.Status == 403, refused.Text);
            Assert.Contains("search", refused.Text);
        }
        Assert.Equal(403, (await narrow.GetAsync($"DocumentReference?subject:Patient._id={patient}&_summary=count")).Status);
    }

    [Fact]
    public async Task Includes_of_all_references_and_of_what_came_along_give_what_may_be_seen_once()
    {
        var (patient, seen, denied) = await WorldAsync();
        var all = await FoundAsync(gateway.Insurer, $"DocumentReference?_id={seen}&_include=*");
        Assert.Equal([seen, patient], all.Where(id => id == seen || id == patient));
        var around = await FoundAsync(
            gateway.Insurer, $"DocumentReference?_id={seen}&_include=DocumentReference:subject:Patient"
                + "&_revinclude:iterate=DocumentReference:subject");
        Assert.Equal([seen, patient], around);
        Assert.DoesNotContain(denied, around);
        var whole = await FoundAsync(
            gateway.Ehr, $"DocumentReference?_id={seen}&_include=DocumentReference:subject&_revinclude:iterate=DocumentReference:subject");
        Assert.Equal([seen, patient, denied], whole);
        Assert.Equal([seen], await FoundAsync(gateway.Ehr, $"DocumentReference?_id={seen}&_include=DocumentReference:subject:Group"));
    }

    [Fact]
    public async Task What_came_along_by_the_hundred_is_asked_for_more()
    {
        var patient = await gateway.NewPatientAsync();
        var document = $$$"""
            {"request":{"method":"POST","url":"DocumentReference"},"resource":{"resourceType":"DocumentReference","status":"current",
            "subject":{"reference":"Patient/{{{patient}}}"},"content":[{"attachment":{"url":"http://x.example/1"}}]}}
            """;
        var entries = string.Join(',', Enumerable.Repeat(document, 600));
        var bundle = $$"""{"resourceType":"Bundle","type":"transaction","entry":[{{entries}}]}""";
        Assert.Equal(200, (await gateway.Ehr.PostAsync("", bundle)).Status);
        var found = await FoundAsync(gateway.Ehr, $"Patient?_id={patient}&_revinclude:iterate=DocumentReference:subject");
        Assert.Equal(601, found.Distinct().Count());
    }

    private async Task<(string Patient, string Seen, string Denied)> WorldAsync()
    {
        var patient = await gateway.NewPatientAsync();
        var seen = await gateway.NewDocumentAsync(patient, [1], "34133-9");
        var denied = await gateway.NewDocumentAsync(patient, [2], "11502-2");
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization, "HPAYMT", DeniesHiv);
        return (patient, seen, denied);
    }

    private static async Task<List<string?>> FoundAsync(GatewayClient client, string path)
    {
        var answer = await client.GetAsync(path);
        Assert.True(answer.Status == 200, answer.Text);
        return [.. RunningGateway.Entries(answer).Select(e => e.GetProperty("resource").GetProperty("id").GetString())];
    }
}
