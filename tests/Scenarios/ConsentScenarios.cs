using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

[Collection(GatewayCollection.Name)]
public class ConsentScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task An_insurer_is_refused_then_granted_then_reads_the_same_bytes_then_is_revoked_and_refused()
    {
        var patient = await gateway.NewPatientAsync();
        var pdf = RandomNumberGenerator.GetBytes(3_000_000);
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
        foreach (var path in new[]
        {
            $"DocumentReference/{document}",
            url,
            $"Patient/{patient}",
            $"Patient/{patient}/$everything",
            $"DocumentReference/{document}/_history"
        })
            Assert.Equal(404, (await gateway.Insurer.GetAsync(path)).Status);
        var onChain = await GatewayClient.UntilAsync(
            () => gateway.Ehr.GetAsync($"Consent/{consent}/$ledger-status"), a => a.Text.Contains("\"block\"", StringComparison.Ordinal));
        Assert.Contains("revoked", onChain.Text);
        Assert.Contains("\"block\"", onChain.Text);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/_history")]
    [InlineData("/_history/1")]
    [InlineData("/$anchor-proof")]
    public async Task A_denied_read_is_byte_identical_to_a_read_of_an_unknown_id(string suffix)
    {
        var document = await gateway.NewDocumentAsync(await gateway.NewPatientAsync(), [1]);
        var denied = await gateway.Insurer.GetAsync($"DocumentReference/{document}{suffix}");
        var unknown = await gateway.Insurer.GetAsync($"DocumentReference/{ResourceId.New()}{suffix}");
        Assert.Equal(404, denied.Status);
        Assert.Equal(unknown.Body, denied.Body);
        Assert.Equal(Headers(unknown), Headers(denied));

        static IEnumerable<string> Headers(Answer answer) =>
            answer.Headers.Headers.Concat(answer.Headers.Content.Headers).Where(h => h.Key != "Date")
                .Select(h => $"{h.Key}: {string.Join(',', h.Value)}").Order();
    }

    [Fact]
    public async Task An_update_or_delete_of_what_one_may_not_see_is_a_404_too()
    {
        var patient = await gateway.NewPatientAsync();
        var body = $$$"""{"resourceType":"Patient","id":"{{{patient}}}","active":true}""";
        var unknown = ResourceId.New();
        var denied = await gateway.OtherEhr.PutAsync($"Patient/{patient}", body);
        var missing = await gateway.OtherEhr.PutAsync($"Patient/{unknown}", body.Replace(patient, unknown, StringComparison.Ordinal));
        Assert.Equal((404, 404), (denied.Status, missing.Status));
        Assert.Equal(missing.Body, denied.Body);
        Assert.Equal(404, (await gateway.OtherEhr.DeleteAsync($"Patient/{patient}")).Status);
    }

    [Fact]
    public async Task A_hospital_cannot_write_about_a_patient_that_it_may_not_see()
    {
        var patient = await gateway.NewPatientAsync();
        string Observation(string p) =>
            $$$"""{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{{{p}}}"}}""";
        var denied = await gateway.OtherEhr.PostAsync("Observation", Observation(patient));
        var unknown = await gateway.OtherEhr.PostAsync("Observation", Observation(ResourceId.New()));
        Assert.Equal((422, 422), (denied.Status, unknown.Status));
        Assert.Equal(unknown.Body, denied.Body);
    }

    [Fact]
    public async Task A_grant_for_one_class_and_purpose_shows_nothing_else()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1, 2, 3]);
        await RunningGateway.GrantAsync(
            gateway.Ehr,
            patient,
            gateway.InsurerOrganization,
            "HPAYMT",
            ""","class":[{"system":"http://hl7.org/fhir/resource-types","code":"DocumentReference"}]""");
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"DocumentReference/{document}")).Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
        var everything = await gateway.Insurer.GetAsync($"Patient/{patient}/$everything");
        // The document and its content (a Binary has the labels of the record that links to it), and the Consent that names the grantee.
        Assert.Equal(
            ["Binary", "Consent", "DocumentReference"],
            RunningGateway.Entries(everything).Select(e => e.GetProperty("resource").GetProperty("resourceType").GetString()).Order());
        Assert.DoesNotContain("\"resourceType\":\"Patient\"", everything.Text);

        var other = await gateway.NewPatientAsync();
        await RunningGateway.GrantAsync(gateway.Ehr, other, gateway.InsurerOrganization, "HRESCH");
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Patient/{other}")).Status);
    }

    [Fact]
    public async Task A_nested_deny_takes_its_documents_out_of_reads_searches_and_totals()
    {
        var patient = await gateway.NewPatientAsync();
        var (open, closed) =
            (await gateway.NewDocumentAsync(patient, [1], "34133-9"), await gateway.NewDocumentAsync(patient, [2], "11488-4"));
        await RunningGateway.GrantAsync(
            gateway.Ehr,
            patient,
            gateway.InsurerOrganization,
            "HPAYMT",
            ""","provision":[{"type":"deny","class":[{"system":"http://loinc.org","code":"11488-4"}]}]""");
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"DocumentReference/{open}")).Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"DocumentReference/{closed}")).Status);
        var search = await gateway.Insurer.GetAsync($"DocumentReference?patient={patient}");
        Assert.Equal(1, search.Json.GetProperty("total").GetInt32());
        Assert.DoesNotContain(closed, search.Text);
    }

    [Fact]
    public async Task Consent_shows_the_current_version_and_a_closed_document_closes_its_attachment()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1, 2, 3]);
        await RunningGateway.GrantAsync(
            gateway.Ehr,
            patient,
            gateway.InsurerOrganization,
            "HPAYMT",
            ""","provision":[{"type":"deny","securityLabel":["""
                + """{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"}]}]""");
        var current = await gateway.Insurer.GetAsync($"DocumentReference/{document}");
        var url = current.Json.GetProperty("content")[0].GetProperty("attachment").GetProperty("url").GetString()!;
        Assert.Equal(200, (await gateway.Insurer.GetAsync(url, "*/*")).Status);

        var labelled = current.Text.Replace(
            "\"lastUpdated\"",
            "\"security\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ActCode\",\"code\":\"PSY\"}],\"lastUpdated\"",
            StringComparison.Ordinal);
        Assert.Equal(200, (await gateway.Ehr.PutAsync($"DocumentReference/{document}", labelled)).Status);
        foreach (var path in new[]
        {
            $"DocumentReference/{document}",
            $"DocumentReference/{document}/_history/1",
            $"DocumentReference/{document}/_history",
            url
        })
            Assert.Equal(404, (await gateway.Insurer.GetAsync(path, "*/*")).Status);

        Assert.Equal(200, (await gateway.Ehr.PutAsync($"DocumentReference/{document}", current.Text)).Status);
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"DocumentReference/{document}")).Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"DocumentReference/{document}/_history/2")).Status);
        Assert.Single(RunningGateway.Entries(await gateway.Insurer.GetAsync($"DocumentReference/{document}/_history")));
        Assert.Equal(3, RunningGateway.Entries(await gateway.Ehr.GetAsync($"DocumentReference/{document}/_history")).Count());
        // The document's own element says the same as its meta.
        labelled = current.Text.Replace(
            "\"content\"",
            """ "securityLabel":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"}]}],"content" """,
            StringComparison.Ordinal);
        Assert.Equal(200, (await gateway.Ehr.PutAsync($"DocumentReference/{document}", labelled)).Status);
        foreach (var path in new[] { $"DocumentReference/{document}", url })
            Assert.Equal(404, (await gateway.Insurer.GetAsync(path, "*/*")).Status);
    }

    [Fact]
    public async Task A_record_is_not_moved_to_another_patient()
    {
        var (a, b) = (await gateway.NewPatientAsync(), await gateway.NewPatientAsync());
        var document = await gateway.NewDocumentAsync(a, [1]);
        var moved = (await gateway.Ehr.GetAsync($"DocumentReference/{document}")).Text.Replace(a, b, StringComparison.Ordinal);
        Assert.Equal(422, (await gateway.Ehr.PutAsync($"DocumentReference/{document}", moved)).Status);
    }

    [Fact]
    public async Task A_deny_overrides_a_permit_from_the_moment_it_is_posted()
    {
        var patient = await gateway.NewPatientAsync();
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
        var deny = RunningGateway.Consent(patient, gateway.InsurerOrganization)
            .Replace("\"type\":\"permit\"", "\"type\":\"deny\"", StringComparison.Ordinal);
        Assert.Equal(201, (await gateway.Ehr.PostAsync("Consent", deny)).Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
    }

    [Fact]
    public async Task A_record_of_two_patients_needs_the_consent_of_both()
    {
        var (a, b) = (await gateway.NewPatientAsync(), await gateway.NewPatientAsync());
        var created = await gateway.Ehr.PostAsync("Observation", $$$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{{{a}}}"},
            "performer":[{"reference":"Patient/{{{b}}}"}]}
            """);
        await RunningGateway.GrantAsync(gateway.Ehr, a, gateway.InsurerOrganization);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Observation/{created.Id}")).Status);
        await RunningGateway.GrantAsync(gateway.Ehr, b, gateway.InsurerOrganization);
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"Observation/{created.Id}")).Status);
    }

    [Fact]
    public async Task The_patient_grants_and_an_update_to_inactive_revokes()
    {
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        Assert.Equal(200, (await self.GetAsync($"Patient/{patient}")).Status);
        var consent = await RunningGateway.GrantAsync(self, patient, gateway.InsurerOrganization);
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
        var inactive = RunningGateway.Consent(patient, gateway.InsurerOrganization, status: "inactive", id: consent);
        Assert.Equal(200, (await self.PutAsync($"Consent/{consent}", inactive)).Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
    }

    [Fact]
    public async Task A_patient_sees_nobody_else_and_writes_nothing_but_consents()
    {
        var (patient, other) = (await gateway.NewPatientAsync(), await gateway.NewPatientAsync());
        var self = await gateway.LoginPatientAsync(patient);
        Assert.Equal(404, (await self.GetAsync($"Patient/{other}")).Status);
        Assert.Equal(1, (await self.GetAsync("Patient")).Json.GetProperty("total").GetInt32());
        Assert.Equal(
            403, (await self.PostAsync("Observation", """{"resourceType":"Observation","status":"final","code":{"text":"x"}}""")).Status);
        // As for any patient that one may not see: not even that there is one.
        Assert.Equal(422, (await self.PostAsync("Consent", RunningGateway.Consent(other, gateway.InsurerOrganization))).Status);
        Assert.Equal(
            403, (await gateway.Insurer.PostAsync("Consent", RunningGateway.Consent(patient, gateway.InsurerOrganization))).Status);
    }

    [Fact]
    public async Task A_wallet_that_controls_the_record_signs_its_grants_and_revocations_itself()
    {
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var wallet = new Wallet();
        await HandOverAsync(patient, wallet);

        var unsigned = await self.PostAsync("Consent", RunningGateway.Consent(patient, gateway.InsurerOrganization));
        Assert.Equal(422, unsigned.Status);
        Assert.Contains("Consent.extension", unsigned.Text);

        var offer = await self.PostAsync("Consent/$intent", RunningGateway.Consent(patient, gateway.InsurerOrganization));
        Assert.DoesNotContain("revoke", offer.Text);
        string Granting(Wallet signer) =>
            Signed(RunningGateway.Consent(patient, gateway.InsurerOrganization), IntentOffer.Grant(offer), signer);
        Assert.Equal(422, (await self.PostAsync("Consent", Granting(new Wallet()))).Status);
        var granted = await self.PostAsync("Consent", Granting(wallet));
        Assert.True(granted.Status == 201, granted.Text);
        Assert.Equal(
            200, (await GatewayClient.UntilAsync(() => gateway.Insurer.GetAsync($"Patient/{patient}"), a => a.Status == 200)).Status);
        Assert.Equal(409, (await self.PostAsync("Consent", Granting(wallet))).Status);
        Assert.Equal(403, (await gateway.Ehr.DeleteAsync($"Consent/{granted.Id}")).Status);

        var ended = RunningGateway.Consent(patient, gateway.InsurerOrganization, status: "inactive", id: granted.Id);
        var revocation = IntentOffer.Revocation(await self.PostAsync("Consent/$intent", ended));
        Assert.Equal(422, (await self.PutAsync($"Consent/{granted.Id}", Signed(ended, revocation, new Wallet()))).Status);
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
        var revoked = await self.PutAsync($"Consent/{granted.Id}", Signed(ended, revocation, wallet));
        Assert.True(revoked.Status == 200, revoked.Text);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal(2, await StatusOnChainAsync(patient, granted.Id, 2));
        Assert.Contains("\"revoked\"", (await self.GetAsync($"Consent/{granted.Id}/$ledger-status")).Text);
    }

    [Fact]
    public async Task A_wallets_signature_has_one_form_and_a_deadline_within_a_day()
    {
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var wallet = new Wallet();
        await HandOverAsync(patient, wallet);
        var consent = RunningGateway.Consent(patient, gateway.InsurerOrganization);
        var offer = IntentOffer.Grant(await self.PostAsync("Consent/$intent", consent));
        var signature = wallet.SignTypedData(offer.TypedData);
        // n - s with the other v says the same of the same key (EIP-2); the contract does not take it, so neither do we.
        var order = BigInteger.Parse("0FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141", NumberStyles.HexNumber, null);
        var s = new BigInteger(signature.AsSpan(32, 32), isUnsigned: true, isBigEndian: true);
        byte[] mirrored = [.. signature[..32], .. (order - s).ToByteArray(isUnsigned: true, isBigEndian: true), (byte)(55 - signature[64])];
        Assert.Equal(422, (await self.PostAsync("Consent", offer.Signed(consent, mirrored))).Status);
        var now = TimeProvider.System.GetUtcNow();
        foreach (var deadline in new[] { now.AddSeconds(-1), now.AddDays(2) })
        {
            var text = deadline.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
            var moved = offer with { TypedData = offer.TypedData.Replace(offer.Deadline, text, StringComparison.Ordinal), Deadline = text };
            var refused = await self.PostAsync("Consent", moved.Signed(consent, wallet.SignTypedData(moved.TypedData)));
            Assert.Equal(422, refused.Status);
            Assert.Contains("deadline", refused.Text);
        }
        Assert.Equal(201, (await self.PostAsync("Consent", offer.Signed(consent, signature))).Status);
    }

    [Fact]
    public async Task A_wallets_consent_that_is_revoked_without_its_signature_ends_here_at_once_and_on_the_chain_when_the_signature_comes()
    {
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var wallet = new Wallet();
        await HandOverAsync(patient, wallet);
        var consent = RunningGateway.Consent(patient, gateway.InsurerOrganization);
        var granted = await self.PostAsync(
            "Consent", Signed(consent, IntentOffer.Grant(await self.PostAsync("Consent/$intent", consent)), wallet));
        Assert.Equal(
            200, (await GatewayClient.UntilAsync(() => gateway.Insurer.GetAsync($"Patient/{patient}"), a => a.Status == 200)).Status);

        var ended = RunningGateway.Consent(patient, gateway.InsurerOrganization, status: "inactive", id: granted.Id);
        Assert.Equal(200, (await self.PutAsync($"Consent/{granted.Id}", ended)).Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
        Assert.Contains("revoked-unsigned", (await self.GetAsync($"Consent/{granted.Id}/$ledger-status")).Text);
        Assert.Equal(1, await StatusOnChainAsync(patient, granted.Id, 1));

        var revocation = IntentOffer.Revocation(await self.PostAsync("Consent/$intent", ended));
        Assert.Equal(200, (await self.PutAsync($"Consent/{granted.Id}", Signed(ended, revocation, wallet))).Status);
        Assert.Equal(2, await StatusOnChainAsync(patient, granted.Id, 2));
        Assert.DoesNotContain("revoke", (await self.PostAsync("Consent/$intent", ended)).Text);
    }

    [Fact]
    public async Task A_suspended_actor_is_refused_at_once()
    {
        var (hospital, client) = await gateway.RegisterAsync("short-lived", "Short Lived Hospital", "prov", "system/*.cruds", "TREAT");
        var (_, doctor) = await gateway.RegisterDoctorAsync("dr-short", hospital);
        var current = await gateway.Operator.GetAsync(hospital);
        var body = current.Text.Replace("\"active\":true", "\"active\":false", StringComparison.Ordinal);
        Assert.Equal(200, (await gateway.Operator.PutAsync(hospital, body)).Status);
        Assert.Equal(403, (await client.GetAsync(hospital)).Status);
        Assert.Equal(403, (await doctor.GetAsync(hospital)).Status);
        Assert.Equal(403, (await client.PostAsync("Patient", """{"resourceType":"Patient"}""")).Status);
    }

    [Theory]
    [InlineData("\"data\":[{\"meaning\":\"instance\",\"reference\":{\"display\":\"x\"}}]", "Consent.provision.data[0].reference")]
    [InlineData("\"code\":[{\"text\":\"laboratory only\"}]", "Consent.provision.code")]
    [InlineData("\"class\":[{\"display\":\"letters\"}]", "Consent.provision.class")]
    [InlineData("\"class\":[{\"code\":\"Observation\"}]", "Consent.provision.class")]
    [InlineData("\"class\":[{\"system\":\"urn:ietf:bcp:13\",\"code\":\"text/plain\"}]", "Consent.provision.class")]
    [InlineData("\"class\":[{\"system\":\"urn:ietf:rfc:3986\",\"code\":\"http://x.example/p\"}]", "Consent.provision.class")]
    [InlineData("\"code\":[{\"coding\":[{\"code\":\"1-8\"}]}]", "Consent.provision.code")]
    [InlineData("\"provision\":[{\"type\":\"deny\",\"securityLabel\":[{\"code\":\"R\"}]}]", "provision[0].securityLabel")]
    [InlineData("\"modifierExtension\":[{\"url\":\"http://x.example/not\",\"valueBoolean\":true}]", "Consent.provision.modifierExtension")]
    [InlineData("\"provision\":[{\"type\":\"permit\"}]", "Consent.provision.provision[0].type")]
    [InlineData("\"provision\":[{\"type\":\"deny\",\"provision\":[{\"type\":\"permit\"}]}]", "Consent.provision.provision[0].provision")]
    public async Task A_consent_that_cannot_be_kept_is_refused_by_name(string more, string expression)
    {
        var patient = await gateway.NewPatientAsync();
        var refused =
            await gateway.Ehr.PostAsync("Consent", RunningGateway.Consent(patient, gateway.InsurerOrganization, more: "," + more));
        Assert.Equal(422, refused.Status);
        Assert.Contains(expression, refused.Text);
    }

    // The Consent with the extension that answers what $intent offered.
    private static string Signed(string consent, IntentOffer offered, Wallet signer) =>
        offered.Signed(consent, signer.SignTypedData(offered.TypedData));

    // What the contract itself says of the latest grant of a Consent (1 active, 2 revoked): not what our view made of it.
    private async Task<int> StatusOnChainAsync(string patient, string consentId, int wanted)
    {
        var directory = gateway.Service<DirectoryStore>();
        var commitment = (await directory.LatestConsentAsync(consentId, default))!.Commitment;
        var key = Convert.FromHexString((await directory.PatientAsync(patient, default))!.PatientKey);
        var chain = gateway.Service<IChain>();
        for (var i = 0; ; i++)
        {
            int status =
                (await chain.GrantAtAsync(key, Convert.FromHexString(commitment), (await chain.HeadAsync(default)).Number, default)).Status;
            if (status == wanted || i == 100) return status;
            await Task.Delay(100);
        }
    }

    private Task HandOverAsync(string patient, Wallet wallet) =>
        wallet.TakeOverAsync(gateway.Services, patient, () => Task.Delay(100));
}
