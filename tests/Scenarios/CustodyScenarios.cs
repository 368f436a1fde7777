using PmrGateway.Mapping;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>What a hospital may say for a patient in its custody, what its doctors may not, and what is left of it afterwards.</summary>
[Collection(GatewayCollection.Name)]
public class CustodyScenarios(RunningGateway gateway)
{
    private const string Inactive = """[{"op":"replace","path":"/status","value":"inactive"}]""";

    [Fact]
    public async Task What_a_hospital_permitted_on_paper_ends_where_a_wallet_takes_over_and_what_it_denied_stays()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1, 2, 3]);
        var self = await gateway.LoginPatientAsync(patient);
        var onPaper = await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization);
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "TREAT");
        var denial = Denial(patient, gateway.OtherHospital, ",\"class\":[{\"system\":\"http://hl7.org/fhir/resource-types\","
            + "\"code\":\"DocumentReference\"}]");
        Assert.Equal(201, (await gateway.Ehr.PostAsync("Consent", denial)).Status);
        string[] paths = [$"DocumentReference/{document}", $"Patient/{patient}", $"Consent/{onPaper}"];
        foreach (var path in paths) Assert.Equal(200, (await gateway.Insurer.GetAsync(path)).Status);
        Assert.Equal(200, (await gateway.OtherEhr.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal(404, (await gateway.OtherEhr.GetAsync($"DocumentReference/{document}")).Status);

        var wallet = new Wallet();
        await wallet.TakeOverAsync(gateway.Services, patient, () => Task.Delay(100));
        foreach (var path in paths) Assert.Equal(404, (await gateway.Insurer.GetAsync(path)).Status);
        Assert.Equal(
            0, (await gateway.Insurer.GetAsync($"DocumentReference?patient={patient}")).Json.GetProperty("total").GetInt32());
        Assert.Equal(404, (await gateway.OtherEhr.GetAsync($"Patient/{patient}")).Status);
        // Nor does the form say it again.
        var again = await gateway.Ehr.PostAsync("Consent", RunningGateway.Consent(patient, gateway.InsurerOrganization));
        Assert.True(again.Status is 403 or 422, again.Text);
        // By the wallet's word the other hospital is permitted everything; what custody denied it is still denied.
        var permit = RunningGateway.Consent(patient, gateway.OtherHospital, "TREAT");
        var offer = IntentOffer.Grant(await self.PostAsync("Consent/$intent", permit));
        Assert.Equal(201, (await self.PostAsync("Consent", offer.Signed(permit, wallet.SignTypedData(offer.TypedData)))).Status);
        var read = await GatewayClient.UntilAsync(() => gateway.OtherEhr.GetAsync($"Patient/{patient}"), a => a.Status == 200);
        Assert.Equal(200, read.Status);
        Assert.Equal(404, (await gateway.OtherEhr.GetAsync($"DocumentReference/{document}")).Status);
    }

    [Fact]
    public async Task A_doctor_of_the_custodian_neither_ends_nor_changes_what_the_patient_denied()
    {
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var (reference, doctor) = await gateway.RegisterDoctorAsync("dr-" + ResourceId.New(), gateway.Hospital);
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.Hospital, "TREAT");
        Assert.Equal(200, (await doctor.GetAsync($"Patient/{patient}")).Status);
        var denied = await self.PostAsync("Consent", Denial(patient, reference));
        Assert.True(denied.Status == 201, denied.Text);
        var consent = $"Consent/{denied.Id}";
        string Text(string status, string type) => RunningGateway.Consent(patient, reference, "TREAT", status: status, id: denied.Id)
            .Replace("\"type\":\"permit\"", $"\"type\":\"{type}\"", StringComparison.Ordinal);
        string[] criteria = [$"Consent?_id={denied.Id}", $"Consent?patient={patient}&actor={reference}"];
        List<Answer> tried =
        [
            await doctor.DeleteAsync(consent),
            await doctor.PutAsync(consent, Text("inactive", "deny")),
            await doctor.PutAsync(consent, Text("entered-in-error", "deny")),
            await doctor.PutAsync(consent, Text("active", "permit")),
            await doctor.PatchAsync(consent, Inactive, "application/json-patch+json"),
            await doctor.PostAsync("Consent/$intent", Text("inactive", "deny")),
            .. await Task.WhenAll(criteria.Select(doctor.DeleteAsync)),
            .. await Task.WhenAll(criteria.Select(c => doctor.PatchAsync(c, Inactive, "application/json-patch+json"))),
            await ConditionalRequests.SendAsync(doctor, "transaction", ConditionalRequests.Entry("DELETE", consent)),
        ];
        Assert.All(tried, a => Assert.InRange(a.Status, 403, 404));
        var batch = await ConditionalRequests.SendAsync(
            doctor, "batch", ConditionalRequests.Entry("DELETE", consent),
            ConditionalRequests.Entry("PUT", consent, Text("inactive", "deny")));
        Assert.All(ConditionalRequests.Statuses(batch), s => Assert.InRange(int.Parse(s!, null), 403, 404));
        var kept = (await self.GetAsync(consent)).Json;
        Assert.Equal(("active", "1"), (
            kept.GetProperty("status").GetString(), kept.GetProperty("meta").GetProperty("versionId").GetString()));
        Assert.Equal(404, (await doctor.GetAsync($"Patient/{patient}")).Status);
    }

    [Fact]
    public async Task A_denial_of_one_doctor_holds_though_the_hospital_is_permitted_and_a_colleague_reads_on()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1, 2, 3]);
        var self = await gateway.LoginPatientAsync(patient);
        var (reference, doctor) = await gateway.RegisterDoctorAsync("dr-" + ResourceId.New(), gateway.Hospital);
        var (_, colleague) = await gateway.RegisterDoctorAsync("dr-" + ResourceId.New(), gateway.Hospital);
        var denial = (await self.PostAsync("Consent", Denial(patient, reference))).Id;
        // Whatever is signed after it, be it for the hospital or for the doctor by name.
        await RunningGateway.GrantAsync(self, patient, gateway.Hospital, "TREAT");
        await RunningGateway.GrantAsync(self, patient, reference, "TREAT");
        string[] paths = [$"DocumentReference/{document}", $"Patient/{patient}"];
        foreach (var path in paths)
        {
            Assert.Equal((path, 404), (path, (await doctor.GetAsync(path)).Status));
            Assert.Equal((path, 200), (path, (await colleague.GetAsync(path)).Status));
        }
        foreach (var (client, total) in new[] { (doctor, 0), (colleague, 1) })
        {
            var found = await client.GetAsync($"DocumentReference?patient={patient}");
            Assert.Equal(total, found.Json.GetProperty("total").GetInt32());
            // A Consent that stands is shown to whom it names, and nothing else is to who is denied.
            var types = RunningGateway.Entries(await client.GetAsync($"Patient/{patient}/$everything"))
                .Select(e => e.GetProperty("resource").GetProperty("resourceType").GetString()).Distinct().Order();
            Assert.Equal(total == 0 ? ["Consent"] : ["Binary", "Consent", "DocumentReference", "Patient"], types);
        }
        Assert.Equal(204, (await self.DeleteAsync($"Consent/{denial}")).Status);
        foreach (var path in paths) Assert.Equal((path, 200), (path, (await doctor.GetAsync(path)).Status));
    }

    private static string Denial(string patient, string actor, string more = "") => RunningGateway.Consent(patient, actor, "TREAT", more)
        .Replace("\"type\":\"permit\"", "\"type\":\"deny\"", StringComparison.Ordinal);
}
