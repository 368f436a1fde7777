using System.Text;

namespace PmrGateway.Tests.Scenarios;

[Collection(GatewayCollection.Name)]
public class PatchScenarios(RunningGateway gateway)
{
    private const string Json = "application/json-patch+json";
    private const string Fhir = "application/fhir+json";

    private static string Replace(string family) => $$"""[{"op":"replace","path":"/name/0/family","value":"{{family}}"}]""";

    private static string FhirPath(string family) => $$$"""
        {"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},
        {"name":"path","valueString":"Patient.name[0].family"},{"name":"value","valueString":"{{{family}}}"}]}]}
        """;

    [Fact]
    public async Task A_resource_is_patched_in_either_language_and_each_patch_is_a_version()
    {
        var id = await gateway.NewPatientAsync("One");
        var second = await gateway.Ehr.PatchAsync($"Patient/{id}", Replace("Two"), Json, ("If-Match", "W/\"1\""));
        Assert.True(second.Status == 200, second.Text);
        Assert.Equal("W/\"2\"", second.Headers.Headers.ETag!.ToString());
        var third = await gateway.Ehr.PatchAsync($"Patient/{id}", FhirPath("Three"), Fhir);
        Assert.True(third.Status == 200, third.Text);
        Assert.Contains("\"family\":\"Three\"", (await gateway.Ehr.GetAsync($"Patient/{id}")).Text);
        Assert.Contains("\"family\":\"Two\"", (await gateway.Ehr.GetAsync($"Patient/{id}/_history/2")).Text);
        Assert.Equal(412, (await gateway.Ehr.PatchAsync($"Patient/{id}", Replace("Four"), Json, ("If-Match", "W/\"1\""))).Status);
    }

    [Theory]
    [InlineData("""[{"op":"remove","path":"/nothing"}]""", Json, 422, "operation 1: there is nothing at /nothing")]
    [InlineData("""[{"op":"test","path":"/name/0/family","value":"x"}]""", Json, 422, "is not the one that is tested for")]
    [InlineData("""[{"op":"replace","path":"/id","value":"x"}]""", Json, 422, "does not change the id")]
    [InlineData("""[{"op":"add","path":"/nmae","value":[]}]""", Json, 422, "'nmae' is not an element of Patient")]
    [InlineData("{}", Json, 422, "an array of operations")]
    [InlineData("[", Json, 400, "the body is not JSON (line 1")]
    [InlineData("", Json, 400, "the body is empty")]
    [InlineData("""[{"op":"add","path":"/name","value":{"SECRETKEY":1,"SECRETKEY":2}}]""", Json, 400, "occurs twice in one object")]
    [InlineData("""[{"op":"add","path":"/gender","value":"\uD800"}]""", Json, 400, "a lone surrogate")]
    [InlineData("""{"resourceType":"Patient"}""", Fhir, 415, "a patch is a Parameters")]
    [InlineData("<x/>", "application/xml-patch+xml", 415, "application/fhir+json")]
    public async Task A_patch_that_cannot_be_applied_is_refused_with_its_reason(string patch, string type, int status, string names)
    {
        var id = await gateway.NewPatientAsync();
        var refused = await gateway.Ehr.PatchAsync($"Patient/{id}", patch, type);
        Assert.Equal(status, refused.Status);
        Assert.Contains(names, refused.Text);
        Assert.Equal(
            status == 415 ? ["application/json-patch+json, application/fhir+json"] : [],
            refused.Headers.Headers.TryGetValues("Accept-Patch", out var accepted) ? accepted : []);
        Assert.Equal("W/\"1\"", (await gateway.Ehr.GetAsync($"Patient/{id}")).Headers.Headers.ETag!.ToString());
    }

    [Fact]
    public async Task A_patch_may_begin_with_a_byte_order_mark_and_what_it_names_is_not_told_back_at_length()
    {
        var id = await gateway.NewPatientAsync("One");
        Assert.Equal(200, (await gateway.Ehr.PatchAsync($"Patient/{id}", "\uFEFF" + Replace("Two"), Json)).Status);
        var path = new string('x', 1 << 20);
        var refused = await gateway.Ehr.PatchAsync($"Patient/{id}", $$"""[{"op":"remove","path":"/{{path}}"}]""", Json);
        Assert.Equal(422, refused.Status);
        Assert.InRange(refused.Body.Length, 1, 1000);
    }

