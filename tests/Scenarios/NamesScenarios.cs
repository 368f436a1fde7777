using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>A patient, a code or an action under another name than the usual one is the same patient, code or action.</summary>
[Collection(GatewayCollection.Name)]
public class NamesScenarios(RunningGateway gateway)
{
    private const string ActCode = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    private const string Actions = "http://terminology.hl7.org/CodeSystem/consentaction";

    [Theory]
    [InlineData(""" "focus":[{"identifier":{"system":"urn:names","value":"VALUE"}}], """)]
    [InlineData(""" "focus":[{"type":"Patient","identifier":{"system":"urn:names","value":"VALUE"}}], """)]
    [InlineData("""
        "focus":[{"type":"http://hl7.org/fhir/StructureDefinition/Patient","identifier":{"system":"urn:names","value":"VALUE"}}],
        """)]
    [InlineData("""
        "focus":[{"reference":"https://other.example/fhir/Patient/1","identifier":{"system":"urn:names","value":"VALUE"}}],
        """)]
    [InlineData(""" "performer":[{"identifier":{"system":"urn:names","value":"VALUE"}}], """)]
    [InlineData(""" "extension":[{"url":"urn:x","valueReference":{"identifier":{"system":"urn:names","value":"VALUE"}}}], """)]
    [InlineData("""
        "contained":[{"resourceType":"Observation","id":"c","status":"final","code":{"text":"x"},
        "subject":{"identifier":{"system":"urn:names","value":"VALUE"}}}],"hasMember":[{"reference":"#c"}],
        """)]
    public async Task A_patient_named_by_an_identifier_is_asked_and_told(string more)
    {
        var (subject, (other, value)) = (await gateway.NewPatientAsync(), await KnownPatientAsync());
        string Observation(string named) => $$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},{{more.Replace("VALUE", named, StringComparison.Ordinal)}}
            "subject":{"reference":"Patient/{{subject}}"} }
            """;
        var record = await gateway.Ehr.PostAsync("Observation", Observation(value));
        var stranger = await gateway.Ehr.PostAsync("Observation", Observation("nobody"));
        Assert.Equal((201, 201), (record.Status, stranger.Status));
        await RunningGateway.GrantAsync(gateway.Ehr, subject, gateway.InsurerOrganization);
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"Observation/{stranger.Id}")).Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Observation/{record.Id}")).Status);
        Assert.Equal(1, (await gateway.Insurer.GetAsync($"Observation?patient={subject}")).Json.GetProperty("total").GetInt32());

        var consent = await RunningGateway.GrantAsync(gateway.Ehr, other, gateway.InsurerOrganization);
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"Observation/{record.Id}")).Status);
        // The other patient sees who read and who tried, under which consent, and not whose record it was.
        var self = await gateway.LoginPatientAsync(other);
        var seen = await self.GetAsync($"AuditEvent?agent={gateway.InsurerOrganization}");
        var outcomes = RunningGateway.Entries(seen).Select(e => e.GetProperty("resource").GetProperty("outcome").GetString()).ToList();
        Assert.Contains("0", outcomes);
        Assert.Contains("4", outcomes);
        Assert.Contains($"Consent/{consent}", seen.Text);
        Assert.DoesNotContain(record.Id, seen.Text);
        Assert.DoesNotContain(subject, seen.Text);
    }

    [Fact]
    public async Task A_patient_under_this_servers_URL_in_another_case_is_that_patient()
    {
        var (subject, (other, _)) = (await gateway.NewPatientAsync(), await KnownPatientAsync());
        var record = await gateway.Ehr.PostAsync("Observation", $$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},
            "subject":{"reference":"Patient/{{subject}}"},"focus":[{"reference":"{{gateway.Options.Url}}/FHIR/Patient/{{other}}"}] }
            """);
        Assert.Equal(201, record.Status);
        await RunningGateway.GrantAsync(gateway.Ehr, subject, gateway.InsurerOrganization);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Observation/{record.Id}")).Status);
    }

    [Theory]
    [InlineData("urn:oid:2.16.840.1.113883.5.4", ActCode)]
    [InlineData("http://hl7.org/fhir/v3/ActCode", ActCode)]
    [InlineData(ActCode + "|2018-08-12", ActCode)]
    [InlineData("", ActCode)]
    [InlineData("URN:OID:2.16.840.1.113883.5.4", "https://terminology.hl7.org/CodeSystem/v3-ActCode")]
    [InlineData(ActCode, "urn:oid:2.16.840.1.113883.5.4")]
    [InlineData(ActCode, ActCode + "|2018-08-12")]
    public async Task A_label_is_denied_under_whichever_name_of_its_system(string inRecord, string inConsent)
    {
        var patient = await gateway.NewPatientAsync();
        var system = inRecord.Length == 0 ? "" : $"\"system\":\"{inRecord}\",";
        var record = await gateway.Ehr.PostAsync("Observation", $$$"""
            {"resourceType":"Observation","meta":{"security":[{{{{system}}}"code":"HIV"}]},"status":"final","code":{"text":"x"},
            "subject":{"reference":"Patient/{{{patient}}}"}}
            """);
        Assert.Equal(201, record.Status);
        await RunningGateway.GrantAsync(
            gateway.Ehr, patient, gateway.InsurerOrganization, "HPAYMT",
            $",\"provision\":[{{\"type\":\"deny\",\"securityLabel\":[{{\"system\":\"{inConsent}\",\"code\":\"HIV\"}}]}}]");
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Observation/{record.Id}")).Status);
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
    }

    [Theory]
    [InlineData("urn:OID:2.16.840.1.113883.5.25", "V")]
    [InlineData("https://hl7.org/fhir/v3/Confidentiality|2", "R")]
    public async Task A_level_is_one_under_any_name_of_its_system_in_a_record_and_under_its_own_in_a_Consent(string system, string code)
    {
        var patient = await gateway.NewPatientAsync();
        var record = await gateway.Ehr.PostAsync("Observation", $$$"""
            {"resourceType":"Observation","meta":{"security":[{"system":"{{{system}}}","code":"{{{code}}}"}]},"status":"final",
            "code":{"text":"x"},"subject":{"reference":"Patient/{{{patient}}}"}}
            """);
        Assert.Equal(201, record.Status);
        string Denied(string of) =>
            $",\"provision\":[{{\"type\":\"deny\",\"securityLabel\":[{{\"system\":\"{of}\",\"code\":\"R\"}}]}}]";
        await RunningGateway.GrantAsync(
            gateway.Ehr, patient, gateway.InsurerOrganization, "HPAYMT",
            Denied("http://terminology.hl7.org/CodeSystem/v3-Confidentiality"));
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Observation/{record.Id}")).Status);
        var refused = await gateway.Ehr.PostAsync(
            "Consent", RunningGateway.Consent(patient, gateway.InsurerOrganization, "HPAYMT", Denied(system)));
        Assert.True(refused.Status == 422, refused.Text);
    }

    [Fact]
    public async Task A_Consent_may_name_its_patient_and_others_by_reference_and_identifier()
    {
        var (patient, value) = await KnownPatientAsync();
        var consent = RunningGateway.Consent(patient, gateway.InsurerOrganization)
            .Replace($"\"patient\":{{\"reference\":\"Patient/{patient}\"}}", $$$"""
                "patient":{"reference":"Patient/{{{patient}}}","identifier":{"system":"urn:names","value":"{{{value}}}"} },
                "performer":[{"reference":"Patient/{{{patient}}}","identifier":{"system":"urn:names","value":"{{{value}}}"} },
                {"identifier":{"system":"urn:doctors","value":"1"} }]
                """, StringComparison.Ordinal);
        var created = await gateway.Ehr.PostAsync("Consent", consent);
        Assert.True(created.Status == 201, created.Text);
        Assert.Contains("urn:doctors", consent);
        var self = await gateway.LoginPatientAsync(patient);
        Assert.Equal(200, (await self.GetAsync($"Consent/{created.Id}")).Status);
    }

    [Theory]
    [InlineData("http://loinc.org", "urn:oid:2.16.840.1.113883.6.1")]
    [InlineData("http://loinc.org", "https://loinc.org")]
    [InlineData("http://loinc.org", "http://loinc.org/")]
    [InlineData("urn:oid:2.16.840.1.113883.6.1", "http://loinc.org")]
    [InlineData("http://snomed.info/sct|http://snomed.info/sct/900000000000207008/version/20200131", "http://snomed.info/sct")]
    public async Task A_code_is_denied_under_whichever_name_of_its_system(string inRecord, string inConsent)
    {
        var patient = await gateway.NewPatientAsync();
        var record = await gateway.Ehr.PostAsync("Observation", $$$"""
            {"resourceType":"Observation","status":"final","code":{"coding":[{"system":"{{{inRecord}}}","code":"8867-4"}]},
            "subject":{"reference":"Patient/{{{patient}}}"}}
            """);
        Assert.Equal(201, record.Status);
        await RunningGateway.GrantAsync(
            gateway.Ehr, patient, gateway.InsurerOrganization, "HPAYMT",
            $",\"provision\":[{{\"type\":\"deny\",\"code\":[{{\"coding\":[{{\"system\":\"{inConsent}\",\"code\":\"8867-4\"}}]}}]}}]");
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Observation/{record.Id}")).Status);
    }

    [Fact]
    public async Task All_codings_of_an_action_are_denied_and_one_that_is_not_decided_is_refused()
    {
        var patient = await gateway.NewPatientAsync();
        string Denied(params string[] codes) =>
            ",\"provision\":[{\"type\":\"deny\",\"action\":[{\"coding\":["
                + string.Join(',', codes.Select(c => $"{{\"system\":\"{Actions}\",\"code\":\"{c}\"}}")) + "]}]}]";
        await RunningGateway.GrantAsync(
            gateway.Ehr, patient, gateway.InsurerOrganization, "HPAYMT", Denied("collect", "access"));
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Patient/{patient}")).Status);
        var disclose = await gateway.Ehr.PostAsync(
            "Consent", RunningGateway.Consent(patient, gateway.InsurerOrganization, "HPAYMT", Denied("disclose", "access")));
        Assert.Equal(422, disclose.Status);
        Assert.Contains("provision[0].action", disclose.Text);
    }

    [Fact]
    public async Task What_a_denial_spares_for_one_purpose_it_does_not_spare_for_a_token_of_two()
    {
        var patient = await gateway.NewPatientAsync();
        var one = gateway.Insurer;
        var (name, key) = ("both-" + patient, new ClientKey());
        var registered = await gateway.Operator.AdminAsync("clients", new
        {
            clientId = name,
            jwks = key.Jwks,
            actor = gateway.InsurerOrganization,
            scopes = new[] { "system/*.rs" },
            purposes = new[] { "TREAT", "HPAYMT" },
        });
        Assert.Equal(201, registered.Status);
        var two = await gateway.Anyone.LoginAsync(name, key.Credentials, "system/*.rs");
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization, "HPAYMT");
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization, "TREAT");
        var sees = await GatewayClient.UntilAsync(() => two.GetAsync($"Patient/{patient}"), a => a.Status == 200);
        Assert.Equal((200, 200), ((await one.GetAsync($"Patient/{patient}")).Status, sees.Status));
        const string Purpose = "\"purpose\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-ActReason\",\"code\":\"HPAYMT\"}]";
        var denial = RunningGateway.Consent(patient, gateway.InsurerOrganization)
            .Replace("\"provision\":{\"type\":\"permit\"", "\"provision\":{\"type\":\"deny\"", StringComparison.Ordinal)
            .Replace(Purpose, $"\"provision\":[{{\"type\":\"permit\",{Purpose}}}]", StringComparison.Ordinal);
        var denied = await gateway.Ehr.PostAsync("Consent", denial);
        Assert.True(denied.Status == 201, denied.Text);
        await GatewayClient.UntilAsync(() => one.GetAsync($"Patient/{patient}"), a => a.Status == 200);
        Assert.Equal((200, 404), ((await one.GetAsync($"Patient/{patient}")).Status, (await two.GetAsync($"Patient/{patient}")).Status));
    }

    [Fact]
    public async Task The_time_of_what_is_contained_is_a_time_of_the_record()
    {
        var patient = await gateway.NewPatientAsync();
        Task<Answer> ObservationAsync(int year) => gateway.Ehr.PostAsync("Observation", $$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},"effectiveDateTime":"2026-01-01",
            "contained":[{"resourceType":"Procedure","id":"p","status":"completed","performedDateTime":"{{year}}-06-01",
            "subject":{"reference":"Patient/{{patient}}"} }],"partOf":[{"reference":"#p"}],"subject":{"reference":"Patient/{{patient}}"} }
            """);
        var (record, other) = (await ObservationAsync(2015), await ObservationAsync(2020));
        Assert.True(record.Status == 201, record.Text);
        await RunningGateway.GrantAsync(
            gateway.Ehr, patient, gateway.InsurerOrganization, "HPAYMT",
            ",\"provision\":[{\"type\":\"deny\",\"dataPeriod\":{\"start\":\"2015-01-01\",\"end\":\"2015-12-31\"}}]");
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Observation/{record.Id}")).Status);
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"Observation/{other.Id}")).Status);
    }

    [Theory]
    [InlineData("""
        "contained":[{"resourceType":"Patient","id":"c","name":[{"family":"Secret"}]}],
        "extension":[{"url":"urn:x","valueReference":{"reference":"#c"}}],
        """)]
    [InlineData("""
        "contained":[{"resourceType":"Condition","id":"c","subject":{"display":"x"}}],
        "extension":[{"url":"urn:x","valueReference":{"reference":"#c"}}],
        """)]
    [InlineData(""" "meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]}, """)]
    [InlineData(""" "extension":[{"url":"urn:x","valueReference":{"reference":"Patient/PATIENT"}}], """)]
    [InlineData(""" "extension":[{"url":"urn:x","valueReference":{"identifier":{"system":"urn:names","value":"VALUE"}}}], """)]
    public async Task An_entry_of_the_directory_holds_nothing_that_is_not_for_everybody(string more)
    {
        var (patient, value) = await KnownPatientAsync();
        more = more.Replace("PATIENT", patient, StringComparison.Ordinal).Replace("VALUE", value, StringComparison.Ordinal);
        foreach (var type in new[] { "Practitioner", "Organization", "Location", "HealthcareService" })
        {
            var refused = await gateway.Ehr.PostAsync(type, $$"""{"resourceType":"{{type}}",{{more}} "name":NAME}"""
                .Replace("NAME", type == "Practitioner" ? "[{\"family\":\"x\"}]" : "\"x\"", StringComparison.Ordinal));
            Assert.True(refused.Status == 422, $"{type}: {refused.Status} {refused.Text}");
            Assert.Contains("read by every registered actor", refused.Text);
        }
    }

    private async Task<(string Id, string Value)> KnownPatientAsync()
    {
        var value = Guid.CreateVersion7().ToString();
        var created = await gateway.Ehr.PostAsync(
            "Patient", $$$"""{"resourceType":"Patient","identifier":[{"system":"urn:names","value":"{{{value}}}"}]}""");
        Assert.Equal(201, created.Status);
        return (created.Id, value);
    }
}
