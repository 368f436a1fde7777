using System.Text;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Media types are written in any case. https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1</summary>
[Collection(GatewayCollection.Name)]
public class MediaTypeScenarios(RunningGateway gateway)
{
    [Theory]
    [InlineData("Application/FHIR+JSON", "", 200)]
    [InlineData("text/html, APPLICATION/JSON;q=0.9", "", 200)]
    [InlineData("Application/*", "", 200)]
    [InlineData("text/html", "", 406)]
    [InlineData("*/*", "JSON", 200)]
    [InlineData("*/*", "Application/FHIR%2BJson", 200)]
    [InlineData("*/*", "application/fhir+json; fhirVersion=4.0", 200)]
    [InlineData("*/*", "XML", 406)]
    [InlineData("application/fhir+json;q=0", "", 406)]
    [InlineData("*/*;q=0", "", 406)]
    [InlineData("*/*; Q=0.000", "", 406)]
    [InlineData("application/fhir+json;q=0, */*", "", 406)]
    [InlineData("application/*;q=0, */*;q=0.5", "", 406)]
    [InlineData("application/fhir+json;q=0.1, */*;q=0", "", 200)]
    [InlineData("application/fhir+json;q=much", "", 406)]
    [InlineData("application/fhir+json; fhirVersion=4.0", "", 200)]
    [InlineData("application/fhir+json; fhirVersion=3.0", "", 406)]
    [InlineData("application/fhir+json; fhirVersion=3.0, application/fhir+json", "", 200)]
    [InlineData("*/*", "application/fhir+json; fhirVersion=5.0", 406)]
    [InlineData("*/*;q=0", "json", 200)]
    public async Task Media_types_are_asked_for_in_any_case(string accept, string format, int status)
    {
        var asked = await gateway.Ehr.GetAsync($"Patient?_count=1{(format.Length > 0 ? "&_format=" + format : "")}", accept);
        Assert.True(asked.Status == status, asked.Text);
    }

    [Theory]
    [InlineData("application/fhir+json; charset=utf-8", 201)]
    [InlineData("application/fhir+json; charset=\"UTF-8\"; fhirVersion=4.0", 201)]
    [InlineData("application/fhir+json; charset=iso-8859-1", 415)]
    [InlineData("application/json;charset=utf-16", 415)]
    [InlineData("application/fhir+json; fhirVersion=3.0", 415)]
    [InlineData("application/fhir+json; fhirVersion=4.3", 415)]
    public async Task A_body_is_in_UTF_8_and_of_R4_or_says_nothing(string type, int status)
    {
        var body = """{"resourceType":"Patient"}"""u8.ToArray();
        Assert.Equal(status, (await gateway.Ehr.WriteAsync(HttpMethod.Post, "Patient", body, type)).Status);
        if (status == 201) return;
        var other = type[(type.IndexOf(';') + 1)..];
        var id = await gateway.NewPatientAsync();
        Assert.Equal(415, (await gateway.Ehr.PatchAsync($"Patient/{id}", "[]", "application/json-patch+json;" + other)).Status);
        Assert.Equal(415, (await gateway.Ehr.WriteAsync(
            HttpMethod.Post, "Patient/_search", "_count=1"u8.ToArray(), "application/x-www-form-urlencoded;" + other)).Status);
        // A text that is kept as it is may be in any characters.
        Assert.Equal(201, (await gateway.Ehr.WriteAsync(HttpMethod.Post, "Binary", body, "text/plain;" + other)).Status);
    }

    [Theory]
    [InlineData("application/fhir+json, image/png", "application/fhir+json")]
    [InlineData("image/png, application/fhir+json", "image/png")]
    [InlineData("application/fhir+json;q=0.5, image/png", "image/png")]
    [InlineData("image/*;q=0.1, application/fhir+json;q=0.2", "application/fhir+json")]
    public async Task A_Binary_comes_as_what_is_wanted_most(string accept, string type)
    {
        var id = (await gateway.Ehr.WriteAsync(HttpMethod.Post, "Binary", [1, 2, 3], "image/png")).Id;
        Assert.Equal(type, (await gateway.Ehr.GetAsync($"Binary/{id}", accept)).Headers.Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task What_format_asks_for_stands_before_Accept_also_of_a_Binary_and_in_an_entry()
    {
        var id = (await gateway.Ehr.WriteAsync(HttpMethod.Post, "Binary", [1, 2, 3], "image/png")).Id;
        var json = await gateway.Ehr.GetAsync($"Binary/{id}?_format=json", "image/png");
        Assert.Equal("AQID", json.Json.GetProperty("data").GetString());
        Assert.Equal("application/fhir+json", json.Headers.Content.Headers.ContentType!.MediaType);
        Assert.Equal(406, (await gateway.Ehr.GetAsync($"Binary/{id}?_format=xml", "image/png")).Status);
        Assert.Equal(406, (await gateway.Ehr.GetAsync($"Binary/{id}", "image/png;q=0, */*")).Status);
        Assert.Equal(406, (await gateway.Ehr.GetAsync($"Binary/{id}", "application/fhir+json;q=0")).Status);
        var batch = await gateway.Ehr.PostAsync("", """
            {"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient?_count=1&_format=xml"}},
            {"request":{"method":"GET","url":"Patient?_count=1&_format=json"}}]}
            """);
        Assert.Equal(
            ["406", "200"],
            RunningGateway.Entries(batch).Select(e => e.GetProperty("response").GetProperty("status").GetString()));
    }

    [Fact]
    public async Task Media_types_are_sent_in_any_case()
    {
        var id = await gateway.NewPatientAsync("One");
        var body = Encoding.UTF8.GetBytes($$"""{"resourceType":"Patient","id":"{{id}}"}""");
        var put = await gateway.Ehr.WriteAsync(HttpMethod.Put, $"Patient/{id}", body, "Application/FHIR+JSON; Charset=UTF-8");
        Assert.True(put.Status == 200, put.Text);
        var patch = """[{"op":"add","path":"/gender","value":"other"}]""";
        Assert.Equal(200, (await gateway.Ehr.PatchAsync($"Patient/{id}", patch, "Application/JSON-Patch+JSON")).Status);
        var carried = Convert.ToBase64String(Encoding.UTF8.GetBytes(patch));
        var batch = await gateway.Ehr.PostAsync("", $$$"""
            {"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"PATCH","url":"Patient/{{{id}}}"},
            "resource":{"resourceType":"Binary","contentType":"Application/JSON-Patch+JSON; charset=utf-8","data":"{{{carried}}}"} }]}
            """);
        Assert.Equal("200", RunningGateway.Entries(batch).Single().GetProperty("response").GetProperty("status").GetString());
        var form = await gateway.Ehr.WriteAsync(
            HttpMethod.Post, "Patient/_search", Encoding.UTF8.GetBytes($"_id={id}"), "Application/X-WWW-Form-Urlencoded");
        Assert.Equal(200, form.Status);
    }
}
