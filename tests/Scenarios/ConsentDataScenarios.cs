using System.Text;

namespace PmrGateway.Tests.Scenarios;

/// <summary>What a consent asks of a record besides its labels: whose it was, what it is tied to, what it encloses.</summary>
[Collection(GatewayCollection.Name)]
public class ConsentDataScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task An_earlier_version_that_concerned_another_patient_too_is_not_shown_to_the_one_who_is_left()
    {
        var (patient, other) = (await gateway.NewPatientAsync(), await gateway.NewPatientAsync());
        string Text(string? id, string more) => $$$"""
            {"resourceType":"Observation",{{{(id is null ? "" : $"\"id\":\"{id}\",")}}}"status":"final","code":{"text":"x"}{{{more}}},
            "subject":{"reference":"Patient/{{{patient}}}"}}
            """;
        var id = (await gateway.Ehr.PostAsync("Observation", Text(null, $",\"focus\":[{{\"reference\":\"Patient/{other}\"}}]"))).Id;
        var (left, former) = (await gateway.LoginPatientAsync(patient), await gateway.LoginPatientAsync(other));
        Assert.Equal(404, (await left.GetAsync($"Observation/{id}")).Status);
        foreach (var more in new[] { "", ",\"valueString\":\"later\"" })
        {
            Assert.Equal(200, (await gateway.Ehr.PutAsync($"Observation/{id}", Text(id, more))).Status);
            Assert.Equal(200, (await left.GetAsync($"Observation/{id}")).Status);
            Assert.Equal(404, (await former.GetAsync($"Observation/{id}")).Status);
            foreach (var one in new[] { left, former })
                Assert.Equal(404, (await one.GetAsync($"Observation/{id}/_history/1")).Status);
            Assert.Equal(1, (await left.GetAsync($"Observation/{id}/_history")).Json.GetProperty("total").GetInt32());
            Assert.Equal(404, (await former.GetAsync($"Observation/{id}/_history")).Status);
        }
        Assert.Equal(3, (await gateway.Ehr.GetAsync($"Observation/{id}/_history")).Json.GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task A_consent_to_a_record_and_what_it_refers_to_opens_its_attachment_too()
    {
        var patient = await gateway.NewPatientAsync();
        var named = await gateway.NewDocumentAsync(patient, [1, 2, 3]);
        var other = await gateway.NewDocumentAsync(patient, [4, 5, 6]);
        await GrantAsync(patient, Data("related", $"DocumentReference/{named}"));
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"DocumentReference/{named}")).Status);
        Assert.Equal(200, (await gateway.Insurer.GetAsync(await ContentAsync(named), "*/*")).Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync(await ContentAsync(other), "*/*")).Status);
    }

    [Fact]
    public async Task A_Binary_that_no_record_links_to_is_closed_by_a_denial_of_what_its_hospital_wrote()
    {
        var patient = await gateway.NewPatientAsync();
        var binary = await BinaryAsync(patient, "text/plain", [1, 2, 3]);
        await GrantAsync(patient, "");
        Assert.Equal(200, (await gateway.Insurer.GetAsync(binary, "*/*")).Status);
        await GrantAsync(patient, Exception(Data("authoredby", gateway.Hospital)));
        Assert.Equal(404, (await gateway.Insurer.GetAsync(binary, "*/*")).Status);
    }

    [Fact]
    public async Task What_a_Binary_encloses_counts_for_every_record_that_links_to_it()
    {
        var patient = await gateway.NewPatientAsync();
        var document = Encoding.UTF8.GetBytes($$$"""
            {"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://snomed.info/sct","code":"165816005"}]},
            "subject":{"reference":"Patient/{{{patient}}}"}}
            """);
        string Reference(string attachment) => $$$"""
            {"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/{{{patient}}}"},
            "content":[{"attachment":{{{{attachment}}}}}]}
            """;
        var first = await gateway.Ehr.PostAsync("DocumentReference", Reference(
            $"\"contentType\":\"application/fhir+json\",\"data\":\"{Convert.ToBase64String(document)}\""));
        Assert.True(first.Status == 201, first.Text);
        var content = await ContentAsync(first.Id);
        var second = await gateway.Ehr.PostAsync("DocumentReference", Reference($"\"url\":\"{content}\""));
        Assert.True(second.Status == 201, second.Text);
        const string Code = "\"code\":[{\"coding\":[{\"system\":\"http://snomed.info/sct\",\"code\":\"165816005\"}]}]";
        await GrantAsync(patient, Exception("," + Code));
        foreach (var path in new[] { $"DocumentReference/{first.Id}", $"DocumentReference/{second.Id}", content })
            Assert.Equal(404, (await gateway.Insurer.GetAsync(path, "*/*")).Status);
        // The first lets go of it, and the second still has it.
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"DocumentReference/{first.Id}")).Status);
        foreach (var path in new[] { $"DocumentReference/{second.Id}", content })
            Assert.Equal(404, (await gateway.Insurer.GetAsync(path, "*/*")).Status);
    }

    [Fact]
    public async Task A_label_of_one_record_that_links_to_a_document_stays_that_records_own()
    {
        var patient = await gateway.NewPatientAsync();
        var document = Convert.ToBase64String(Encoding.UTF8.GetBytes(
            $$$"""{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{{{patient}}}"}}"""));
        const string Restricted =
            "\"meta\":{\"security\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-Confidentiality\",\"code\":\"R\"}]},";
        string Reference(string members, string attachment) => $$$"""
            {"resourceType":"DocumentReference",{{{members}}}"status":"current","subject":{"reference":"Patient/{{{patient}}}"},
            "content":[{"attachment":{{{{attachment}}}}}]}
            """;
        var first = await gateway.Ehr.PostAsync(
            "DocumentReference", Reference(Restricted, $"\"contentType\":\"application/fhir+json\",\"data\":\"{document}\""));
        var content = await ContentAsync(first.Id);
        var link = $"\"contentType\":\"application/fhir+json\",\"url\":\"{content}\"";
        var second = (await gateway.Ehr.PostAsync("DocumentReference", Reference("", link))).Id;
        await GrantAsync(patient, Exception(
            ",\"securityLabel\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-Confidentiality\",\"code\":\"R\"}]"));
        for (var version = 1; version <= 2; version++)
        {
            Assert.Equal(404, (await gateway.Insurer.GetAsync($"DocumentReference/{first.Id}")).Status);
            Assert.Equal(200, (await gateway.Insurer.GetAsync($"DocumentReference/{second}")).Status);
            Assert.Equal(404, (await gateway.Insurer.GetAsync(content, "*/*")).Status);
            Assert.Equal(200, (await gateway.Ehr.PutAsync(
                $"DocumentReference/{second}", Reference($"\"id\":\"{second}\",", link))).Status);
        }
        // Lifted from the first, it closes nothing any more.
        Assert.Equal(200, (await gateway.Ehr.PutAsync(
            $"DocumentReference/{first.Id}", Reference($"\"id\":\"{first.Id}\",", link))).Status);
        Assert.Equal(200, (await gateway.Insurer.GetAsync(content, "*/*")).Status);
    }

    [Fact]
    public async Task A_revocation_during_reads_of_everything_answers_as_for_a_patient_who_is_not_known()
    {
        var patient = await gateway.NewPatientAsync();
        for (var i = 0; i < 20; i++) await gateway.NewDocumentAsync(patient, [(byte)i]);
        var answers = new System.Collections.Concurrent.ConcurrentDictionary<int, int>();
        for (var round = 0; round < 5; round++)
        {
            var consent = await GrantAsync(patient, "");
            using var done = new CancellationTokenSource();
            var readers = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
            {
                while (!done.IsCancellationRequested)
                    foreach (var path in new[] { $"Patient/{patient}/$everything", $"Patient/{patient}", $"Patient/{patient}/_history" })
                        answers.AddOrUpdate((await gateway.Insurer.GetAsync(path)).Status, 1, (_, n) => n + 1);
            })).ToList();
            await Task.Delay(100);
            Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Consent/{consent}")).Status);
            Assert.Equal(404, (await gateway.Insurer.GetAsync($"Patient/{patient}/$everything")).Status);
            await Task.Delay(100);
            await done.CancelAsync();
            await Task.WhenAll(readers);
        }
        Assert.Equal([200, 404], answers.Keys.Order());
    }

    private Task<string> GrantAsync(string patient, string more) =>
        RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.InsurerOrganization, "HPAYMT", more);

    private static string Exception(string provision) => $",\"provision\":[{{\"type\":\"deny\"{provision}}}]";

    private static string Data(string meaning, string reference) =>
        $",\"data\":[{{\"meaning\":\"{meaning}\",\"reference\":{{\"reference\":\"{reference}\"}}}}]";

    private async Task<string> ContentAsync(string document) =>
        (await gateway.Ehr.GetAsync($"DocumentReference/{document}")).Json
        .GetProperty("content")[0].GetProperty("attachment").GetProperty("url").GetString()!;

    private async Task<string> BinaryAsync(string patient, string type, byte[] bytes)
    {
        var sent = await gateway.Ehr.PostAsync("Binary", $$$"""
            {"resourceType":"Binary","contentType":"{{{type}}}","securityContext":{"reference":"Patient/{{{patient}}}"},
            "data":"{{{Convert.ToBase64String(bytes)}}}"}
            """);
        Assert.True(sent.Status == 201, sent.Text);
        return $"Binary/{sent.Id}";
    }
}
