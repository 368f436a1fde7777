using System.Text.Json;

namespace PmrGateway.Tests.Scenarios;

/// <summary>If-Match and If-None-Match of a change. https://www.rfc-editor.org/rfc/rfc9110#section-13.1</summary>
[Collection(GatewayCollection.Name)]
public class PreconditionScenarios(RunningGateway gateway)
{
    [Theory]
    [InlineData("If-Match", "*", 200)]
    [InlineData("If-Match", "W/\"7\", W/\"1\"", 200)]
    [InlineData("If-Match", "W/\"7\", W/\"8\"", 412)]
    [InlineData("If-None-Match", "*", 412)]
    [InlineData("If-None-Match", "W/\"7\", \"1\"", 412)]
    [InlineData("If-None-Match", "W/\"7\"", 200)]
    public async Task A_change_is_made_where_its_preconditions_hold_alone_and_in_a_bundle(string header, string value, int status)
    {
        var id = await gateway.NewPatientAsync();
        var json = $$$"""{"resourceType":"Patient","id":"{{{id}}}","gender":"other"}""";
        Assert.Equal(status, (await gateway.Ehr.PutAsync($"Patient/{id}", json, (header, value))).Status);
        var (second, member) = (await gateway.NewPatientAsync(), header == "If-Match" ? "ifMatch" : "ifNoneMatch");
        var bundle = $$$"""
            {"resourceType":"Bundle","type":"transaction","entry":[{"resource":{{{json.Replace(id, second, StringComparison.Ordinal)}}},
            "request":{"method":"PUT","url":"Patient/{{{second}}}","{{{member}}}":{{{JsonSerializer.Serialize(value)}}}}}]}
            """;
        Assert.Equal(status, (await gateway.Ehr.PostAsync("", bundle)).Status);
    }

    [Fact]
    public async Task A_condition_of_a_create_is_not_passed_over_by_another_interaction()
    {
        var id = await gateway.NewPatientAsync();
        var refused = await gateway.Ehr.PutAsync(
            $"Patient/{id}", $$$"""{"resourceType":"Patient","id":"{{{id}}}"}""", ("If-None-Exist", "identifier=x"));
        Assert.True(refused.Status == 400 && refused.Text.Contains("If-None-Exist", StringComparison.Ordinal), refused.Text);
        Assert.Equal("1", (await gateway.Ehr.GetAsync($"Patient/{id}")).Json.GetProperty("meta").GetProperty("versionId").GetString());
    }

    [Fact]
    public async Task What_is_deleted_has_no_version_that_a_star_could_mean()
    {
        var id = await gateway.NewPatientAsync();
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Patient/{id}")).Status);
        var json = $$$"""{"resourceType":"Patient","id":"{{{id}}}"}""";
        Assert.Equal(412, (await gateway.Ehr.PutAsync($"Patient/{id}", json, ("If-Match", "*"))).Status);
        Assert.Equal(200, (await gateway.Ehr.PutAsync($"Patient/{id}", json, ("If-None-Match", "*"))).Status);
    }
}
