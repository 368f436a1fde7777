using System.Text.Json;
using System.Text.RegularExpressions;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>A part of what may be seen, by _summary and _elements.</summary>
[Collection(GatewayCollection.Name)]
public partial class SubsetScenarios(RunningGateway gateway)
{
    private const string Subsetted = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue|SUBSETTED";

    [Theory]
    [InlineData("_elements=birthDate", "resourceType id meta birthDate")]
    [InlineData("_summary=true", "resourceType id meta identifier name birthDate")]
    [InlineData("_summary=text", "resourceType id meta text")]
    [InlineData("_summary=data", "resourceType id meta identifier name birthDate maritalStatus")]
    public async Task A_part_is_given_wherever_the_whole_is_and_is_marked(string query, string names)
    {
        var patient = await NewPatientAsync();
        var whole = await gateway.Ehr.GetAsync($"Patient/{patient}");
        foreach (var path in (string[])[$"Patient/{patient}", $"Patient/{patient}/_history/1"])
        {
            var read = await gateway.Ehr.GetAsync($"{path}?{query}");
            AssertPart(read.Json);
            Assert.Equal(whole.Headers.Headers.ETag, read.Headers.Headers.ETag);
        }
        var lists = new List<Answer> { await gateway.Ehr.PostFormAsync($"fhir/Patient/_search?{query}", [new("_id", patient)]) };
        foreach (var list in (string[])[$"Patient?_id={patient}&{query}", $"Patient/{patient}/_history?{query}",
            $"Patient/{patient}/Patient?{query}"])
            lists.Add(await gateway.Ehr.GetAsync(list));
        if (query[0..2] != "_e") lists.Add(await gateway.Ehr.GetAsync($"Patient/{patient}/$everything?{query}"));
        foreach (var list in lists)
        {
            AssertPart(RunningGateway.Only(list));
            Assert.Contains(query, Link(list, "self"));
        }
        foreach (var type in (string[])["batch", "transaction"])
        {
            var done = await gateway.Ehr.PostAsync("", $$$"""
                {"resourceType":"Bundle","type":"{{{type}}}","entry":[
                {"request":{"method":"GET","url":"Patient/{{{patient}}}?{{{query}}}"}}]}
                """);
            AssertPart(RunningGateway.Only(done));
        }

        void AssertPart(JsonElement resource)
        {
            Assert.Equal(names, string.Join(' ', resource.EnumerateObject().Select(p => p.Name)));
            Assert.True(IsMarked(resource), resource.GetRawText());
            foreach (var property in resource.EnumerateObject().Where(p => p.Name != "meta"))
                Assert.Equal(whole.Json.GetProperty(property.Name).GetRawText(), property.Value.GetRawText());
        }
    }

    [Fact]
    public async Task The_whole_is_not_marked()
    {
        var patient = await NewPatientAsync();
        var whole = await gateway.Ehr.GetAsync($"Patient/{patient}?_summary=false");
        Assert.Equal((await gateway.Ehr.GetAsync($"Patient/{patient}")).Text, whole.Text);
        Assert.False(IsMarked(whole.Json));
    }

    [Fact]
    public async Task Pages_go_on_with_the_part_that_they_began_with()
    {
        var patient = await NewPatientAsync();
        for (byte i = 0; i < 2; i++) await gateway.NewDocumentAsync(patient, [i]);
        Assert.Equal(200, (await gateway.Ehr.PutAsync($"Patient/{patient}", Text(patient))).Status);
        foreach (var list in (string[])[$"DocumentReference?patient={patient}&_count=1&_elements=DocumentReference.date",
            $"Patient/{patient}/_history?_count=1&_elements=birthDate", $"Patient/{patient}/$everything?_count=1&_summary=true"])
        {
            var first = await gateway.Ehr.GetAsync(list);
            Assert.True(first.Status == 200, first.Text);
            var next = Link(first, "next");
            Assert.Contains(list[list.LastIndexOf('&')..], "&" + Uri.UnescapeDataString(next));
            var second = await gateway.Ehr.GetAsync(next);
            foreach (var page in (Answer[])[first, second]) Assert.True(IsMarked(RunningGateway.Only(page)), page.Text);
            // A cursor is that of its list, and of the part of it.
            var refused = await gateway.Ehr.GetAsync(PartAsked().Replace(next, "_summary=data"));
            Assert.True(refused.Status == 400 && refused.Text.Contains("_cursor", StringComparison.Ordinal), refused.Text);
        }
    }

