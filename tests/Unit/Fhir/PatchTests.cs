using System.Text;
using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

public class PatchTests
{
    [Theory]
    [InlineData("""{"a":1.50}""", """[{"op":"add","path":"/b","value":[1]}]""", """{"a":1.50,"b":[1]}""")]
    [InlineData("""{"a":[1,3]}""", """[{"op":"add","path":"/a/1","value":2},{"op":"add","path":"/a/-","value":4}]""", """{"a":[1,2,3,4]}""")]
    [InlineData("""{"a":1,"b":2}""", """[{"op":"remove","path":"/a"}]""", """{"b":2}""")]
    [InlineData("""{"a":1}""", """[{"op":"replace","path":"/a","value":null}]""", """{"a":null}""")]
    [InlineData("""{"a":{"b":1}}""", """[{"op":"move","from":"/a/b","path":"/c"},{"op":"copy","from":"/c","path":"/d"}]""", """{"a":{},"c":1,"d":1}""")]
    [InlineData("""{"a/b":{"c~d":1}}""", """[{"op":"test","path":"/a~1b/c~0d","value":1.0}]""", """{"a/b":{"c~d":1}}""")]
    public void A_json_patch_does_what_rfc_6902_says(string document, string patch, string expected) =>
        Assert.Equal(expected, Encoding.UTF8.GetString(JsonPatch.Apply(Encoding.UTF8.GetBytes(document), Encoding.UTF8.GetBytes(patch), out _)!));

    [Theory]
    [InlineData("""[{"op":"remove","path":"/x"}]""", "operation 1: there is nothing at /x")]
    [InlineData("""[{"op":"add","path":"/a","value":1},{"op":"test","path":"/a","value":"1"}]""", "operation 2: the value at /a")]
    [InlineData("""[{"op":"add","path":"/b/01","value":1}]""", "operation 1: there is no place")]
    [InlineData("""[{"op":"move","from":"/b","path":"/b/0"}]""", "into itself")]
    [InlineData("""[{"op":"add","path":"a","value":1}]""", "begins with '/'")]
    [InlineData("""[{"op":"dance","path":"/a"}]""", "no such operation")]
    [InlineData("""{}""", "an array of operations")]
    [InlineData("""[""", "")]
    public void A_json_patch_that_cannot_be_applied_names_the_operation(string patch, string reason)
    {
        Assert.Null(JsonPatch.Apply("""{"b":[1]}"""u8.ToArray(), Encoding.UTF8.GetBytes(patch), out var issue));
        Assert.Contains(reason, issue!.Text);
    }

    private static string Operation(string type, string path, string more = "") =>
        $$$"""{"name":"operation","part":[{"name":"type","valueCode":"{{{type}}}"},{"name":"path","valueString":"{{{path}}}"}{{{more}}}]}""";

    private static (string? Json, string? Issue) Patch(params string[] operations)
    {
        var patient = Documents.Parse("""{"resourceType":"Patient","name":[{"family":"A"},{"family":"B"}],"contact":[{"name":{"text":"x"}}],"birthDate":"2000-01-01","_birthDate":{"id":"b"}}""");
        var result = FhirPathPatch.Apply(patient, Documents.Parse($"{{\"resourceType\":\"Parameters\",\"parameter\":[{string.Join(',', operations)}]}}"), out var issue);
        return (result is null ? null : Encoding.UTF8.GetString(result), issue?.Text);
    }

    [Fact]
    public void A_fhirpath_patch_adds_inserts_replaces_moves_and_deletes()
    {
        var (json, issue) = Patch(
            Operation("add", "Patient", """,{"name":"name","valueString":"deceased"},{"name":"value","valueBoolean":true}"""),
            Operation("insert", "Patient.name", """,{"name":"index","valueInteger":1},{"name":"value","valueHumanName":{"family":"C"}}"""),
            Operation("move", "Patient.name", """,{"name":"source","valueInteger":2},{"name":"destination","valueInteger":0}"""),
            Operation("replace", "Patient.name[1].family", """,{"name":"value","valueString":"D"}"""),
            Operation("add", "Patient", """,{"name":"name","valueString":"contact"},{"name":"value","part":[{"name":"gender","valueCode":"male"}]}"""),
            Operation("delete", "Patient.contact[0].name.text"),
            Operation("delete", "Patient.birthDate"),
            Operation("delete", "Patient.photo"));
        Assert.Null(issue);
        Assert.Equal("""{"resourceType":"Patient","name":[{"family":"B"},{"family":"D"},{"family":"C"}],"contact":[{"gender":"male"}],"deceasedBoolean":true}""", json);
    }

    [Theory]
    [InlineData("replace", "Patient.gender", "selects nothing")]
    [InlineData("delete", "Patient.name", "selects several")]
    [InlineData("delete", "Patient.name.count()", "no element of the resource")]
    [InlineData("delete", "Patient.(", "not expected")]
    [InlineData("dance", "Patient", "no such operation")]
    public void A_fhirpath_patch_that_cannot_be_applied_changes_nothing(string type, string path, string reason)
    {
        var (json, issue) = Patch(Operation("delete", "Patient.birthDate"), Operation(type, path, """,{"name":"value","valueCode":"male"}"""));
        Assert.Null(json);
        Assert.StartsWith("operation 2: ", issue, StringComparison.Ordinal);
        Assert.Contains(reason, issue);
    }
}
