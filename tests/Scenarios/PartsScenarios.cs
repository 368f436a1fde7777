using System.Text;

namespace PmrGateway.Tests.Scenarios;

/// <summary>What lies inside a record decides about it too, and tells nobody more than the record does.</summary>
[Collection(GatewayCollection.Name)]
public class PartsScenarios(RunningGateway gateway)
{
    private const string Mrn = "urn:parts";

    [Fact]
    public async Task A_copy_of_another_patient_asks_that_patient_and_makes_the_record_nobody_elses()
    {
        var (subject, other) = (await gateway.NewPatientAsync(), await KnownPatientAsync());
        string Copy(string value) =>
            $$$"""{"resourceType":"Patient","id":"c","identifier":[{"system":"{{{Mrn}}}","value":"{{{value}}}"}]}""";
        string Observation(string about, string copy) => $$$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},"contained":[{{{copy}}}],
            "subject":{"reference":"{{{about}}}"},"focus":[{"reference":"#c"}]}
            """;
        var record = await gateway.Ehr.PostAsync("Observation", Observation($"Patient/{subject}", Copy(other.Value)));
        var stranger = await gateway.Ehr.PostAsync("Observation", Observation($"Patient/{subject}", Copy("nobody")));
        Assert.Equal((201, 201), (record.Status, stranger.Status));
        await RunningGateway.GrantAsync(gateway.Ehr, subject, gateway.InsurerOrganization);
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"Observation/{stranger.Id}")).Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Observation/{record.Id}")).Status);
        Assert.Equal(1, (await gateway.Insurer.GetAsync($"Observation?patient={subject}")).Json.GetProperty("total").GetInt32());
        await RunningGateway.GrantAsync(gateway.Ehr, other.Id, gateway.InsurerOrganization);
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"Observation/{record.Id}")).Status);
        // It is in no compartment of the other's.
        Assert.Equal(0, (await gateway.Insurer.GetAsync($"Patient/{other.Id}/Observation")).Json.GetProperty("total").GetInt32());
        // Who wrote it changes it as any record, and is not told by that whether the copy is known.
        var changed = Observation($"Patient/{subject}", Copy("nobody")).Replace("{\"resourceType\":\"Observation\"",
            $"{{\"resourceType\":\"Observation\",\"id\":\"{record.Id}\"", StringComparison.Ordinal);
        Assert.Equal(200, (await gateway.Ehr.PutAsync($"Observation/{record.Id}", changed)).Status);

        // Another hospital makes no record of a patient by holding a copy.
        var alien = await gateway.OtherEhr.PostAsync("Observation", Observation("#c", Copy(other.Value)));
        Assert.Equal(201, alien.Status);
        Assert.Equal(404, (await (await gateway.LoginPatientAsync(other.Id)).GetAsync($"Observation/{alien.Id}")).Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Observation/{alien.Id}")).Status);
        Assert.Equal(200, (await gateway.OtherEhr.GetAsync($"Observation/{alien.Id}")).Status);
    }

    [Fact]
    public async Task What_is_in_a_document_closes_it_also_after_the_record_around_it_was_changed()
    {
        var patient = await KnownPatientAsync();
        var document = $$$"""
            {"resourceType":"Bundle","type":"document","identifier":{"system":"urn:x","value":"1"},"timestamp":"2026-01-01T00:00:00Z",
            "entry":[
            {"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000a","resource":{"resourceType":"Composition","status":"final",
            "type":{"coding":[{"system":"http://loinc.org","code":"60591-5"}]},"author":[{"display":"x"}],"title":"IPS",
            "subject":{"reference":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000b"},"date":"2026-01-01"} },
            {"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000b","resource":{"resourceType":"Patient",
            "identifier":[{"system":"{{{Mrn}}}","value":"{{{patient.Value}}}"}]} },
            {"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000c","resource":{"resourceType":"Observation","status":"final",
            "code":{"coding":[{"system":"http://loinc.org","code":"75622-1"}]},
            "valueCodeableConcept":{"coding":[{"system":"http://snomed.info/sct","code":"165816005"}]},
            "subject":{"reference":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000b"} } }]}
            """;
        var created = await gateway.Ehr.PostAsync("Bundle", document);
        Assert.True(created.Status == 201, created.Text);
        var content = created.Json.GetProperty("content")[0].GetProperty("attachment").GetProperty("url").GetString()!;
        await RunningGateway.GrantAsync(
            gateway.Ehr, patient.Id, gateway.InsurerOrganization, "HPAYMT",
            ",\"provision\":[{\"type\":\"deny\",\"code\":[{\"coding\":[{\"system\":\"http://snomed.info/sct\","
                + "\"code\":\"165816005\"}]}]}]");
        await StaysClosedAsync();
        var patched = await gateway.Ehr.PatchAsync(
            $"DocumentReference/{created.Id}", "[{\"op\":\"replace\",\"path\":\"/status\",\"value\":\"superseded\"}]",
            "application/json-patch+json");
        Assert.True(patched.Status == 200, patched.Text);
        await StaysClosedAsync();

        // The same as an attachment, as MHD sends it.
        var attached = await gateway.Ehr.PostAsync("DocumentReference", $$$"""
            {"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/{{{patient.Id}}}"},
            "content":[{"attachment":{"contentType":"application/fhir+json",
            "data":"{{{Convert.ToBase64String(Encoding.UTF8.GetBytes(document))}}}"}}]}
            """);
        Assert.Equal(201, attached.Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"DocumentReference/{attached.Id}")).Status);

        async Task StaysClosedAsync()
        {
            Assert.Equal(404, (await gateway.Insurer.GetAsync($"DocumentReference/{created.Id}")).Status);
            Assert.Equal(404, (await gateway.Insurer.GetAsync(content, "*/*")).Status);
        }
    }

    [Fact]
    public async Task A_resource_that_a_Binary_is_counts_however_it_was_sent()
    {
        var patient = await gateway.NewPatientAsync();
        string Inside(string filling) => $$$"""
            {"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://snomed.info/sct","code":"165816005"}],
            "text":"{{{filling}}}"},"subject":{"reference":"Patient/{{{patient}}}"}}
            """;
        var xml = $"""
            <Observation xmlns="http://hl7.org/fhir"><status value="final"/><code><coding><system value="http://snomed.info/sct"/>
            <code value="165816005"/></coding></code><subject><reference value="Patient/{patient}"/></subject></Observation>
            """;
        string Link(string url) => $$$"""
            {"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/{{{patient}}}"},
            "content":[{"attachment":{"contentType":"application/fhir+json","url":"{{{url}}}"} }]}
            """;
        string Binary(string type, string content) => $$$"""
            {"resourceType":"Binary","contentType":"{{{type}}}","securityContext":{"reference":"Patient/{{{patient}}}"},
            "data":"{{{Convert.ToBase64String(Encoding.UTF8.GetBytes(content))}}}"}
            """;
        await RunningGateway.GrantAsync(
            gateway.Ehr, patient, gateway.InsurerOrganization, "HPAYMT",
            ",\"provision\":[{\"type\":\"deny\",\"code\":[{\"coding\":[{\"system\":\"http://snomed.info/sct\","
                + "\"code\":\"165816005\"}]}]}]");

        // Alone, and from the moment that something links to it.
        foreach (var (type, content) in new[] { ("application/fhir+json", Inside("x")), ("application/fhir+xml", xml) })
        {
            var binary = $"Binary/{(await gateway.Ehr.PostAsync("Binary", Binary(type, content))).Id}";
            Assert.Equal(404, (await gateway.Insurer.GetAsync(binary, "*/*")).Status);
            await ClosedAsync((await gateway.Ehr.PostAsync("DocumentReference", Link(binary))).Id, binary);
        }
        // One that holds nothing of the kind is open, so it is not the Binary as such that is closed.
        var plain = $"Binary/{(await gateway.Ehr.PostAsync("Binary", Binary("text/plain", "nothing"))).Id}";
        Assert.Equal(200, (await gateway.Insurer.GetAsync(plain, "*/*")).Status);

        // In one transaction, as MHD sends it, in either order; the content larger than what stays in a resource.
        const string Uuid = "urn:uuid:7fbd8b2e-0000-4000-8000-0000000000";
        var large = Binary("application/fhir+json", Inside(new string('x', 100_000)));
        foreach (var binaryFirst in new[] { true, false })
        {
            string[] entries =
            [
                Entry("Binary", Uuid + "b1", large),
                Entry("DocumentReference", Uuid + "b2", Link(Uuid + "b1")),
            ];
            var sent = string.Join(',', binaryFirst ? entries : entries.Reverse());
            var answer = await gateway.Ehr.PostAsync("", $$"""{"resourceType":"Bundle","type":"transaction","entry":[{{sent}}]}""");
            Assert.True(answer.Status == 200, answer.Text);
            var made = answer.Json.GetProperty("entry").EnumerateArray()
                .Select(e => e.GetProperty("response").GetProperty("location").GetString()!.Split("/_history")[0]).ToList();
            string Made(string type) => type + made.Single(m => m.Contains(type, StringComparison.Ordinal)).Split(type)[1];
            await ClosedAsync(Made("DocumentReference/").Split('/')[1], Made("Binary/"));
        }
        var attached = Link("x").Replace(
            "\"url\":\"x\"", $"\"data\":\"{Convert.ToBase64String(Encoding.UTF8.GetBytes(Inside(new string('x', 100_000))))}\"",
            StringComparison.Ordinal);
        var whole = await gateway.Ehr.PostAsync("DocumentReference", attached);
        Assert.True(whole.Status == 201, whole.Text);
        await ClosedAsync(whole.Id, whole.Json.GetProperty("content")[0].GetProperty("attachment").GetProperty("url").GetString()!);

        // A new version could say what the records that link to it do not know.
        var changed = await gateway.Ehr.PutAsync(plain, Binary("application/fhir+json", Inside("x")).Replace(
            "\"Binary\",", $"\"Binary\",\"id\":\"{plain.Split('/')[1]}\",", StringComparison.Ordinal));
        Assert.Equal(422, changed.Status);
        Assert.Contains("Binary.data", changed.Text, StringComparison.Ordinal);

        static string Entry(string type, string url, string resource) =>
            $$$"""{"fullUrl":"{{{url}}}","resource":{{{resource}}},"request":{"method":"POST","url":"{{{type}}}"} }""";

        async Task ClosedAsync(string document, string content)
        {
            Assert.Equal(200, (await gateway.Ehr.GetAsync($"DocumentReference/{document}")).Status);
            Assert.Equal(200, (await gateway.Ehr.GetAsync(content, "*/*")).Status);
            Assert.Equal(404, (await gateway.Insurer.GetAsync($"DocumentReference/{document}")).Status);
            Assert.Equal(404, (await gateway.Insurer.GetAsync(content, "*/*")).Status);
        }
    }

    [Fact]
    public async Task A_label_of_a_part_that_the_document_has_too_closes_it_still_when_that_of_the_document_is_lifted()
    {
        var patient = await KnownPatientAsync();
        const string Restricted = """
            "meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}
            """;
        var created = await gateway.Ehr.PostAsync("Bundle", $$$"""
            {"resourceType":"Bundle",{{{Restricted}}},"type":"document","identifier":{"system":"urn:x","value":"1"},
            "timestamp":"2026-01-01T00:00:00Z","entry":[
            {"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000a","resource":{"resourceType":"Composition","status":"final",
            "type":{"coding":[{"system":"http://loinc.org","code":"60591-5"}]},"author":[{"display":"x"}],"title":"IPS",
            "subject":{"reference":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000b"},"date":"2026-01-01"} },
            {"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000b","resource":{"resourceType":"Patient",
            "identifier":[{"system":"{{{Mrn}}}","value":"{{{patient.Value}}}"}]} },
            {"fullUrl":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000c","resource":{"resourceType":"Observation",{{{Restricted}}},
            "status":"final","code":{"text":"x"},"subject":{"reference":"urn:uuid:7fbd8b2e-0000-4000-8000-00000000000b"} } }]}
            """);
        Assert.True(created.Status == 201, created.Text);
        var content = created.Json.GetProperty("content")[0].GetProperty("attachment").GetProperty("url").GetString()!;
        await RunningGateway.GrantAsync(
            gateway.Ehr, patient.Id, gateway.InsurerOrganization, "HPAYMT", ",\"securityLabel\":[{\"system\":"
                + "\"http://terminology.hl7.org/CodeSystem/v3-Confidentiality\",\"code\":\"N\"}]");
        Assert.Equal(404, (await gateway.Insurer.GetAsync(content, "*/*")).Status);
        var path = created.Json.GetProperty("meta").TryGetProperty("security", out _) ? "/meta/security" : "/securityLabel";
        var lifted = await gateway.Ehr.PatchAsync(
            $"DocumentReference/{created.Id}", $"[{{\"op\":\"remove\",\"path\":\"{path}\"}}]", "application/json-patch+json");
        Assert.True(lifted.Status == 200, lifted.Text);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"DocumentReference/{created.Id}")).Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync(content, "*/*")).Status);
    }

    [Fact]
    public async Task A_label_comes_off_by_a_system_of_the_hospital_alone()
    {
        const string Secrecy = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
        const string Sensitivity = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
        var patient = await gateway.NewPatientAsync();
        var (_, doctor) = await gateway.RegisterDoctorAsync("labels-" + Guid.CreateVersion7(), gateway.Hospital);
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.Hospital, "TREAT");
        string Observation(string id, params (string System, string Code)[] labels) => $$$"""
            {"resourceType":"Observation",{{{(id.Length > 0 ? $"\"id\":\"{id}\"," : "")}}}"meta":{"security":[{{{string.Join(
                ',', labels.Select(l => $"{{\"system\":\"{l.System}\",\"code\":\"{l.Code}\"}}"))}}}]},
            "status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{{{patient}}}"}}
            """;
        var created = await gateway.Ehr.PostAsync("Observation", Observation("", (Secrecy, "R"), (Sensitivity, "PSY")));
        var path = $"Observation/{created.Id}";
        Assert.True((await doctor.GetAsync(path)).Status == 200, "the doctor reads by the hospital's consent");
        (string, string)[][] lessers = [[(Secrecy, "N"), (Sensitivity, "PSY")], [(Secrecy, "R")], [(Sensitivity, "PSY")]];
        foreach (var labels in lessers)
        {
            var refused = await doctor.PutAsync(path, Observation(created.Id, labels));
            Assert.True(refused.Status == 403, refused.Text);
            Assert.Contains("Observation.meta.security", refused.Text, StringComparison.Ordinal);
        }
        const string Remove = "[{\"op\":\"remove\",\"path\":\"/meta/security\"}]";
        Assert.Equal(403, (await doctor.PatchAsync(path, Remove, "application/json-patch+json")).Status);
        // More, or more secret, may anybody make it who changes it; that makes nobody one who takes labels off.
        var raised = Observation(created.Id, (Secrecy, "V"), (Sensitivity, "PSY"), (Sensitivity, "HIV"));
        Assert.Equal(200, (await doctor.PutAsync(path, raised)).Status);
        Assert.Equal(403, (await doctor.PutAsync(path, Observation(created.Id, (Secrecy, "R"), (Sensitivity, "PSY")))).Status);
        Assert.Equal(403, (await doctor.PutAsync(path, Observation(created.Id, (Secrecy, "N")))).Status);
        Assert.Equal(200, (await gateway.Ehr.PutAsync(path, Observation(created.Id, (Secrecy, "N")))).Status);

        // What a document encloses keeps its labels by the link to it: a doctor changes the rest, and not the labels that it has itself.
        string Document(string id, string status, string attachment) => $$$"""
            {"resourceType":"DocumentReference",{{{(id.Length > 0 ? $"\"id\":\"{id}\"," : "")}}}"status":"{{{status}}}",
            "subject":{"reference":"Patient/{{{patient}}}"},
            "content":[{"attachment":{"contentType":"application/fhir+json",{{{attachment}}} }}]}
            """;
        var inside = Convert.ToBase64String(Encoding.UTF8.GetBytes(Observation("", (Secrecy, "R"), (Sensitivity, "PSY"))));
        var document = await gateway.Ehr.PostAsync("DocumentReference", Document("", "current", $"\"data\":\"{inside}\""));
        var url = document.Json.GetProperty("content")[0].GetProperty("attachment").GetProperty("url").GetString();
        path = $"DocumentReference/{document.Id}";
        var superseded = await doctor.PutAsync(path, Document(document.Id, "superseded", $"\"url\":\"{url}\""));
        Assert.True(superseded.Status == 200, superseded.Text);
        Assert.Equal(403, (await doctor.PutAsync(path, Document(document.Id, "superseded", "\"url\":\"https://else.where/x\""))).Status);
    }

    [Fact]
    public async Task A_label_that_a_Binary_would_lose_is_refused_and_the_servers_own_URL_is_a_link_like_any_other()
    {
        var patient = await gateway.NewPatientAsync();
        const string Secret =
            "\"meta\":{\"security\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/v3-Confidentiality\",\"code\":\"R\"}]},";
        string Binary(string meta) => $$$"""
            {"resourceType":"Binary",{{{meta}}}"contentType":"text/plain",
            "securityContext":{"reference":"Patient/{{{patient}}}"},"data":"AA=="}
            """;
        var refused = await gateway.Ehr.PostAsync("Binary", Binary(Secret));
        Assert.Equal(422, refused.Status);
        Assert.Contains("Binary.meta.security", refused.Text);
        var binary = (await gateway.Ehr.PostAsync("Binary", Binary(""))).Id;
        await RunningGateway.GrantAsync(
            gateway.Ehr, patient, gateway.InsurerOrganization, "HPAYMT", ",\"securityLabel\":[{\"system\":"
                + "\"http://terminology.hl7.org/CodeSystem/v3-Confidentiality\",\"code\":\"N\"}]");
        Assert.Equal(200, (await gateway.Insurer.GetAsync($"Binary/{binary}", "*/*")).Status);
        var linked = await gateway.Ehr.PostAsync("DocumentReference", $$$"""
            {"resourceType":"DocumentReference",{{{Secret}}}"status":"current","subject":{"reference":"Patient/{{{patient}}}"},
            "content":[{"attachment":{"url":"{{{gateway.Options.Url}}}/fhir/Binary/{{{binary}}}"}}]}
            """);
        Assert.Equal(201, linked.Status);
        Assert.Equal(404, (await gateway.Insurer.GetAsync($"Binary/{binary}", "*/*")).Status);
    }

    [Theory]
    [InlineData("application/json", "[RESOURCE]")]
    [InlineData("application/json", """{"verifiableCredential":{"fhirBundle":RESOURCE}}""")]
    [InlineData("text/plain", """  {"a":[1,RESOURCE]}""")]
    public async Task A_resource_inside_something_else_that_is_not_read_is_refused(string type, string content)
    {
        var patient = await gateway.NewPatientAsync();
        content = content.Replace("RESOURCE", """{"resourceType":"Basic","code":{"text":"x"}}""", StringComparison.Ordinal);
        var data = Convert.ToBase64String(Encoding.UTF8.GetBytes(content));
        string Document(string attachment) => $$$"""
            {"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/{{{patient}}}"},
            "content":[{"attachment":{"contentType":"{{{type}}}",{{{attachment}}} } }]}
            """;
        foreach (var attachment in new[] { $"\"data\":\"{data}\"", $"\"url\":\"data:{type};base64,{data}\"" })
        {
            var refused = await gateway.Ehr.PostAsync("DocumentReference", Document(attachment));
            Assert.True(refused.Status == 422, $"{attachment}: {refused.Status} {refused.Text}");
        }
    }

    private async Task<(string Id, string Value)> KnownPatientAsync()
    {
        var value = Guid.CreateVersion7().ToString();
        var created = await gateway.Ehr.PostAsync(
            "Patient", $$$"""{"resourceType":"Patient","identifier":[{"system":"{{{Mrn}}}","value":"{{{value}}}"}]}""");
        Assert.Equal(201, created.Status);
        return (created.Id, value);
    }
}
