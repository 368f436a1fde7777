using System.Xml.Linq;
using PmrGateway.Fhir;

namespace PmrGateway.Tools.Conformance;

/// <summary>The official FHIRPath suite. A case that must be refused passes when compiling or evaluating refuses it.</summary>
internal static class FhirPathSuite
{
    public static IEnumerable<SuiteResult> Run(SuiteData data)
    {
        if (data.Folder("fhirpath") is not { } folder) yield break;
        foreach (var file in Directory.GetFiles(folder, "tests*.xml").Order(StringComparer.Ordinal))
        {
            var (passed, total, failures) = (0, 0, new List<string>());
            var inputs = new Dictionary<string, ResourceDocument>();
            foreach (var test in XDocument.Load(file).Descendants("test"))
            {
                total++;
                if (test.Element("expression") is not { } expression) continue;
                var problem = Check(folder, inputs, test, expression);
                if (problem is null) passed++;
                else failures.Add($"{test.Attribute("name")?.Value}: {expression.Value.Trim().ReplaceLineEndings(" ")} -- {problem}");
            }
            yield return new SuiteResult("fhirpath", passed, total, 0.93, Path.GetFileName(file), failures);
        }
    }

    private static string? Check(string folder, Dictionary<string, ResourceDocument> inputs, XElement test, XElement expression)
    {
        var mustFail = expression.Attribute("invalid") is not null;
        var isStrict = mustFail && expression.Attribute("invalid")!.Value == "semantic";
        try
        {
            var document = Input(folder, inputs, test.Attribute("inputfile")?.Value ?? "patient-example.xml");
            var results = FhirPathExpression.Compile(expression.Value).Evaluate(document, isStrict);
            if (mustFail) return $"must be refused, gave {string.Join(", ", results.Select(r => r.Text))}";
            if (test.Attribute("predicate")?.Value == "true") return Predicate(results) ? null : "the predicate is false";
            var expected = test.Elements("output").ToList();
            if (expected.Count != results.Count)
                return $"{expected.Count} items expected, {results.Count} given: {string.Join(", ", results.Select(r => r.Text))}";
            for (var i = 0; i < expected.Count; i++)
                if (!Matches(expected[i], results[i]))
                    return $"expected {expected[i].Attribute("type")?.Value} {expected[i].Value}, was {results[i].Type} {results[i].Text}";
            return null;
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            return e.Message;
        }
        catch (FhirPathException e)
        {
            return mustFail ? null : $"{e.Fault}: {e.Message}";
        }
    }

    private static bool Predicate(IReadOnlyList<FhirPathResult> results) =>
        results.Count > 0 && results[0] is not { Type: "boolean" or "Boolean", Text: "false" };

    private static bool Matches(XElement expected, FhirPathResult result)
    {
        var type = expected.Attribute("type")?.Value;
        if (type is not null && !string.Equals(type, result.Type, StringComparison.OrdinalIgnoreCase)
            && !(type == "string" && result.Type is "code" or "id" or "uri" or "markdown"))
            return false;
        var text = expected.Value.TrimStart('@');
        if (result.Type is "Time" or "time") text = text.TrimStart('T');
        return text == result.Text || (type is "dateTime" && text.Replace("+00:00", "Z", StringComparison.Ordinal) == result.Text);
    }

    private static ResourceDocument Input(string folder, Dictionary<string, ResourceDocument> inputs, string name)
    {
        if (inputs.TryGetValue(name, out var known)) return known;
        var json = Path.Combine(folder, "inputs", Path.ChangeExtension(name, ".json"));
        var bytes = File.Exists(json)
            ? File.ReadAllBytes(json)
            : FhirXml.ToJson(File.ReadAllBytes(Path.Combine(folder, "inputs", name)), out _)!;
        return inputs[name] = ResourceDocument.TryParse(bytes, out var document, out var issue)
            ? document!
            : throw new InvalidDataException($"{name}: {issue!.Text}");
    }
}
