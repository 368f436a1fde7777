using PmrGateway.Fhir;

namespace PmrGateway.Tools.Conformance;

/// <summary>Whether every expression of the core and of the packages compiles to the native engine.</summary>
internal static class ExpressionSuite
{
    public static IEnumerable<SuiteResult> Run(SuiteData data)
    {
        var (passed, total, failures) = (0, 0, new List<string>());
        void Try(string name, string expression)
        {
            total++;
            try
            {
                FhirPathExpression.Compile(expression);
                passed++;
            }
            catch (FhirPathException e)
            {
                failures.Add($"{name}: {expression} -- {e.Message}");
            }
        }
        var schema = FhirSchema.R4;
        foreach (var invariant in schema.Types.SelectMany(t => t.Invariants.Concat(t.Elements.SelectMany(e => e.Invariants))).Distinct())
            Try(invariant.Key, invariant.Expression);
        foreach (var parameter in schema.SearchParameters.Where(p => p.Expression.Length > 0))
        {
            Try(parameter.Code, parameter.Expression);
            foreach (var component in parameter.Components) Try(parameter.Code, component.Expression);
        }
        var core = total;
        foreach (var package in data.Folder("packages") is { } folder
                ? Directory.GetFiles(folder, "*.tgz").Order(StringComparer.Ordinal)
                : Enumerable.Empty<string>())
        {
            using var stream = File.OpenRead(package);
            var resources = FhirPackage.Read(stream);
            foreach (var (name, expression) in resources.SelectMany(Expressions).Distinct())
                Try(Path.GetFileName(package) + " " + name, expression);
            foreach (var problem in ProfileSet.Core(schema).With(resources).Problems())
                failures.Add($"{Path.GetFileName(package)}: {problem}");
        }
        yield return new SuiteResult(
            "expressions", passed, total, 1, $"{core} of the core, the others of the packages, compile natively", failures);
    }

    private static IEnumerable<(string Name, string Expression)> Expressions(ReadOnlyMemory<byte> resource)
    {
        using var json = System.Text.Json.JsonDocument.Parse(resource);
        var root = json.RootElement;
        var found = new List<(string, string)>();
        switch (root.TryGetProperty("resourceType", out var type) ? type.GetString() : "")
        {
            case "SearchParameter" when root.TryGetProperty("expression", out var expression):
                found.Add((root.GetProperty("url").GetString()!, expression.GetString()!));
                break;
            case "StructureDefinition" when root.TryGetProperty("snapshot", out var snapshot):
                foreach (var element in snapshot.GetProperty("element").EnumerateArray())
                    if (element.TryGetProperty("constraint", out var constraints))
                        foreach (var constraint in constraints.EnumerateArray())
                            if (constraint.TryGetProperty("expression", out var text))
                                found.Add((constraint.GetProperty("key").GetString()!, text.GetString()!));
                break;
        }
        return found;
    }
}
