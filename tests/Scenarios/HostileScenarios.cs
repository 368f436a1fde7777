using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using PmrGateway.Mapping;
using PmrGateway.Tests.Client;
using PmrGateway.Tests.StoreContract;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Requests that are made to do harm, and what they get.</summary>
[Collection(GatewayCollection.Name)]
public class HostileScenarios(RunningGateway gateway)
{
    private const string FhirJson = "application/fhir+json";

    [Fact]
    public async Task A_token_in_a_URL_is_refused_also_where_the_header_has_one()
    {
        var patient = await gateway.NewPatientAsync();
        foreach (var path in new[] { "Patient", $"Patient/{patient}", "metadata" })
        {
            var answer = await gateway.Ehr.GetAsync($"{path}?access_token={gateway.Ehr.Token}");
            Assert.Equal(400, answer.Status);
            Assert.Contains("Authorization", answer.Text);
        }
    }

    [Theory]
    [InlineData("gzip", 415)]
    [InlineData("identity, BR", 415)]
    [InlineData("identity", 201)]
    public async Task A_body_that_is_packed_is_not_unpacked_and_not_kept_as_something_else(string coding, int status)
    {
        var patient = Encoding.UTF8.GetBytes("""{"resourceType":"Patient"}""");
        (string Name, string Value) header = ("Content-Encoding", coding);
        Assert.Equal(status, (await gateway.Ehr.WriteAsync(HttpMethod.Post, "Patient", patient, FhirJson, header)).Status);
        Assert.Equal(status, (await gateway.Ehr.WriteAsync(HttpMethod.Post, "Binary", patient, "application/pdf", header)).Status);
        if (status == 201) return;
        foreach (var path in new[] { "admin/clients", "connect/token" })
        {
            var url = $"{gateway.Options.Url}/{path}";
            Assert.Equal(415, (await gateway.Operator.WriteAsync(HttpMethod.Post, url, patient, "application/json", header)).Status);
        }
    }

    [Fact]
    public async Task A_refusal_leaves_at_its_tick_whether_there_is_a_record_or_not_in_a_batch_too()
    {
        var patient = await gateway.NewPatientAsync();
        string[] asked =
            [$"Patient/{patient}", $"Patient/{ResourceId.New()}", $"Patient/{patient}/$everything", $"Patient/{patient}/_history"];
        foreach (var path in asked)
        {
            var began = Stopwatch.GetTimestamp();
            var answer = await gateway.Insurer.GetAsync(path);
            Assert.True(answer.Status == 404, answer.Text);
            Assert.True(Stopwatch.GetElapsedTime(began) >= gateway.Options.Limits.RefusalTick, path);
        }
        var entries = string.Join(',', asked.Select(p => $$$"""{"request":{"method":"GET","url":"{{{p}}}"}}"""));
        var batch = $$"""{"resourceType":"Bundle","type":"batch","entry":[{{entries}}]}""";
        var start = Stopwatch.GetTimestamp();
        Assert.Equal(200, (await gateway.Insurer.PostAsync("", batch)).Status);
        Assert.True(Stopwatch.GetElapsedTime(start) >= asked.Length * gateway.Options.Limits.RefusalTick);
    }

    [Theory]
    [InlineData("batch")]
    [InlineData("transaction")]
    public async Task A_write_of_what_is_withheld_leaves_at_its_tick_in_a_Bundle_too(string type)
    {
        var patient = await gateway.NewPatientAsync();
        foreach (var id in new[] { patient, ResourceId.New() })
        {
            var began = Stopwatch.GetTimestamp();
            var answer = await gateway.OtherEhr.PostAsync("", $$$"""
                {"resourceType":"Bundle","type":"{{{type}}}","entry":[{"request":{"method":"PUT","url":"Patient/{{{id}}}"},
                "resource":{"resourceType":"Patient","id":"{{{id}}}"}}]}
                """);
            Assert.True(answer.Text.Contains("no such resource", StringComparison.Ordinal), answer.Text);
            Assert.True(Stopwatch.GetElapsedTime(began) >= gateway.Options.Limits.RefusalTick);
        }
    }

    [Fact]
    public async Task Links_are_of_our_own_address_whatever_host_a_request_names()
    {
        using var http = new HttpClient();
        foreach (var path in new[] { ".well-known/openid-configuration", ".well-known/smart-configuration", "fhir/metadata" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"{gateway.Options.Url}/{path}");
            request.Headers.Host = "evil.example";
            using var answer = await http.SendAsync(request);
            var text = await answer.Content.ReadAsStringAsync();
            Assert.DoesNotContain("evil.example", text);
            Assert.Contains(gateway.Options.Url, text);
        }
    }

