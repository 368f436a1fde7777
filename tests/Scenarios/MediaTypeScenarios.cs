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
    public async Task Media_types_are_asked_for_in_any_case(string accept, string format, int status)
    {
        var asked = await gateway.Ehr.GetAsync($"Patient?_count=1{(format.Length > 0 ? "&_format=" + format : "")}", accept);
        Assert.True(asked.Status == status, asked.Text);
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
