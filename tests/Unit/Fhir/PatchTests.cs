using System.Text;
using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

public class PatchTests
{
    [Theory]
    [InlineData("""{"a":1.50}""", """[{"op":"add","path":"/b","value":[1]}]""", """{"a":1.50,"b":[1]}""")]
    [InlineData(
        """{"a":[1,3]}""",
        """[{"op":"add","path":"/a/1","value":2},{"op":"add","path":"/a/-","value":4}]""",
        """{"a":[1,2,3,4]}""")]
    [InlineData("""{"a":1,"b":2}""", """[{"op":"remove","path":"/a"}]""", """{"b":2}""")]
    [InlineData("""{"a":1}""", """[{"op":"replace","path":"/a","value":null}]""", """{"a":null}""")]
    [InlineData(
        """{"a":{"b":1}}""",
        """[{"op":"move","from":"/a/b","path":"/c"},{"op":"copy","from":"/c","path":"/d"}]""",
        """{"a":{},"c":1,"d":1}""")]
    [InlineData("""{"a/b":{"c~d":1}}""", """[{"op":"test","path":"/a~1b/c~0d","value":1.0}]""", """{"a/b":{"c~d":1}}""")]
    public void A_json_patch_does_what_rfc_6902_says(string document, string patch, string expected)
    {
        var patched = JsonPatch.Apply(
            Encoding.UTF8.GetBytes(document), Encoding.UTF8.GetBytes(patch), ResourceLimits.Default, new PatchBudget(), out _);
        Assert.Equal(expected, Encoding.UTF8.GetString(patched!));
    }

    [Theory]
    [InlineData("""[{"op":"remove","path":"/x"}]""", "operation 1: there is nothing at /x")]
    [InlineData("""[{"op":"add","path":"/a","value":1},{"op":"test","path":"/a","value":"1"}]""", "operation 2: the value at /a")]
    [InlineData("""[{"op":"add","path":"/b/01","value":1}]""", "operation 1: there is no place")]
    [InlineData("""[{"op":"move","from":"/b","path":"/b/0"}]""", "into itself")]
    [InlineData("""[{"op":"add","path":"a","value":1}]""", "begins with '/'")]
    [InlineData("""[{"op":"dance","path":"/a"}]""", "no such operation")]
    [InlineData("""{}""", "an array of operations")]
    [InlineData("[", "the body is not JSON (line 1, column 2)")]
    [InlineData("nonsense", "the body is not JSON")]
    [InlineData("", "the body is empty")]
    [InlineData("""[{"op":"add","path":"/b","value":{"KEY":1,"KEY":2}}]""", "the property 'KEY' occurs twice")]
    [InlineData("""[{"op":"add","op":"remove","path":"/b"}]""", "the property 'op' occurs twice")]
    [InlineData("""[{"op":"add","path":"/b","value":"\uD800"}]""", "a string holds a lone surrogate")]
    [InlineData("""[{"op":"test","path":"/\uD800","value":1}]""", "a string holds a lone surrogate")]
    public void A_json_patch_that_cannot_be_applied_names_the_operation(string patch, string reason)
    {
        Assert.Null(JsonPatch.Apply(
            """{"b":[1]}"""u8.ToArray(), Encoding.UTF8.GetBytes(patch), ResourceLimits.Default, new PatchBudget(), out var issue));
        Assert.Contains(reason, issue!.Text);
    }

    private static string Operation(string type, string path, string more = "") =>
        $$$"""{"name":"operation","part":[{"name":"type","valueCode":"{{{type}}}"},"""
            + $$$"""{"name":"path","valueString":"{{{path}}}"}{{{more}}}]}""";

    private static byte[] Parameters(params string[] operations) =>
        Encoding.UTF8.GetBytes($"{{\"resourceType\":\"Parameters\",\"parameter\":[{string.Join(',', operations)}]}}");

    private static (string? Json, string? Issue) Patch(params string[] operations)
    {
        var patient = Documents.Parse(
            """
            {"resourceType":"Patient","name":[{"family":"A"},{"family":"B"}],"contact":[{"name":{"text":"x"}}],
            "birthDate":"2000-01-01","_birthDate":{"id":"b"}}
            """);
        var result = ResourcePatch.Apply(patient, PatchFormat.FhirPathPatch, Parameters(operations));
        return (
            result.Document is { } patched ? Encoding.UTF8.GetString(patched.Bytes.Span) : null,
            result.Issues is [var issue] ? issue.Text : null);
    }

