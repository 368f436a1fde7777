using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Entries of batches and transactions that read. https://hl7.org/fhir/R4/http.html#transaction</summary>
[Collection(GatewayCollection.Name)]
public class BundleScenarios(RunningGateway gateway)
{
    private static string Read(string url, string method = "GET") => $$$"""{"request":{"method":"{{{method}}}","url":"{{{url}}}"}}""";

    private static string Create(string identifier) => $$$"""
        {"resource":{"resourceType":"Patient","identifier":[{"system":"urn:bundle","value":"{{{identifier}}}"}]},
        "request":{"method":"POST","url":"Patient"}}
        """;

    private Task<Answer> SendAsync(string type, params string[] entries) =>
        gateway.Ehr.PostAsync("", $$"""{"resourceType":"Bundle","type":"{{type}}","entry":[{{string.Join(',', entries)}}]}""");

    private static IEnumerable<string?> Statuses(Answer answer) =>
        RunningGateway.Entries(answer).Select(e => e.GetProperty("response").GetProperty("status").GetString());

    [Theory]
    [InlineData("Patient/never-existed", 404)]
    [InlineData("Patient?colour=red", 400)]
    [InlineData("Patient?_format=xml", 406)]
    [InlineData("Patient/x/$nothing", 405)]
    public async Task A_transaction_one_of_whose_reads_fails_fails_as_a_whole(string url, int status)
    {
        var identifier = Guid.CreateVersion7().ToString();
        foreach (var method in (string[])["GET", "HEAD"])
        {
            var refused = await SendAsync("transaction", Create(identifier), Read(url, method));
            Assert.True(refused.Status == status, refused.Text);
            Assert.Contains("Bundle.entry[1]", refused.Text);
        }
        var found = await gateway.Ehr.GetAsync($"Patient?identifier=urn:bundle|{identifier}");
        Assert.Equal(0, found.Json.GetProperty("total").GetInt32());
        Assert.Equal(["201", $"{status}"], Statuses(await SendAsync("batch", Create(identifier), Read(url))));
    }

    [Fact]
    public async Task A_transaction_reads_what_it_has_written()
    {
        var id = await gateway.NewPatientAsync();
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Patient/{id}")).Status);
        var put = $$$"""
            {"resource":{"resourceType":"Patient","id":"{{{id}}}","gender":"other"},"request":{"method":"PUT","url":"Patient/{{{id}}}"}}
            """;
        var answer = await SendAsync("transaction", Read($"Patient/{id}"), put);
        Assert.True(answer.Status == 200, answer.Text);
        Assert.Equal("other", RunningGateway.Entries(answer).First().GetProperty("resource").GetProperty("gender").GetString());
    }

    [Theory]
    [InlineData("batch")]
    [InlineData("transaction")]
    public async Task HEAD_in_an_entry_is_a_GET_without_its_resource(string type)
    {
        var id = await gateway.NewPatientAsync();
        var binary = (await gateway.Ehr.WriteAsync(HttpMethod.Post, "Binary", [1, 2, 3], "image/png")).Id;
        var answer = await SendAsync(
            type, Read($"Patient/{id}", "HEAD"), Read($"Patient/{id}"), Read("Patient?_count=1", "HEAD"), Read($"Binary/{binary}", "HEAD"));
        Assert.Equal(["200", "200", "200", "200"], Statuses(answer));
        Assert.Equal(
            [false, true, false, false], RunningGateway.Entries(answer).Select(e => e.TryGetProperty("resource", out _)));
        var first = RunningGateway.Entries(answer).First().GetProperty("response");
        Assert.Equal("W/\"1\"", first.GetProperty("etag").GetString());
        Assert.Equal(["404"], Statuses(await SendAsync("batch", Read("Patient/never-existed", "HEAD"))));
    }

    [Theory]
    [InlineData("batch")]
    [InlineData("transaction")]
    public async Task Entries_that_are_no_array_are_a_400_and_nothing_is_done(string type)
    {
        var identifier = Guid.CreateVersion7().ToString();
        var refused = await gateway.Ehr.PostAsync(
            "", $$"""{"resourceType":"Bundle","type":"{{type}}","entry":{{Create(identifier)}}}""");
        Assert.Equal(400, refused.Status);
        Assert.Equal("Bundle.entry", refused.Json.GetProperty("issue")[0].GetProperty("expression")[0].GetString());
        var found = await gateway.Ehr.GetAsync($"Patient?identifier=urn:bundle|{identifier}");
        Assert.Equal(0, found.Json.GetProperty("total").GetInt32());
    }

    [Theory]
    [InlineData("1", 200)]
    [InlineData("%2B1", 404)]
    [InlineData("01", 404)]
    [InlineData("1%20", 404)]
    [InlineData("0", 404)]
    [InlineData("-1", 404)]
    public async Task A_version_is_named_by_its_text(string version, int status)
    {
        var id = await gateway.NewPatientAsync();
        Assert.Equal(status, (await gateway.Ehr.GetAsync($"Patient/{id}/_history/{version}")).Status);
    }
}
