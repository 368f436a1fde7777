using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Api;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.Scenarios;

[Collection(GatewayCollection.Name)]
public class FhirScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task A_resource_is_created_read_updated_and_its_versions_stay()
    {
        var created =
            await gateway.Ehr.PostAsync("Patient", """{"resourceType":"Patient","name":[{"family":"One"}],"multipleBirthInteger":2}""");
        Assert.Equal(201, created.Status);
        Assert.Equal("W/\"1\"", created.Headers.Headers.ETag!.ToString());
        var id = created.Id;
        Assert.Equal(200, (await gateway.Ehr.PutAsync(
            $"Patient/{id}",
            $$$"""{"resourceType":"Patient","id":"{{{id}}}","name":[{"family":"Two"}]}""",
            ("If-Match", "W/\"1\""))).Status);
        Assert.Equal(412, (await gateway.Ehr.PutAsync(
            $"Patient/{id}", $$$"""{"resourceType":"Patient","id":"{{{id}}}"}""", ("If-Match", "W/\"1\""))).Status);
        Assert.Contains("\"family\":\"Two\"", (await gateway.Ehr.GetAsync($"Patient/{id}")).Text);
        Assert.Contains("\"family\":\"One\"", (await gateway.Ehr.GetAsync($"Patient/{id}/_history/1")).Text);
        Assert.Equal(404, (await gateway.Ehr.GetAsync($"Patient/{id}/_history/3")).Status);
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Patient/{id}")).Status);
        Assert.Equal(410, (await gateway.Ehr.GetAsync($"Patient/{id}")).Status);
        var history = await gateway.Ehr.GetAsync($"Patient/{id}/_history");
        Assert.Equal(
            ["DELETE", "PUT", "POST"],
            RunningGateway.Entries(history).Select(e => e.GetProperty("request").GetProperty("method").GetString()));
        AssertValid(history.Body);
    }

    [Fact]
    public async Task What_was_sent_comes_back_digit_for_digit()
    {
        const string Observation =
            """{"resourceType":"Observation","extension":[{"url":"http://unknown.example/x","valueDecimal":1.0E+2}],"status":"final","""
            + "\"code\":{\"text\":\"Ünïcode ☃\"},\"valueQuantity\":{\"value\":0.123456789012345678901234567890}}";
        var created = await gateway.Ehr.PostAsync("Observation", Observation);
        var read = (await gateway.Ehr.GetAsync($"Observation/{created.Id}")).Text;
        Assert.EndsWith(Observation.Trim()[("{\"resourceType\":\"Observation\"".Length)..], read);
    }

    [Fact]
    public async Task A_search_pages_with_an_exact_total_and_includes_what_may_be_seen()
    {
        var patient = await gateway.NewPatientAsync();
        var ids = new List<string>();
        for (var i = 0; i < 5; i++) ids.Add(await gateway.NewDocumentAsync(patient, [(byte)i], i < 3 ? "34133-9" : "11502-2"));
        var found = new List<string>();
        var url = $"DocumentReference?patient=Patient/{patient}&_count=2&_include=DocumentReference:subject";
        for (var pages = 0; url is not null; pages++)
        {
            var page = await gateway.Ehr.GetAsync(url);
            Assert.Equal(200, page.Status);
            Assert.Equal(5, page.Json.GetProperty("total").GetInt32());
            AssertValid(page.Body);
            found.AddRange(RunningGateway.Entries(page).Where(e => Mode(e) == "match")
                .Select(e => e.GetProperty("resource").GetProperty("id").GetString()!));
            Assert.Equal(
                patient,
                RunningGateway.Entries(page).Single(e => Mode(e) == "include").GetProperty("resource").GetProperty("id").GetString());
            url = page.Json.GetProperty("link").EnumerateArray().Where(l => l.GetProperty("relation").GetString() == "next")
                .Select(l => l.GetProperty("url").GetString()).FirstOrDefault();
            Assert.True(pages < 3);
        }
        Assert.Equal(ids, found);

        static string Mode(JsonElement entry) => entry.GetProperty("search").GetProperty("mode").GetString()!;
    }

    [Theory]
    [InlineData("type=http://loinc.org|18842-5", 1)]
    [InlineData("type=18842-5", 1)]
    [InlineData("type=http://other|18842-5", 0)]
    [InlineData("type=18842-5,11502-2", 1)]
    [InlineData("status=current", 1)]
    [InlineData("status=superseded", 0)]
    [InlineData("date=2026-01-02", 1)]
    [InlineData("date=2026", 1)]
    [InlineData("date=gt2026-01-02", 0)]
    [InlineData("date=ge2026-01-02&date=lt2026-01-03", 1)]
    [InlineData("date=ne2026-01-02", 0)]
    [InlineData("_lastUpdated=gt2000", 1)]
    [InlineData("_lastUpdated=lt2000", 0)]
    [InlineData("status:not=superseded", 1)]
    [InlineData("status:not=current", 0)]
    [InlineData("type:missing=false", 1)]
    [InlineData("type:missing=true", 0)]
    [InlineData("_summary=count", 1)]
    public async Task A_search_parameter_finds_what_it_says(string query, int total)
    {
        var patient = await gateway.NewPatientAsync();
        var id = await gateway.NewDocumentAsync(patient, [1], "18842-5");
        var answer = await gateway.Ehr.GetAsync($"DocumentReference?subject=Patient/{patient}&{query}");
        Assert.Equal(total, answer.Json.GetProperty("total").GetInt32());
        Assert.Equal(total == 1 && query != "_summary=count", answer.Text.Contains(id, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("unknown=1")]
    [InlineData("date=yesterday")]
    [InlineData("_count=-1")]
    [InlineData("_revinclude=*")]
    [InlineData("_cursor=x")]
    [InlineData("status:contains=current")]
    public async Task A_search_that_is_not_understood_is_refused(string query)
    {
        var refused = await gateway.Ehr.GetAsync($"DocumentReference?{query}");
        Assert.Equal(400, refused.Status);
        AssertValid(refused.Body);
    }

    [Fact]
    public async Task A_transaction_links_its_entries_and_is_all_or_nothing()
    {
        string Bundle(string status) => $$$"""
            {"resourceType":"Bundle","type":"transaction","entry":[
            {"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-000000000001","resource":{"resourceType":"Patient",
            "identifier":[{"system":"urn:t","value":"{{{status}}}"}]},"request":{"method":"POST","url":"Patient"}},
            {"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-000000000002","resource":{"resourceType":"Observation","status":"{{{status}}}",
            "code":{"text":"x"},"subject":{"reference":"urn:uuid:7fbd8b2e-0000-4000-8000-000000000001"}},"request":{"method":"POST",
            "url":"Observation"}}]}
            """;
        var done = await gateway.Ehr.PostAsync("", Bundle("final"));
        Assert.True(done.Status == 200, done.Text);
        AssertValid(done.Body);
        var locations = RunningGateway.Entries(done)
            .Select(e => e.GetProperty("response").GetProperty("location").GetString()!.Split("/fhir/")[1].Split('/')).ToList();
        var observation = await gateway.Ehr.GetAsync($"Observation/{locations[1][1]}");
        Assert.Equal($"Patient/{locations[0][1]}", observation.Json.GetProperty("subject").GetProperty("reference").GetString());

        var refused = await gateway.Ehr.PostAsync("", Bundle("wrong"));
        Assert.Equal(422, refused.Status);
        Assert.Contains("Bundle.entry[1].resource.Observation.status", refused.Text);
        Assert.Equal(0, (await gateway.Ehr.GetAsync("Patient?identifier=urn:t|wrong")).Json.GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task Writes_at_once_all_reach_the_chain_under_their_own_nonces()
    {
        var patients = await Task.WhenAll(Enumerable.Range(0, 24).Select(_ => gateway.NewPatientAsync()));
        var directory = gateway.Service<DirectoryStore>();
        foreach (var patient in patients)
        {
            RegisteredPatient registered;
            var tries = 0;
            while ((registered = (await directory.PatientAsync(patient, default))!).Controller is null && tries++ < 300)
                await Task.Delay(100);
            Assert.NotNull(registered.Controller);
        }
        Assert.Empty(await gateway.Service<ILedgerJournal>().EntriesAsync(OutboxStatus.Failed, 10, default));
    }

    [Fact]
    public async Task A_batch_answers_each_entry_on_its_own()
    {
        var patient = await gateway.NewPatientAsync();
        var answer = await gateway.Ehr.PostAsync("", $$$"""
            {"resourceType":"Bundle","type":"batch","entry":[
            {"request":{"method":"GET","url":"Patient/{{{patient}}}"}},{"request":{"method":"GET","url":"Patient/unknown"}},
            {"resource":{"resourceType":"Observation"},"request":{"method":"POST","url":"Observation"}},
            {"request":{"method":"GET","url":"Patient?_id={{{patient}}}"}}]}
            """);
        AssertValid(answer.Body);
        Assert.Equal(
            ["200", "404", "422", "200"],
            RunningGateway.Entries(answer).Select(e => e.GetProperty("response").GetProperty("status").GetString()));
    }

    [Theory]
    [InlineData("""{"resource":5,"request":{"method":"POST","url":"Patient"}}""")]
    [InlineData("""{"resource":null,"request":{"method":"POST","url":"Patient"}}""")]
    [InlineData("""{"request":5}""")]
    [InlineData("5")]
    public async Task A_batch_with_an_entry_of_no_shape_is_refused_whole(string entry)
    {
        var refused = await gateway.Ehr.PostAsync("", $$$"""{"resourceType":"Bundle","type":"batch","entry":[{{{entry}}}]}""");
        Assert.Equal(400, refused.Status);
        AssertValid(refused.Body);
    }

    [Fact]
    public async Task A_reference_by_the_servers_own_URL_counts_like_any_other()
    {
        var patient = await gateway.NewPatientAsync();
        var created = await gateway.Ehr.PostAsync("Observation", $$$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},
            "subject":{"reference":"{{{gateway.Options.Url}}}/fhir/Patient/{{{patient}}}"}}
            """);
        Assert.Equal(201, created.Status);
        Assert.Equal(1, (await gateway.Ehr.GetAsync($"Observation?patient={patient}")).Json.GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task A_consent_before_its_patient_in_a_transaction_is_granted()
    {
        var consent = RunningGateway.Consent("p", gateway.InsurerOrganization)
            .Replace("Patient/p", "urn:uuid:7fbd8b2e-0000-4000-8000-0000000000aa", StringComparison.Ordinal);
        var done = await gateway.Ehr.PostAsync("", $$$"""
            {"resourceType":"Bundle","type":"transaction","entry":[{"resource":{{{consent}}},"request":{"method":"POST","url":"Consent"}},
            {"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-0000000000aa","resource":{"resourceType":"Patient"},"request":{"method":"POST",
            "url":"Patient"}}]}
            """);
        Assert.True(done.Status == 200, done.Text);
    }

    [Fact]
    public async Task If_None_Exist_creates_once()
    {
        const string Body = """{"resourceType":"Location","identifier":[{"system":"urn:loc","value":"once"}]}""";
        var first = await gateway.Ehr.PostAsync("Location", Body, ("If-None-Exist", "identifier=urn:loc|once"));
        var second = await gateway.Ehr.PostAsync("Location", Body, ("If-None-Exist", "identifier=urn:loc|once"));
        Assert.Equal((201, 200, first.Id), (first.Status, second.Status, second.Id));
    }

    [Fact]
    public async Task A_FHIR_document_is_kept_byte_for_byte_with_its_DocumentReference()
    {
        var mrn = ResourceId.New();
        await gateway.Ehr.PostAsync("Patient", $$$"""{"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"{{{mrn}}}"}]}""");
        var document = $$$"""
            { "resourceType":"Bundle", "type":"document", "identifier":{"system":"urn:x","value":"1"}, "timestamp":"2026-01-01T00:00:00Z",
            "entry":[
            {"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000a","resource":{"resourceType":"Composition","status":"final",
            "type":{"coding":[{"system":"http://loinc.org","code":"60591-5"}]},
            "subject":{"reference":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000b"},"date":"2026-01-01","author":[{"display":"x"}],
            "title":"IPS"}},
            {"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000b","resource":{"resourceType":"Patient",
            "identifier":[{"system":"urn:mrn","value":"{{{mrn}}}"}]}}]}
            """;
        var created = await gateway.Ehr.PostAsync("Bundle", document);
        Assert.True(created.Status == 201, created.Text);
        AssertValid(created.Body);
        Assert.Equal("60591-5", created.Json.GetProperty("type").GetProperty("coding")[0].GetProperty("code").GetString());
        var attachment = created.Json.GetProperty("content")[0].GetProperty("attachment");
        Assert.Equal(Convert.ToBase64String(SHA1.HashData(Encoding.UTF8.GetBytes(document))), attachment.GetProperty("hash").GetString());
        Assert.Equal(document, (await gateway.Ehr.GetAsync(attachment.GetProperty("url").GetString()!, "*/*")).Text);

        Assert.False(created.Json.TryGetProperty("securityLabel", out _));
        // A label of the document is shown on its DocumentReference; that of a part closes it too, and is not shown.
        const string Restricted = "\"meta\":{\"security\":[{\"system\":\"urn:x\",\"code\":\"R\"}]},";
        foreach (var (part, label, system) in new[]
        {
            ("\"type\":\"document\"", Restricted, "urn:x"), ("\"status\":\"final\"", Restricted, "urn:x"),
            ("\"status\":\"final\"", "\"confidentiality\":\"R\",", "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"),
        })
        {
            var secret = await gateway.Ehr.PostAsync("Bundle", document.Replace(part, label + part, StringComparison.Ordinal));
            Assert.True(secret.Status == 201, secret.Text);
            var coding = secret.Json.GetProperty("securityLabel")[0].GetProperty("coding")[0];
            Assert.Equal((system, "R"), (coding.GetProperty("system").GetString(), coding.GetProperty("code").GetString()));
        }

        var stranger = await gateway.Ehr.PostAsync("Bundle", document.Replace(mrn, "nobody", StringComparison.Ordinal));
        Assert.Equal(422, stranger.Status);
        Assert.Contains("Bundle.entry[0].resource.subject", stranger.Text);
    }

    [Fact]
    public async Task A_Binary_is_served_as_what_it_holds_or_as_FHIR()
    {
        var patient = await gateway.NewPatientAsync();
        var created = await gateway.Ehr.WriteAsync(
            HttpMethod.Post, "Binary", [1, 2, 3], "application/dicom", ("X-Security-Context", $"Patient/{patient}"));
        Assert.Equal(201, created.Status);
        var raw = await gateway.Ehr.GetAsync($"Binary/{created.Id}", "*/*");
        Assert.Equal(("application/dicom", "1,2,3"), (raw.Headers.Content.Headers.ContentType!.ToString(), string.Join(',', raw.Body)));
        var fhir = await gateway.Ehr.GetAsync($"Binary/{created.Id}");
        AssertValid(fhir.Body);
        Assert.Equal("AQID", fhir.Json.GetProperty("data").GetString());
    }

    [Fact]
    public async Task A_Binary_ends_with_the_document_that_it_belongs_to()
    {
        var patient = await gateway.NewPatientAsync();
        var document = await gateway.NewDocumentAsync(patient, [1, 2, 3]);
        var json = (await gateway.Ehr.GetAsync($"DocumentReference/{document}")).Text;
        var url = JsonDocument.Parse(json).RootElement.GetProperty("content")[0].GetProperty("attachment").GetProperty("url").GetString()!;
        Assert.Equal(200, (await gateway.Ehr.PutAsync($"DocumentReference/{document}", json)).Status);
        Assert.Equal(200, (await gateway.Ehr.GetAsync(url, "*/*")).Status);
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"DocumentReference/{document}")).Status);
        Assert.Equal(410, (await gateway.Ehr.GetAsync(url, "*/*")).Status);
    }

    [Fact]
    public async Task An_attachment_elsewhere_is_kept_and_not_fetched()
    {
        var patient = await gateway.NewPatientAsync();
        var created = await gateway.Ehr.PostAsync("DocumentReference", $$$"""
            {"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/{{{patient}}}"},
            "content":[{"attachment":{"contentType":"application/pdf","url":"https://elsewhere.invalid/a.pdf"}}]}
            """);
        Assert.Contains(
            "\"url\":\"https://elsewhere.invalid/a.pdf\"", (await gateway.Ehr.GetAsync($"DocumentReference/{created.Id}")).Text);
    }

    [Theory]
    [InlineData("{\"resourceType\":\"Patient\"", 400, "not JSON")]
    [InlineData("[]", 400, "not a JSON object")]
    [InlineData("{\"resourceType\":\"Patient\",\"x\":1,\"x\":2}", 400, "occurs twice")]
    [InlineData("{\"resourceType\":\"Observation\"}", 400, "resourceType")]
    [InlineData("{\"resourceType\":\"Patient\",\"nmae\":[]}", 422, "'nmae' is not an element of Patient")]
    [InlineData("{\"resourceType\":\"Patient\",\"birthDate\":\"31.12.1999\"}", 422, "Patient.birthDate")]
    [InlineData(
        "{\"resourceType\":\"Patient\",\"generalPractitioner\":[{\"reference\":\"Patient/x\"}]}", 422, "Patient.generalPractitioner[0]")]
    [InlineData("{\"resourceType\":\"Patient\",\"photo\":[{\"data\":\"a*=\"}]}", 422, "Patient.photo[0].data")]
    [InlineData(
        "{\"resourceType\":\"Patient\",\"photo\":[{\"contentType\":\"image/png\",\"data\":\"AQID\",\"hash\":\"AQID\"}]}",
        422,
        "Patient.photo[0].hash")]
    [InlineData(
        "{\"resourceType\":\"Patient\",\"photo\":[{\"contentType\":\"image/png\",\"data\":\"AQID\",\"size\":4}]}",
        422,
        "Patient.photo[0].size")]
    [InlineData(
        "{\"resourceType\":\"Patient\",\"meta\":{\"profile\":[\"https://pmrgateway.example/fhir/StructureDefinition/pmr-patient\"]}}",
        422,
        "Patient.identifier")]
    public async Task Bad_input_is_refused_with_an_OperationOutcome_that_names_the_element(string body, int status, string names)
    {
        var refused = await gateway.Ehr.PostAsync("Patient", body);
        Assert.Equal(status, refused.Status);
        Assert.Contains(names, refused.Text);
        AssertValid(refused.Body);
    }

    [Fact]
    public async Task A_body_above_the_limit_is_a_413()
    {
        var refused = await gateway.Ehr.WriteAsync(
            HttpMethod.Post, "Binary", new byte[gateway.Options.Limits.MaxBinaryBytes + 1], "application/octet-stream");
        Assert.Equal(413, refused.Status);
        AssertValid(refused.Body);
    }

    [Theory]
    [InlineData("Patient/a_b", 404)]
    [InlineData("patient/1", 404)]
    [InlineData("Foo/1", 404)]
    [InlineData("Patient/1/2/3/4", 405)]
    [InlineData("Patient/1/$unknown", 405)]
    [InlineData("Parameters", 405)]
    public async Task A_path_that_is_not_offered_is_refused(string path, int status) =>
        Assert.Equal(status, (await gateway.Ehr.GetAsync(path)).Status);

    [Fact]
    public async Task Media_types_that_are_not_made_or_taken_are_refused()
    {
        Assert.Equal(406, (await gateway.Ehr.GetAsync("Patient", "text/html")).Status);
        Assert.Equal(406, (await gateway.Ehr.GetAsync("Patient?_format=xml")).Status);
        Assert.Equal(415, (await gateway.Ehr.WriteAsync(HttpMethod.Post, "Patient", "<x/>"u8.ToArray(), "application/fhir+xml")).Status);
    }

    [Fact]
    public async Task The_CapabilityStatement_is_valid_and_has_every_type()
    {
        var metadata = await gateway.Anyone.GetAsync("metadata");
        AssertValid(metadata.Body);
        Assert.Equal(FhirTypes.Offered.Count, metadata.Json.GetProperty("rest")[0].GetProperty("resource").GetArrayLength());
    }

    private static void AssertValid(byte[] json)
    {
        Assert.True(ResourceDocument.TryParse(json, out var document, out var issue), issue?.Text);
        Assert.Empty(new Validator(FhirSchema.R4).Validate(document!).Errors);
    }
}
