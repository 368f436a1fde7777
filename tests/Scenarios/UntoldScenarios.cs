using System.Text.RegularExpressions;
using PmrGateway.Mapping;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Writes that would be questions, and claims beside the token: neither changes what who asks is told.</summary>
[Collection(GatewayCollection.Name)]
public class UntoldScenarios(RunningGateway gateway)
{
    private const string Actions = "http://terminology.hl7.org/CodeSystem/consentaction";
    private const string Collect = ",\"action\":[{\"coding\":[{\"system\":\"" + Actions + "\",\"code\":\"collect\"}]}]";

    [Fact]
    public async Task A_create_about_a_patient_who_has_revoked_is_answered_as_one_about_nobody()
    {
        var (patient, nobody) = (await gateway.NewPatientAsync(), ResourceId.New());
        var consent = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "TREAT", Collect);
        Assert.Equal(201, (await gateway.OtherEhr.PostAsync("Observation", Observation(patient))).Status);
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Consent/{consent}")).Status);
        Func<string, Task<Answer>>[] writes =
        [
            of => gateway.OtherEhr.PostAsync("Observation", Observation(of)),
            of => gateway.OtherEhr.PutAsync("Observation?identifier=urn:key|" + ResourceId.New(), Observation(of)),
            of => gateway.OtherEhr.PostAsync("Observation", Observation(of), ("If-None-Exist", "identifier=urn:key|" + ResourceId.New())),
            of => ConditionalRequests.SendAsync(
                gateway.OtherEhr, "transaction", ConditionalRequests.Entry("POST", "Observation", Observation(of))),
            of => ConditionalRequests.SendAsync(
                gateway.OtherEhr, "batch", ConditionalRequests.Entry("POST", "Observation", Observation(of))),
        ];
        foreach (var write in writes)
        {
            var (revoked, unknown) = (await write(patient), await write(nobody));
            Assert.Equal(Told(unknown, nobody), Told(revoked, patient));
            Assert.Contains("422", revoked.Status == 200 ? revoked.Text : $"{revoked.Status}");
        }
    }

    [Fact]
    public async Task If_None_Exist_tells_of_what_was_revoked_as_much_as_of_what_never_was()
    {
        var (patient, own) = (await gateway.NewPatientAsync(), (await gateway.OtherEhr.PostAsync("Patient", Patient)).Id);
        var (one, two) = (ResourceId.New(), ResourceId.New());
        var hidden = new List<string>();
        foreach (var key in new[] { one, two, two })
            hidden.Add((await gateway.Ehr.PostAsync("Observation", Observation(patient, key))).Id);
        var consent = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "TREAT");
        Task<Answer> AskAsync(string criteria) =>
            gateway.OtherEhr.PostAsync("Observation", Observation(own), ("If-None-Exist", criteria));
        var known = await AskAsync("identifier=urn:key|" + one);
        Assert.Equal((200, hidden[0]), (known.Status, known.Id));
        Assert.Equal(412, (await AskAsync("identifier=urn:key|" + two)).Status);
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Consent/{consent}")).Status);
        foreach (var (ofRevoked, ofNone) in new[]
        {
            ("identifier=urn:key|" + one, "identifier=urn:key|" + ResourceId.New()),
            ("identifier=urn:key|" + two, "identifier=urn:key|" + ResourceId.New()),
            ($"_id={hidden[0]}", $"_id={ResourceId.New()}"),
            ($"patient=Patient/{patient}", $"patient=Patient/{ResourceId.New()}"),
        })
        {
            // In a bundle first: what is made by the one is no match for the other.
            foreach (var type in new[] { "batch", "transaction" })
            {
                Task<Answer> EntryAsync(string criteria) => ConditionalRequests.SendAsync(
                    gateway.OtherEhr, type,
                    ConditionalRequests.Entry("POST", "Observation", Observation(own), $",\"ifNoneExist\":\"{criteria}\""));
                var (a, b) = (await EntryAsync(ofNone), await EntryAsync(ofRevoked));
                Assert.True(ConditionalRequests.Statuses(b).SingleOrDefault() == "201", $"{ofRevoked}: {b.Text}");
                Assert.Equal(Told(a, own), Told(b, own));
            }
            var (unknown, revoked) = (await AskAsync(ofNone), await AskAsync(ofRevoked));
            Assert.Equal((ofRevoked, 201), (ofRevoked, revoked.Status));
            Assert.Equal(Told(unknown, own), Told(revoked, own));
            Assert.DoesNotContain(revoked.Id, hidden);
        }
        // Nothing was made of the patient's, and nothing of it changed.
        Assert.Equal(3, (await gateway.Ehr.GetAsync($"Observation?patient={patient}")).Json.GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task Purpose_and_organization_are_the_tokens_whatever_a_request_says_besides()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1, 2, 3]);
        // Permitted are the insurer for another purpose than its token's, and another organization for the token's.
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization, "TREAT");
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "HPAYMT");
        var path = $"DocumentReference/{document}";
        var refused = await gateway.Insurer.GetAsync(path);
        Assert.Equal(404, refused.Status);
        string[] names =
        [
            "X-Purpose-Of-Use", "Purpose-Of-Use", "X-Purpose", "purpose_of_use", "X-Organization", "X-Organization-Id", "X-Actor",
            "X-On-Behalf-Of", "X-Provenance", "X-Consent", "X-Client-Id", "X-Forwarded-User", "X-Reason",
        ];
        string[] values = ["TREAT", "BTG", gateway.OtherHospital, gateway.Hospital, $"Patient/{patient}"];
        foreach (var value in values)
        {
            (string, string)[] headers = [.. names.Select(n => (n, value))];
            var claimed = await gateway.Insurer.GetAsync(path, headers: headers);
            Assert.Equal((404, refused.Text), (claimed.Status, claimed.Text));
            var found = await gateway.Insurer.GetAsync($"DocumentReference?patient={patient}", headers: headers);
            Assert.Equal((200, 0), (found.Status, found.Json.GetProperty("total").GetInt32()));
        }
        foreach (var name in new[] { "purpose", "_purpose", "purpose_of_use", "_organization", "on-behalf-of", "actor", "reason" })
        {
            foreach (var value in values)
            {
                var query = $"{name}={Uri.EscapeDataString(value)}";
                // A read has no such parameter, a search refuses what it does not know, be it in the URL or in the form.
                Assert.InRange((await gateway.Insurer.GetAsync($"{path}?{query}")).Status, 400, 404);
                var inUrl = await gateway.Insurer.GetAsync($"DocumentReference?patient={patient}&{query}");
                var inForm = await gateway.Insurer.PostFormAsync(
                    "fhir/DocumentReference/_search", new Dictionary<string, string> { ["patient"] = patient, [name] = value });
                foreach (var answer in new[] { inUrl, inForm })
                    Assert.True(answer.Status == 400 && answer.Text.Contains(name, StringComparison.Ordinal), $"{query}: {answer.Text}");
                Assert.InRange((await gateway.Insurer.GetAsync($"Patient/{patient}/$everything?{query}")).Status, 400, 404);
            }
        }
        // What a login may be for its client is registered.
        var key = new ClientKey();
        var registered = await gateway.Operator.AdminAsync("clients", new
        {
            clientId = "claim-" + patient,
            jwks = key.Jwks,
            actor = gateway.InsurerOrganization,
            scopes = new[] { "system/*.rs" },
            purposes = new[] { "HPAYMT" },
        });
        Assert.Equal(201, registered.Status);
        var wider = await gateway.Anyone.RequestTokenAsync("claim-" + patient, key.Credentials, "system/*.rs", "TREAT");
        Assert.Equal(400, wider.Status);
        // By a token that is for it, the same request is answered.
        var treating = await gateway.RegisterSystemAsync("treat-" + patient, gateway.InsurerOrganization, "system/*.rs", "TREAT");
        Assert.Equal(200, (await treating.GetAsync(path, headers: ("X-Purpose-Of-Use", "HPAYMT"))).Status);
    }

    private const string Patient = """{"resourceType":"Patient","name":[{"family":"Own"}]}""";

    private static string Observation(string patient, string? key = null) => $$$"""
        {"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{{{patient}}}"}
        {{{(key is null ? "" : $",\"identifier\":[{{\"system\":\"urn:key\",\"value\":\"{key}\"}}]")}}}}
        """;

    // An answer without what is another in every answer.
    private static string Told(Answer answer, string about)
    {
        var headers = answer.Headers.Headers.Concat(answer.Headers.Content.Headers)
            .Where(h => h.Key is not ("Date" or "Last-Modified"))
            .Select(h => $"{h.Key}: {string.Join(',', h.Value)}").Order();
        var text = $"{answer.Status} {string.Join('\n', headers)}\n{answer.Text}";
        return Regex.Replace(
            text.Replace(about, "p", StringComparison.Ordinal),
            @"\d{4}-\d\d-\d\dT[\d:.]+Z?|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "*");
    }
}
