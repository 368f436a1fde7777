using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Api;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Tests.Unit.Gateway;

public class SubsetTests
{
    private const string Tag = """{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}""";

    private const string Patient = """
        {"resourceType":"Patient","id":"p","meta":{"versionId":"1","tag":[{"code":"own"}],"security":[{"code":"R"}]},"language":"en",
        "text":{"status":"generated","div":"<div/>"},"contained":[{"resourceType":"Organization","id":"o","name":"O"}],
        "extension":[{"url":"urn:e","valueString":"e"}],"modifierExtension":[{"url":"urn:m","valueBoolean":true}],
        "name":[{"family":"F","given":["G",null],"_given":[null,{"id":"g"}]}],"birthDate":"2000-01-01",
        "_birthDate":{"extension":[{"url":"urn:t","valueTime":"10:00:00"}]},"deceasedBoolean":false,"maritalStatus":{"text":"S"},
        "photo":[{"contentType":"image/png","data":"AAAA"}],"contact":[{"gender":"other"}]}
        """;

    private const string Observation = """
        {"resourceType":"Observation","id":"o","status":"final","code":{"text":"c"},"valueQuantity":{"value":1.50,"unit":"kg"},
        "referenceRange":[{"text":"r"}],
        "component":[{"code":{"text":"d"},"valueQuantity":{"value":2.0e+1},"referenceRange":[{"low":{"value":0.0}}]}]}
        """;

    private static Result<Subset> Asked(string query, string? type) => Subset.Of(type, QueryHelpers.ParseQuery(query));

    private static string Cut(string query, string json, bool isMatch = true)
    {
        var type = JsonDocument.Parse(json).RootElement.GetProperty("resourceType").GetString();
        return Encoding.UTF8.GetString(Asked(query, type).Value.Cut(Encoding.UTF8.GetBytes(json), isMatch));
    }

    private static string Names(string json) =>
        string.Join(' ', JsonDocument.Parse(json).RootElement.EnumerateObject().Select(p => p.Name));

    [Theory]
    [InlineData("_elements=birthDate", "resourceType id meta modifierExtension birthDate _birthDate deceasedBoolean")]
    [InlineData("_elements=id", "resourceType id meta modifierExtension deceasedBoolean")]
    [InlineData("_elements=Patient.name,contact", "resourceType id meta modifierExtension name deceasedBoolean contact")]
    [InlineData("_elements=deceased", "resourceType id meta modifierExtension deceasedBoolean")]
    [InlineData("_elements=deceased[x]", "resourceType id meta modifierExtension deceasedBoolean")]
    [InlineData("_elements=deceasedDateTime", "resourceType id meta modifierExtension deceasedBoolean")]
    [InlineData("_summary=true", "resourceType id meta modifierExtension name birthDate _birthDate deceasedBoolean")]
    [InlineData("_summary=text", "resourceType id meta text modifierExtension deceasedBoolean")]
    [InlineData(
        "_summary=data",
        "resourceType id meta language contained extension modifierExtension name birthDate _birthDate deceasedBoolean maritalStatus photo "
            + "contact")]
    public void What_is_asked_for_is_left_and_what_changes_its_meaning(string query, string names) =>
        Assert.Equal(names, Names(Cut(query, Patient)));

    [Fact]
    public void What_must_be_there_is_left_and_a_value_is_the_bytes_that_it_was()
    {
        Assert.Equal("resourceType id status code component meta", Names(Cut("_elements=component", Observation)));
        Assert.Contains("\"valueQuantity\":{\"value\":1.50,\"unit\":\"kg\"}", Cut("_elements=value", Observation));
        var component = Observation[Observation.IndexOf("\"component\"", StringComparison.Ordinal)..^1];
        Assert.Contains(component, Cut("_elements=component", Observation));
    }

    [Fact]
    public void A_summary_is_one_of_the_parts_of_an_element_too()
    {
        var cut = Cut("_summary=true", Observation);
        Assert.Contains("\"component\":[{\"code\":{\"text\":\"d\"},\"valueQuantity\":{\"value\":2.0e+1}}]", cut);
        Assert.DoesNotContain("referenceRange", cut);
        Assert.Contains("\"given\":[\"G\",null],\"_given\":[null,{\"id\":\"g\"}]", Cut("_summary=true", Patient));
    }

    [Fact]
    public void Of_an_attachment_a_summary_has_all_but_the_data_and_nothing_is_left_empty()
    {
        static string Document(string contents) => $$"""
            {"resourceType":"DocumentReference","id":"d","status":"current","content":[{{contents}}],"docStatus":"final"}
            """;
        var cut = Cut("_summary=true", Document("""{"attachment":{"contentType":"text/plain","data":"AAAA"}}"""));
        Assert.Contains("\"content\":[{\"attachment\":{\"contentType\":\"text/plain\"}}]", cut);
        cut = Cut("_summary=true", Document("""{"attachment":{"data":"AAAA"}},{"attachment":{"title":"t","data":"AAAA"}}"""));
        Assert.Contains("\"content\":[{\"attachment\":{\"title\":\"t\"}}]", cut);
        Assert.Equal("resourceType id status docStatus meta", Names(Cut("_summary=true", Document("""{"attachment":{"data":"AAAA"}}"""))));
    }

