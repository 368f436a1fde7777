using System.Text.Json;
using System.Text.Json.Nodes;
using Hl7.Fhir.FhirPath;
using Hl7.Fhir.Model;
using Hl7.Fhir.Serialization;
using Hl7.FhirPath;
using PmrGateway.Fhir;

namespace PmrGateway.Tools.Conformance;

/// <summary>The native engine beside Firely's, on all examples: what search parameters select, and what invariants say.</summary>
internal static class FirelySuite
{
    private const int MaxPathDepth = 3;
    private static readonly FhirPathCompilerCache Cache = new();
    private static readonly JsonSerializerOptions Json = new JsonSerializerOptions().ForFhir(ModelInfo.ModelInspector)
        .UsingMode(DeserializationMode.Recoverable);

    static FirelySuite() => ElementNavFhirExtensions.PrepareFhirSymbolTableFunctions();

    public static IEnumerable<SuiteResult> Run(SuiteData data)
    {
        var indexer = new SearchIndexer(FhirSchema.R4);
        var search = new Tally();
        var invariants = new Tally();
        var xml = new Tally();
        var guides = new Tally();
        var ofGuides = GuideInvariants(data);
        foreach (var (name, bytes) in data.Files("examples"))
        {
            if (!ResourceDocument.TryParse(bytes, out var document, out _) || document!.Root.Type is null
                || Typed(document) is not { } resource)
                continue;
            var node = resource.ToPocoNode();
            var context = new FhirEvaluationContext { Resource = node, RootResource = node, ElementResolver = Stub };
            Search(search, indexer, name, document, node, context);
            Invariants(invariants, Paths(document.Root.Type!, document.ResourceType, 0), name, document, node, context);
            Invariants(guides, ofGuides[document.ResourceType], name, document, node, context);
            xml.Total++;
            // Written by Firely, read by the raw engine: what does not come back is refused.
            if (FhirXml.ToXml(document, out var issue) is not null) xml.Passed++;
            else xml.Fail(issue!.Text, name);
        }
        if (search.Total == 0) yield break;
        yield return search.Result("search-extraction", 0.999, "selections of search parameters that are Firely's");
        yield return xml.Result("xml", 0.99, "examples that Firely writes as XML and that come back from it the same");
        yield return invariants.Result("invariants", 0.999, "verdicts of invariants that are Firely's");
        if (guides.Total > 0)
            yield return guides.Result(
                "guide-invariants", 0.99, "verdicts of the packages' invariants that are Firely's, on the examples of their types");
    }

    private sealed class Tally
    {
        private readonly Dictionary<string, (int Count, string First)> _failures = [];

        public int Passed { get; set; }

        public int Total { get; set; }

        public void Fail(string rule, string where) =>
            _failures[rule] = _failures.TryGetValue(rule, out var known) ? (known.Count + 1, known.First) : (1, where);

        public SuiteResult Result(string name, double threshold, string note) =>
            new(
                name,
                Passed,
                Total,
                threshold,
                note,
                [.. _failures.OrderByDescending(f => f.Value.Count)
                    .Select(f => $"{f.Key}: {f.Value.Count} times, first in {f.Value.First}")]);
    }

    private static void Search(
        Tally tally, SearchIndexer indexer, string name, ResourceDocument document, PocoNode node, FhirEvaluationContext context)
    {
        var ours = indexer.SelectElements(document).ToLookup(s => s.Parameter, s => s.Element);
        foreach (var parameter in FhirSchema.R4.SearchParameters
            .Where(p => p.Bases.Contains(document.ResourceType) && p.Expression.Length > 0))
        {
            List<JsonNode?> theirs;
            try
            {
                theirs = [.. Cache.Select(node, parameter.Expression, context).Select(Node)];
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // Firely cannot say.
                continue;
            }
            tally.Total++;
            var mine = ours[parameter].ToList();
            if (mine.Count == theirs.Count && mine.Zip(theirs).All(p => Same(p.First, p.Second))) tally.Passed++;
            else
                tally.Fail(
                    $"{document.ResourceType}:{parameter.Code} {parameter.Expression}",
                    $"{name}: {mine.Count} and {theirs.Count} of Firely");
        }
    }

