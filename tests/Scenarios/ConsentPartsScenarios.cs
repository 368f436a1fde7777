using System.Text;
using PmrGateway.Tests.Client;
using static PmrGateway.Tests.Scenarios.ConditionalRequests;

namespace PmrGateway.Tests.Scenarios;

/// <summary>A Consent concerns its patient alone: what it holds, or links to, tells of nobody else.</summary>
[Collection(GatewayCollection.Name)]
public class ConsentPartsScenarios(RunningGateway gateway)
{
    private const string Form = "\"sourceAttachment\":{\"contentType\":\"application/pdf\",\"title\":\"signed form\","
        + "\"data\":\"JVBERi0xLjQ=\"},";

    private const string Uuid = "urn:uuid:7fbd8b2e-0000-4000-8000-0000000000c1";

    [Theory]
    [InlineData("active")]
    [InlineData("proposed")]
    [InlineData("draft")]
    public async Task A_Consent_that_holds_or_links_to_what_tells_of_a_Patient_is_refused_whoever_that_is(string status)
    {
        var patient = await gateway.NewPatientAsync();
        var writer = status switch
        {
            "active" => await gateway.LoginPatientAsync(patient),
            "proposed" => await gateway.RegisterSystemAsync("asks-" + New(), gateway.InsurerOrganization, "system/*.cruds", "HPAYMT"),
            _ => gateway.Ehr,
        };
        var consent = RunningGateway.Consent(patient, gateway.InsurerOrganization, status: status);
        Assert.Contains(Form, consent);
        var known = New();
        await MadeAsync(gateway.OtherEhr, known);
        var told = new List<string>();
        foreach (var copy in new[] { Patient(known), Patient(New()) })
        {
            var document = $$$"""
                {"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-0000000000c2",
                "resource":{{{copy}}}}]}
                """;
            var contained = copy.Replace("\"Patient\",", "\"Patient\",\"id\":\"q\",", StringComparison.Ordinal);
            (string Path, Task<Answer> Answer)[] refused =
            [
                ("Consent.contained", writer.PostAsync("Consent", consent.Replace(
                    Form, $"{Form}\"contained\":[{contained}],\"performer\":[{{\"reference\":\"#q\"}}],", StringComparison.Ordinal))),
                ("Consent.sourceAttachment", writer.PostAsync("Consent", With($"\"data\":\"{Base64(document)}\""))),
            ];
            foreach (var (path, asked) in refused) Told(await asked, path);
            // An insurer keeps no Binary.
            if (status == "proposed") continue;
            var binary = $"{{\"resourceType\":\"Binary\",\"contentType\":\"application/fhir+json\",\"data\":\"{Base64(document)}\"}}";
            var kept = await gateway.Ehr.PostAsync("Binary", binary);
            Assert.True(kept.Status == 201, kept.Text);
            Told(await writer.PostAsync("Consent", With($"\"url\":\"Binary/{kept.Id}\"")), "Consent.sourceAttachment.url");
            // A patient writes none either.
            if (status == "active") continue;
            Told(
                await SendAsync(
                    writer, "transaction", Entry("POST", "Binary", binary, fullUrl: Uuid),
                    Entry("POST", "Consent", With($"\"url\":\"{Uuid}\""))),
                "Consent.sourceAttachment.url");
        }
        Assert.Equal(told[..(told.Count / 2)], told[(told.Count / 2)..]);
        var made = await writer.PostAsync("Consent", consent);
        Assert.True(made.Status == 201, made.Text);

        string With(string form) => consent.Replace(
            Form, $"\"sourceAttachment\":{{\"contentType\":\"application/fhir+json\",{form}}},", StringComparison.Ordinal);

        void Told(Answer answer, string path)
        {
            Assert.True(answer.Status == 422 && answer.Text.Contains(path + "\"", StringComparison.Ordinal), answer.Text);
            told.Add(answer.Text);
        }
    }

    [Fact]
    public async Task How_many_wait_for_a_patient_is_counted_whatever_a_proposal_links_to()
    {
        // Another hospital proposes, and keeps a document that tells of whoever it is.
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var known = New();
        await MadeAsync(gateway.Ehr, known);
        foreach (var of in new[] { known, New() })
        {
            var document = $$$"""{"resourceType":"Bundle","type":"collection","entry":[{"resource":{{{Patient(of)}}}}]}""";
            var binary = await gateway.OtherEhr.PostAsync(
                "Binary", $"{{\"resourceType\":\"Binary\",\"contentType\":\"application/fhir+json\",\"data\":\"{Base64(document)}\"}}");
            Assert.True(binary.Status == 201, binary.Text);
            var proposal = RunningGateway.Consent(patient, gateway.OtherHospital, "TREAT", status: "proposed")
                .Replace(Form, $"\"sourceAttachment\":{{\"url\":\"Binary/{binary.Id}\"}},", StringComparison.Ordinal);
            for (var i = 0; i < 7; i++) Assert.Equal(422, (await gateway.OtherEhr.PostAsync("Consent", proposal)).Status);
        }
        Assert.Equal(0, (await self.GetAsync("Task?_count=0")).Json.GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task A_Consent_whose_own_form_is_a_document_of_nobody_is_updated_with_it()
    {
        var patient = await gateway.NewPatientAsync();
        var self = await gateway.LoginPatientAsync(patient);
        var answers = Base64("""{"resourceType":"Basic","code":{"text":"the questions were read"}}""");
        var made = await self.PostAsync("Consent", RunningGateway.Consent(patient, gateway.InsurerOrganization).Replace(
            Form, $"\"sourceAttachment\":{{\"contentType\":\"application/fhir+json\",\"data\":\"{answers}\"}},",
            StringComparison.Ordinal));
        Assert.True(made.Status == 201, made.Text);
        var inactive = made.Text.Replace("\"status\":\"active\"", "\"status\":\"inactive\"", StringComparison.Ordinal);
        Assert.Contains("Binary/", inactive);
        var ended = await self.PutAsync($"Consent/{made.Id}", inactive);
        Assert.True(ended.Status == 200, ended.Text);
        // Another that links to it would not be read for what it tells.
        var other = RunningGateway.Consent(patient, gateway.OtherHospital).Replace(
            Form, $"\"sourceAttachment\":{{\"url\":\"{made.Json.GetProperty("sourceAttachment").GetProperty("url").GetString()}\"}},",
            StringComparison.Ordinal);
        Assert.Equal(422, (await self.PostAsync("Consent", other)).Status);
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