    [Theory]
    [InlineData("_summary=true")]
    [InlineData("_summary=text")]
    [InlineData("_summary=data")]
    [InlineData("_elements=meta")]
    public void What_is_cut_is_marked_once_and_keeps_its_labels_and_its_own_tags(string query)
    {
        var once = Cut(query, Patient);
        Assert.Contains($$"""
            "meta":{"versionId":"1","security":[{"code":"R"}],"tag":[{"code":"own"},{{Tag}}]}
            """.Trim(), once);
        Assert.Equal(once, Cut(query, once));
        Assert.Contains($"\"meta\":{{\"tag\":[{Tag}]}}", Cut(query, Observation));
    }

    [Theory]
    [InlineData("")]
    [InlineData("_summary=false")]
    public void The_whole_is_the_whole(string query) => Assert.Equal(Patient, Cut(query, Patient));

    [Fact]
    public void Elements_of_no_named_type_are_those_of_what_matches()
    {
        var subset = Subset.Of("Observation", null, "value,Patient.name", includes: true).Value;
        Assert.Equal(Observation, Text(subset.Cut(Encoding.UTF8.GetBytes(Observation), isMatch: false)));
        Assert.DoesNotContain("component", Text(subset.Cut(Encoding.UTF8.GetBytes(Observation), isMatch: true)));
        Assert.Equal(
            "resourceType id meta modifierExtension name deceasedBoolean",
            Names(Text(subset.Cut(Encoding.UTF8.GetBytes(Patient), isMatch: false))));
        var ofOthers = Subset.Of("Observation", null, "Patient.name", includes: true).Value;
        Assert.Equal(Observation, Text(ofOthers.Cut(Encoding.UTF8.GetBytes(Observation), isMatch: true)));
        static string Text(byte[] json) => Encoding.UTF8.GetString(json);
    }

    [Fact]
    public void Of_several_types_elements_that_all_have_go_without_a_type()
    {
        Assert.Null(Asked("_elements=id,text,Patient.name", null).Failure);
        Assert.NotNull(Asked("_elements=name", null).Failure);
    }

    [Theory]
    [InlineData("_summary=yes", "'_summary'")]
    [InlineData("_summary=", "'_summary'")]
    [InlineData("_summary=count", "'_summary'")]
    [InlineData("_summary=true&_summary=true", "'_summary'")]
    [InlineData("_elements=id&_elements=name", "'_elements'")]
    [InlineData("_elements=name&_summary=true", "'_elements'")]
    [InlineData("_elements=name&_summary=false", "'_elements'")]
    [InlineData("_elements=", "''")]
    [InlineData("_elements=name,", "''")]
    [InlineData("_elements=name, id", "' id'")]
    [InlineData("_elements=name,color", "'color'")]
    [InlineData("_elements=Name", "'Name'")]
    [InlineData("_elements=_birthDate", "'_birthDate'")]
    [InlineData("_elements=resourceType", "'resourceType'")]
    [InlineData("_elements=name.family", "'name.family'")]
    [InlineData("_elements=Patient.name.family", "'Patient.name.family'")]
    [InlineData("_elements=Patient.color", "'Patient.color'")]
    [InlineData("_elements=Observation.code", "'Observation.code'")]
    [InlineData("_elements=-name", "'-name'")]
    [InlineData("_elements=*", "'*'")]
    public void What_is_not_understood_is_refused_by_its_name(string query, string named)
    {
        var failure = Asked(query, "Patient").Failure;
        Assert.Equal(OutcomeCategory.Malformed, failure?.Category);
        Assert.Contains(named, failure!.Issues[0].Text);
    }

    [Theory]
    [InlineData("_summary=true")]
    [InlineData("_summary=data")]
    [InlineData("_elements=contentType")]
    public void A_Binary_is_given_whole(string query) => Assert.NotNull(Asked(query, "Binary").Failure);

    [Fact]
    public void A_summary_of_text_brings_nothing_along()
    {
        Assert.NotNull(Subset.Of("Patient", "text", null, includes: true).Failure);
        Assert.Null(Subset.Of("Patient", "text", null, includes: false).Failure);
        Assert.Null(Subset.Of("Patient", "data", null, includes: true).Failure);
    }

    [Fact]
    public void A_link_repeats_what_was_asked()
    {
        Assert.Equal("_elements=name%2Cid", Asked("_elements=name,id", "Patient").Value.Parameters);
        Assert.Equal("_summary=true", Asked("_summary=true", "Patient").Value.Parameters);
        Assert.Equal("", Asked("_count=1", "Patient").Value.Parameters);
    }

    [Theory]
    [InlineData("Patient", "name", true)]
    [InlineData("Patient", "contact", false)]
    [InlineData("Attachment", "data", false)]
    [InlineData("Attachment", "url", true)]
    [InlineData("Observation.component", "value", true)]
    [InlineData("Observation.component", "referenceRange", false)]
    public void The_definitions_say_what_belongs_to_a_summary(string type, string element, bool isSummary) =>
        Assert.Equal(isSummary, FhirSchema.R4.Type(type)!.Elements.Single(e => e.Name == element).IsSummary);
}
