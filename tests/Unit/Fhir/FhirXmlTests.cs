using System.Text;
using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

public class FhirXmlTests
{
    private static byte[]? ToJson(string xml, out IReadOnlyList<ValidationIssue> issues) => FhirXml.ToJson(Encoding.UTF8.GetBytes(xml), out issues);

    [Fact]
    public void A_resource_goes_to_xml_and_back()
    {
        var json = """{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.50,"unit":"g"}}""";
        var xml = FhirXml.ToXml(Documents.Parse(json), out _);
        Assert.Contains("<value value=\"1.50\"", Encoding.UTF8.GetString(xml!));
        Assert.Equal(json, Encoding.UTF8.GetString(FhirXml.ToJson(xml, out var issues)!));
        Assert.Empty(issues);
    }

    [Theory]
    [InlineData("1.0E+2")]
    [InlineData("0.12345678901234567890123456789012345")]
    public void A_decimal_that_would_lose_digits_is_refused_in_both_directions(string number)
    {
        Assert.Null(FhirXml.ToXml(Documents.Parse($$$"""{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":{{{number}}}}}"""), out var issue));
        Assert.Contains("digits", issue!.Text);
        if (number.Contains('E')) return;
        Assert.Null(ToJson($"<Observation xmlns=\"http://hl7.org/fhir\"><status value=\"final\"/><code><text value=\"x\"/></code><valueQuantity><value value=\"{number}\"/></valueQuantity></Observation>", out var issues));
        Assert.Contains("digits", Assert.Single(issues).Text);
    }

    [Theory]
    [InlineData("")]
    [InlineData("<Patient")]
    [InlineData("<Patient/>")]
    [InlineData("<Nonsense xmlns=\"http://hl7.org/fhir\"/>")]
    [InlineData("<Patient xmlns=\"http://hl7.org/fhir\"><nonsense value=\"1\"/></Patient>")]
    [InlineData("<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><Patient xmlns=\"http://hl7.org/fhir\"><id value=\"&b;\"/></Patient>")]
    [InlineData("<!DOCTYPE a [<!ENTITY b \"bbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;\">]><Patient xmlns=\"http://hl7.org/fhir\"><id value=\"&c;\"/></Patient>")]
    public void What_is_no_resource_in_xml_is_refused_with_a_reason(string xml)
    {
        var json = ToJson(xml, out var issues);
        // A name that there is not reaches the JSON, and the validator says so.
        if (issues.Count == 0) Assert.True(ResourceDocument.TryParse(json, out var document, out _) && !new Validator(FhirSchema.R4).Validate(document!).IsValid);
        Assert.DoesNotContain(issues, i => i.Text.Contains("root:", StringComparison.Ordinal));
    }
}