    [Fact]
    public void A_fhirpath_patch_adds_inserts_replaces_moves_and_deletes()
    {
        var (json, issue) = Patch(
            Operation("add", "Patient", """,{"name":"name","valueString":"deceased"},{"name":"value","valueBoolean":true}"""),
            Operation("insert", "Patient.name", """,{"name":"index","valueInteger":1},{"name":"value","valueHumanName":{"family":"C"}}"""),
            Operation("move", "Patient.name", """,{"name":"source","valueInteger":2},{"name":"destination","valueInteger":0}"""),
            Operation("replace", "Patient.name[1].family", """,{"name":"value","valueString":"D"}"""),
            Operation(
                "add",
                "Patient",
                """,{"name":"name","valueString":"contact"},{"name":"value","part":[{"name":"gender","valueCode":"male"}]}"""),
            Operation("delete", "Patient.contact[0].name.text"),
            Operation("delete", "Patient.birthDate"),
            Operation("delete", "Patient.photo"));
        Assert.Null(issue);
        const string Names = """[{"family":"B"},{"family":"D"},{"family":"C"}]""";
        Assert.Equal($$"""{"resourceType":"Patient","name":{{Names}},"contact":[{"gender":"male"}],"deceasedBoolean":true}""", json);
    }

    [Theory]
    [InlineData("replace", "Patient.gender", "selects nothing")]
    [InlineData("delete", "Patient.name", "selects several")]
    [InlineData("delete", "Patient.name.count()", "no element of the resource")]
    [InlineData("delete", "Patient.(", "not expected")]
    [InlineData("dance", "Patient", "no such operation")]
    public void A_fhirpath_patch_that_cannot_be_applied_changes_nothing(string type, string path, string reason)
    {
        var (json, issue) =
            Patch(Operation("delete", "Patient.birthDate"), Operation(type, path, """,{"name":"value","valueCode":"male"}"""));
        Assert.Null(json);
        Assert.StartsWith("operation 2: ", issue, StringComparison.Ordinal);
        Assert.Contains(reason, issue);
    }

    private static PatchResult JsonPatched(string document, string patch) =>
        ResourcePatch.Apply(Documents.Parse(document), PatchFormat.JsonPatch, Encoding.UTF8.GetBytes(patch));

    [Fact]
    public void A_patch_is_read_as_a_resource_is_and_what_cannot_be_read_is_told_from_what_cannot_be_applied()
    {
        const string Patient = """{"resourceType":"Patient","id":"a"}""";
        Assert.NotNull(JsonPatched(Patient, "\uFEFF[]").Document);
        foreach (var broken in (string[])["[", "", "[{\"a\":1,\"a\":2}]"]) Assert.True(JsonPatched(Patient, broken).IsMalformed);
        var invalid = ResourcePatch.Apply(Documents.Parse(Patient), PatchFormat.JsonPatch, new byte[] { (byte)'[', 0xFF, (byte)']' });
        Assert.True(invalid.IsMalformed);
        Assert.Contains("UTF-8", Assert.Single(invalid.Issues).Text);
        Assert.False(JsonPatched(Patient, """[{"op":"remove","path":"/x"}]""").IsMalformed);
        Assert.False(JsonPatched(Patient, """[{"op":"replace","path":"","value":[]}]""").IsMalformed);
    }

    [Fact]
    public void What_a_patch_names_is_cut_before_it_is_told_back()
    {
        var path = "/" + new string('x', 1 << 20);
        Assert.InRange(Assert.Single(JsonPatched(
            """{"resourceType":"Patient"}""", $$"""[{"op":"remove","path":"{{path}}"}]""").Issues).Text.Length, 1, 200);
        var (_, issue) = Patch(Operation("replace", "Patient." + new string('x', 50_000)));
        Assert.InRange(issue!.Length, 1, 200);
    }

    [Fact]
    public void A_text_that_is_cut_is_cut_between_characters_and_holds_no_control_characters()
    {
        var text = new string('a', 1999) + "\U0001F600\u001b" + new string('b', 5000);
        var issue = new ValidationIssue(IssueSeverity.Error, IssueCode.Value, new string('e', 5000), text);
        Assert.Equal(new string('a', 1999) + "...", issue.Text);
        Assert.Equal(2003, issue.Expression.Length);
    }

