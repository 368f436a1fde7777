using System.Collections.Frozen;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>One value under which a resource is found.</summary>
/// <param name="Parameter">The search parameter's code.</param>
/// <param name="Type">token, reference or date.</param>
/// <param name="System">token: the system, or null; reference: the target's type, or null for an absolute one.</param>
/// <param name="Value">token: the code or value; reference: the target's id or absolute URL; date: null.</param>
/// <param name="From">date: the first instant covered.</param>
/// <param name="To">date: the instant behind the last covered.</param>
public readonly record struct IndexEntry(string Parameter, string Type, string? System, string? Value, DateTimeOffset From, DateTimeOffset To);

/// <summary>Extracts the index values of the search parameters that the gateway offers. Source: R4 search.html.</summary>
public sealed class SearchIndexer
{
    private static readonly string[] Codes = ["identifier", "patient", "subject", "type", "category", "date", "status", "code"];

    private readonly FhirSchema _schema;
    private readonly FrozenDictionary<string, IReadOnlyList<(SearchParameterSpec Spec, PathExpression Path)>> _byType;

    /// <summary>An indexer for a schema.</summary>
    public SearchIndexer(FhirSchema schema)
    {
        _schema = schema;
        var compiled = new List<(SearchParameterSpec Spec, PathExpression Path)>();
        foreach (var spec in schema.SearchParameters)
            if (Codes.Contains(spec.Code) && spec.Type is "token" or "reference" or "date" && PathExpression.TryCompile(spec.Expression, out var path))
                compiled.Add((spec, path!));
        _byType = schema.ResourceTypes.ToFrozenDictionary(
            type => type,
            type => (IReadOnlyList<(SearchParameterSpec, PathExpression)>)[.. compiled.Where(c => Codes.Contains(c.Spec.Code) && c.Spec.Bases.Contains(type) && c.Path.AppliesTo(type))],
            StringComparer.Ordinal);
    }

    /// <summary>The parameters offered for a type, each code once: code and type.</summary>
    public IEnumerable<(string Code, string Type)> ParametersOf(string resourceType) =>
        _byType.TryGetValue(resourceType, out var parameters) ? parameters.Select(p => (p.Spec.Code, p.Spec.Type)).Distinct().OrderBy(p => p.Code, StringComparer.Ordinal) : [];

    /// <summary>The index values of a valid resource.</summary>
    public List<IndexEntry> Index(ResourceDocument document)
    {
        var entries = new List<IndexEntry>();
        if (!_byType.TryGetValue(document.ResourceType, out var parameters)) return entries;
        foreach (var (spec, path) in parameters)
            foreach (var found in path.Select(document, _schema)) Add(entries, spec, found);
        return entries;
    }

    /// <summary>The codes of a resource's elements at a search parameter, as (system, code); empty where the parameter is not offered.</summary>
    public static IEnumerable<(string? System, string Code)> Tokens(IEnumerable<IndexEntry> entries, string parameter) =>
        entries.Where(e => e.Type == "token" && e.Parameter == parameter).Select(e => (e.System, e.Value!));

    private static void Add(List<IndexEntry> entries, SearchParameterSpec spec, TypedNode found)
    {
        var node = found.Node;
        switch (spec.Type, found.Type)
        {
            case ("token", "CodeableConcept"):
                foreach (var coding in node.ItemsAt("coding")) Token(entries, spec.Code, coding.StringAt("system"), coding.StringAt("code"));
                break;
            case ("token", "Coding"):
                Token(entries, spec.Code, node.StringAt("system"), node.StringAt("code"));
                break;
            case ("token", "Identifier" or "ContactPoint"):
                Token(entries, spec.Code, node.StringAt("system"), node.StringAt("value"));
                break;
            case ("token", _) when node.Kind is not (JsonTokenType.StartObject or JsonTokenType.StartArray or JsonTokenType.Null):
                Token(entries, spec.Code, null, node.Text);
                break;
            case ("reference", "Reference"):
                var text = node.StringAt("reference");
                if (FhirReference.TryParse(text, out var local)) entries.Add(new IndexEntry(spec.Code, "reference", local.Type, local.Id, default, default));
                else if (text is { Length: > 0 } && text[0] != '#') entries.Add(new IndexEntry(spec.Code, "reference", null, text, default, default));
                break;
            case ("date", "Period"):
                var start = node.StringAt("start") is { } s ? Primitives.Range(s)?.From : null;
                var end = node.StringAt("end") is { } e ? Primitives.Range(e)?.To : null;
                if (start is not null || end is not null)
                    entries.Add(new IndexEntry(spec.Code, "date", null, null, start ?? DateTimeOffset.MinValue, end ?? DateTimeOffset.MaxValue));
                break;
            case ("date", "date" or "dateTime" or "instant"):
                if (node.Kind == JsonTokenType.String && Primitives.Range(node.Text) is { } range)
                    entries.Add(new IndexEntry(spec.Code, "date", null, null, range.From, range.To));
                break;
        }
    }

    private static void Token(List<IndexEntry> entries, string parameter, string? system, string? value)
    {
        if (value is not null) entries.Add(new IndexEntry(parameter, "token", system, value, default, default));
    }
}

/// <summary>A date as search and consent read it.</summary>
public static class FhirDate
{
    /// <summary>The first instant and the instant behind the last that a date, dateTime or instant covers; null where the text is none.</summary>
    public static (DateTimeOffset From, DateTimeOffset To)? Range(string text) => Primitives.Range(text);
}
