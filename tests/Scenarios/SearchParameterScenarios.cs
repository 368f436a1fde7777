using PmrGateway.Fhir;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Every kind of search parameter, prefix and modifier, over HTTP. https://hl7.org/fhir/R4/search.html</summary>
[Collection(GatewayCollection.Name)]
public class SearchParameterScenarios(RunningGateway gateway)
{
    private static readonly SearchIndexer Indexer = new(FhirSchema.R4);

    [Theory]
    [InlineData("name=Bina", true)]
    [InlineData("name=bin", true)]
    [InlineData("name=ina", false)]
    [InlineData("name=Rao", true)]
    [InlineData("name=Dr", true)]
    [InlineData("name=kumari", true)]
    [InlineData("family=RÁO", true)]
    [InlineData("family=Raoo", false)]
    [InlineData("given=Bina&family=Rao", true)]
    [InlineData("given=Bina&family=Sen", false)]
    [InlineData("name=dr", true)]
    [InlineData("family:exact=Ráo", true)]
    [InlineData("family:exact=Rao", false)]
    [InlineData("family=x,rao", true)]
    [InlineData("family:missing=true", false)]
    [InlineData("address-city=beng", true)]
    [InlineData("address=12 MG", true)]
    [InlineData("address=12-mg road.", true)]
    [InlineData("address-postalcode=560001", true)]
    [InlineData("address-country=IN", true)]
    [InlineData("phone=555-0100", true)]
    [InlineData("phone=555-0101", false)]
    [InlineData("telecom=phone|555-0100", true)]
    [InlineData("telecom=email|555-0100", false)]
    [InlineData("email=bina@example.org", true)]
    [InlineData("email=bina@example", false)]
    [InlineData("birthdate=1980-05-03", true)]
    [InlineData("birthdate=1980-05", true)]
    [InlineData("birthdate=1981", false)]
    [InlineData("birthdate=ge1980-05-03&birthdate=lt1980-05-04", true)]
    [InlineData("birthdate=gt1980-05-03", false)]
    [InlineData("birthdate=lt1980-05-03", false)]
    [InlineData("birthdate=ne1980-05-03", false)]
    [InlineData("birthdate=ne1980-05-04", true)]
    [InlineData("birthdate=sa1979", true)]
    [InlineData("birthdate=eb1981-01", true)]
    [InlineData("birthdate=ap1980", true)]
    [InlineData("birthdate=lt1980-05-03T10:00", true)]
    [InlineData("birthdate=gt1980-05-03T10:00", true)]
    [InlineData("birthdate=sa1980-05-03T10:00", false)]
    [InlineData("gender=female", true)]
    [InlineData("gender:not=female", false)]
    [InlineData("active=true", true)]
    [InlineData("deceased=false", true)]
    [InlineData("language=hi", true)]
    [InlineData("identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|{mark}", true)]
    [InlineData("identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|SS|{mark}", false)]
    [InlineData("_profile=http://profiles.example/patient", true)]
    [InlineData("_profile=http://profiles.example", false)]
    [InlineData("_profile:below=http://profiles.example", true)]
    [InlineData("_profile:below=http://profiles.exam", false)]
    [InlineData("_profile:above=http://profiles.example/patient/more", true)]
    [InlineData("_tag=urn:tags|vip", true)]
    [InlineData("_tag=urn:tags|other", false)]
    [InlineData("_source=urn:ehr:1", true)]
    public async Task A_patient_is_found_by_every_kind_of_parameter(string query, bool isFound)
    {
        var (patient, mark) = await PatientAsync();
        var found = await FoundAsync(gateway.Ehr, $"Patient?_id={patient}&{query.Replace("{mark}", mark, StringComparison.Ordinal)}");
        Assert.Equal(isFound ? [patient] : Array.Empty<string>(), found);
    }