    [Theory]
    [InlineData("nowhere")]
    [InlineData("keyring.json")]
    [InlineData("admin/nothing")]
    public async Task A_path_that_leads_nowhere_is_a_404_with_an_outcome(string path)
    {
        var answer = await gateway.Ehr.GetAsync($"{gateway.Options.Url}/{path}");
        Assert.Equal(404, answer.Status);
        Assert.Equal("OperationOutcome", answer.Json.GetProperty("resourceType").GetString());
    }

    [Theory]
    [InlineData("a_b")]
    [InlineData("a%20b")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public async Task An_update_under_an_id_that_is_none_is_a_400_that_names_it(string id)
    {
        var answer = await gateway.Ehr.PutAsync($"Patient/{id}", """{"resourceType":"Patient"}""");
        Assert.Equal(400, answer.Status);
        Assert.Contains("Patient.id", answer.Text);
    }

    [Fact]
    public async Task A_Binary_is_a_download_and_goes_to_whom_takes_its_type_or_FHIR()
    {
        var page = Encoding.UTF8.GetBytes("<html><script>alert(1)</script></html>");
        var id = (await gateway.Ehr.WriteAsync(HttpMethod.Post, "Binary", page, "text/html; charset=utf-8")).Id;
        foreach (var accept in new[] { "*/*", "text/html", "text/*;q=0.5", "" })
        {
            var read = await gateway.Ehr.GetAsync($"Binary/{id}", accept);
            Assert.Equal(page, read.Body);
            Assert.Equal("attachment", read.Headers.Content.Headers.ContentDisposition!.DispositionType);
            Assert.Contains("sandbox", read.Headers.Headers.GetValues("Content-Security-Policy").Single());
        }
        Assert.Equal(406, (await gateway.Ehr.GetAsync($"Binary/{id}", "image/png")).Status);
        Assert.Equal("Binary", (await gateway.Ehr.GetAsync($"Binary/{id}",
        "image/png, " + FhirJson)).Json.GetProperty("resourceType").GetString());
    }

    [Theory]
    [InlineData("application/fhir+jsonx")]
    [InlineData("application/fhir+json;x=\"text/html\"")]
    [InlineData("application/fhir+json")]
    public async Task A_Binary_is_a_download_whatever_type_it_says_it_has(string type)
    {
        const string Content = """{"resourceType":"Organization","name":"<script>"}""";
        var created = await gateway.Ehr.PostAsync("Binary", JsonSerializer.Serialize(
            new { resourceType = "Binary", contentType = type, data = Encoding.UTF8.GetBytes(Content) }));
        Assert.True(created.Status == 201, created.Text);
        var read = await gateway.Ehr.GetAsync($"Binary/{created.Id}", "*/*");
        Assert.Equal(Content, read.Text);
        Assert.Equal("attachment", read.Headers.Content.Headers.ContentDisposition!.DispositionType);
        Assert.Contains("sandbox", read.Headers.Headers.GetValues("Content-Security-Policy").Single());
    }

    [Fact]
    public async Task Two_entries_of_a_transaction_that_write_one_resource_are_a_400_and_nothing_is_kept()
    {
        var patient = await gateway.NewPatientAsync();
        var put = $$$"""
            {"request":{"method":"PUT","url":"Patient/{{{patient}}}"},
            "resource":{"resourceType":"Patient","id":"{{{patient}}}","gender":"other"}}
            """;
        var delete = $$$"""{"request":{"method":"DELETE","url":"Patient/{{{patient}}}"}}""";
        var create = $$$"""
            {"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=urn:twice|{{{patient}}}"},
            "resource":{"resourceType":"Patient","identifier":[{"system":"urn:twice","value":"{{{patient}}}"}]}}
            """;
        foreach (var (one, two) in new[] { (put, put), (put, delete), (create, create) })
        {
            var answer = await gateway.Ehr.PostAsync(
                "", $$"""{"resourceType":"Bundle","type":"transaction","entry":[{{one}},{{two}}]}""");
            Assert.Equal(400, answer.Status);
            Assert.Contains("Bundle.entry[1]", answer.Text);
        }
        Assert.Equal("W/\"1\"", (await gateway.Ehr.GetAsync($"Patient/{patient}")).Headers.Headers.ETag!.ToString());
        var made = await gateway.Ehr.GetAsync($"Patient?identifier=urn:twice|{patient}");
        Assert.Equal(0, made.Json.GetProperty("total").GetInt32());
    }

    [Theory]
    [InlineData("99999999999999999999", 200)]
    [InlineData("-1", 400)]
    [InlineData("abc", 400)]
    public async Task A_page_is_as_long_as_a_number_says_and_no_longer_than_we_make_them(string count, int status) =>
        Assert.Equal(status, (await gateway.Ehr.GetAsync($"Organization?_count={count}")).Status);

    [Fact]
    public async Task A_search_of_more_values_than_there_may_be_is_refused_and_names_the_setting()
    {
        var values = string.Join(',', Enumerable.Range(0, 199));
        string Form(int parameters) => string.Join('&', Enumerable.Repeat("code=" + values, parameters));
        Task<Answer> SearchAsync(int parameters) => gateway.Ehr.WriteAsync(
            HttpMethod.Post, "Observation/_search", Encoding.ASCII.GetBytes(Form(parameters)), "application/x-www-form-urlencoded");
        var refused = await SearchAsync(50);
        Assert.Equal(400, refused.Status);
        Assert.Contains("Limits:MaxSearchValues", refused.Text);
        Assert.Equal(200, (await SearchAsync(5)).Status);
        // A condition is a search as well.
        var condition = Form(6);
        var created = await gateway.Ehr.PostAsync("Observation", """{"resourceType":"Observation"}""", ("If-None-Exist", condition));
        Assert.Equal(400, created.Status);
        Assert.Contains("Limits:MaxSearchValues", created.Text);
    }

    [Fact]
    public async Task A_search_whose_client_has_gone_away_stops()
    {
        var longest = gateway.Options.Limits.MaxSearchTime;
        using var ended = new SemaphoreSlim(0);
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Scope == gateway.Service<IMeterFactory>() && instrument.Name == "http.server.request.duration")
                l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => ended.Release());
        using var client = new HttpClient();
        // A parameter that no record has a value of is looked for nowhere.
        var measured = await gateway.Ehr.PostAsync("Observation", """
            {"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":9}}
            """);
        Assert.True(measured.Status == 201, measured.Text);
        await ExecuteAsync(EndlessIndex.Sql(gateway.Options.Store.Provider));
        try
        {
            // Nothing else stops it in time.
            gateway.Options.Limits.MaxSearchTime = TimeSpan.FromMinutes(10);
            listener.Start();
            using var request = new HttpRequestMessage(
                HttpMethod.Get, $"{gateway.Options.Url}/fhir/Observation?value-quantity=gt5");
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", gateway.Ehr.Token);
            using var gone = new CancellationTokenSource();
            var asked = client.SendAsync(request, gone.Token);
            Assert.NotSame(asked, await Task.WhenAny(asked, Task.Delay(500)));
            Assert.Equal(0, ended.CurrentCount);
            await gone.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
            Assert.True(await ended.WaitAsync(TimeSpan.FromSeconds(30)), "the search goes on");
        }
        finally
        {
            gateway.Options.Limits.MaxSearchTime = longest;
            await ExecuteAsync(EndlessIndex.Undo);
        }
        Assert.Equal(200, (await gateway.Ehr.GetAsync("Observation?value-quantity=gt5&_count=1")).Status);

