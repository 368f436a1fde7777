using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

[Collection(GatewayCollection.Name)]
public class BreakGlassScenarios(RunningGateway gateway)
{
    private const string App = "emergency-app";
    private const string Scope = "openid fhirUser user/*.rs";

    [Fact]
    public async Task Breaking_the_glass_takes_a_person_a_reason_and_a_permit_that_says_so_and_the_patient_reads_why()
    {
        Assert.Contains((await gateway.Operator.AdminAsync("clients", new
        {
            clientId = App,
            redirectUris = new[] { RunningGateway.Redirect },
            scopes = new[] { "user/*.rs" },
            purposes = new[] { "TREAT", "BTG" },
        })).Status, new[] { 201, 409 });
        var username = "dr-" + Guid.CreateVersion7();
        await gateway.RegisterDoctorAsync(username, gateway.Hospital);
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        const string Except = ",\"provision\":[{\"type\":\"permit\",\"purpose\":[{\"code\":\"BTG\"}]}]";
        const string ForPayment =
            "\"purpose\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ActReason\",\"code\":\"HPAYMT\"}],";
        var denial = RunningGateway.Consent(patient, gateway.Hospital, more: Except)
            .Replace("\"provision\":{\"type\":\"permit\",", "\"provision\":{\"type\":\"deny\",", StringComparison.Ordinal)
            .Replace(ForPayment, "", StringComparison.Ordinal);
        var posted = await self.PostAsync("Consent", denial);
        Assert.True(posted.Status == 201, posted.Text);
        await GatewayClient.UntilAsync(
            () => self.GetAsync($"Consent/{posted.Id}/$ledger-status"), a => a.Text.Contains("confirmed", StringComparison.Ordinal));

        Task<GatewayClient> LoginAsync(string app, params (string, string)[] more) =>
            gateway.Anyone.LoginUserAsync(app, RunningGateway.Redirect, username, RunningGateway.Password, Scope, more);
        Assert.Equal(404, (await (await LoginAsync(App)).GetAsync($"Patient/{patient}")).Status);
        // Without a reason, and in an app that is not registered for it, there is no such token.
        await Assert.ThrowsAsync<InvalidOperationException>(() => LoginAsync(App, ("purpose_of_use", "BTG")));
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => LoginAsync(RunningGateway.App, ("purpose_of_use", "BTG"), ("purpose_of_use_reason", "x")));
        var emergency = await LoginAsync(App, ("purpose_of_use", "BTG"), ("purpose_of_use_reason", "unconscious, no history"));
        Assert.Equal(200, (await emergency.GetAsync($"Patient/{patient}")).Status);

        var log = await self.GetAsync("AuditEvent");
        var told = RunningGateway.Entries(log).Select(e => e.GetProperty("resource").GetRawText())
            .Single(e => e.Contains("BTG") && !e.Contains("AuthZ-Consent"));
        Assert.Contains("unconscious, no history", told);
        Assert.Null(await gateway.Service<Store.AuditLog>().FirstBrokenAsync(default));
    }

    [Fact]
    public async Task A_system_does_not_break_the_glass()
    {
        var client = await gateway.RegisterSystemAsync("btg-" + Guid.CreateVersion7(), gateway.InsurerOrganization, "system/*.rs", "BTG");
        var patient = await gateway.NewPatientAsync();
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization, "BTG");
        Assert.Equal(200, (await client.GetAsync(gateway.Hospital)).Status);
        Assert.Equal(404, (await client.GetAsync($"Patient/{patient}")).Status);
    }
}