    [Theory]
    [InlineData("value-quantity=5.4", true)]
    [InlineData("value-quantity=5.4|http://unitsofmeasure.org|mg", true)]
    [InlineData("value-quantity=0.0054|http://unitsofmeasure.org|g", true)]
    [InlineData("value-quantity=5400|http://unitsofmeasure.org|ug", true)]
    [InlineData("value-quantity=5.4||mg", true)]
    [InlineData("value-quantity=5.4||g", false)]
    [InlineData("value-quantity=5.4||milligram", true)]
    [InlineData("value-quantity=5.4|http://unitsofmeasure.org|milligram", false)]
    [InlineData("value-quantity=5", true)]
    [InlineData("value-quantity=5.0", false)]
    [InlineData("value-quantity=5.40", true)]
    [InlineData("value-quantity=54e-1", true)]
    [InlineData("value-quantity=gt5.3", true)]
    [InlineData("value-quantity=gt5.4", false)]
    [InlineData("value-quantity=ge5.4|http://unitsofmeasure.org|mg", true)]
    [InlineData("value-quantity=ge0.0054|http://unitsofmeasure.org|g", true)]
    [InlineData("value-quantity=lt0.0055|http://unitsofmeasure.org|g", true)]
    [InlineData("value-quantity=ne5.4", false)]
    [InlineData("value-quantity=ap5.8", true)]
    [InlineData("value-quantity=ap6.5", false)]
    [InlineData("value-quantity=5.4|http://unitsofmeasure.org|mL", false)]
    [InlineData("combo-value-quantity=120", true)]
    [InlineData("combo-code=8480-6", true)]
    [InlineData("component-code=8480-6", true)]
    [InlineData("code=8480-6", false)]
    [InlineData("combo-code=85354-9", true)]
    [InlineData("combo-code:not=8480-6", false)]
    [InlineData("combo-code:missing=false", true)]
    [InlineData("component-code-value-quantity=8480-6$120", true)]
    [InlineData("component-code-value-quantity=8480-6$gt130", false)]
    [InlineData("component-code-value-quantity=8462-4$120", false)]
    [InlineData("component-code-value-quantity=8462-4$80", true)]
    [InlineData("combo-code-value-quantity=http://loinc.org|8480-6$lt121||mm[Hg]", true)]
    [InlineData("combo-code-value-quantity=85354-9$5.4", true)]
    [InlineData("combo-code-value-quantity=8480-6$5.4", false)]
    [InlineData("code-value-quantity=85354-9$5.4", true)]
    [InlineData("code-value-quantity=85354-9$5.5,85354-9$5.4", true)]
    [InlineData("date=2026-01-02T10:30", true)]
    [InlineData("date=2026-01-02T10:31", false)]
    [InlineData("date=ap2026-01-02", true)]
    [InlineData("date=le9999-12-31T23:59", true)]
    [InlineData("subject:identifier=urn:mrn|x", true)]
    [InlineData("subject:identifier=x", true)]
    [InlineData("subject:identifier=y", false)]
    [InlineData("category=vital-signs&status=final", true)]
    [InlineData("status=a\\,b,final", true)]
    public async Task An_observation_is_found_by_every_kind_of_parameter(string query, bool isFound)
    {
        var (observation, _) = await ObservationAsync();
        var found = await FoundAsync(gateway.Ehr, $"Observation?_id={observation}&{query.Replace("+", "%2B", StringComparison.Ordinal)}");
        Assert.Equal(isFound ? [observation] : Array.Empty<string>(), found);
    }

    [Theory]
    [InlineData("name=bina", 1)]
    [InlineData("family=rao&birthdate=1980", 1)]
    [InlineData("family=rao&birthdate=1990", 0)]
    public async Task A_chain_goes_through_whatever_the_other_can_be_found_by(string query, int count)
    {
        var (observation, _) = await ObservationAsync();
        var chained = string.Join('&', query.Split('&').Select(q => "patient." + q));
        foreach (var asked in new[] { chained, chained.Replace("patient", "subject:Patient", StringComparison.Ordinal) })
            Assert.Equal(count, (await FoundAsync(gateway.Ehr, $"Observation?_id={observation}&{asked}")).Count);
    }

    [Fact]
    public async Task Words_of_what_is_no_persons_are_found_in_the_middle_too_and_give_an_order()
    {
        var mark = Guid.CreateVersion7().ToString();
        foreach (var name in new[] { "Zebra", "Ångström", "apple" })
        {
            var body = $"{{\"resourceType\":\"ValueSet\",\"status\":\"active\",\"version\":\"{mark}\",\"title\":\"{name} {mark} set\","
                + $"\"url\":\"http://sets.example/{mark}/{name}\"}}";
            Assert.Equal(201, (await gateway.Ehr.PostAsync("ValueSet", body)).Status);
        }
        Assert.Equal(3, (await FoundAsync(gateway.Ehr, $"ValueSet?title:contains={mark}")).Count);
        Assert.Empty(await FoundAsync(gateway.Ehr, $"ValueSet?title={mark}"));
        Assert.Single(await FoundAsync(gateway.Ehr, $"ValueSet?version={mark}&title=angstrom"));
        Assert.Equal(3, (await FoundAsync(gateway.Ehr, $"ValueSet?url:below=http://sets.example/{mark}")).Count);
        Assert.Empty(await FoundAsync(gateway.Ehr, $"ValueSet?url=http://sets.example/{mark}"));
        var sorted = (await gateway.Ehr.GetAsync($"ValueSet?version={mark}&_sort=-title")).Json.GetProperty("entry").EnumerateArray()
            .Select(e => e.GetProperty("resource").GetProperty("title").GetString()!.Split(' ')[0]);
        Assert.Equal(["Zebra", "apple", "Ångström"], sorted);
    }

