using System.Text.Json;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

[Collection(GatewayCollection.Name)]
public class PagingScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task What_refers_to_a_match_comes_along_where_it_may_be_seen()
    {
        var patient = await gateway.NewPatientAsync();
        var seen = await gateway.NewDocumentAsync(patient, [1], "34133-9");
        var denied = await gateway.NewDocumentAsync(patient, [2], "11502-2");
        await RunningGateway.GrantAsync(
            gateway.Ehr, patient, gateway.InsurerOrganization, "HPAYMT",
            ",\"provision\":[{\"type\":\"deny\",\"code\":[{\"coding\":[{\"system\":\"http://loinc.org\",\"code\":\"11502-2\"}]}]}]");
        async Task<List<string?>> FoundAsync(string query)
        {
            var answer = await gateway.Insurer.GetAsync($"Patient?_id={patient}&{query}");
            Assert.True(answer.Status == 200, answer.Text);
            Assert.Equal(1, answer.Json.GetProperty("total").GetInt32());
            return [.. RunningGateway.Entries(answer).Select(e => e.GetProperty("resource").GetProperty("id").GetString())];
        }
        Assert.Equal([patient, seen], await FoundAsync("_revinclude=DocumentReference:subject"));
        Assert.Equal([patient, seen], await FoundAsync("_revinclude=DocumentReference:patient:Patient&_revinclude=Observation:subject"));
        Assert.Equal([patient], await FoundAsync("_revinclude=Observation:patient"));
        Assert.DoesNotContain(denied, await FoundAsync("_revinclude=DocumentReference:subject"));
        var other = await gateway.Insurer.GetAsync($"Patient?_id={patient}&_revinclude=DocumentReference:subject:Group");
        Assert.True(other.Status == 400 && other.Text.Contains("_revinclude", StringComparison.Ordinal), other.Text);
    }

    [Fact]
    public async Task Every_list_pages_to_its_end_and_gives_each_entry_once()
    {
        var (patient, self) = await PatientAsync();
        foreach (var (list, count) in Lists(patient))
        {
            var seen = new List<string>();
            for (string? url = list; url is not null && seen.Count < 100;)
            {
                var page = await self.GetAsync(url);
                Assert.True(page.Status == 200, $"{url}: {page.Text}");
                seen.AddRange(RunningGateway.Entries(page).Select(Name));
                url = Next(page);
            }
            Assert.Equal(seen.Distinct(), seen);
            Assert.True(seen.Count >= count, $"{list}: {seen.Count}");
        }

        // Of a history all entries have one address.
        static string Name(JsonElement entry) => entry.GetProperty("fullUrl").GetString()
            + (entry.TryGetProperty("response", out var response) ? response.GetProperty("etag").GetString() : "");
    }

    [Fact]
    public async Task A_cursor_tells_nothing_and_is_as_long_wherever_it_points_and_another_each_time()
    {
        var (patient, self) = await PatientAsync();
        var cursors = new List<string>();
        foreach (var (list, _) in Lists(patient))
            for (var i = 0; i < 2; i++) cursors.Add(CursorOf(await NextOfAsync(self, list)));
        Assert.Single(cursors.Select(c => c.Length).Distinct());
        Assert.Equal(cursors.Distinct(), cursors);
        Assert.All(cursors, c => Assert.Matches("^[A-Za-z0-9_-]{59}$", c));
    }

    [Fact]
    public async Task A_stolen_next_link_is_refused()
    {
        var (patient, self) = await PatientAsync();
        // One of the thieves may read what the list is of, by a consent.
        await RunningGateway.GrantAsync(self, patient, gateway.InsurerOrganization);
        var stolen = await NextOfAsync(gateway.Ehr, $"DocumentReference?patient=Patient/{patient}&_count=1");
        Assert.Equal(200, (await gateway.Ehr.GetAsync(stolen)).Status);
        foreach (var thief in new[] { gateway.Insurer, gateway.OtherEhr, self }) await AssertRefusedAsync(thief, stolen);
    }

    [Fact]
    public async Task A_changed_character_is_refused_and_so_is_the_cursor_of_another_query()
    {
        var (patient, self) = await PatientAsync();
        var (other, _) = await PatientAsync();
        var links = new List<string>();
        foreach (var (list, _) in Lists(patient)) links.Add(await NextOfAsync(self, list));
        foreach (var link in links)
        {
            var cursor = CursorOf(link);
            Assert.Equal(200, (await self.GetAsync(link)).Status);
            foreach (var at in new[] { 0, cursor.Length / 2, cursor.Length - 1 })
            {
                var changed = cursor[..at] + (cursor[at] == 'A' ? 'B' : 'A') + cursor[(at + 1)..];
                await AssertRefusedAsync(self, link.Replace(cursor, changed, StringComparison.Ordinal));
            }
            foreach (var another in links.Where(l => l != link))
                await AssertRefusedAsync(self, another.Replace(CursorOf(another), cursor, StringComparison.Ordinal));
        }
        await AssertRefusedAsync(self, links[0] + "&status=current");
        await AssertRefusedAsync(gateway.Ehr, (await NextOfAsync(gateway.Ehr, $"DocumentReference?patient=Patient/{patient}&_count=1"))
            .Replace(patient, other, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_search_by_form_is_paged_by_its_links()
    {
        var (patient, _) = await PatientAsync();
        // The form's status comes behind the patient, which stands behind the URL's: in a link they stand together.
        var first = await gateway.Ehr.PostFormAsync(
            "fhir/DocumentReference/_search?status=current&_count=2", [new("patient", patient), new("status", "current,superseded")]);
        Assert.True(first.Status == 200, first.Text);
        var second = await gateway.Ehr.GetAsync(Next(first)!);
        Assert.True(second.Status == 200, second.Text);
        Assert.Single(RunningGateway.Entries(second));
        Assert.Null(Next(second));
    }

    // With how many entries at least.
    private static (string List, int Count)[] Lists(string patient) =>
    [
        ("DocumentReference?_count=1&_format=json", 3), ($"Patient/{patient}/_history?_count=1", 2),
        ("Patient/_history?_count=1", 2), ("DocumentReference/_history?_count=1&_since=2001-01-01T00:00:00Z", 3), ("_history?_count=7", 8),
        ($"Patient/{patient}/$everything?_count=1", 4), ($"AuditEvent?patient=Patient/{patient}&_count=3", 4),
    ];

    /// <summary>A patient who has two versions and three documents.</summary>
    private async Task<(string Patient, GatewayClient Self)> PatientAsync()
    {
        var patient = await gateway.NewPatientAsync();
        var changed = await gateway.Ehr.PutAsync($"Patient/{patient}", $$$"""{"resourceType":"Patient","id":"{{{patient}}}"}""");
        Assert.True(changed.Status == 200, changed.Text);
        for (byte i = 0; i < 3; i++) await gateway.NewDocumentAsync(patient, [i]);
        return (patient, await gateway.LoginPatientAsync(patient));
    }

    private static async Task<string> NextOfAsync(GatewayClient client, string list)
    {
        var page = await client.GetAsync(list);
        Assert.True(page.Status == 200, page.Text);
        return Next(page)!;
    }

    private static string? Next(Answer page) => page.Json.GetProperty("link").EnumerateArray()
        .Where(l => l.GetProperty("relation").ValueEquals("next")).Select(l => l.GetProperty("url").GetString()).FirstOrDefault();

    private static string CursorOf(string link) => link[(link.LastIndexOf("_cursor=", StringComparison.Ordinal) + 8)..];

    private static async Task AssertRefusedAsync(GatewayClient client, string link)
    {
        var refused = await client.GetAsync(link);
        Assert.True(refused.Status == 400, $"{link}: {refused.Status} {refused.Text}");
        Assert.Equal("OperationOutcome", refused.Json.GetProperty("resourceType").GetString());
        Assert.Equal(
            "'_cursor' is not that of a next link which this list gave you within the last hour",
            refused.Json.GetProperty("issue")[0].GetProperty("diagnostics").GetString());
    }
}
