using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>
/// The life of a Consent: at each step what counted before ends and what counts now begins, by one version and what the chain is told of
/// it, never by one without the other.
/// </summary>
[Collection(GatewayCollection.Name)]
public class LifecycleScenarios(RunningGateway gateway)
{
    private const string Types = "http://hl7.org/fhir/resource-types";

    [Fact]
    public async Task A_standing_consent_is_extended_and_narrowed_and_each_time_the_old_terms_end_and_the_new_ones_count()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1, 2, 3]);
        var self = await gateway.LoginPatientAsync(patient);
        var insurer = new Requester(gateway.InsurerOrganization, gateway.InsurerOrganization, null, null, true, ["HPAYMT"]);
        var (now, later) = (TimeProvider.System.GetUtcNow(), TimeProvider.System.GetUtcNow().AddDays(30));
        Task<bool> IsSeenThenAsync(string type, string id) => gateway.IsSeenAsync(insurer, type, id, later);
        async Task IsNowAsync(int ofDocument, int ofPatient)
        {
            Assert.Equal(ofDocument, (await gateway.Insurer.GetAsync($"DocumentReference/{document}")).Status);
            Assert.Equal(ofPatient, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
        }

        string Terms(string type, int days) =>
            $",\"period\":{{\"start\":\"2026-01-01\",\"end\":\"{now.AddDays(days):yyyy-MM-dd}\"}}"
            + (type.Length == 0 ? "" : $",\"class\":[{{\"system\":\"{Types}\",\"code\":\"{type}\"}}]");
        var consent = await RunningGateway.GrantAsync(
            self, patient, gateway.InsurerOrganization, more: Terms("DocumentReference", 1));
        Assert.Equal("+1 -0", await EffectsAsync(patient));
        await IsNowAsync(200, 404);
        Assert.False(await IsSeenThenAsync("DocumentReference", document));

        // Longer, and everything.
        await UpdateAsync(2, Terms("", 700));
        Assert.Equal("+2 -1", await EffectsAsync(patient));
        await GatewayClient.UntilAsync(() => gateway.Insurer.GetAsync($"Patient/{patient}"), a => a.Status == 200);
        await IsNowAsync(200, 200);
        Assert.True(await IsSeenThenAsync("DocumentReference", document) && await IsSeenThenAsync("Patient", patient));

        // Another class and a shorter time: what it no longer holds is shut by the very next read.
        await UpdateAsync(3, Terms("Patient", 2));
        await IsNowAsync(404, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal("+3 -2", await EffectsAsync(patient));
        await GatewayClient.UntilAsync(() => gateway.Insurer.GetAsync($"Patient/{patient}"), a => a.Status == 200);
        await IsNowAsync(404, 200);
        Assert.False(await IsSeenThenAsync("DocumentReference", document) || await IsSeenThenAsync("Patient", patient));

        // The chain has each of the three as granted once and the two before as revoked once.
        var onChain = await EventsAsync(patient, 5);
        Assert.Equal(3, onChain.OfType<ConsentGrantedEvent>().DistinctBy(e => e.Commitment).Count());
        Assert.Equal(
            onChain.OfType<ConsentGrantedEvent>().Take(2).Select(e => e.Commitment).Order(),
            onChain.OfType<ConsentRevokedEvent>().Select(e => e.Commitment).Order());
        Assert.Equal(5, onChain.Count);

        async Task UpdateAsync(int version, string more)
        {
            var text = RunningGateway.Consent(patient, gateway.InsurerOrganization, more: more, id: consent);
            var updated = await self.PutAsync($"Consent/{consent}", text);
            Assert.Equal((200, $"W/\"{version}\""), (updated.Status, $"{updated.Headers.Headers.ETag}"));
        }
    }

    [Fact]
    public async Task A_proposal_is_accepted_by_the_signature_of_the_patients_wallet_alone()
    {
        var (actor, insurer) = await gateway.RegisterAsync(
            "asking-" + ResourceId.New(), "Asking", "ins", "system/*.cruds", "HPAYMT");
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var wallet = new Wallet();
        await wallet.TakeOverAsync(gateway.Services, patient, () => Task.Delay(100));
        var proposed = await insurer.PostAsync("Consent", RunningGateway.Consent(patient, actor, status: "proposed"));
        Assert.True(proposed.Status == 201, proposed.Text);
        var active = RunningGateway.Consent(patient, actor, id: proposed.Id);
        var offer = IntentOffer.Grant(await self.PostAsync("Consent/$intent", active));
        var stranger = offer.Signed(active, new Wallet().SignTypedData(offer.TypedData));
        var other = offer.Signed(
            active.Replace("HPAYMT", "HRESCH", StringComparison.Ordinal), wallet.SignTypedData(offer.TypedData));
        foreach (var text in new[] { active, stranger, other })
        {
            var refused = await self.PutAsync($"Consent/{proposed.Id}", text);
            Assert.Equal((422, true), (refused.Status, refused.Text.Contains("Consent.extension", StringComparison.Ordinal)));
        }
        Assert.Equal("requested", await StatusAsync("Task"));
        Assert.Equal("+0 -0", await EffectsAsync(patient));

        var signed = offer.Signed(active, wallet.SignTypedData(offer.TypedData));
        // Who proposes does not bring the patient's word.
        Assert.Equal(403, (await insurer.PutAsync($"Consent/{proposed.Id}", signed)).Status);
        var accepted = await self.PutAsync($"Consent/{proposed.Id}", signed);
        Assert.Equal((200, "W/\"2\""), (accepted.Status, $"{accepted.Headers.Headers.ETag}"));
        Assert.Equal(("active", "completed"), (await StatusAsync("Consent"), await StatusAsync("Task")));
        Assert.Equal("+1 -0", await EffectsAsync(patient));
        var read = await GatewayClient.UntilAsync(() => insurer.GetAsync($"Patient/{patient}"), a => a.Status == 200);
        Assert.Equal(200, read.Status);
        Assert.Single(await EventsAsync(patient, 1));

        async Task<string?> StatusAsync(string type) =>
            (await self.GetAsync($"{type}/{proposed.Id}")).Json.GetProperty("status").GetString();
    }

    [Fact]
    public async Task Each_step_of_a_consent_is_one_version_and_what_the_chain_is_told_of_it_once()
    {
        var (actor, insurer) = await gateway.RegisterAsync(
            "asking-" + ResourceId.New(), "Asking", "ins", "system/*.cruds", "HPAYMT");
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        const string Documents = ",\"class\":[{\"system\":\"" + Types + "\",\"code\":\"DocumentReference\"}]";
        var proposed = await insurer.PostAsync("Consent", RunningGateway.Consent(patient, actor, status: "proposed"));
        Assert.True(proposed.Status == 201, proposed.Text);
        await MustBeAsync("proposed", 1, "+0 -0");
        foreach (var (step, status, more, effects) in new[]
        {
            ("accepted", "active", "", "+1 -0"), ("narrowed", "active", Documents, "+2 -1"), ("extended", "active", "", "+3 -2"),
            ("ended", "inactive", "", "+3 -3"), ("corrected after its end", "entered-in-error", "", "+3 -3"),
            ("given again", "active", "", "+4 -3"), ("entered in error", "entered-in-error", "", "+4 -4"),
        })
        {
            var before = long.Parse((await self.GetAsync($"Consent/{proposed.Id}")).Headers.Headers.ETag!.Tag.Trim('"'), null);
            var done = await self.PutAsync(
                $"Consent/{proposed.Id}", RunningGateway.Consent(patient, actor, "HPAYMT", more, status, proposed.Id));
            Assert.True(done.Status == 200, $"{step}: {done.Text}");
            await MustBeAsync(step, before + 1, effects);
        }
        var second = await self.PostAsync("Consent", RunningGateway.Consent(patient, actor));
        Assert.Equal("+5 -4", await EffectsAsync(patient));
        Assert.Equal(204, (await self.DeleteAsync($"Consent/{second.Id}")).Status);
        Assert.Equal("+5 -5", await EffectsAsync(patient));
        Assert.Equal(404, (await self.DeleteAsync($"Consent/{ResourceId.New()}")).Status);
        var refused = await insurer.PostAsync("Consent", RunningGateway.Consent(patient, actor, status: "proposed"));
        Assert.Equal(200, (await self.PutAsync(
            $"Consent/{refused.Id}", RunningGateway.Consent(patient, actor, status: "rejected", id: refused.Id))).Status);
        Assert.Equal("+5 -5", await EffectsAsync(patient));
        // A break of the glass is one grant, and its end one revocation.
        var (_, emergency) = await gateway.RegisterEmergencyAsync(gateway.Hospital, "unconscious");
        var broken = await emergency.PostAsync($"Patient/{patient}/$break-glass", "");
        Assert.Equal((201, "+6 -5"), (broken.Status, await EffectsAsync(patient)));
        Assert.Equal(200, (await emergency.PostAsync($"Patient/{patient}/$break-glass", "")).Status);
        Assert.Equal("+6 -5", await EffectsAsync(patient));
        var opened = broken.Json.GetProperty("parameter").EnumerateArray().Single(p => p.GetProperty("name").ValueEquals("consent"));
        var consent = opened.GetProperty("valueReference").GetProperty("reference").GetString()!;
        Assert.Equal(204, (await self.DeleteAsync(consent)).Status);
        Assert.Equal("+6 -6", await EffectsAsync(patient));

        async Task MustBeAsync(string step, long version, string effects)
        {
            var now = (await self.GetAsync($"Consent/{proposed.Id}")).Json.GetProperty("meta").GetProperty("versionId").GetString();
            Assert.Equal((step, $"{version}", effects), (step, now, await EffectsAsync(patient)));
        }
    }

    [Fact]
    public async Task Of_many_steps_at_once_one_is_taken_and_those_that_are_not_leave_neither_version_nor_effect()
    {
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var consent = await RunningGateway.GrantAsync(self, patient, gateway.InsurerOrganization);
        string Text(int i) => RunningGateway.Consent(
            patient, gateway.InsurerOrganization, id: consent,
            more: $",\"class\":[{{\"system\":\"{Types}\",\"code\":\"{(i % 2 == 0 ? "Observation" : "Condition")}\"}}]");
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(
            i => self.PutAsync($"Consent/{consent}", Text(i), ("If-Match", "W/\"1\""))));
        Assert.Single(answers, a => a.Status == 200);
        Assert.All(answers.Where(a => a.Status != 200), a => Assert.True(a.Status is 409 or 412, a.Text));
        Assert.Equal(2, (await self.GetAsync($"Consent/{consent}/_history")).Json.GetProperty("total").GetInt32());
        Assert.Equal("+2 -1", await EffectsAsync(patient));
        // Nor does a transaction that fails behind the step.
        var failed = await ConditionalRequests.SendAsync(
            self, "transaction", ConditionalRequests.Entry("PUT", $"Consent/{consent}", Text(0)),
            ConditionalRequests.Entry("PUT", $"Consent/{ResourceId.New()}", Text(1)));
        Assert.InRange(failed.Status, 400, 499);
        Assert.Equal(2, (await self.GetAsync($"Consent/{consent}/_history")).Json.GetProperty("total").GetInt32());
        Assert.Equal("+2 -1", await EffectsAsync(patient));
    }

    // How many grants and revocations the chain was or is to be told of a patient's consents.
    private async Task<string> EffectsAsync(string patient)
    {
        await using var connection = await TestStore.OpenAsync(gateway.Options);
        await using var command = connection.CreateCommand();
        command.CommandText = $"""
            WITH grants AS (SELECT key FROM outbox WHERE follows = 'patient {patient}' AND key NOT LIKE 'hand over %')
            SELECT 0, key FROM grants UNION ALL SELECT 1, key FROM outbox WHERE follows IN (SELECT key FROM grants)
            """;
        var effects = new List<(int Kind, string Key)>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync()) effects.Add((reader.GetInt32(0), reader.GetString(1)));
        Assert.Equal(effects.Count, effects.Distinct().Count());
        return $"+{effects.Count(e => e.Kind == 0)} -{effects.Count(e => e.Kind == 1)}";
    }

    // What the chain itself has said of a patient's consents, once there are so many.
    private async Task<List<ChainEvent>> EventsAsync(string patient, int wanted)
    {
        var key = (await gateway.Service<DirectoryStore>().PatientAsync(patient, default))!.PatientKey;
        var chain = gateway.Service<IChain>();
        for (var i = 0; ; i++)
        {
            var ofPatient = (await chain.EventsAsync()).Where(e => e switch
            {
                ConsentGrantedEvent granted => granted.Patient == key,
                ConsentRevokedEvent revoked => revoked.Patient == key,
                _ => false,
            }).ToList();
            if (ofPatient.Count >= wanted || i == 100) return ofPatient;
            await Task.Delay(100);
        }
    }
}
