using System.Text;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using PmrGateway.Fhir;

namespace PmrGateway.Tools.Conformance;

/// <summary>JSON Patch and FHIRPath Patch cases: the document that comes out, or that none does.</summary>
internal static class PatchSuite
{
    public static IEnumerable<SuiteResult> Run(SuiteData data)
    {
        if (data.Folder("patch") is not { } folder) yield break;
        var (passed, total, failures) = (0, 0, new List<string>());
        void Count(string name, string? problem)
        {
            total++;
            if (problem is null) passed++;
            else failures.Add($"{name}: {problem}");
        }
        if (Path.Combine(folder, "json-patch-tests.json") is var json && File.Exists(json))
            foreach (var test in JsonNode.Parse(File.ReadAllBytes(json))!.AsArray()) Count($"json {test!["comment"]}", Json(test));
        if (Path.Combine(folder, "fhir-patch-tests.xml") is var xml && File.Exists(xml))
            foreach (var test in XDocument.Load(xml).Descendants("case")) Count($"fhirpath {test.Attribute("name")?.Value}", Fhir(test));
        yield return new SuiteResult("patch", passed, total, 0.9, "JSON Patch and FHIRPath Patch", failures);
    }

    private static string? Json(JsonNode test)
    {
        var result = JsonPatch.Apply(Bytes(test["doc"]), Bytes(test["patch"]), ResourceLimits.Default, new PatchBudget(), out var issue);
        if (test["error"] is not null) return result is null ? null : "must be refused";
        if (result is null) return issue!.Text;
        // A case without a result only tests.
        return test["expected"] is not { } expected || JsonNode.DeepEquals(expected, JsonNode.Parse(result))
            ? null
            : $"gave {Encoding.UTF8.GetString(result)}";
    }

    private static string? Fhir(XElement test)
    {
        var (input, diff) = (Document(test.Element("input")), Document(test.Element("diff")));
        if (input is null || diff is null) return "the case cannot be read";
        var result = new FhirPathPatch(input, ResourceLimits.Default, new PatchBudget(), default).Apply(diff, out var issue);
        if (test.Element("error") is not null) return result is null ? null : "must be refused";
        if (result is null) return issue!.Text;
        return Document(test.Element("output")) is { } expected
            && JsonNode.DeepEquals(JsonNode.Parse(expected.Bytes.Span), JsonNode.Parse(result))
            ? null
            : $"gave {Encoding.UTF8.GetString(result)}";
    }

    private static byte[] Bytes(JsonNode? node) => Encoding.UTF8.GetBytes(node?.ToJsonString() ?? "null");

    private static ResourceDocument? Document(XElement? holder) =>
        holder?.Elements().FirstOrDefault() is { } resource
            && FhirXml.ToJson(Encoding.UTF8.GetBytes(resource.ToString()), out _) is { } json
            && ResourceDocument.TryParse(json, out var document, out _)
            ? document
            : null;
}
