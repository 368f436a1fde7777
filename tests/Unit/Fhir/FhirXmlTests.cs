using System.Text;
using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

public class FhirXmlTests
{
    private static byte[]? ToJson(string xml, out IReadOnlyList<ValidationIssue> issues) =>
        FhirXml.ToJson(Encoding.UTF8.GetBytes(xml), out issues);

    [Fact]
    public void A_resource_goes_to_xml_and_back()
    {
        var json = """{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"valueQuantity":"""
            + """{"value":1.50,"unit":"g"}}""";
        var xml = FhirXml.ToXml(Documents.Parse(json), out _);
        Assert.Contains("<value value=\"1.50\"", Encoding.UTF8.GetString(xml!));
        Assert.Equal(json, Encoding.UTF8.GetString(FhirXml.ToJson(xml, out var issues)!));
        Assert.Empty(issues);
    }

    [Theory]
    [InlineData("1.0E+2")]
    [InlineData("-0.0")]
    [InlineData("0.12345678901234567890123456789012345")]
    public void A_decimal_keeps_its_digits_from_xml_and_is_refused_where_writing_it_would_lose_some(string number)
    {
        var json = $$$"""{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":{{{number}}}}}""";
        Assert.Null(FhirXml.ToXml(Documents.Parse(json), out var issue));
        Assert.Contains("digits", issue!.Text);
        var read = ToJson(
            $"<Observation xmlns=\"http://hl7.org/fhir\"><status value=\"final\"/><code><text value=\"x\"/></code>"
            + $"<valueQuantity><value value=\"{number}\"/></valueQuantity></Observation>",
            out var issues);
        Assert.Equal(json, Encoding.UTF8.GetString(read!));
        Assert.Empty(issues);
    }

    [Theory]
    [InlineData(
        """{"resourceType":"Bundle","type":"collection","entry":["""
            + """{"fullUrl":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520","resource":{"resourceType":"Patient"}}]}""",
        "XML cannot hold what is at Bundle.entry[0]")]
    [InlineData("""{"resourceType":"Patient","name":[{"family":"a\u000bc"}]}""", "cannot be written as XML")]
    [InlineData("""{"resourceType":"Patient","nickname":"x"}""", "XML cannot hold what is at Patient")]
    public void What_xml_cannot_hold_is_refused_and_not_dropped(string json, string why)
    {
        Assert.Null(FhirXml.ToXml(Documents.Parse(json), out var issue));
        Assert.Contains(why, issue!.Text);
    }

    [Theory]
    [InlineData("<gender value=\"male\"/><active value=\"true\"/>", "Patient", "order")]
    [InlineData("<name><family value=\"a\"/></name><gender value=\"male\"/><name><family value=\"b\"/></name>", "Patient", "order")]
    [InlineData("<name><given value=\"a\"/><family value=\"b\"/></name>", "Patient.name[0]", "order")]
    [InlineData("<active/>", "Patient.active", "value or an extension")]
    [InlineData("<name/>", "Patient.name[0]", "empty")]
    [InlineData("<contained/>", "Patient.contained[0]", "one resource")]
    [InlineData("<contained><Patient/><Patient/></contained>", "Patient.contained[0]", "one resource")]
    [InlineData("<contained><Nobody/></contained>", "Patient.contained[0]", "'Nobody' is not a resource type")]
    [InlineData("<x xmlns=\"http://e.org\"/>", "Patient", "namespace")]
    [InlineData("<active xmlns=\"\" value=\"true\"/>", "Patient", "namespace")]
    [InlineData("<active f:value=\"true\" xmlns:f=\"http://hl7.org/fhir\"/>", "Patient.active", "attribute 'value'")]
    [InlineData("<Active value=\"true\"/>", "Patient", "'Active' is not an element")]
    [InlineData("<active value=\"true\"/><active value=\"false\"/>", "Patient", "at most 1")]
    [InlineData("<active><value>true</value></active>", "Patient.active", "'value' is not an element")]
    [InlineData("<active value=\"true\">text</active>", "Patient.active", "text between")]
    [InlineData("<active value=\" true\"/>", "Patient.active", "no boolean")]
    [InlineData("<multipleBirthInteger value=\"01\"/>", "Patient.multipleBirth", "no integer")]
    [InlineData(
        "<extension><url value=\"http://e.org\"/><valueString value=\"a\"/></extension>",
        "Patient.extension[0]",
        "'url' is not an element")]
    [InlineData("<extension url=\"http://e.org\" value=\"a\"/>", "Patient.extension[0]", "attribute 'value'")]
    [InlineData("<text><status value=\"empty\"/><div>a</div></text>", "Patient.text", "namespace")]
    public void What_xml_alone_can_get_wrong_is_told_with_its_place_and_line(string content, string expression, string text)
    {
        ToJson($"<Patient xmlns=\"http://hl7.org/fhir\">\n{content}\n</Patient>", out var issues);
        var issue = Assert.Single(issues, i => i.Text.Contains(text, StringComparison.Ordinal));
        Assert.Equal(expression, issue.Expression);
        Assert.True(issue.Line > 0);
    }