    [Theory]
    [InlineData("Patient?name:contains=ina", "name:contains", "hashes")]
    [InlineData("Patient?_sort=family", "_sort", "hashes")]
    [InlineData("Patient?_sort=birthdate", "_sort", "hashes")]
    [InlineData("Patient?phonetic=bina", "phonetic", "Patient has")]
    [InlineData("Patient?_text=x", "_text", "Patient has")]
    [InlineData("Patient?_filter=x", "_filter", "Patient has")]
    [InlineData("Patient?name:text=x", "name:text", ":exact")]
    [InlineData("Patient?gender:in=http://vs", "gender:in", ":not")]
    [InlineData("Patient?name=123456789012345678901", "name", "20 letters")]
    [InlineData("Patient?name=%20", "name", "1 to 20")]
    [InlineData("Patient?birthdate=soon", "birthdate", "a date")]
    [InlineData("Observation?value-quantity=much", "value-quantity", "a number")]
    [InlineData("Observation?value-quantity=5|http://unitsofmeasure.org|", "value-quantity", "number||code")]
    [InlineData("Observation?code-value-quantity=1$2$3", "code-value-quantity", "token $ quantity")]
    [InlineData("Observation?code-value-quantity=1$x", "code-value-quantity", "a number")]
    [InlineData("Observation?subject.name=x", "subject.name", "several types")]
    [InlineData("Observation?subject:Group=Patient/1", "subject:Group", "of the type")]
    [InlineData("Observation?code-value-quantity:missing=true", "code-value-quantity:missing", "no modifier")]
    [InlineData("RiskAssessment?probability=1e-99999999999", "probability", "a number")]
    [InlineData("RiskAssessment?probability=0e2147483648", "probability", "a number")]
    [InlineData("Organization?name=a%00", "name", "letters")]
    [InlineData("ValueSet?url:below=http://a%00", "url:below", "letters")]
    [InlineData("Observation?value-quantity=5||%00", "value-quantity", "number||code")]
    [InlineData("Location?near=1|2", "near", "Location has")]
    public async Task What_the_index_cannot_answer_is_refused_with_the_reason(string path, string parameter, string reason)
    {
        var refused = await gateway.Ehr.GetAsync(path);
        Assert.True(refused.Status == 400, refused.Text);
        Assert.Contains($"'{parameter}'", refused.Text, StringComparison.Ordinal);
        Assert.Contains(reason, refused.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lenient_search_passes_over_what_a_type_does_not_have_and_says_so()
    {
        var (patient, _) = await PatientAsync();
        var path = $"Patient?_id={patient}&favourite=blue&_text=x&_count=1";
        Assert.Equal(400, (await gateway.Ehr.GetAsync(path)).Status);
        Assert.Equal(400, (await AskAsync(path, "strict")).Status);
        var lenient = await AskAsync(path, "lenient");
        Assert.True(lenient.Status == 200, lenient.Text);
        var self = lenient.Json.GetProperty("link")[0].GetProperty("url").GetString()!;
        Assert.EndsWith($"Patient?_id={patient}&_count=1", self, StringComparison.Ordinal);
        var modes = lenient.Json.GetProperty("entry").EnumerateArray().Select(e => e.GetProperty("search").GetProperty("mode").GetString());
        Assert.Equal(["match", "outcome"], modes);
        Assert.Contains("favourite", lenient.Text);
        // What it has is not guessed at.
        foreach (var wrong in new[] { "birthdate=soon", "name:sounds=x", "patient.name=x" })
        {
            var refused = await AskAsync($"Patient?{wrong}", "lenient");
            Assert.Equal(wrong.StartsWith("patient", StringComparison.Ordinal) ? 200 : 400, refused.Status);
        }
    }

    [Fact]
    public async Task Every_declared_parameter_of_every_type_can_be_asked()
    {
        var declared = (await gateway.Anyone.GetAsync("metadata")).Json.GetProperty("rest")[0].GetProperty("resource").EnumerateArray()
            .ToDictionary(r => r.GetProperty("type").GetString()!, r => r.TryGetProperty("searchParam", out var p)
                ? p.EnumerateArray().Select(s => s.GetProperty("name").GetString()!).ToList() : []);
        var (asked, refused) = (0, new List<string>());
        foreach (var (type, names) in declared.Where(d => d.Key is not ("AuditEvent" or "Bundle")))
        {
            foreach (var parameter in Indexer.ParametersOf(type))
            {
                Assert.Contains(parameter.Code, names);
                var answer = await gateway.Operator.GetAsync($"{type}?{parameter.Code}={Uri.EscapeDataString(Some(parameter))}&_count=0");
                asked++;
                if (answer.Status != 200) refused.Add($"{type}.{parameter.Code}: {answer.Text}");
            }
        }
        Assert.Empty(refused);
        Assert.InRange(asked, 1500, int.MaxValue);
    }

    private Task<Answer> AskAsync(string path, string handling) =>
        gateway.Ehr.WriteAsync(HttpMethod.Get, path, [], "application/fhir+json", ("Prefer", $"handling={handling}"));

    private static string Some(SearchParameter parameter) => parameter.Type switch
    {
        "date" => "2026",
        "number" => "1",
        "quantity" => "5.4|http://unitsofmeasure.org|mg",
        "reference" => "Patient/none",
        "uri" => "http://none.example",
        "composite" => string.Join('$', parameter.Components.Select(Some)),
        _ => "none",
    };

    private static (string, string)? _patient;
    private static string? _observation;

    private async Task<(string Id, string Mark)> PatientAsync()
    {
        if (_patient is { } known) return known;
        var mark = Guid.CreateVersion7().ToString();
        var created = await gateway.Ehr.PostAsync(
            "Patient",
            """
            {"resourceType":"Patient","active":true,"gender":"female","birthDate":"1980-05-03","deceasedBoolean":false,
             "meta":{"profile":["http://profiles.example/patient"],"tag":[{"system":"urn:tags","code":"vip"}],"source":"urn:ehr:1"},
             "identifier":[{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]},
                            "system":"urn:mrn","value":"$mark"}],
             "name":[{"family":"Ráo","given":["Bina","Kumari"],"prefix":["Dr."]}],
             "telecom":[{"system":"phone","value":"555-0100"},{"system":"email","value":"bina@example.org"}],
             "address":[{"line":["12 MG Road"],"city":"Bengaluru","postalCode":"560001","country":"IN"}],
             "communication":[{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"hi"}]}}]}
            """.Replace("$mark", mark, StringComparison.Ordinal));
        Assert.True(created.Status == 201, created.Text);
        return (_patient = (created.Json.GetProperty("id").GetString()!, mark)).Value;
    }

    private async Task<(string Id, string Patient)> ObservationAsync()
    {
        var (patient, _) = await PatientAsync();
        if (_observation is { } known) return (known, patient);
        var created = await gateway.Ehr.PostAsync(
            "Observation",
            """
            {"resourceType":"Observation","status":"final","effectiveDateTime":"2026-01-02T10:30:15Z",
             "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],
             "code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},
             "subject":{"reference":"Patient/$patient","identifier":{"system":"urn:mrn","value":"x"}},
             "valueQuantity":{"value":5.4,"unit":"milligram","system":"http://unitsofmeasure.org","code":"mg"},
             "component":[
              {"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},
               "valueQuantity":{"value":120,"system":"http://unitsofmeasure.org","code":"mm[Hg]"}},
              {"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},
               "valueQuantity":{"value":80,"system":"http://unitsofmeasure.org","code":"mm[Hg]"}}]}
            """.Replace("$patient", patient, StringComparison.Ordinal));
        Assert.True(created.Status == 201, created.Text);
        return (_observation = created.Json.GetProperty("id").GetString()!, patient);
    }

    private static async Task<List<string>> FoundAsync(GatewayClient who, string path)
    {
        var answer = await who.GetAsync(path);
        Assert.True(answer.Status == 200, answer.Text);
        return answer.Json.TryGetProperty("entry", out var entries)
            ? [.. entries.EnumerateArray().Select(e => e.GetProperty("resource").GetProperty("id").GetString()!)]
            : [];
    }
}