    // What the profiles of the packages add, by the type that they constrain; slices are left out of the path.
    private static ILookup<string, (string Path, Invariant Invariant)> GuideInvariants(SuiteData data)
    {
        var found = new HashSet<(string Type, string Path, Invariant Invariant)>();
        foreach (var package in data.Folder("packages") is { } folder
                ? Directory.GetFiles(folder, "*.tgz").Order(StringComparer.Ordinal)
                : Enumerable.Empty<string>())
        {
            using var stream = File.OpenRead(package);
            foreach (var resource in FhirPackage.Read(stream))
            {
                using var json = JsonDocument.Parse(resource);
                if (!json.RootElement.TryGetProperty("snapshot", out var snapshot)
                    || !json.RootElement.TryGetProperty("type", out var type))
                    continue;
                foreach (var element in snapshot.GetProperty("element").EnumerateArray())
                {
                    if (!element.TryGetProperty("constraint", out var constraints)) continue;
                    var path = string.Join(
                        '.',
                        element.GetProperty("path").GetString()!.Replace("[x]", "", StringComparison.Ordinal).Split('.')
                            .Select((step, i) => i == 0 ? step : Escaped(step)));
                    foreach (var constraint in constraints.EnumerateArray())
                        if (constraint.TryGetProperty("expression", out var expression)
                            && !(constraint.TryGetProperty("source", out var source)
                            && FhirSchema.R4.TypeOfCanonical(source.GetString()!) is not null))
                            found.Add((
                                type.GetString()!,
                                path,
                                new Invariant(constraint.GetProperty("key").GetString()!, false, expression.GetString()!)));
                }
            }
        }
        return found.Where(f => f.Invariant.Key is not ("ele-1" or "ext-1" or "dom-3" or "txt-1" or "txt-2"))
            .ToLookup(f => f.Type, f => (f.Path, f.Invariant));
    }

    private static void Invariants(
        Tally tally,
        IEnumerable<(string Path, Invariant Invariant)> rules,
        string name,
        ResourceDocument document,
        PocoNode node,
        FhirEvaluationContext context)
    {
        foreach (var (path, invariant) in rules)
        {
            // A rule that says nothing (empty) is not broken: so the validator reads it, and so both engines are asked.
            var expression = $"{path}.where(({invariant.Expression}) = false).empty()";
            bool theirs, mine;
            try
            {
                theirs = Cache.IsBoolean(node, expression, true, context);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                continue;
            }
            try
            {
                mine = FhirPathExpression.Compile(expression).Evaluate(document) is not [{ Text: "false" }];
            }
            catch (FhirPathException e)
            {
                tally.Total++;
                tally.Fail(invariant.Key + " " + invariant.Expression, name + ": " + e.Message);
                continue;
            }
            tally.Total++;
            if (mine == theirs) tally.Passed++;
            else tally.Fail(invariant.Key + " " + invariant.Expression, $"{name}: {mine}, Firely {theirs}");
        }
    }

    private static IEnumerable<(string Path, Invariant Invariant)> Paths(TypeDefinition type, string path, int depth)
    {
        // What resolves or checks narrative is outside the engines' common ground.
        foreach (var invariant in type.Invariants
            .Where(i => !i.Expression.Contains("htmlChecks", StringComparison.Ordinal) && i.Key != "dom-3"))
            yield return (path, invariant);
        if (depth == MaxPathDepth) yield break;
        foreach (var element in type.Elements)
        {
            foreach (var invariant in element.Invariants) yield return (path + "." + Escaped(element.Name), invariant);
            if (element.Types is [
                {
                    Definition: { Kind: TypeKind.Backbone or TypeKind.Complex } below, Name: not ("Extension" or "Reference" or "Meta")
                }])
                foreach (var inner in Paths(below, path + "." + Escaped(element.Name), depth + 1)) yield return inner;
        }
    }

    private static string Escaped(string name) =>
        name is "contains" or "as" or "is" or "in" or "div" or "mod" or "and" or "or" ? $"`{name}`" : name;

    private static PocoNode? Stub(string reference) =>
        FhirReference.TypeNamed(reference) is { } type && ModelInfo.GetTypeForFhirType(type) is { } model
            ? ((Resource)Activator.CreateInstance(model)!).ToPocoNode()
            : null;

    private static Resource? Typed(ResourceDocument document)
    {
        try
        {
            return FhirTyped.Parse<Resource>(document);
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static JsonNode? Node(PocoNode node) => node.Poco is PrimitiveType primitive
        ? JsonValue.Create(primitive.ToString())
        : JsonNode.Parse(JsonSerializer.Serialize(node.Poco, node.Poco.GetType(), Json));

    private static bool Same(FhirPathResult mine, JsonNode? theirs)
    {
        if (mine.Text is { } text)
            return theirs?.ToString() is { } other
                && (text == other
                || decimal.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var a) && decimal.TryParse(
                    other, System.Globalization.CultureInfo.InvariantCulture, out var b) && a == b);
        return mine.Node is { } node && JsonNode.DeepEquals(JsonNode.Parse(node.RawBytes), theirs);
    }
}
