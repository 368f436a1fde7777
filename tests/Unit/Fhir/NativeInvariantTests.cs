using PmrGateway.Fhir;

namespace PmrGateway.Tests.Unit.Fhir;

/// <summary>Invariants that are code say what their expressions say.</summary>
public class NativeInvariantTests
{
    private static readonly (string Key, string Path)[] Native =
        [
            ("ext-1", "descendants().ofType(Extension)"),
            ("ref-1", "descendants().ofType(Reference)"),
            ("dom-2", "$this"),
            ("dom-3", "$this"),
            ("dom-4", "$this"),
            ("dom-5", "$this"),
            ("dom-6", "$this")
        ];

    private static readonly string[] Broken =
    [
        """{"resourceType":"Patient","extension":[{"url":"http://x.example/a"}]}""",
        """{"resourceType":"Patient","extension":[{"url":"http://x.example/a","valueString":"b","extension":["""
            + """{"url":"c","valueString":"d"}]}]}""",
        """{"resourceType":"Patient","extension":[{"url":"http://x.example/a","_valueString":{"extension":["""
            + """{"url":"http://x.example/b","valueCode":"c"}]}}]}""",
        """{"resourceType":"Patient","text":{"status":"empty","div":"<div xmlns='http://www.w3.org/1999/xhtml'>x</div>"}}""",
        """{"resourceType":"Patient","managingOrganization":{"reference":"#o"}}""",
        """{"resourceType":"Patient","managingOrganization":{"reference":"#"}}""",
        """{"resourceType":"Patient","managingOrganization":{"display":"o"}}""",
        """{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"O"}],"managingOrganization":"""
            + """{"reference":"#o"}}""",
        """{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"O"}]}""",
        """{"resourceType":"Patient","contained":[{"resourceType":"Observation","id":"o","status":"final","code":"""
            + """{"text":"x"},"subject":{"reference":"#"}}]}""",
        """{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"O","meta":{"versionId":"1"}}"""
            + """],"managingOrganization":{"reference":"#o"}}""",
        """{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"O","meta":{"security":[{"code":"R"}]"""
            + """}}],"managingOrganization":{"reference":"#o"}}""",
        """{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"O","contained":["""
            + """{"resourceType":"Organization","id":"p","name":"P"}]}],"managingOrganization":{"reference":"#o"}}""",
        """{"resourceType":"PlanDefinition","status":"draft","contained":[{"resourceType":"Library","id":"l","status":"draft","type":"""
            + """{"text":"x"}}],"library":["#l"]}""",
    ];

    public static TheoryData<string> Cases() =>
        [.. Broken.Concat(new[] { "valid", "documents", "bundles" }
            .SelectMany(f => Directory.GetFiles(Path.Combine(Vectors.Root, "fhir-profiles", "examples", f), "*.json"))
            .Select(File.ReadAllText))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void An_invariant_in_code_says_what_its_expression_says(string json)
    {
        var document = Documents.Parse(json);
        var report = new Validator(FhirSchema.R4, options: new ValidationOptions { MaxIssues = 10_000 }).Validate(document);
        var root = document.ResourceType;
        foreach (var (key, path) in Native)
        {
            // A Bundle is no DomainResource, and %rootResource inside it is each entry's own.
            if (path == "$this" ? document.Root.Type!.Invariants.All(i => i.Key != key) : key == "ref-1" && root == "Bundle") continue;
            var expression = FhirSchema.R4.Types.SelectMany(t => t.Invariants).First(i => i.Key == key).Expression;
            var broken =
                FhirPathExpression.Compile($"{path}.where(({expression}) = false).exists()").Evaluate(document) is [{ Text: "true" }];
            // Of an entry or contained resource the report has issues of its own; asked is the outermost.
            var said = report.Issues
                .Any(i => i.Text.StartsWith($"the rule {key} does not hold", StringComparison.Ordinal)
                    && (path != "$this" || i.Expression == root));
            Assert.True(
                broken == said, $"{key}: {(broken ? "broken" : "holds")} by its expression, {(said ? "broken" : "holds")} by the code");
        }
    }
}
