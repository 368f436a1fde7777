using System.Collections.Frozen;

namespace PmrGateway.Fhir;

/// <summary>One value under which a resource is found.</summary>
/// <param name="Parameter">
/// The search parameter's code; of a composite's component, with a dollar sign and its place behind; of a reference's identifier, with
/// <c>:identifier</c> behind; of an identifier's types, with <c>:of-type</c> behind.
/// </param>
/// <param name="Type">token, reference, date, string, uri, number or quantity.</param>
/// <param name="System">token: the system, or null; reference: the target's type, or null for an absolute one; quantity: system and code of
/// the unit with a bar between.</param>
/// <param name="Value">
/// token: the code or value; reference: the target's id or absolute URL; string, uri: the text; number, quantity: the digits as written;
/// date: null.
/// </param>
/// <param name="From">date: the first instant covered.</param>
/// <param name="To">date: the instant behind the last covered.</param>
public readonly record struct IndexEntry(
    string Parameter, string Type, string? System, string? Value, DateTimeOffset From, DateTimeOffset To)
{
    /// <summary>Of a composite's component: which element has it, from 1; 0: it is no component.</summary>
    public int Part { get; init; }

    /// <summary>Whether it is to be kept in no index in clear: <see cref="SearchParameter.IsPersonal"/>.</summary>
    public bool IsPersonal { get; init; }

    /// <summary>number, quantity: the least that it may be; with <see cref="High"/> infinite where it has no bound.</summary>
    public double Low { get; init; }

    /// <summary>number, quantity: the most that it may be.</summary>
    public double High { get; init; }
}

/// <summary>
/// Extracts the index values of search parameters, all in one pass over the document. Source: R4 search.html. Thread-safe.
/// </summary>
public sealed class SearchIndexer
{
    /// <summary>What stands behind a reference parameter's code in the entries of its logical references.</summary>
    public const string OfIdentifier = ":identifier";

    /// <summary>What stands behind an identifier parameter's code in the entries of its types, which are the type's system, its code and
    /// the identifier's value with bars between.</summary>
    public const string OfType = ":of-type";

    private readonly FhirSchema _schema;
    private readonly FrozenDictionary<string, Lazy<TypeParameters>> _byType;
    private readonly ThreadLocal<FhirPathContext> _contexts;

    /// <summary>An indexer for a schema.</summary>
    /// <param name="schema">The definitions.</param>
    /// <param name="isOffered">The parameters to index; null: all that have an expression.</param>
    public SearchIndexer(FhirSchema schema, Func<SearchParameterSpec, bool>? isOffered = null)
    {
        _schema = schema;
        // resolve() answers with the target's type: a parameter's target need not be here to be a Patient.
        _contexts = new ThreadLocal<FhirPathContext>(() => new FhirPathContext(schema, schema.Terminology) { ResolvesToStubs = true });
        _byType = schema.ResourceTypes.ToFrozenDictionary(
            type => type, type => new Lazy<TypeParameters>(() => new TypeParameters(schema, type, isOffered)), StringComparer.Ordinal);
    }

    /// <summary>The parameters of a type that can be asked, each code once, by code.</summary>
    public IReadOnlyCollection<SearchParameter> ParametersOf(string resourceType) =>
        _byType.TryGetValue(resourceType, out var parameters) ? parameters.Value.Asked.Values : [];

    /// <summary>A parameter of a type that can be asked; null: it has none such.</summary>
    public SearchParameter? Find(string resourceType, string code) =>
        _byType.TryGetValue(resourceType, out var parameters) ? parameters.Value.Asked.GetValueOrDefault(code) : null;

    /// <summary>The index values of a valid resource.</summary>
    public List<IndexEntry> Index(ResourceDocument document)
    {
        var entries = new List<IndexEntry>();
        if (!_byType.TryGetValue(document.ResourceType, out var parameters)) return entries;
        var context = _contexts.Value!;
        var root = Item.OfNode(document.Root);
        foreach (var parameter in parameters.Value.Indexed)
        {
            var first = entries.Count;
            context.Begin(root, root, root);
            parameter.Body.Eval(context, root);
            for (var (i, end) = (0, context.Count); i < end; i++)
            {
                var item = context[i];
                if (parameter.Spec.Type == "composite") Composite(entries, parameter, context, item, i + 1);
                else IndexValues.Add(entries, parameter.Spec.Code, parameter.Spec.Type, item);
            }
            if (!parameter.IsPersonal) continue;
            for (var i = first; i < entries.Count; i++) entries[i] = entries[i] with { IsPersonal = true };
        }
        return entries;
    }

    /// <summary>The elements that each parameter selects: what its index values are made of.</summary>
    public IEnumerable<(SearchParameterSpec Parameter, FhirPathResult Element)> SelectElements(ResourceDocument document)
    {
        if (!_byType.TryGetValue(document.ResourceType, out var parameters)) yield break;
        var context = new FhirPathContext(_schema, _schema.Terminology) { ResolvesToStubs = true };
        var root = Item.OfNode(document.Root);
        foreach (var parameter in parameters.Value.All)
        {
            context.Begin(root, root, root);
            parameter.Body.Eval(context, root);
            foreach (var item in context.Slice(0)) yield return (parameter.Spec, FhirPathExpression.Result(item));
        }
    }

    // What lacks a component is found by no search.
    private static void Composite(
        List<IndexEntry> entries, TypeParameters.Parameter parameter, FhirPathContext context, in Item item, int part)
    {
        var first = entries.Count;
        for (var i = 0; i < parameter.Components.Length; i++)
        {
            var (start, before) = (context.Count, entries.Count);
            parameter.Components[i].Eval(context, item);
            for (var j = start; j < context.Count; j++)
                IndexValues.Add(entries, TypeParameters.Component(parameter.Spec.Code, i), parameter.Spec.Components[i].Type, context[j]);
            context.Truncate(start);
            if (entries.Count > before) continue;
            entries.RemoveRange(first, entries.Count - first);
            return;
        }
        for (var i = first; i < entries.Count; i++) entries[i] = entries[i] with { Part = part };
    }
}

/// <summary>A date as search and consent read it.</summary>
public static class FhirDate
{
    /// <summary>
    /// The first instant and the instant behind the last that a date, dateTime or instant covers; null where the text is none.
    /// </summary>
    public static (DateTimeOffset From, DateTimeOffset To)? Range(string text) => Primitives.Range(text);
}
