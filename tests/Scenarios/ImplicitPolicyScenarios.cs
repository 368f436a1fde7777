using PmrGateway.Gateway.Options;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>A gateway with an overarching policy for patients who have said nothing (IHE PCF, implicit option).</summary>
public class ImplicitPolicyScenarios
{
    private const string Reading =
        """{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/@"}}""";

    [Fact]
    public async Task A_patient_who_has_said_nothing_is_read_for_treatment_by_a_Consent_on_the_chain_until_the_first_word()
    {
        await using var running = await StartAsync(ConsentOptions.PermitTreatment);
        var patient = await running.NewPatientAsync();
        var self = await running.LoginPatientAsync(patient);
        var filed = RunningGateway.Only(await self.GetAsync("Consent")).GetProperty("id").GetString()!;
        Assert.Equal(200, (await UntilAsync(running.OtherEhr, patient, 200)).Status);
        // For payment nothing was said, and to write takes a consent that lets somebody collect.
        Assert.Equal(404, (await running.Insurer.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal(422, (await running.OtherEhr.PostAsync("Observation", Reading.Replace("@", patient))).Status);
        var status = await self.GetAsync($"Consent/{filed}/$ledger-status");
        Assert.Contains("confirmed", status.Text);
        Assert.Contains("implicit-permit-treatment", (await self.GetAsync($"Consent/{filed}")).Text);

        // Whatever it is about, the first word is the end of what silence was taken for.
        await RunningGateway.GrantAsync(self, patient, running.InsurerOrganization);
        Assert.Equal(404, (await running.OtherEhr.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal(410, (await self.GetAsync($"Consent/{filed}")).Status);
        Assert.Equal(200, (await UntilAsync(running.Insurer, patient, 200)).Status);

        // A request that ends it itself, and says something, does both once; of two at once both are done.
        var fifth = await running.NewPatientAsync();
        var own = await running.LoginPatientAsync(fifth);
        var implied = RunningGateway.Only(await own.GetAsync("Consent")).GetProperty("id").GetString()!;
        var consent = RunningGateway.Consent(fifth, running.InsurerOrganization);
        var both = await own.PostAsync("", $$$"""
            {"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"Consent/{{{implied}}}"}},
            {"resource":{{{consent}}},"request":{"method":"POST","url":"Consent"}}]}
            """);
        Assert.True(both.Status == 200, both.Text);
        var sixth = await running.NewPatientAsync();
        var said = await Task.WhenAll(Enumerable.Range(0, 6).Select(
            _ => running.Ehr.PostAsync("Consent", RunningGateway.Consent(sixth, running.InsurerOrganization))));
        Assert.All(said, a => Assert.True(a.Status == 201, a.Text));

        // Who ends it without another word is not asked again.
        var other = await running.NewPatientAsync();
        Assert.Equal(200, (await UntilAsync(running.OtherEhr, other, 200)).Status);
        var login = await running.LoginPatientAsync(other);
        var silent = RunningGateway.Only(await login.GetAsync("Consent")).GetProperty("id").GetString()!;
        var changed = RunningGateway.Consent(other, running.Hospital, id: silent);
        Assert.Equal(403, (await running.Ehr.PutAsync($"Consent/{silent}", changed)).Status);
        Assert.Equal(204, (await login.DeleteAsync($"Consent/{silent}")).Status);
        Assert.Equal(404, (await running.OtherEhr.GetAsync($"Patient/{other}")).Status);

        // Registered with a consent, nobody's silence is taken for anything.
        var together = await running.Ehr.PostAsync("", $$$"""
            {"resourceType":"Bundle","type":"transaction","entry":[
            {"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000b","resource":{"resourceType":"Patient"},
            "request":{"method":"POST","url":"Patient"}},
            {"resource":{{{RunningGateway.Consent("@", running.InsurerOrganization)
                .Replace("Patient/@", "urn:uuid:7fbd8b2e-0000-4000-8000-00000000000b", StringComparison.Ordinal)}}},
            "request":{"method":"POST","url":"Consent"}}]}
            """);
        Assert.True(together.Status == 200, together.Text);
        var third = RunningGateway.Entries(together).First().GetProperty("response").GetProperty("location").GetString()!
            .Split("/Patient/")[1].Split('/')[0];
        Assert.Equal(200, (await UntilAsync(running.Insurer, third, 200)).Status);
        Assert.Equal(404, (await running.OtherEhr.GetAsync($"Patient/{third}")).Status);

        // A wallet that takes the record over ends what was given in custody.
        var fourth = await running.NewPatientAsync();
        Assert.Equal(200, (await UntilAsync(running.OtherEhr, fourth, 200)).Status);
        await new Wallet().TakeOverAsync(running.Services, fourth, () => Task.Delay(100));
        Assert.Equal(404, (await running.OtherEhr.GetAsync($"Patient/{fourth}")).Status);
    }

    [Fact]
    public async Task A_first_word_that_is_a_no_ends_what_silence_was_taken_for_and_what_waits_for_a_decision_does_not()
    {
        await using var running = await StartAsync(ConsentOptions.PermitTreatment);
        foreach (var word in new[] { "rejected", "inactive", "refused proposal", "deleted proposal", "form" })
        {
            var patient = await running.NewPatientAsync();
            var self = await running.LoginPatientAsync(patient);
            var filed = RunningGateway.Only(await self.GetAsync("Consent")).GetProperty("id").GetString()!;
            string Text(string status, string? id = null) => RunningGateway.Consent(patient, running.OtherHospital, status: status, id: id);
            var draft = (await self.PostAsync("Consent", Text("draft"))).Id;
            Assert.Equal(204, (await self.DeleteAsync($"Consent/{draft}")).Status);
            var proposed = await running.OtherEhr.PostAsync("Consent", Text("proposed"));
            Assert.True(proposed.Status == 201, proposed.Text);
            Assert.Equal(200, (await self.GetAsync($"Consent/{filed}")).Status);
            var said = word switch
            {
                "refused proposal" => await self.PutAsync($"Consent/{proposed.Id}", Text("rejected", proposed.Id)),
                "deleted proposal" => await self.DeleteAsync($"Consent/{proposed.Id}"),
                "form" => await running.Ehr.PostAsync("Consent", Text("inactive")),
                var status => await self.PostAsync("Consent", Text(status)),
            };
            Assert.True(said.Status is 200 or 201 or 204, said.Text);
            Assert.Equal((word, 410), (word, (await self.GetAsync($"Consent/{filed}")).Status));
            Assert.Equal(404, (await running.OtherEhr.GetAsync($"Patient/{patient}")).Status);
        }
    }

    [Fact]
    public async Task A_policy_for_all_is_for_treatment_payment_and_operations()
    {
        await using var running = await StartAsync(ConsentOptions.PermitAll);
        var patient = await running.NewPatientAsync();
        foreach (var reader in new[] { running.OtherEhr, running.Insurer })
            Assert.Equal(200, (await UntilAsync(reader, patient, 200)).Status);
        var research = await running.RegisterSystemAsync("research", running.InsurerOrganization, "system/*.rs", "HRESCH");
        Assert.Equal(404, (await research.GetAsync($"Patient/{patient}")).Status);
    }

    [Fact]
    public void Another_policy_is_refused_by_name() =>
        Assert.Contains("Consent:ImplicitPolicy", new GatewayOptions { Consent = { ImplicitPolicy = "permit" } }.Validate());

    private static async Task<RunningGateway> StartAsync(string policy)
    {
        var gateway = new RunningGateway();
        gateway.Options.Consent.ImplicitPolicy = policy;
        await gateway.InitializeAsync();
        return gateway;
    }

    private static Task<Answer> UntilAsync(GatewayClient reader, string patient, int status) =>
        GatewayClient.UntilAsync(() => reader.GetAsync($"Patient/{patient}"), a => a.Status == status);
}