    [Fact]
    public async Task What_comes_along_is_cut_by_a_summary_and_by_elements_of_its_type()
    {
        var patient = await NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1]);
        async Task<(JsonElement Match, JsonElement Included)> FindAsync(string query)
        {
            var found = await gateway.Ehr.GetAsync($"DocumentReference?_id={document}&_include=DocumentReference:subject&{query}");
            Assert.True(found.Status == 200, found.Text);
            var entries = RunningGateway.Entries(found).Select(e => e.GetProperty("resource")).ToList();
            Assert.Equal(2, entries.Count);
            return (entries[0], entries[1]);
        }
        var (match, included) = await FindAsync("_elements=date");
        Assert.True(IsMarked(match) && !IsMarked(included));
        Assert.True(included.TryGetProperty("maritalStatus", out _));
        (match, included) = await FindAsync("_elements=date,Patient.birthDate");
        Assert.True(IsMarked(match) && IsMarked(included));
        Assert.Equal("resourceType id meta birthDate", string.Join(' ', included.EnumerateObject().Select(p => p.Name)));
        (match, included) = await FindAsync("_summary=true");
        Assert.True(IsMarked(match) && IsMarked(included));
        Assert.False(included.TryGetProperty("maritalStatus", out _));
    }

    [Fact]
    public async Task A_part_is_decided_as_the_whole_and_shows_no_more()
    {
        var patient = await NewPatientAsync();
        var shown = await gateway.NewDocumentAsync(patient, [1], "34133-9");
        var hidden = await gateway.NewDocumentAsync(patient, [2], "11502-2");
        await RunningGateway.GrantAsync(
            gateway.Ehr, patient, gateway.InsurerOrganization, "HPAYMT",
            ",\"provision\":[{\"type\":\"deny\",\"code\":[{\"coding\":[{\"system\":\"http://loinc.org\",\"code\":\"11502-2\"}]}]}]");
        foreach (var query in (string[])["_elements=id", "_summary=true", "_summary=text"])
        {
            Assert.Equal(200, (await gateway.Insurer.GetAsync($"DocumentReference/{shown}?{query}")).Status);
            Assert.Equal(404, (await gateway.Insurer.GetAsync($"DocumentReference/{hidden}?{query}")).Status);
            var found = await gateway.Insurer.GetAsync($"DocumentReference?patient={patient}&{query}");
            Assert.Equal(1, found.Json.GetProperty("total").GetInt32());
            Assert.Equal(shown, RunningGateway.Only(found).GetProperty("id").GetString());
        }
    }

    [Fact]
    public async Task A_part_is_not_written_back_as_the_whole()
    {
        var patient = await NewPatientAsync();
        var part = (await gateway.Ehr.GetAsync($"Patient/{patient}?_elements=name")).Text;
        var tag = Subsetted.Split('|');
        var patch = $$$"""
            [{"op":"add","path":"/meta/tag","value":[{"system":"{{{tag[0]}}}","code":"{{{tag[1]}}}"}]}]
            """;
        var entry = $$$"""
            {"resourceType":"Bundle","type":"transaction","entry":[
            {"resource":{{{part}}},"request":{"method":"PUT","url":"Patient/{{{patient}}}"}}]}
            """;
        var written = new[]
        {
            await gateway.Ehr.PutAsync($"Patient/{patient}", part),
            await gateway.Ehr.PostAsync("Patient", part),
            await gateway.Ehr.PatchAsync($"Patient/{patient}", patch, "application/json-patch+json"),
            await gateway.Ehr.PostAsync("", entry),
        };
        foreach (var refused in written)
        {
            Assert.True(refused.Status == 422, refused.Text);
            Assert.Contains("Patient.meta.tag", refused.Text);
        }
        Assert.Equal("W/\"1\"", (await gateway.Ehr.GetAsync($"Patient/{patient}")).Headers.Headers.ETag!.ToString());
        var document = await gateway.Ehr.PostAsync("Bundle", $$$"""
            {"resourceType":"Bundle","meta":{"tag":[{"system":"{{{tag[0]}}}","code":"{{{tag[1]}}}"}]},"type":"document"}
            """);
        Assert.True(document.Status == 422 && document.Text.Contains("Bundle.meta.tag", StringComparison.Ordinal), document.Text);
        // The code of another system says nothing.
        var tagged = part.Replace(tag[0], "urn:other", StringComparison.Ordinal);
        Assert.Equal(200, (await gateway.Ehr.PutAsync($"Patient/{patient}", tagged)).Status);
    }

    [Fact]
    public async Task Of_a_Binary_the_whole_is_given_where_it_is_asked_for_and_a_summary_where_it_comes_along()
    {
        var patient = await NewPatientAsync();
        var binary = (await gateway.Ehr.PostAsync("Binary", $$$"""
            {"resourceType":"Binary","contentType":"text/plain","securityContext":{"reference":"Patient/{{{patient}}}"},"data":"QUJD"}
            """)).Id;
        foreach (var path in (string[])[$"Binary/{binary}", $"Binary/{binary}/_history", $"Binary?_id={binary}",
            $"Patient/{patient}/Binary"])
        {
            foreach (var query in (string[])["_summary=true", "_summary=data", "_elements=contentType"])
                await AssertRefusedAsync(path + (path.Contains('?') ? "&" : "?") + query, query.Split('=')[0]);
        }
        async Task<JsonElement> ComesAsync(string query)
        {
            var all = await gateway.Ehr.GetAsync($"Patient/{patient}/$everything?{query}");
            Assert.True(all.Status == 200, all.Text);
            return RunningGateway.Entries(all).Select(e => e.GetProperty("resource"))
                .Single(r => r.GetProperty("resourceType").GetString() == "Binary");
        }
        var summary = await ComesAsync("_summary=true");
        Assert.Equal(
            "resourceType id meta contentType securityContext", string.Join(' ', summary.EnumerateObject().Select(p => p.Name)));
        Assert.True(IsMarked(summary));
        Assert.Equal("QUJD", (await ComesAsync("_summary=data")).GetProperty("data").GetString());
        Assert.Equal("QUJD", (await ComesAsync("_elements=Patient.name")).GetProperty("data").GetString());
    }

    [Fact]
    public async Task What_is_not_understood_is_refused_by_its_name()
    {
        var patient = await NewPatientAsync();
        foreach (var (query, named) in ((string, string)[])[("_elements=color", "color"), ("_elements=name.family", "name.family"),
            ("_elements=name,", "_elements"), ("_elements=Observation.code", "Observation.code"), ("_summary=yes", "_summary"),
            ("_summary=true&_elements=name", "_elements"), ("_elements=id&_elements=name", "_elements")])
        {
            foreach (var path in (string[])[$"Patient/{patient}?", $"Patient/{patient}/_history/1?", $"Patient/{patient}/_history?",
                $"Patient?_id={patient}&", $"Patient/{patient}/Patient?"])
                await AssertRefusedAsync(path + query, named);
        }
        foreach (var path in (string[])[$"Patient/{patient}", $"Patient/{patient}/_history", $"Patient/{patient}/$everything"])
            await AssertRefusedAsync(path + "?_summary=count", "count");
        await AssertRefusedAsync($"Patient/{patient}/$everything?_elements=name", "name");
        await AssertRefusedAsync("DocumentReference?_summary=text&_include=DocumentReference:subject", "_include");
        await AssertRefusedAsync("Patient?_summary=text&_revinclude=Observation:subject", "_revinclude");
        await AssertRefusedAsync($"Patient/{patient}/$anchor-proof?_summary=true", "_summary");
        var written = await gateway.Ehr.PostAsync("Patient?_elements=name", """{"resourceType":"Patient"}""");
        Assert.True(written.Status == 400 && written.Text.Contains("_elements", StringComparison.Ordinal), written.Text);
    }

    [Fact]
    public async Task A_count_stays_a_count()
    {
        var patient = await NewPatientAsync();
        foreach (var query in (string[])["_summary=count", "_summary=count&_count=5", "_count=5&_summary=count"])
        {
            var counted = await gateway.Ehr.GetAsync($"Patient?_id={patient}&{query}");
            Assert.Equal(1, counted.Json.GetProperty("total").GetInt32());
            Assert.Empty(RunningGateway.Entries(counted));
        }
    }

    [Fact]
    public async Task The_patients_log_and_the_statement_of_what_is_offered_come_in_part_too()
    {
        var patient = await NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var log = await self.GetAsync($"AuditEvent?patient=Patient/{patient}&_elements=action&_count=1");
        Assert.True(log.Status == 200, log.Text);
        Assert.Contains("_elements=action", Link(log, "self"));
        var entry = RunningGateway.Only(log);
        Assert.True(IsMarked(entry) && !entry.TryGetProperty("entity", out _) && entry.TryGetProperty("agent", out _), log.Text);
        var read = await self.GetAsync($"AuditEvent/{entry.GetProperty("id").GetString()}?_elements=action");
        Assert.Equal(entry.GetRawText(), read.Text);
        Assert.Equal(400, (await self.GetAsync("AuditEvent?_elements=color")).Status);
        var statement = await gateway.Anyone.GetAsync("metadata?_elements=fhirVersion");
        Assert.True(IsMarked(statement.Json) && !statement.Json.TryGetProperty("rest", out _), statement.Text);
        statement = await gateway.Anyone.GetAsync("metadata");
        Assert.Equal(
            ["_summary", "_elements"],
            statement.Json.GetProperty("rest")[0].GetProperty("searchParam").EnumerateArray()
                .Select(p => p.GetProperty("name").GetString()));
    }

    private static bool IsMarked(JsonElement resource) => resource.GetProperty("meta").TryGetProperty("tag", out var tags)
        && tags.EnumerateArray().Any(t => $"{t.GetProperty("system").GetString()}|{t.GetProperty("code").GetString()}" == Subsetted);

    private static string Link(Answer page, string relation) => page.Json.GetProperty("link").EnumerateArray()
        .Single(l => l.GetProperty("relation").ValueEquals(relation)).GetProperty("url").GetString()!;

    private static string Text(string? id = null) => $$$"""
        {"resourceType":"Patient",{{{(id is null ? "" : $"\"id\":\"{id}\",")}}}"text":{"status":"generated",
        "div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">T</div>"},
        "identifier":[{"system":"urn:mrn","value":"{{{Guid.CreateVersion7()}}}"}],
        "name":[{"family":"Part"}],"birthDate":"2000-01-01","maritalStatus":{"text":"single"}}
        """;

    [GeneratedRegex("(_elements|_summary)=[^&]+")]
    private static partial Regex PartAsked();

    private async Task<string> NewPatientAsync()
    {
        var created = await gateway.Ehr.PostAsync("Patient", Text());
        Assert.True(created.Status == 201, created.Text);
        return created.Id;
    }

    private async Task AssertRefusedAsync(string path, string named)
    {
        var refused = await gateway.Ehr.GetAsync(path);
        Assert.True(refused.Status == 400, $"{path}: {refused.Status} {refused.Text}");
        Assert.Contains(named, refused.Json.GetProperty("issue")[0].GetProperty("diagnostics").GetString());
    }
}