    [Theory]
    [InlineData(
        "<f:Patient xmlns:f=\"http://hl7.org/fhir\"><f:active value=\"true\"/></f:Patient>",
        """{"resourceType":"Patient","active":true}""")]
    [InlineData("<Patient xmlns=\"http://hl7.org/fhir\"><!-- a --><name id=\"n\"><given value=\"a\"/><given><extension "
        + "url=\"urn:e\"><valueCode value=\"x\"/></extension></given></name></Patient>",
        """{"resourceType":"Patient","name":[{"id":"n","given":["a",null],"_given":[null,"""
            + """{"extension":[{"url":"urn:e","valueCode":"x"}]}]}]}""")]
    [InlineData(
        "<Patient xmlns=\"http://hl7.org/fhir\"><contained><Organization><name value=\"o\"/></Organization></contained></Patient>",
        """{"resourceType":"Patient","contained":[{"resourceType":"Organization","name":"o"}]}""")]
    public void The_same_content_in_other_xml_is_the_same_json(string xml, string json)
    {
        Assert.Equal(json, Encoding.UTF8.GetString(ToJson(xml, out var issues)!));
        Assert.Empty(issues);
    }

    [Fact]
    public void A_finding_in_the_json_has_the_line_of_the_xml()
    {
        var xml = Encoding.UTF8.GetBytes("<Bundle xmlns=\"http://hl7.org/fhir\">\n<type "
            + "value=\"collection\"/>\n<entry>\n<resource>\n<Observation>\n<status value=\"nonsense\"/>\n<code><text "
            + "value=\"x\"/></code>\n<valueQuantity>\n<code value=\" g\"/></valueQuantity></Observation></resource></entry></Bundle>");
        var report = new Validator(FhirSchema.R4).Validate(Documents.Parse(Encoding.UTF8.GetString(FhirXml.ToJson(xml, out _)!)));
        var lines = FhirXml.InXml(xml, report.Issues).ToDictionary(i => i.Expression, i => i.Line);
        Assert.Equal(6, lines["Bundle.entry[0].resource.status"]);
        Assert.Equal(9, lines["Bundle.entry[0].resource.value.code"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("<Patient")]
    [InlineData("<Patient/>")]
    [InlineData("<Nonsense xmlns=\"http://hl7.org/fhir\"/>")]
    [InlineData("<Patient xmlns=\"http://hl7.org/fhir\"><nonsense value=\"1\"/></Patient>")]
    [InlineData(
        "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><Patient xmlns=\"http://hl7.org/fhir\"><id value=\"&b;\"/></Patient>")]
    [InlineData(
        "<!DOCTYPE a [<!ENTITY b \"bbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;\">]><Patient xmlns=\"http://hl7.org/fhir\"><id "
            + "value=\"&c;\"/></Patient>")]
    public void What_is_no_resource_in_xml_is_refused_with_a_reason(string xml)
    {
        var json = ToJson(xml, out var issues);
        // A name that there is not reaches the JSON, and the validator says so.
        if (issues.Count == 0)
            Assert.True(ResourceDocument.TryParse(json, out var document, out _)
                && !new Validator(FhirSchema.R4).Validate(document!).IsValid);
        Assert.DoesNotContain(issues, i => i.Text.Contains("root:", StringComparison.Ordinal));
    }
}
