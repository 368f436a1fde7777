using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>What a Binary tells of the records that link to it.</summary>
[Collection(GatewayCollection.Name)]
public class BinaryScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task Who_wrote_a_Binary_is_told_nothing_of_a_colleagues_record_that_links_to_it()
    {
        var lab = await gateway.RegisterSystemAsync("binary-lab", gateway.Hospital, "system/*.cruds", "TREAT");
        var patient = await gateway.NewPatientAsync();
        var binary = (await lab.PostAsync("Binary", """{"resourceType":"Binary","contentType":"text/plain","data":"AAAA"}""")).Id;
        Assert.Equal(201, (await gateway.Ehr.PostAsync("DocumentReference", Linking(patient, binary))).Status);
        var sent = await lab.GetAsync($"Binary/{binary}");
        Assert.Equal(200, sent.Status);
        Assert.DoesNotContain("securityContext", sent.Text);
        Assert.Equal(0, await TotalAsync(lab, $"Patient/{patient}/Binary"));
        Assert.Equal(404, (await lab.GetAsync($"Patient/{patient}/$everything")).Status);

        // By a record of its own it knows.
        Assert.Equal(201, (await lab.PostAsync("DocumentReference", Linking(patient, binary))).Status);
        Assert.Equal(1, await TotalAsync(lab, $"Patient/{patient}/Binary"));
        Assert.Equal(2, await TotalAsync(lab, $"Patient/{patient}/$everything"));
    }

    [Fact]
    public async Task A_Binary_is_in_the_compartment_that_it_was_sent_for_and_says_so()
    {
        var patient = await gateway.NewPatientAsync();
        var binary = (await gateway.Ehr.PostAsync("Binary", $$$"""
            {"resourceType":"Binary","contentType":"text/plain","securityContext":{"reference":"Patient/{{{patient}}}"},"data":"AAAA"}
            """)).Id;
        var read = await gateway.Ehr.GetAsync($"Binary/{binary}");
        Assert.Contains($"\"securityContext\":{{\"reference\":\"Patient/{patient}\"}}", read.Text);
        Assert.Equal(1, await TotalAsync(gateway.Ehr, $"Patient/{patient}/Binary"));
    }

    [Theory]
    [InlineData("http://evil.example/x")]
    [InlineData("http://evil.example/Patient/x")]
    [InlineData("Organization/x")]
    [InlineData("garbage")]
    public async Task A_security_context_that_would_close_nothing_is_refused_in_the_header_as_in_JSON(string context)
    {
        var raw = await gateway.Ehr.WriteAsync(HttpMethod.Post, "Binary", [1], "image/png", ("X-Security-Context", context));
        var json = await gateway.Ehr.PostAsync("Binary", $$$"""
            {"resourceType":"Binary","contentType":"image/png","securityContext":{"reference":"{{{context}}}"},"data":"AAAA"}
            """);
        foreach (var refused in (Answer[])[raw, json])
        {
            Assert.Equal(422, refused.Status);
            Assert.Contains("Binary.securityContext", refused.Text);
        }
    }

    [Fact]
    public async Task A_Binary_keeps_the_security_context_that_it_was_created_with()
    {
        var (patient, other) = (await gateway.NewPatientAsync(), await gateway.NewPatientAsync());
        (string, string) Context(string id) => ("X-Security-Context", $"{gateway.Ehr.BaseUrl}/fhir/Patient/{id}");
        var binary = (await gateway.Ehr.WriteAsync(HttpMethod.Post, "Binary", [1], "image/png", Context(patient))).Id;
        Assert.Equal(1, await TotalAsync(gateway.Ehr, $"Patient/{patient}/Binary"));
        var read = await gateway.Ehr.GetAsync($"Binary/{binary}");
        Assert.Equal(200, (await gateway.Ehr.PutAsync($"Binary/{binary}", read.Text)).Status);
        Task<Answer> PutAsync(string id) =>
            gateway.Ehr.WriteAsync(HttpMethod.Put, $"Binary/{binary}", [2], "image/png", Context(id));
        Assert.Equal(200, (await PutAsync(patient)).Status);
        Assert.Equal(422, (await PutAsync(other)).Status);
    }

    [Theory]
    [InlineData("garbage")]
    [InlineData("")]
    [InlineData("a/b/c")]
    [InlineData("text/")]
    public async Task A_Binary_of_no_media_type_is_a_415(string type) =>
        Assert.Equal(415, (await gateway.Ehr.WriteAsync(HttpMethod.Post, "Binary", [1], type)).Status);

    [Fact]
    public async Task Another_hospitals_record_that_links_to_a_Binary_does_not_keep_it_from_its_end()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1, 2, 3]);
        var kept = await gateway.Ehr.GetAsync($"DocumentReference/{document}");
        var binary = kept.Json.GetProperty("content")[0].GetProperty("attachment").GetProperty("url").GetString()!.Split('/')[1];
        var other = await gateway.OtherEhr.PostAsync("Patient", """{"resourceType":"Patient"}""");
        Assert.Equal(201, (await gateway.OtherEhr.PostAsync("DocumentReference", Linking(other.Id, binary))).Status);
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"DocumentReference/{document}")).Status);
        Assert.Equal(410, (await gateway.Ehr.GetAsync($"Binary/{binary}")).Status);
    }

    private static string Linking(string patient, string binary) => $$$"""
        {"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/{{{patient}}}"},
        "content":[{"attachment":{"url":"Binary/{{{binary}}}"}}]}
        """;

    private static async Task<int> TotalAsync(GatewayClient client, string list)
    {
        var answer = await client.GetAsync(list);
        Assert.True(answer.Status == 200, answer.Text);
        return answer.Json.GetProperty("total").GetInt32();
    }
}