    [Fact]
    public async Task A_patch_makes_nothing_that_could_not_have_been_sent_and_ends_where_it_costs_too_much()
    {
        var id = await gateway.NewPatientAsync("One");
        var text = new string('x', 1 << 20);
        var copies = string.Join(',', Enumerable.Repeat("""{"op":"copy","from":"/name/1","path":"/name/-"}""", 40));
        var tooLarge = await gateway.Ehr.PatchAsync(
            $"Patient/{id}", $$$"""[{"op":"add","path":"/name/-","value":{"text":"{{{text}}}"}},{{{copies}}}]""", Json);
        Assert.Equal(413, tooLarge.Status);
        Assert.Contains("\"too-long\"", tooLarge.Text);
        var each = string.Concat(Enumerable.Repeat(".select(iif(true, %resource).descendants())", 10));
        var tooCostly = await gateway.Ehr.PatchAsync(
            $"Patient/{id}", FhirPath("Two").Replace("Patient.name[0].family", $"Patient{each}", StringComparison.Ordinal),
            Fhir);
        Assert.Equal(422, tooCostly.Status);
        Assert.Contains("\"too-costly\"", tooCostly.Text);
        Assert.Equal("W/\"1\"", (await gateway.Ehr.GetAsync($"Patient/{id}")).Headers.Headers.ETag!.ToString());
    }

    [Fact]
    public async Task Who_may_not_read_a_resource_learns_nothing_by_patching_it()
    {
        var id = await gateway.NewPatientAsync();
        var unknown = await gateway.OtherEhr.PatchAsync("Patient/never-existed", Replace("x"), Json);
        var denied = await gateway.OtherEhr.PatchAsync($"Patient/{id}", Replace("x"), Json);
        Assert.Equal((404, 404), (unknown.Status, denied.Status));
        Assert.Equal(unknown.Text, denied.Text);
        Assert.Equal(403, (await gateway.Insurer.PatchAsync($"Patient/{id}", Replace("x"), Json)).Status);
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Patient/{id}")).Status);
        Assert.Equal(410, (await gateway.Ehr.PatchAsync($"Patient/{id}", Replace("x"), Json)).Status);
    }

    [Fact]
    public async Task A_patch_is_an_entry_of_a_batch_and_of_a_transaction()
    {
        var id = await gateway.NewPatientAsync("One");
        var patch = Convert.ToBase64String(Encoding.UTF8.GetBytes(Replace("Two")));
        var binary = $$$"""{"resourceType":"Binary","contentType":"{{{Json}}}","data":"{{{patch}}}"}""";
        string Bundle(string type, string resource, string more = "") => $$$"""
            {"resourceType":"Bundle","type":"{{{type}}}","entry":[{"resource":{{{resource}}},"request":{"method":"PATCH",
            "url":"Patient/{{{id}}}"}}{{{more}}}]}
            """;
        var batch = await gateway.Ehr.PostAsync("", Bundle("batch", binary));
        Assert.Equal("200", RunningGateway.Entries(batch).Single().GetProperty("response").GetProperty("status").GetString());
        Assert.Contains("\"family\":\"Two\"", (await gateway.Ehr.GetAsync($"Patient/{id}")).Text);

        var transaction = await gateway.Ehr.PostAsync("", Bundle("transaction", FhirPath("Three")));
        Assert.True(transaction.Status == 200, transaction.Text);
        Assert.Contains("\"family\":\"Three\"", (await gateway.Ehr.GetAsync($"Patient/{id}")).Text);

        var invalid = "," + """{"resource":{"resourceType":"Observation"},"request":{"method":"POST","url":"Observation"}}""";
        var refused = await gateway.Ehr.PostAsync("", Bundle("transaction", FhirPath("Four"), invalid));
        Assert.Equal(422, refused.Status);
        var broken = await gateway.Ehr.PostAsync(
            "", Bundle("transaction", FhirPath("Four").Replace("name[0]", "contact", StringComparison.Ordinal)));
        Assert.Equal(422, broken.Status);
        Assert.Contains("Bundle.entry[0]", broken.Text);
        Assert.Contains("\"family\":\"Three\"", (await gateway.Ehr.GetAsync($"Patient/{id}")).Text);
    }
}
