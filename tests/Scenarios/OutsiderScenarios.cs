using PmrGateway.Mapping;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Ways round a decision that a stranger found, each as a request of whom it must not serve.</summary>
[Collection(GatewayCollection.Name)]
public class OutsiderScenarios(RunningGateway gateway)
{
    private const string Unit = "http://unitsofmeasure.org";
    private const string FeedScope = "system/Organization.r system/Bundle.c system/DocumentReference.c";
    private const string Urn = "urn:uuid:7fbd8b2e-0000-4000-8000-00000000000b";

    [Fact]
    public async Task A_denial_of_a_record_that_a_wallet_controls_is_ended_by_the_wallets_signature_alone()
    {
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        await RunningGateway.GrantAsync(self, patient, gateway.InsurerOrganization);
        var ofCustody = Denial(patient);
        var before = await self.PostAsync("Consent", ofCustody);
        Assert.True(before.Status == 201, before.Text);
        var wallet = new Wallet();
        await wallet.TakeOverAsync(gateway.Services, patient, () => Task.Delay(100));
        var permit = RunningGateway.Consent(patient, gateway.InsurerOrganization);
        Assert.Equal(201, (await self.PostAsync("Consent", await SignedAsync(self, permit, wallet))).Status);
        var signed = await self.PostAsync("Consent", await SignedAsync(self, Denial(patient), wallet));
        Assert.True(signed.Status == 201, signed.Text);
        // Whoever keeps the accounts makes a login of any patient's.
        var second = await gateway.LoginPatientAsync(patient, "q");
        foreach (var denial in new[] { before.Id, signed.Id })
        {
            var inactive = Denial(patient).Replace("\"status\":\"active\"", $"\"id\":\"{denial}\",\"status\":\"inactive\"");
            foreach (var login in new[] { self, second })
            {
                Assert.Equal(403, (await login.DeleteAsync($"Consent/{denial}")).Status);
                var refused = await login.PutAsync($"Consent/{denial}", inactive);
                Assert.Equal((422, true), (refused.Status, refused.Text.Contains("signature", StringComparison.Ordinal)));
                var patched = await login.PatchAsync(
                    $"Consent/{denial}", """[{"op":"replace","path":"/status","value":"inactive"}]""", "application/json-patch+json");
                Assert.Equal(422, patched.Status);
            }
            Assert.Equal(404, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
            var revocation = IntentOffer.Revocation(await self.PostAsync("Consent/$intent", inactive));
            var ended = await self.PutAsync(
                $"Consent/{denial}", revocation.Signed(inactive, wallet.SignTypedData(revocation.TypedData)));
            Assert.True(ended.Status == 200, ended.Text);
        }
        Assert.Equal(
            200, (await GatewayClient.UntilAsync(() => gateway.Insurer.GetAsync($"Patient/{patient}"), a => a.Status == 200)).Status);
    }

    [Fact]
    public async Task A_doctor_of_the_hospital_that_keeps_a_record_files_no_consent_and_changes_none()
    {
        var patient = await gateway.NewPatientAsync();
        var (doctor, login) = await gateway.RegisterDoctorAsync("dr-" + Guid.CreateVersion7(), gateway.Hospital);
        foreach (var actor in new[] { doctor, gateway.InsurerOrganization })
            Assert.Equal(403, (await login.PostAsync("Consent", RunningGateway.Consent(patient, actor, "TREAT"))).Status);
        var filed = await RunningGateway.GrantAsync(gateway.Ehr, patient, doctor, "TREAT");
        var inactive = RunningGateway.Consent(patient, doctor, "TREAT", status: "inactive", id: filed);
        Assert.Equal(403, (await login.PutAsync($"Consent/{filed}", inactive)).Status);
        Assert.Equal(403, (await login.DeleteAsync($"Consent/{filed}")).Status);
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Consent/{filed}")).Status);
    }

    [Fact]
    public async Task A_proposal_names_nobody_else_in_an_exception_either()
    {
        var patient = await gateway.NewPatientAsync();
        string Proposed(string denied) => RunningGateway.Consent(
            patient, gateway.InsurerOrganization, status: "proposed",
            more: $$$"""
            ,"provision":[{"type":"deny","actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
            "code":"IRCP"}]},"reference":{"reference":"{{{denied}}}"}}]}]
            """);
        var insurer = await gateway.RegisterSystemAsync(
            "claims-" + ResourceId.New(), gateway.InsurerOrganization, "system/*.cruds", "HPAYMT");
        Assert.Equal(422, (await insurer.PostAsync("Consent", Proposed(gateway.Hospital))).Status);
        Assert.Equal(201, (await insurer.PostAsync("Consent", Proposed(gateway.InsurerOrganization))).Status);
        // Whose a copy is, known here or not, the limit of proposals must not tell.
        const string Copy = "\"contained\":[{\"resourceType\":\"Patient\",\"id\":\"p\","
            + "\"identifier\":[{\"system\":\"urn:mrn\",\"value\":\"1\"}]}],"
            + "\"performer\":[{\"reference\":\"#p\"}],\"policy\":";
        var told = await insurer.PostAsync(
            "Consent", Proposed(gateway.InsurerOrganization).Replace("\"policy\":", Copy, StringComparison.Ordinal));
        Assert.Equal((422, true), (told.Status, told.Text.Contains("no copy of a Patient", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_document_tells_whose_an_identifier_is_to_whom_a_search_would()
    {
        var (known, unknown) = (ResourceId.New(), ResourceId.New());
        var patient = (await gateway.Ehr.PostAsync("Patient", $$$"""
            {"resourceType":"Patient","gender":"female","identifier":[{"system":"urn:mrn","value":"{{{known}}}"}]}
            """)).Id;
        var (_, doctor) = await gateway.RegisterDoctorAsync("dr-" + Guid.CreateVersion7(), gateway.Hospital);
        var blind = await gateway.RegisterSystemAsync(
            "feed-" + ResourceId.New(), gateway.Hospital, FeedScope, "TREAT");
        var narrow = await gateway.RegisterSystemAsync(
            "feed-" + ResourceId.New(), gateway.Hospital,
            FeedScope + " system/Patient.rs?gender=http://hl7.org/fhir/administrative-gender|male", "TREAT");
        foreach (var asker in new[] { doctor, blind, narrow, gateway.OtherEhr })
        {
            var (there, nowhere) = (await asker.PostAsync("Bundle", Document(known)), await asker.PostAsync("Bundle", Document(unknown)));
            Assert.Equal((422, there.Text), (there.Status, nowhere.Text.Replace(unknown, known, StringComparison.Ordinal)));
        }
        var tried = RunningGateway.Entries(await (await gateway.LoginPatientAsync(patient)).GetAsync("AuditEvent"));
        Assert.Contains(tried, e => e.GetRawText().Contains(gateway.OtherHospital, StringComparison.Ordinal));
        var found = await gateway.Ehr.PostAsync("Bundle", Document(known));
        Assert.True(found.Status == 201, found.Text);
        // By the patient's id it may be written about, as any record.
        var named = Document(known).Replace($"\"reference\":\"{Urn}\"", $"\"reference\":\"Patient/{patient}\"", StringComparison.Ordinal)
            .Replace($"\"{Urn}\"", $"\"{gateway.Options.Url}/fhir/Patient/{patient}\"", StringComparison.Ordinal)
            .Replace("\"Patient\",", $"\"Patient\",\"id\":\"{patient}\",", StringComparison.Ordinal)
            .Replace("urn:uuid:7fbd8b2e-0000-4000-8000-00000000000a", $"{gateway.Options.Url}/fhir/Composition/c", StringComparison.Ordinal)
            .Replace("\"Composition\",", "\"Composition\",\"id\":\"c\",", StringComparison.Ordinal);
        var written = await blind.PostAsync("Bundle", named);
        Assert.True(written.Status == 201, written.Text);
    }

    [Fact]
    public async Task Whose_record_is_searched_by_its_id_or_counted_reads_who_did_it()
    {
        var patient = await gateway.NewPatientAsync();
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
        var reading = (await gateway.Ehr.PostAsync("Observation", $$$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{{{patient}}}"},
            "valueQuantity":{"value":187.25,"unit":"mg/dL","system":"{{{Unit}}}","code":"mg/dL"}}
            """)).Id;
        var self = await gateway.LoginPatientAsync(patient);
        async Task<int> ToldAsync() => RunningGateway.Entries(await self.GetAsync("AuditEvent?_count=100"))
            .Select(e => e.GetProperty("resource")).Count(
                e => e.GetProperty("type").GetProperty("code").ValueEquals("rest")
                && e.GetProperty("subtype")[0].GetProperty("code").ValueEquals("search-type")
                && e.GetProperty("agent")[0].GetProperty("who").GetProperty("reference").GetString()! is { } who
                && who.StartsWith("Organization/", StringComparison.Ordinal));
        var before = await ToldAsync();
        string[] searches =
        [
            $"Observation?_id={reading}&value-quantity=ge500|{Unit}|mg/dL&_summary=count",
            $"Observation?_id={reading}&value-quantity=ge500|{Unit}|mg/dL",
            $"Observation?_id={reading}&value-quantity=ge100|{Unit}|mg/dL&_summary=count",
            $"Observation?_id={reading}&_count=0",
            $"Patient?_id={patient}&family=Nobody&_summary=count",
            $"Observation?subject:Patient._id={patient}&code=urn:x|none&_summary=count",
            $"Patient?_has:Observation:subject:_id={reading}&family=Nobody",
        ];
        for (var i = 0; i < searches.Length; i++)
        {
            var found = await gateway.Insurer.GetAsync(searches[i]);
            Assert.True(found.Status == 200, found.Text);
            Assert.Equal((searches[i], before + i + 1), (searches[i], await ToldAsync()));
        }
        // So does the condition of a write, by its refusal.
        var none = await gateway.Ehr.DeleteAsync($"Observation?_id={reading}&value-quantity=ge500|{Unit}|mg/dL");
        Assert.Equal(404, none.Status);
        Assert.Equal(before + searches.Length, await ToldAsync());
        Assert.Equal(1, (await self.GetAsync("AuditEvent?subtype=delete&outcome=4")).Json.GetProperty("total").GetInt32());
        // Who may see nothing of it has tried; of what is no id nobody has.
        Assert.Equal(0, (await gateway.OtherEhr.GetAsync($"Observation?_id={reading}")).Json.GetProperty("total").GetInt32());
        Assert.Equal(before + searches.Length + 1, await ToldAsync());
        Assert.Equal(400, (await gateway.OtherEhr.GetAsync($"Observation?_id={reading}/x")).Status);
        Assert.Equal(before + searches.Length + 1, await ToldAsync());
    }

    [Fact]
    public async Task A_patients_app_is_told_why_of_what_its_scopes_let_it_read()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1]);
        await gateway.LoginPatientAsync(patient);
        var question =
            $"Patient/{patient}/$consent-explain?viewer={gateway.InsurerOrganization}&resource=DocumentReference/{document}";
        foreach (var (scopes, status) in new[]
        {
            ("patient/Patient.rs", 403), ("patient/Patient.rs patient/DocumentReference.rs", 403),
            ("patient/Patient.rs patient/Consent.rs", 403), ("patient/Patient.rs patient/Consent.rs patient/DocumentReference.rs", 200),
        })
        {
            var app = await gateway.Anyone.LoginUserAsync(
                RunningGateway.App, RunningGateway.Redirect, "p-" + patient, RunningGateway.Password, "openid fhirUser " + scopes);
            Assert.Equal((scopes, status), (scopes, (await app.GetAsync(question)).Status));
        }
    }

    private string Denial(string patient) =>
        RunningGateway.Consent(patient, gateway.InsurerOrganization).Replace("\"type\":\"permit\"", "\"type\":\"deny\"");

    private static async Task<string> SignedAsync(GatewayClient self, string consent, Wallet wallet)
    {
        var offer = IntentOffer.Grant(await self.PostAsync("Consent/$intent", consent));
        return offer.Signed(consent, wallet.SignTypedData(offer.TypedData));
    }

    private static string Document(string mrn) => $$$"""
        {"resourceType":"Bundle","type":"document","identifier":{"system":"urn:x","value":"1"},"timestamp":"2026-01-01T00:00:00Z",
        "entry":[{"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000a","resource":{"resourceType":"Composition","status":"final",
        "type":{"coding":[{"system":"http://loinc.org","code":"60591-5"}]},
        "subject":{"reference":"{{{Urn}}}"},"date":"2026-01-01","author":[{"display":"x"}],
        "title":"IPS"}},
        {"fullUrl":"{{{Urn}}}","resource":{"resourceType":"Patient",
        "identifier":[{"system":"urn:mrn","value":"{{{mrn}}}"}]}}]}
        """;
}
