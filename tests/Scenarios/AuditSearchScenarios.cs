using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>A patient searches their own AuditEvents.</summary>
[Collection(GatewayCollection.Name)]
public class AuditSearchScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task A_patient_searches_by_what_the_events_say_and_by_url_and_form_alike()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1]);
        await gateway.Insurer.GetAsync($"DocumentReference/{document}");
        var self = await gateway.LoginPatientAsync(patient);
        var consent = await RunningGateway.GrantAsync(self, patient, gateway.InsurerOrganization);
        await gateway.Insurer.GetAsync($"DocumentReference/{document}");
        await gateway.Insurer.GetAsync($"DocumentReference?patient={patient}");
        await gateway.Ehr.DeleteAsync($"DocumentReference/{document}");
        // One query of two patients: each has an entry of their own.
        var other = await gateway.NewPatientAsync();
        await gateway.Ehr.GetAsync($"Patient?_id={patient},{other}");
        var insurer = $"agent={gateway.InsurerOrganization}";

        // Newest first, the decision before what it let through.
        Assert.Equal(["AuthZ-Consent", "search-type", "AuthZ-Consent", "read", "read"], await FindAsync(insurer));
        Assert.Equal(["read", "read", "AuthZ-Consent", "search-type", "AuthZ-Consent"], await FindAsync(insurer + "&_sort=date"));
        Assert.Equal(["read"], await FindAsync(insurer + "&outcome=4"));
        Assert.Equal(["search-type", "read"], await FindAsync(insurer + "&outcome=0&type=rest"));
        Assert.Equal(["AuthZ-Consent", "AuthZ-Consent"], await FindAsync("type=http://dicom.nema.org/resources/ontology/DCM|110113"));
        Assert.Equal(["search-type"], await FindAsync(insurer + "&subtype=search-type"));
        Assert.Equal(["delete"], await FindAsync("action=D"));
        Assert.Equal(["delete", "search-type", "read", "read", "create"], await FindAsync($"entity=DocumentReference/{document}"));
        Assert.Equal(
            await FindAsync($"entity=DocumentReference/{document}"),
            await FindAsync($"entity:DocumentReference={document}&patient={patient}"));
        Assert.Equal(["AuthZ-Consent", "search-type", "AuthZ-Consent", "read"], await FindAsync($"entity=Consent/{consent}&{insurer}"));
        Assert.Equal(5, (await FindAsync("agent:identifier=insurer")).Count);
        Assert.Equal(5, (await FindAsync($"agent:Organization={gateway.InsurerOrganization[13..]}&date=ge2020&date=lt2100")).Count);
        Assert.Equal([], await FindAsync("date=lt2020"));
        Assert.Equal([], await FindAsync($"entity=Patient/{other}"));
        Assert.Equal([], await FindAsync("subtype=no-such-code"));
        Assert.Equal([], await FindAsync($"patient={other}"));
        Assert.DoesNotContain(other, (await self.GetAsync("AuditEvent?_count=500")).Text);

        var form = await self.PostFormAsync(
            "fhir/AuditEvent/_search", [new("agent", gateway.InsurerOrganization), new("outcome", "0"), new("type", "rest")]);
        Assert.Equal(["search-type", "read"], Codes(form));
        var one = await self.GetAsync($"AuditEvent?{insurer}&_count=500");
        var id = RunningGateway.Entries(one).Select(e => e.GetProperty("resource").GetProperty("id").GetString()).ToList();
        Assert.Equal(["AuthZ-Consent", "read"], await FindAsync($"_id={id[2]},{id[3]}"));

        async Task<List<string>> FindAsync(string query)
        {
            var answer = await self.GetAsync($"AuditEvent?{query}");
            Assert.True(answer.Status == 200, $"{query}: {answer.Text}");
            var codes = Codes(answer);
            Assert.Equal(codes.Count, answer.Json.GetProperty("total").GetInt32());
            return codes;
        }
    }

    [Fact]
    public async Task The_pages_of_a_search_are_the_whole_of_it_in_either_order()
    {
        var patient = await gateway.NewPatientAsync();
        for (var i = 0; i < 7; i++) await gateway.Ehr.GetAsync($"Patient/{patient}");
        var self = await gateway.LoginPatientAsync(patient);
        foreach (var sort in (string[])["date", "-date"])
        {
            var (ids, times, next) = (new List<string>(), new List<string>(), $"AuditEvent?agent={gateway.Hospital}&_sort={sort}&_count=3");
            while (next is not null)
            {
                var page = await self.GetAsync(next);
                Assert.Equal(8, page.Json.GetProperty("total").GetInt32());
                foreach (var e in RunningGateway.Entries(page).Select(e => e.GetProperty("resource")))
                {
                    ids.Add(e.GetProperty("id").GetString()!);
                    times.Add(e.GetProperty("recorded").GetString()!);
                }
                next = page.Json.GetProperty("link").EnumerateArray().Where(l => l.GetProperty("relation").ValueEquals("next"))
                    .Select(l => l.GetProperty("url").GetString()).FirstOrDefault();
            }
            Assert.Equal(8, ids.Distinct().Count());
            Assert.Equal(8, ids.Count);
            Assert.Equal(sort == "date" ? times.Order(StringComparer.Ordinal) : times.OrderDescending(StringComparer.Ordinal), times);
        }
    }

    [Theory]
    [InlineData("colour=red", "colour")]
    [InlineData("date=ap2026", "date")]
    [InlineData("date=yesterday", "date")]
    [InlineData("agent=somebody", "agent")]
    [InlineData("agent:Colour=x", "agent:Colour")]
    [InlineData("entity=Patient", "entity")]
    [InlineData("patient=Organization/x", "patient")]
    [InlineData("outcome:not=4", "outcome:not")]
    [InlineData("_sort=agent", "_sort")]
    [InlineData("_sort=date&_sort=date", "_sort")]
    [InlineData("_include=AuditEvent:patient", "_include")]
    public async Task What_is_not_understood_is_refused_by_its_name(string query, string name)
    {
        var self = await gateway.LoginPatientAsync(await gateway.NewPatientAsync());
        var refused = await self.GetAsync("AuditEvent?" + query);
        Assert.True(refused.Status == 400, refused.Text);
        Assert.Contains($"'{name}'", refused.Text);
    }

    private static List<string> Codes(Answer answer) => [.. RunningGateway.Entries(answer)
        .Select(e => e.GetProperty("resource").GetProperty("subtype")[0].GetProperty("code").GetString()!)];
}