    [Theory]
    [InlineData("Patient.birthDate", "id", """,{"name":"value","valueString":"x"}""", "no object")]
    [InlineData(
        "Patient",
        "contact",
        """,{"name":"value","part":[{"name":"gender","valueCode":"male"},{"name":"gender","valueCode":"male"}]}""",
        "gender is there twice")]
    public void A_fhirpath_patch_that_adds_what_has_no_place_is_refused_in_our_words(string path, string name, string value, string reason)
    {
        var (json, issue) = Patch(Operation("add", path, $$$""",{"name":"name","valueString":"{{{name}}}"}{{{value}}}"""));
        Assert.Null(json);
        Assert.Contains(reason, issue);
    }

    [Fact]
    public void A_patched_resource_is_a_new_document_and_the_old_one_stays()
    {
        var before = Documents.Parse("""{"resourceType":"Patient","id":"a","active":true}""");
        var result =
            ResourcePatch.Apply(before, PatchFormat.JsonPatch, """[{"op":"replace","path":"/active","value":false}]"""u8.ToArray());
        Assert.Empty(result.Issues);
        Assert.Equal("""{"resourceType":"Patient","id":"a","active":false}""", Encoding.UTF8.GetString(result.Document!.Bytes.Span));
        Assert.Equal("""{"resourceType":"Patient","id":"a","active":true}""", Encoding.UTF8.GetString(before.Bytes.Span));
    }

    [Theory]
    [InlineData("""[{"op":"replace","path":"/resourceType","value":"Group"}]""", "type of a resource")]
    [InlineData("""[{"op":"replace","path":"/id","value":"b"}]""", "id of a resource")]
    [InlineData("""[{"op":"remove","path":"/id"}]""", "id of a resource")]
    [InlineData("""[{"op":"replace","path":"","value":[]}]""", "object")]
    public void A_patch_makes_no_other_resource_of_it(string patch, string reason)
    {
        var result = JsonPatched("""{"resourceType":"Patient","id":"a"}""", patch);
        Assert.Null(result.Document);
        Assert.Contains(reason, Assert.Single(result.Issues).Text);
    }

    [Fact]
    public void A_fhirpath_patch_is_a_parameters_resource()
    {
        var result = ResourcePatch.Apply(
            Documents.Parse("""{"resourceType":"Patient"}"""), PatchFormat.FhirPathPatch, """{"resourceType":"Patient"}"""u8.ToArray());
        Assert.Null(result.Document);
        Assert.Contains("Parameters", Assert.Single(result.Issues).Text);
    }

    [Theory]
    [InlineData("/x/-", "copied")]
    [InlineData("/x/0/a", "too deep")]
    public void Copies_of_copies_end_at_the_limits(string to, string reason)
    {
        var copies = string.Join(',', Enumerable.Repeat($$"""{"op":"copy","from":"/x","path":"{{to}}"}""", 200));
        var result = JsonPatched("""{"resourceType":"Patient","x":[{"b":1}]}""", $"[{copies}]");
        Assert.Null(result.Document);
        Assert.Contains(reason, Assert.Single(result.Issues).Text);
    }

    [Fact]
    public void A_patch_has_a_thousand_operations_at_most()
    {
        var tests = string.Join(',', Enumerable.Repeat("""{"op":"test","path":"/resourceType","value":"Patient"}""", 1001));
        Assert.Contains("at most 1000", Assert.Single(JsonPatched("""{"resourceType":"Patient"}""", $"[{tests}]").Issues).Text);
        var deletes = Parameters([.. Enumerable.Repeat(Operation("delete", "Patient.name"), 1001)]);
        var result = ResourcePatch.Apply(Documents.Parse("""{"resourceType":"Patient"}"""), PatchFormat.FhirPathPatch, deletes);
        Assert.Contains("at most 1000", Assert.Single(result.Issues).Text);
    }

    [Fact]
    public void The_limits_hold_for_what_comes_out_of_a_patch()
    {
        var document = Documents.Parse("""{"resourceType":"Patient"}""");
        var patch = """[{"op":"add","path":"/name","value":[{"given":["a","b","c","d","e"]}]}]"""u8.ToArray();
        Assert.Null(ResourcePatch.Apply(document, PatchFormat.JsonPatch, patch, new ResourceLimits(MaxNodes: 6)).Document);
        Assert.NotNull(ResourcePatch.Apply(document, PatchFormat.JsonPatch, patch, new ResourceLimits(MaxNodes: 60)).Document);
    }
}
