using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Author, custodian, guardian and grantee are four roles: what one may do gives nothing of another.</summary>
[Collection(GatewayCollection.Name)]
public class GuardianScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task Who_wrote_a_record_reads_it_back_and_a_colleague_or_another_system_of_the_hospital_does_not()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1, 2, 3]);
        var (doctor, colleague) = await gateway.RegisterDoctorAsync("dr-" + Guid.CreateVersion7(), gateway.Hospital);
        var lab = await gateway.RegisterSystemAsync("lab-" + Guid.CreateVersion7(), gateway.Hospital, "system/*.cruds", "TREAT");
        Assert.Equal(200, (await gateway.Ehr.GetAsync($"DocumentReference/{document}")).Status);
        foreach (var other in new[] { colleague, lab })
        {
            Assert.Equal(404, (await other.GetAsync($"DocumentReference/{document}")).Status);
            Assert.Equal(404, (await other.GetAsync($"DocumentReference/{document}/_history/1")).Status);
            Assert.Equal(0, (await other.GetAsync($"DocumentReference?patient={patient}")).Json.GetProperty("total").GetInt32());
        }
        // Keeping the record, the hospital's other system may still correct it, and then reads what it wrote itself.
        var corrected = await lab.PutAsync($"DocumentReference/{document}", $$$"""
            {"resourceType":"DocumentReference","id":"{{{document}}}","status":"entered-in-error",
            "subject":{"reference":"Patient/{{{patient}}}"},"content":[{"attachment":{"title":"withdrawn"}}]}
            """);
        Assert.True(corrected.Status == 200, corrected.Text);
        Assert.Equal(200, (await lab.GetAsync($"DocumentReference/{document}")).Status);
        Assert.Equal(404, (await lab.GetAsync($"DocumentReference/{document}/_history/1")).Status);
        Assert.Equal(404, (await gateway.Ehr.GetAsync($"DocumentReference/{document}")).Status);
        Assert.Equal(200, (await gateway.Ehr.GetAsync($"DocumentReference/{document}/_history/1")).Status);
        var history = await gateway.Ehr.GetAsync($"DocumentReference/{document}/_history");
        Assert.Equal(1, history.Json.GetProperty("total").GetInt32());
        // The patient decides about the doctor like about anybody.
        await RunningGateway.GrantAsync(gateway.Ehr, patient, doctor, "TREAT");
        Assert.Equal(200, (await colleague.GetAsync($"DocumentReference/{document}")).Status);
    }

    [Fact]
    public async Task A_hospital_signs_for_a_patient_in_custody_with_the_signed_form_alone()
    {
        var patient = await gateway.NewPatientAsync();
        var withoutForm = RunningGateway.Consent(patient, gateway.Hospital, "TREAT").Replace(
            "\"sourceAttachment\":{\"contentType\":\"application/pdf\",\"title\":\"signed form\",\"data\":\"JVBERi0xLjQ=\"},", "");
        foreach (var form in new[] { "", "\"sourceAttachment\":{\"title\":\"form\"},", "\"sourceReference\":{\"display\":\"form\"}," })
        {
            var refused = await gateway.Ehr.PostAsync(
                "Consent", withoutForm.Replace("\"policy\":", form + "\"policy\":", StringComparison.Ordinal));
            Assert.Equal(422, refused.Status);
            Assert.Contains("Consent.source[x]", refused.Text);
        }
        Assert.Equal(201, (await gateway.Ehr.PostAsync("Consent", RunningGateway.Consent(patient, gateway.Hospital, "TREAT"))).Status);
        // The patient's own login is evidence enough.
        var self = await gateway.LoginPatientAsync(patient);
        Assert.Equal(201, (await self.PostAsync("Consent", withoutForm)).Status);
    }

    [Fact]
    public async Task A_hospital_neither_ends_what_the_patient_denied_nor_grants_against_it()
    {
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var deny = RunningGateway.Consent(patient, gateway.Hospital, "TREAT").Replace("\"type\":\"permit\"", "\"type\":\"deny\"");
        var denial = (await self.PostAsync("Consent", deny)).Id;
        var kept = await gateway.Ehr.GetAsync($"Consent/{denial}");
        Assert.Equal(404, kept.Status);
        Assert.Equal(403, (await gateway.Ehr.DeleteAsync($"Consent/{denial}")).Status);
        var ended = RunningGateway.Consent(patient, gateway.Hospital, "TREAT", status: "inactive", id: denial);
        Assert.Equal(403, (await gateway.Ehr.PutAsync($"Consent/{denial}", ended)).Status);
        Assert.Equal(403, (await gateway.Ehr.PostAsync("Consent", RunningGateway.Consent(patient, gateway.Hospital, "TREAT"))).Status);
        var (doctor, _) = await gateway.RegisterDoctorAsync("dr-" + Guid.CreateVersion7(), gateway.Hospital);
        Assert.Equal(403, (await gateway.Ehr.PostAsync("Consent", RunningGateway.Consent(patient, doctor, "TREAT"))).Status);
        // About somebody else the form still counts.
        Assert.Equal(201, (await gateway.Ehr.PostAsync("Consent", RunningGateway.Consent(patient, gateway.InsurerOrganization))).Status);
        Assert.Equal(204, (await self.DeleteAsync($"Consent/{denial}")).Status);
        Assert.Equal(201, (await gateway.Ehr.PostAsync("Consent", RunningGateway.Consent(patient, gateway.Hospital, "TREAT"))).Status);
    }

    [Fact]
    public async Task A_denial_that_the_hospital_filed_itself_is_ended_with_evidence_and_not_deleted()
    {
        var patient = await gateway.NewPatientAsync();
        var deny = RunningGateway.Consent(patient, gateway.Hospital).Replace("\"type\":\"permit\"", "\"type\":\"deny\"");
        var denial = (await gateway.Ehr.PostAsync("Consent", deny)).Id;
        Assert.Equal(403, (await gateway.Ehr.DeleteAsync($"Consent/{denial}")).Status);
        var ended = deny.Replace("\"status\":\"active\"", $"\"id\":\"{denial}\",\"status\":\"inactive\"");
        var withoutForm = ended.Replace("\"data\":\"JVBERi0xLjQ=\"", "\"size\":8");
        Assert.Equal(422, (await gateway.Ehr.PutAsync($"Consent/{denial}", withoutForm)).Status);
        Assert.Equal(200, (await gateway.Ehr.PutAsync($"Consent/{denial}", ended)).Status);
    }

    [Fact]
    public async Task Another_hospital_writes_about_a_patient_by_a_consent_that_lets_it_collect_such_records()
    {
        var patient = await gateway.NewPatientAsync();
        Task<Answer> WriteAsync() => gateway.OtherEhr.PostAsync("Observation", $$$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{{{patient}}}"}}
            """);
        const string Actions = "http://terminology.hl7.org/CodeSystem/consentaction";
        string More(string more, string action) =>
            $$$""",{{{more}}}"action":[{"coding":[{"system":"{{{Actions}}}","code":"{{{action}}}"}]}]""";
        Assert.Equal(422, (await WriteAsync()).Status);
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "TREAT", More("", "access"));
        Assert.Equal(200, (await gateway.OtherEhr.GetAsync($"Patient/{patient}")).Status);
        // As if the patient were not known: reading is no leave to write.
        Assert.Equal(422, (await WriteAsync()).Status);
        await RunningGateway.GrantAsync(
            gateway.Ehr, patient, gateway.OtherHospital, "TREAT",
            More("\"class\":[{\"system\":\"http://hl7.org/fhir/resource-types\",\"code\":\"DocumentReference\"}],", "collect"));
        Assert.Equal(422, (await WriteAsync()).Status);
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "TREAT", More("", "collect"));
        Assert.Equal(201, (await WriteAsync()).Status);
    }

    [Fact]
    public async Task A_patient_sees_who_tried_a_record_of_theirs()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1]);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"DocumentReference/{document}")).Status);
        var told = await (await gateway.LoginPatientAsync(patient)).GetAsync("AuditEvent");
        var tried = RunningGateway.Entries(told).Select(e => e.GetProperty("resource"))
            .Single(e => e.GetProperty("outcome").GetString() == "4");
        Assert.Contains($"DocumentReference/{document}", tried.GetRawText());
        Assert.Contains(gateway.InsurerOrganization, tried.GetRawText());
    }

    [Fact]
    public async Task A_grantee_sees_the_Consent_that_names_it_while_that_stands_and_no_other()
    {
        var patient = await gateway.NewPatientAsync();
        var own = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
        var others = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "TREAT");
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"Consent/{own}")).Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Consent/{others}")).Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Consent/{others}/$ledger-status")).Status);
        var found = await gateway.Insurer.GetAsync($"Consent?patient={patient}");
        Assert.Equal(1, found.Json.GetProperty("total").GetInt32());
        // The signed form is a Binary of its own: it is the patient's, and its author's.
        var form = (await gateway.Insurer.GetAsync($"Consent/{own}")).Json.GetProperty("sourceAttachment").GetProperty("url").GetString()!;
        Assert.Equal(404, (await gateway.Insurer.GetAsync(form, "*/*")).Status);
        Assert.Equal(200, (await gateway.Ehr.GetAsync(form, "*/*")).Status);
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Consent/{own}")).Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Consent/{own}")).Status);
    }

    [Fact]
    public async Task A_patient_is_told_why_somebody_sees_a_record_and_nobody_else_is()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1]);
        var self = await gateway.LoginPatientAsync(patient);
        string Question(string purpose, string viewer) =>
            $"Patient/{patient}/$consent-explain?viewer={viewer}&purpose={purpose}&resource=DocumentReference/{document}";
        async Task<string> ExplainAsync(string purpose) => (await self.GetAsync(Question(purpose, gateway.InsurerOrganization))).Text;
        Assert.Contains("no consent is about this viewer", await ExplainAsync("HPAYMT"));
        var grant = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
        var permitted = await ExplainAsync("HPAYMT");
        Assert.Contains("\"permit\"", permitted);
        Assert.Contains($"Consent/{grant}", permitted);
        Assert.Contains("no consent is about this viewer", await ExplainAsync("TREAT"));
        var deny = RunningGateway.Consent(patient, gateway.InsurerOrganization, more: ",\"code\":[{\"coding\":[{"
            + "\"system\":\"http://loinc.org\",\"code\":\"34133-9\"}]}]").Replace("\"type\":\"permit\"", "\"type\":\"deny\"");
        Assert.Equal(201, (await self.PostAsync("Consent", deny)).Status);
        Assert.Contains("a denial overrides every permit", await ExplainAsync("HPAYMT"));
        foreach (var other in new[] { gateway.Insurer, gateway.OtherEhr })
            Assert.Equal(404, (await other.GetAsync(Question("HPAYMT", gateway.InsurerOrganization))).Status);
        Assert.Equal(422, (await self.GetAsync(Question("HPAYMT", "Organization/nobody"))).Status);
        Assert.Equal(400, (await self.GetAsync(Question("HPAYMT", "Patient/" + patient))).Status);
        Assert.Equal(400, (await self.GetAsync(Question("HPAYMT", gateway.InsurerOrganization) + "&x=1")).Status);
    }
}
