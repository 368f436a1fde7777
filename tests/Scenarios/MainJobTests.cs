using System.Security.Cryptography;
using PmrGateway.Gateway.Cli;

namespace PmrGateway.Tests.Scenarios;

public class MainJobTests(RunningGateway gateway) : IClassFixture<RunningGateway>
{
    [Fact]
    public async Task An_insurer_is_refused_then_granted_then_reads_the_same_bytes_then_is_revoked_and_refused()
    {
        var patient = await gateway.NewPatientAsync();
        var pdf = RandomNumberGenerator.GetBytes(100_000);
        var document = await gateway.NewDocumentAsync(patient, pdf);

        Assert.Equal(404, (await gateway.Insurer.GetAsync($"DocumentReference/{document}")).Status);
        Assert.Equal(0, (await gateway.Insurer.GetAsync($"DocumentReference?patient={patient}")).Json.GetProperty("total").GetInt32());

        var consent = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
        var read = await gateway.Insurer.GetAsync($"DocumentReference/{document}");
        Assert.Equal(200, read.Status);
        Assert.Contains("basis=consent", read.Headers.Headers.GetValues("X-Consent-Decision").Single());
        var url = read.Json.GetProperty("content")[0].GetProperty("attachment").GetProperty("url").GetString()!;
        var binary = await gateway.Insurer.GetAsync(url, "application/pdf");
        Assert.Equal(pdf, binary.Body);
        Assert.Equal("application/pdf", binary.Headers.Content.Headers.ContentType!.ToString());
        Assert.Equal(1, (await gateway.Insurer.GetAsync($"DocumentReference?patient={patient}")).Json.GetProperty("total").GetInt32());

        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Consent/{consent}")).Status);
        foreach (var path in new[] { $"DocumentReference/{document}", url, $"Patient/{patient}", $"Patient/{patient}/$everything", $"DocumentReference/{document}/_history" })
            Assert.Equal(404, (await gateway.Insurer.GetAsync(path)).Status);
        var onChain = await GatewayClient.UntilAsync(() => gateway.Ehr.GetAsync($"Consent/{consent}/$ledger-status"), a => a.Text.Contains("\"block\"", StringComparison.Ordinal));
        Assert.Contains("revoked", onChain.Text);
        Assert.Contains("\"block\"", onChain.Text);
    }
}
