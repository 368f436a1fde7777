using PmrGateway.Mapping;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>
/// Consents are found as IHE ITI-108 asks for them, and by every search parameter that R4 has for them.
/// https://profiles.ihe.net/ITI/PCF/ITI-108.html
/// </summary>
[Collection(GatewayCollection.Name)]
public class ConsentSearchScenarios(RunningGateway gateway)
{
    private const string Reasons = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

    [Fact]
    public async Task A_Consent_is_found_by_each_of_its_parameters_by_url_and_form_and_by_no_other_value()
    {
        var mrn = ResourceId.New();
        var created = await gateway.Ehr.PostAsync("Patient", $$$"""
            {"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"{{{mrn}}}"}]}
            """);
        var patient = created.Id;
        var self = await gateway.LoginPatientAsync(patient);
        var document = await gateway.NewDocumentAsync(patient, [1]);
        var consent = (await self.PostAsync("Consent", $$$"""
            {"resourceType":"Consent","status":"active","identifier":[{"system":"urn:consent","value":"{{{mrn}}}"}],
            "scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
            "category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/{{{patient}}}"},
            "dateTime":"2026-02-03","performer":[{"reference":"Patient/{{{patient}}}"}],
            "organization":[{"reference":"{{{gateway.Hospital}}}"}],"sourceReference":{"reference":"DocumentReference/{{{document}}}"},
            "policy":[{"uri":"https://profiles.ihe.net/ITI/PCF/Policy-deny"}],
            "provision":{"type":"permit","period":{"start":"2026-01-01","end":"2199-12-31"},
            "actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},
            "reference":{"reference":"{{{gateway.InsurerOrganization}}}"}}],
            "action":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentaction","code":"access"}]}],
            "securityLabel":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}],
            "purpose":[{"system":"{{{Reasons}}}","code":"HPAYMT"}],
            "data":[{"meaning":"instance","reference":{"reference":"DocumentReference/{{{document}}}"}}]}}
            """)).Id;
        var other = (await self.PostAsync(
            "Consent", RunningGateway.Consent(patient, gateway.OtherHospital, "TREAT", status: "inactive"))).Id;

        // What ITI-108 asks a registry for, then the other parameters of R4: one value that this Consent has, and one that it has not.
        foreach (var (name, value, none) in new[]
        {
            ("_id", consent, ResourceId.New()), ("_lastUpdated", "ge2026-01-01", "lt2026-01-01"), ("status", "active", "inactive"),
            ("patient", $"Patient/{patient}", "Patient/none"), ("patient.identifier", $"urn:mrn|{mrn}", "urn:mrn|none"),
            ("actor", gateway.InsurerOrganization, gateway.OtherHospital), ("action", "access", "correct"), ("category", "59284-0", "none"),
            ("consentor", $"Patient/{patient}", gateway.Hospital), ("data", $"DocumentReference/{document}", $"Observation/{document}"),
            ("date", "2026-02-03", "2026-02-04"), ("identifier", $"urn:consent|{mrn}", "urn:consent|none"),
            ("organization", gateway.Hospital, gateway.OtherHospital), ("period", "ge2030-05", "sa2030"),
            ("purpose", $"{Reasons}|HPAYMT", $"{Reasons}|HRESCH"), ("scope", "patient-privacy", "research"), ("security-label", "N", "R"),
            ("source-reference", $"DocumentReference/{document}", "DocumentReference/none"),
        })
        {
            foreach (var (asked, isFound) in new[] { (value, true), (none, false) })
            {
                var byUrl = await self.GetAsync($"Consent?{name}={Uri.EscapeDataString(asked)}");
                var byForm = await self.PostFormAsync("fhir/Consent/_search", [new(name, asked)]);
                foreach (var answer in new[] { byUrl, byForm })
                {
                    Assert.True(answer.Status == 200, $"{name}={asked}: {answer.Text}");
                    var found = RunningGateway.Entries(answer)
                        .Select(e => e.GetProperty("resource").GetProperty("id").GetString()).ToList();
                    Assert.Equal((name, asked, isFound), (name, asked, found.Contains(consent)));
                    Assert.True(found.TrueForAll(f => f == consent || f == other), answer.Text);
                }
            }
        }
        // As a registry is asked, and by whom the Consent names; to others there is none.
        var standing = $"Consent?patient.identifier=urn:mrn|{mrn}&status=active";
        Assert.Equal(consent, RunningGateway.Only(await self.GetAsync(standing)).GetProperty("id").GetString());
        foreach (var client in new[] { gateway.OtherEhr, gateway.Ehr })
            Assert.Equal(0, (await client.GetAsync($"Consent?patient={patient}&status=active")).Json.GetProperty("total").GetInt32());
        await GatewayClient.UntilAsync(
            () => self.GetAsync($"Consent/{consent}/$ledger-status"), a => a.Text.Contains("confirmed", StringComparison.Ordinal));
        Assert.Equal(consent, RunningGateway.Only(
            await gateway.Insurer.GetAsync($"Consent?patient={patient}&status=active")).GetProperty("id").GetString());
    }
}
