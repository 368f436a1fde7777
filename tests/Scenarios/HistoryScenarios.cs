using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Mapping;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Histories of a record, of a type and of all, as R4 has them, under consent. https://hl7.org/fhir/R4/http.html#history</summary>
[Collection(GatewayCollection.Name)]
public class HistoryScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task A_history_tells_of_each_version_how_it_was_made_and_has_no_resource_of_a_deletion()
    {
        var (_, author) = await AuthorAsync();
        var patient = await NewPatientAsync(author);
        var id = await NewObservationAsync(author, patient);
        Assert.Equal(200, (await author.PutAsync($"Observation/{id}", Observation(patient, id))).Status);
        Assert.Equal(204, (await author.DeleteAsync($"Observation/{id}")).Status);
        var expected = new[]
        {
            $"DELETE Observation/{id} 204 W/\"3\"", $"PUT Observation/{id} 200 W/\"2\"", "POST Observation 201 W/\"1\"",
        };
        foreach (var path in (string[])[$"Observation/{id}/_history", "Observation/_history"])
        {
            var history = await author.GetAsync(path);
            Assert.Equal(expected, RunningGateway.Entries(history).Select(Made));
            Assert.Equal((3, "history"), (Total(history), history.Json.GetProperty("type").GetString()));
            AssertValid(history);
        }
        var all = await author.GetAsync("_history");
        AssertValid(all);
        var own = RunningGateway.Entries(all).Where(e => FullUrl(e).EndsWith(id, StringComparison.Ordinal)
            || FullUrl(e).EndsWith(patient, StringComparison.Ordinal)).ToList();
        Assert.Equal([.. expected, "POST Patient 201 W/\"1\""], own.Select(Made));
        Assert.Equal([false, true, true, true], own.Select(e => e.TryGetProperty("resource", out _)));
        foreach (var entry in own.Skip(1))
        {
            var response = entry.GetProperty("response");
            var meta = entry.GetProperty("resource").GetProperty("meta");
            Assert.Equal(meta.GetProperty("lastUpdated").GetString(), response.GetProperty("lastModified").GetString());
            Assert.Equal($"W/\"{meta.GetProperty("versionId").GetString()}\"", response.GetProperty("etag").GetString());
        }
        // Newest first, over all that there is.
        var instants = RunningGateway.Entries(all).Select(LastModified).ToList();
        Assert.Equal(instants.OrderDescending(StringComparer.Ordinal), instants);
    }

    [Fact]
    public async Task A_history_is_narrowed_by_when_versions_were_made_and_when_they_were_current()
    {
        var (_, author) = await AuthorAsync();
        var patient = await NewPatientAsync(author);
        var id = await NewObservationAsync(author, patient);
        Assert.Equal(200, (await author.PutAsync($"Observation/{id}", Observation(patient, id))).Status);
        var made = RunningGateway.Entries(await author.GetAsync($"Observation/{id}/_history")).Select(LastModified).ToList();
        var (second, first) = (made[0], made[1]);
        foreach (var path in (string[])[$"Observation/{id}/_history", "Observation/_history", "_history"])
        {
            foreach (var (query, versions) in new (string, string)[]
            {
                ($"_since={first}", "21"), ($"_since={second}", "2"), ("_since=2199-01-01T00:00:00Z", ""),
                ($"_since={second}&_at={second}", "2"), ($"_at={first}", "1"), ($"_at={second}", "2"), ("_at=2199", "2"),
                ($"_at={first[..10]}", "21"), ("_at=2001-02", ""), ($"_at={first[..19]}Z&_since=2001-01-01T01:00:00%2B01:00", "*"),
            })
            {
                var history = await author.GetAsync($"{path}?{query}");
                Assert.True(history.Status == 200, $"{path}?{query}: {history.Text}");
                var found = RunningGateway.Entries(history).Where(e => FullUrl(e).EndsWith(id, StringComparison.Ordinal))
                    .Select(e => e.GetProperty("response").GetProperty("etag").GetString()![3]);
                if (versions != "*") Assert.True(versions == string.Concat(found), $"{path}?{query}: {string.Concat(found)}");
                var count = await author.GetAsync($"{path}?{query}&_count=0");
                Assert.Equal((200, Total(history)), (count.Status, Total(count)));
                Assert.Empty(RunningGateway.Entries(count));
                Assert.DoesNotContain("\"next\"", count.Text);
            }
        }
    }

    [Theory]
    [InlineData("_since=2026", "'_since'")]
    [InlineData("_since=2026-01-01", "'_since'")]
    [InlineData("_since=2026-01-01T00:00:00", "'_since'")]
    [InlineData("_since=yesterday", "'_since'")]
    [InlineData("_since=", "'_since'")]
    [InlineData("_since=2026-01-01T00:00:00Z&_since=2026-01-01T00:00:00Z", "'_since'")]
    [InlineData("_at=ge2026", "'_at'")]
    [InlineData("_at=2026-13", "'_at'")]
    [InlineData("_count=-1", "'_count'")]
    [InlineData("_count=1.5", "'_count'")]
    [InlineData("_count=+1", "'_count'")]
    [InlineData("_sort=_lastUpdated", "'_sort'")]
    [InlineData("_list=1", "'_list'")]
    [InlineData("status=final", "'status'")]
    [InlineData("_summary=count", "'_summary'")]
    public async Task A_parameter_that_is_not_understood_is_refused_by_its_name(string query, string named)
    {
        var patient = await gateway.NewPatientAsync();
        foreach (var path in (string[])[$"Patient/{patient}/_history", "Patient/_history", "_history"])
        {
            var refused = await gateway.Ehr.GetAsync($"{path}?{query}");
            Assert.True(refused.Status == 400, $"{path}?{query}: {refused.Status} {refused.Text}");
            Assert.Contains(named, refused.Json.GetProperty("issue")[0].GetProperty("diagnostics").GetString());
        }
    }

    [Fact]
    public async Task What_a_grantee_may_not_see_is_in_no_history_no_total_and_no_page()
    {
        var (organization, grantee) = await AuthorAsync("HPAYMT");
        var patient = await gateway.NewPatientAsync();
        await RunningGateway.GrantAsync(
            gateway.Ehr, patient, organization, "HPAYMT",
            ",\"provision\":[{\"type\":\"deny\",\"code\":[{\"coding\":[{\"system\":\"http://loinc.org\",\"code\":\"11502-2\"}]}]}]");
        var before = await grantee.GetAsync("DocumentReference/_history?_count=1");
        Assert.Equal(0, Total(before));
        var (seen, ended) = (await gateway.NewDocumentAsync(patient, [1]), await gateway.NewDocumentAsync(patient, [2]));
        // Between them and behind them, and one of them ended.
        var closed = new List<string>();
        for (byte i = 0; i < 5; i++) closed.Add(await gateway.NewDocumentAsync(patient, [3, i], "11502-2"));
        var other = await gateway.NewDocumentAsync(await gateway.NewPatientAsync(), [4]);
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"DocumentReference/{closed[4]}")).Status);
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"DocumentReference/{ended}")).Status);
        var read = await gateway.Ehr.GetAsync($"DocumentReference/{seen}");
        Assert.Equal(200, (await gateway.Ehr.PutAsync($"DocumentReference/{seen}", read.Text)).Status);

        var pages = new List<Answer> { await grantee.GetAsync("DocumentReference/_history?_count=1") };
        while (Next(pages[^1]) is { } next) pages.Add(await grantee.GetAsync(next));
        Assert.Equal(2, pages.Count);
        Assert.All(pages, p => Assert.Equal((200, 2), (p.Status, Total(p))));
        // Of what was there before the current version a grantee knows nothing.
        Assert.Equal(
            [$"PUT DocumentReference/{seen} 200 W/\"2\"", $"DELETE DocumentReference/{ended} 204 W/\"2\""],
            pages.Select(p => Made(RunningGateway.Entries(p).Single())));
        var all = await grantee.GetAsync("_history");
        foreach (var hidden in closed.Append(other))
        {
            Assert.DoesNotContain(hidden, all.Text);
            var one = await grantee.GetAsync($"DocumentReference/{hidden}/_history?_since=2001-01-01T00:00:00Z");
            Assert.Equal(404, one.Status);
            Assert.Equal(
                (await grantee.GetAsync($"DocumentReference/{ResourceId.New()}/_history?_since=2001-01-01T00:00:00Z")).Body, one.Body);
        }
        Assert.Contains(seen, all.Text);
        // A Binary is there where the record is that links to it.
        var binary = read.Json.GetProperty("content")[0].GetProperty("attachment").GetProperty("url").GetString()!;
        Assert.Contains($"/fhir/{binary}", (await grantee.GetAsync("Binary/_history")).Text);
        Assert.Contains($"/fhir/{binary}", all.Text);
    }

    [Fact]
    public async Task The_history_of_a_record_of_which_nothing_is_asked_is_empty_and_that_is_in_its_patients_log()
    {
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var document = await gateway.NewDocumentAsync(patient, [1]);
        var history = await gateway.Ehr.GetAsync($"DocumentReference/{document}/_history?_since=2199-01-01T00:00:00Z");
        Assert.Equal((200, 0), (history.Status, Total(history)));
        var log = await self.GetAsync($"AuditEvent?entity=DocumentReference/{document}&subtype=history-instance");
        Assert.Equal(1, Total(log));
    }

    [Fact]
    public async Task The_history_of_a_type_takes_its_scope_and_that_of_all_has_the_types_that_scopes_cover()
    {
        var name = "narrow-" + Guid.CreateVersion7();
        // A registration is waited for by a read.
        const string Waits = "system/Organization.r";
        var narrow = await gateway.RegisterSystemAsync(
            name, gateway.Hospital, $"{Waits} system/Observation.cruds system/Patient.cr", "TREAT");
        var patient = await NewPatientAsync(narrow);
        var observation = await NewObservationAsync(narrow, patient);
        Assert.Equal(200, (await narrow.GetAsync($"Patient/{patient}/_history")).Status);
        Assert.Equal(200, (await narrow.GetAsync("Observation/_history")).Status);
        foreach (var path in (string[])["Patient/_history", "Organization/_history"])
            Assert.Equal(403, (await narrow.GetAsync(path)).Status);
        var all = await narrow.GetAsync("_history");
        // What others wrote and a patient has let this hospital read may be there too.
        var urls = RunningGateway.Entries(all).Select(FullUrl).ToList();
        Assert.Contains($"{narrow.BaseUrl}/fhir/Observation/{observation}", urls);
        Assert.All(urls, url => Assert.StartsWith($"{narrow.BaseUrl}/fhir/Observation/", url));
        var none = await gateway.RegisterSystemAsync("none-" + name, gateway.Hospital, Waits, "TREAT");
        Assert.Equal(403, (await none.GetAsync("_history")).Status);
        Assert.Equal(401, (await gateway.Anyone.GetAsync("_history")).Status);
    }

    [Fact]
    public async Task The_directory_is_in_the_history_of_whoever_is_registered()
    {
        var (organization, other) = await AuthorAsync();
        foreach (var path in (string[])["Organization/_history", "_history"])
            Assert.Contains($"{other.BaseUrl}/fhir/{organization}", (await other.GetAsync(path)).Text);
    }

    [Fact]
    public async Task What_keeps_no_records_has_no_history()
    {
        foreach (var path in (string[])["AuditEvent/_history", "Bundle/_history", "Parameters/_history", "Nonsense/_history"])
            Assert.Equal(404, (await gateway.Ehr.GetAsync(path)).Status);
        Assert.Equal(405, (await gateway.Ehr.PostAsync("_history", "{}")).Status);
        Assert.Equal(405, (await gateway.Ehr.DeleteAsync("Patient/_history")).Status);
    }

    [Fact]
    public async Task A_next_link_is_of_whom_it_was_given_to_and_of_what_was_asked()
    {
        var (_, author) = await AuthorAsync();
        var patient = await NewPatientAsync(author);
        for (var i = 0; i < 3; i++) await NewObservationAsync(author, patient);
        foreach (var path in (string[])["_history?_count=1", "Observation/_history?_since=2001-01-01T00:00:00Z&_count=1"])
        {
            var next = Next(await author.GetAsync(path))!;
            Assert.Equal(200, (await author.GetAsync(next)).Status);
            Assert.Equal(400, (await gateway.Ehr.GetAsync(next)).Status);
            var another = next.Contains("_since", StringComparison.Ordinal)
                ? next.Replace("_since=2001", "_since=2002", StringComparison.Ordinal)
                : next + "&_at=2199";
            var refused = await author.GetAsync(another);
            Assert.True(refused.Status == 400 && refused.Text.Contains("_cursor", StringComparison.Ordinal), refused.Text);
        }
    }

    [Fact]
    public async Task Who_breaks_the_glass_is_told_no_numbers_by_a_history()
    {
        var patient = await gateway.NewPatientAsync();
        for (byte i = 0; i < 2; i++) await gateway.NewDocumentAsync(patient, [i]);
        var (_, emergency) = await gateway.RegisterEmergencyAsync(gateway.OtherHospital, "unconscious");
        Assert.Equal(201, (await emergency.PostAsync($"Patient/{patient}/$break-glass", "")).Status);
        var all = await GatewayClient.UntilAsync(() => emergency.GetAsync("DocumentReference/_history"), a => Total(a) == 2);
        Assert.Equal(2, Total(all));
        var document = FullUrl(RunningGateway.Entries(all).First()).Split("/fhir/")[1];
        Assert.False((await emergency.GetAsync("DocumentReference/_history?_count=1")).Json.TryGetProperty("total", out _));
        foreach (var path in (string[])[$"{document}/_history", "DocumentReference/_history", "_history"])
            Assert.Equal(403, (await emergency.GetAsync($"{path}?_count=0")).Status);
        // That there is nothing of it would tell that it is there.
        Assert.Equal(404, (await emergency.GetAsync($"{document}/_history?_since=2199-01-01T00:00:00Z")).Status);
        Assert.Equal(200, (await emergency.GetAsync($"{document}/_history")).Status);
    }

    [Fact]
    public async Task The_log_tells_what_was_asked_and_each_patient_what_was_given_of_theirs()
    {
        var (_, author) = await AuthorAsync();
        var patients = new List<string>();
        for (var i = 0; i < 2; i++) patients.Add(await NewPatientAsync(author));
        var observations = new List<string>();
        foreach (var patient in patients) observations.Add(await NewObservationAsync(author, patient));
        var since = "2001-01-01T00:00:00Z";
        await author.GetAsync($"Observation/_history?_since={since}&_count=5");
        await author.GetAsync("_history");
        for (var i = 0; i < 2; i++)
        {
            var self = await gateway.LoginPatientAsync(patients[i]);
            foreach (var (interaction, query) in new[]
            {
                ("history-type", "Observation/_history?_count=5&_since=*"), ("history-system", "_history?_count=500"),
            })
            {
                var told = RunningGateway.Only(await self.GetAsync($"AuditEvent?subtype={interaction}"));
                var entities = told.GetProperty("entity").EnumerateArray().ToList();
                var asked = entities.Single(e => e.TryGetProperty("query", out _)).GetProperty("query").GetBytesFromBase64();
                Assert.Equal(query, System.Text.Encoding.UTF8.GetString(asked));
                Assert.Contains($"Observation/{observations[i]}", told.GetRawText());
                Assert.DoesNotContain(observations[1 - i], told.GetRawText());
                Assert.DoesNotContain(patients[1 - i], told.GetRawText());
            }
        }
    }

    private static void AssertValid(Answer answer)
    {
        Assert.True(answer.Status == 200, answer.Text);
        Assert.True(ResourceDocument.TryParse(answer.Body, out var document, out var issue), issue?.Text);
        var errors = new Validator(FhirSchema.R4).Validate(document!).Errors.Select(e => $"{e.Expression}: {e.Text}");
        Assert.True(!errors.Any(), string.Join('\n', errors));
    }

    // A system that has written nothing yet.
    private Task<(string Organization, GatewayClient Client)> AuthorAsync(string purpose = "TREAT")
    {
        var name = "historian-" + Guid.CreateVersion7();
        return gateway.RegisterAsync(name, name, "prov", "system/*.cruds", purpose);
    }

    private static async Task<string> NewPatientAsync(GatewayClient author)
    {
        var created = await author.PostAsync("Patient", """{"resourceType":"Patient"}""");
        Assert.True(created.Status == 201, created.Text);
        return created.Id;
    }

    private static async Task<string> NewObservationAsync(GatewayClient author, string patient)
    {
        var created = await author.PostAsync("Observation", Observation(patient));
        Assert.True(created.Status == 201, created.Text);
        return created.Id;
    }

    private static string Observation(string patient, string? id = null) => $$$"""
        {"resourceType":"Observation",{{{(id is null ? "" : $"\"id\":\"{id}\",")}}}"status":"final","code":{"text":"x"},
        "subject":{"reference":"Patient/{{{patient}}}"}}
        """;

    private static string Made(JsonElement entry)
    {
        var (request, response) = (entry.GetProperty("request"), entry.GetProperty("response"));
        return $"{request.GetProperty("method").GetString()} {request.GetProperty("url").GetString()} "
            + $"{response.GetProperty("status").GetString()} {response.GetProperty("etag").GetString()}";
    }

    private static string FullUrl(JsonElement entry) => entry.GetProperty("fullUrl").GetString()!;

    private static string LastModified(JsonElement entry) => entry.GetProperty("response").GetProperty("lastModified").GetString()!;

    private static int Total(Answer bundle) => bundle.Json.TryGetProperty("total", out var total) ? total.GetInt32() : -1;

    private static string? Next(Answer page) => page.Json.GetProperty("link").EnumerateArray()
        .Where(l => l.GetProperty("relation").ValueEquals("next")).Select(l => l.GetProperty("url").GetString()).FirstOrDefault();
}
