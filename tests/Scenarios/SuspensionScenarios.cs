using PmrGateway.Mapping;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>An actor that is suspended has no access by any token, and gets back what consents say when it is reinstated.</summary>
[Collection(GatewayCollection.Name)]
public class SuspensionScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task Suspension_of_a_hospital_ends_access_by_every_token_of_it_and_reinstated_it_has_what_consents_say_now()
    {
        var name = "susp-" + ResourceId.New();
        var (hospital, feed) = await gateway.RegisterAsync(name, "Suspended Hospital", "prov", "system/*.cruds", "TREAT");
        var second = await gateway.RegisterSystemAsync(name + "-2", hospital, "system/*.cruds", "TREAT");
        var key = new ClientKey();
        var registered = await gateway.Operator.AdminAsync("clients", new
        {
            clientId = name + "-3",
            jwks = key.Jwks,
            actor = hospital,
            scopes = new[] { "system/*.rs" },
            purposes = new[] { "TREAT" },
        });
        Assert.Equal(201, registered.Status);
        async Task<GatewayClient> TokenAsync() => await gateway.Anyone.LoginAsync(name + "-3", key.Credentials, "system/*.rs");
        var (reference, doctor) = await gateway.RegisterDoctorAsync("dr-" + name, hospital);
        // The same doctor by another app, for less.
        var app = await gateway.Anyone.LoginUserAsync(
            RunningGateway.EmergencyApp, RunningGateway.Redirect, "dr-" + name, RunningGateway.Password,
            "openid fhirUser user/Patient.rs");
        GatewayClient[] clients = [feed, second, await TokenAsync(), await TokenAsync(), doctor, app];

        var (kept, revoked) = (await gateway.NewPatientAsync(), await gateway.NewPatientAsync());
        await RunningGateway.GrantAsync(gateway.Ehr, kept, hospital, "TREAT");
        var consent = await RunningGateway.GrantAsync(gateway.Ehr, revoked, hospital, "TREAT");
        string[] paths = [$"Patient/{kept}", $"Patient/{revoked}"];
        await MustAnswerAsync(200, 200);

        await SetActiveAsync(hospital, false);
        await MustAnswerAsync(403, 403);
        foreach (var client in clients)
        {
            foreach (var path in new[] { $"Patient?_id={kept}", $"Patient/{kept}/_history", $"Patient/{kept}/$everything", hospital })
                Assert.Equal((path, 403), (path, (await client.GetAsync(path)).Status));
            var entries = await ConditionalRequests.SendAsync(client, "batch", ConditionalRequests.Entry("GET", paths[0]));
            Assert.DoesNotContain(entries.Status == 200 ? ConditionalRequests.Statuses(entries) : [], s => s == "200");
        }
        // A token that is asked for now is no better; nor does anybody's break the glass.
        Assert.Equal(403, (await (await TokenAsync()).GetAsync(paths[0])).Status);
        var emergency = await EmergencyAsync("dr-" + name);
        Assert.Equal(403, (await emergency.PostAsync($"Patient/{kept}/$break-glass", "")).Status);
        Assert.Equal(403, (await emergency.GetAsync(paths[0])).Status);
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Consent/{consent}")).Status);

        await HeardAsync(hospital, false);
        await SetActiveAsync(hospital, true);
        await HeardAsync(hospital, true);
        await MustAnswerAsync(200, 404);
        Assert.Equal(404, (await emergency.GetAsync(paths[0])).Status);

        // The doctor alone: the hospital's systems go on.
        await SetActiveAsync(reference, false);
        foreach (var client in new[] { doctor, app, emergency })
            foreach (var path in paths) Assert.Equal(403, (await client.GetAsync(path)).Status);
        Assert.Equal(403, (await emergency.PostAsync($"Patient/{kept}/$break-glass", "")).Status);
        Assert.Equal(0, (await gateway.Ehr.GetAsync($"Task?patient={kept}")).Json.GetProperty("total").GetInt32());
        foreach (var client in new[] { feed, second }) Assert.Equal(200, (await client.GetAsync(paths[0])).Status);
        await HeardAsync(reference, false);
        await SetActiveAsync(reference, true);
        await HeardAsync(reference, true);
        await MustAnswerAsync(200, 404);

        async Task MustAnswerAsync(int ofKept, int ofRevoked)
        {
            for (var i = 0; i < clients.Length; i++)
            {
                var answers = (await clients[i].GetAsync(paths[0]), await clients[i].GetAsync(paths[1]));
                Assert.Equal((i, ofKept, ofRevoked), (i, answers.Item1.Status, answers.Item2.Status));
            }
        }
    }

    [Fact]
    public async Task Broken_glass_is_shut_while_who_broke_it_is_suspended_and_its_token_works_no_more()
    {
        var username = "dr-" + ResourceId.New();
        var (reference, _) = await gateway.RegisterDoctorAsync(username, gateway.OtherHospital);
        var emergency = await EmergencyAsync(username);
        var patient = await gateway.NewPatientAsync();
        Assert.Equal(201, (await emergency.PostAsync($"Patient/{patient}/$break-glass", "")).Status);
        var read = await GatewayClient.UntilAsync(() => emergency.GetAsync($"Patient/{patient}"), a => a.Status == 200);
        Assert.Equal(200, read.Status);
        await SetActiveAsync(reference, false);
        Assert.Equal(403, (await emergency.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal(403, (await emergency.PostAsync($"Patient/{patient}/$break-glass", "")).Status);
        Assert.Equal(403, (await (await EmergencyAsync(username)).GetAsync($"Patient/{patient}")).Status);
    }

    private Task<GatewayClient> EmergencyAsync(string username) => gateway.Anyone.LoginUserAsync(
        RunningGateway.EmergencyApp, RunningGateway.Redirect, username, RunningGateway.Password, "openid fhirUser user/*.cruds",
        ("purpose_of_use", "BTG"), ("purpose_of_use_reason", "unconscious"));

    private async Task SetActiveAsync(string reference, bool isActive)
    {
        var patch = $"[{{\"op\":\"add\",\"path\":\"/active\",\"value\":{(isActive ? "true" : "false")}}}]";
        var set = await gateway.Operator.PatchAsync(reference, patch, "application/json-patch+json");
        Assert.True(set.Status == 200, set.Text);
    }

    // It counts here at once; until the chain has said so too, its word could still come between what is asked.
    private async Task HeardAsync(string reference, bool isActive)
    {
        await using var connection = await TestStore.OpenAsync(gateway.Options);
        await using var command = connection.CreateCommand();
        command.CommandText = $"SELECT chain_active FROM actors WHERE reference = '{reference}'";
        for (var i = 0; i < 300; i++)
        {
            if (Equals(await command.ExecuteScalarAsync(), isActive ? 1L : 0L)) return;
            await Task.Delay(100);
        }
        Assert.Fail($"the chain does not say that {reference} is {(isActive ? "active" : "suspended")}");
    }
}