        async Task ExecuteAsync(string[] statements)
        {
            await using var connection = await TestStore.OpenAsync(gateway.Options);
            foreach (var sql in statements)
            {
                await using var command = connection.CreateCommand();
                command.CommandText = sql;
                await command.ExecuteNonQueryAsync();
            }
        }
    }

    [Fact]
    public async Task A_patch_of_the_resource_itself_is_refused_not_passed_over()
    {
        var patient = await gateway.NewPatientAsync();
        foreach (var type in new[] { "replace", "delete" })
        {
            var patch = $$$"""
                {"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"{{{type}}}"},
                {"name":"path","valueString":"Patient"},{"name":"value","valueString":"x"}]}]}
                """;
            var answer = await gateway.Ehr.PatchAsync($"Patient/{patient}", patch, FhirJson);
            Assert.True(answer.Status == 422, $"{type}: {answer.Status} {answer.Text}");
            Assert.Contains("the resource itself", answer.Text);
        }
    }
}

/// <summary>A gateway whose searches may take no time at all.</summary>
public class SearchTimeScenarios
{
    [Fact]
    public async Task A_search_that_takes_too_long_is_a_503_that_names_the_setting_and_a_read_is_as_it_was()
    {
        var gateway = new RunningGateway();
        gateway.Options.Limits.MaxSearchTime = TimeSpan.Zero;
        await gateway.InitializeAsync();
        try
        {
            var patient = await gateway.NewPatientAsync();
            foreach (var path in new[]
            {
                "Patient", $"Patient/{patient}/Observation", $"Patient/{patient}/$everything", $"Patient/{patient}/$retention",
            })
            {
                var answer = await gateway.Ehr.GetAsync(path);
                Assert.Equal(503, answer.Status);
                Assert.Contains("Limits:MaxSearchTime", answer.Text);
            }
            // A condition is a search as well.
            var update = await gateway.Ehr.PutAsync("Patient?identifier=x", """{"resourceType":"Patient"}""");
            Assert.Equal(503, update.Status);
            Assert.Contains("Limits:MaxSearchTime", update.Text);
            Assert.Equal(200, (await gateway.Ehr.GetAsync($"Patient/{patient}")).Status);
        }
        finally
        {
            await gateway.DisposeAsync();
        }
    }
}
