using System.Collections.Frozen;
using System.Globalization;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>One value under which a resource is found.</summary>
/// <param name="Parameter">The search parameter's code.</param>
/// <param name="Type">token, reference, date, string, uri, number, quantity, composite or special.</param>
/// <param name="System">token: the system, or null; reference: the target's type, or null for an absolute one; quantity: system and code of
/// the unit with a bar between.</param>
/// <param name="Value">
/// token: the code or value; reference: the target's id or absolute URL; string, uri: the text; number, quantity: the digits as written;
/// composite: the components' values with a dollar sign between; special: latitude and longitude with a bar between; date: null.
/// </param>
/// <param name="From">date: the first instant covered.</param>
/// <param name="To">date: the instant behind the last covered.</param>
public readonly record struct IndexEntry(
    string Parameter, string Type, string? System, string? Value, DateTimeOffset From, DateTimeOffset To);

/// <summary>
/// Extracts the index values of search parameters, all in one pass over the document. Source: R4 search.html. Thread-safe.
/// </summary>
public sealed class SearchIndexer
{
    private static readonly string[] NameParts = ["text", "family", "given", "prefix", "suffix"];
    private static readonly string[] AddressParts = ["text", "line", "city", "district", "state", "postalCode", "country"];

    private readonly FhirSchema _schema;
    private readonly FrozenDictionary<string, Lazy<Parameter[]>> _byType;
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
            type => type,
            type =>
                new Lazy<Parameter[]>(() => [.. schema.SearchParameters.Where(p => isOffered is null || isOffered(p))
                    .Select(p => Compile(schema, p, type)).OfType<Parameter>()]),
            StringComparer.Ordinal);
    }

    private sealed record Parameter(SearchParameterSpec Spec, Expr Body, (string Type, Expr Body)[] Components);

    /// <summary>The parameters of a type, each code once: code and type.</summary>
    public IEnumerable<(string Code, string Type)> ParametersOf(string resourceType) =>
        _byType.TryGetValue(resourceType, out var parameters)
            ? parameters.Value.Select(p => (p.Spec.Code, p.Spec.Type)).Distinct().OrderBy(p => p.Code, StringComparer.Ordinal)
            : [];

    /// <summary>The index values of a valid resource.</summary>
    public List<IndexEntry> Index(ResourceDocument document)
    {
        var entries = new List<IndexEntry>();
        if (!_byType.TryGetValue(document.ResourceType, out var parameters)) return entries;
        var context = _contexts.Value!;
        var root = Item.OfNode(document.Root);
        foreach (var parameter in parameters.Value)
        {
            context.Begin(root, root, root);
            parameter.Body.Eval(context, root);
            for (var (i, end) = (0, context.Count); i < end; i++)
            {
                var item = context[i];
                if (parameter.Spec.Type == "composite") Composite(entries, parameter, context, item);
                else Add(entries, parameter.Spec.Code, parameter.Spec.Type, item);
            }
        }
        return entries;
    }

    /// <summary>The elements that each parameter selects: what its index values are made of.</summary>
    public IEnumerable<(SearchParameterSpec Parameter, FhirPathResult Element)> SelectElements(ResourceDocument document)
    {
        if (!_byType.TryGetValue(document.ResourceType, out var parameters)) yield break;
        var context = new FhirPathContext(_schema, _schema.Terminology) { ResolvesToStubs = true };
        var root = Item.OfNode(document.Root);
        foreach (var parameter in parameters.Value)
        {
            context.Begin(root, root, root);
            parameter.Body.Eval(context, root);
            foreach (var item in context.Slice(0)) yield return (parameter.Spec, FhirPathExpression.Result(item));
        }
    }

    /// <summary>An expression narrowed to a type: of a union only the parts that begin at it. Null where none does.</summary>
    internal static Expr? CompileFor(FhirSchema schema, string expression, string type)
    {
        if (expression.Length == 0) return null;
        var parts = new List<Syntax>();
        Collect(Parser.Parse(expression));
        // A union gives each value once, also where one part of it is left.
        if (parts is [var only] && expression.Contains('|')) parts = [new Syntax.Call(only, "distinct", [])];
        return parts.Count == 0 ? null : Compiler.Compile(parts.Aggregate((a, b) => new Syntax.Binary("|", a, b)));

        void Collect(Syntax syntax)
        {
            if (syntax is Syntax.Binary { Operator: "|" } union)
            {
                Collect(union.Left);
                Collect(union.Right);
            }
            else if (RootOf(syntax) is not { } root || schema.Type(root) is not { Kind: TypeKind.Resource } named
                || schema.Type(type)!.Is(named))
            {
                parts.Add(syntax);
            }
        }
    }

    private static string? RootOf(Syntax? syntax) => syntax switch
    {
        Syntax.Member { On: null } member => member.Name,
        Syntax.Member member => RootOf(member.On),
        Syntax.Call call => RootOf(call.On),
        Syntax.Indexer indexer => RootOf(indexer.On),
        Syntax.TypeTest test => RootOf(test.Operand),
        _ => null,
    };

    private static Parameter? Compile(FhirSchema schema, SearchParameterSpec spec, string type)
    {
        var isBase = spec.Bases.Any(b => b == type || (schema.Type(b) is { IsAbstract: true } above && schema.Type(type)!.Is(above)));
        if (!isBase || CompileFor(schema, spec.Expression, type) is not { } body) return null;
        return new Parameter(spec, body, [.. spec.Components.Select(c => (c.Type, Compiler.Compile(Parser.Parse(c.Expression))))]);
    }

    private static void Composite(List<IndexEntry> entries, Parameter parameter, FhirPathContext context, in Item item)
    {
        var values = new List<string> { "" };
        for (var i = 0; i < parameter.Components.Length; i++)
        {
            var start = context.Count;
            parameter.Components[i].Body.Eval(context, item);
            var found = new List<IndexEntry>();
            for (var j = start; j < context.Count; j++) Add(found, "", parameter.Components[i].Type, context[j]);
            context.Truncate(start);
            var first = i == 0;
            values = [.. values.SelectMany(v => found.Select(f => first ? Text(f) : v + "$" + Text(f)))];
        }
        foreach (var value in values) entries.Add(new IndexEntry(parameter.Spec.Code, "composite", null, value, default, default));

        static string Text(IndexEntry e) => e.Type switch
        {
            "date" => e.From.UtcDateTime.ToString("O", CultureInfo.InvariantCulture),
            "reference" when e.System is not null => $"{e.System}/{e.Value}",
            "token" or "quantity" when e.System is not null => e.Type == "token" ? $"{e.System}|{e.Value}" : $"{e.Value}|{e.System}",
            _ => e.Value ?? "",
        };
    }

    private static void Add(List<IndexEntry> entries, string code, string kind, in Item item)
    {
        if (!item.IsNode)
        {
            // An expression that computes its value: Patient.deceased.exists() and deceased != false.
            if (FhirPathValues.Text(item.Boxed) is { } text) entries.Add(new IndexEntry(code, kind, null, text, default, default));
            return;
        }
        if (item.Row < 0) return;
        var (node, type) = (item.Node, item.Type?.Name);
        switch (kind)
        {
            case "token":
                Token(entries, code, node, type);
                break;
            case "reference":
                Reference(entries, code, node);
                break;
            case "date":
                Date(entries, code, node, type);
                break;
            case "string":
                Text(entries, code, node, type);
                break;
            case "quantity":
                Quantity(entries, code, node, type);
                break;
            case "special" when type == "Location.position":
                entries.Add(new IndexEntry(code, kind, null, $"{node["latitude"]?.Text}|{node["longitude"]?.Text}", default, default));
                break;
            default:
                if (IsScalar(node)) entries.Add(new IndexEntry(code, kind, null, node.Text, default, default));
                break;
        }
    }

    private static bool IsScalar(ElementNode node) =>
        node.Kind is not (JsonTokenType.StartObject or JsonTokenType.StartArray or JsonTokenType.Null);

    private static void Token(List<IndexEntry> entries, string code, ElementNode node, string? type)
    {
        switch (type)
        {
            case "CodeableConcept":
                foreach (var coding in node.ItemsAt("coding")) Put(coding.StringAt("system"), coding.StringAt("code"));
                break;
            case "Coding":
                Put(node.StringAt("system"), node.StringAt("code"));
                break;
            case "Identifier" or "ContactPoint":
                Put(node.StringAt("system"), node.StringAt("value"));
                break;
            default:
                if (IsScalar(node)) Put(null, node.Text);
                break;
        }

        void Put(string? system, string? value)
        {
            if (value is not null) entries.Add(new IndexEntry(code, "token", system, value, default, default));
        }
    }

    private static void Reference(List<IndexEntry> entries, string code, ElementNode node)
    {
        var text = node.Kind == JsonTokenType.String ? node.Text : node.StringAt("reference");
        if (FhirReference.TryParse(text, out var local))
            entries.Add(new IndexEntry(code, "reference", local.Type, local.Id, default, default));
        else if (text is { Length: > 0 } && text[0] != '#') entries.Add(new IndexEntry(code, "reference", null, text, default, default));
    }

    private static void Date(List<IndexEntry> entries, string code, ElementNode node, string? type)
    {
        switch (type)
        {
            case "Period":
                var from = node.StringAt("start") is { } start && Primitives.Range(start) is { } first
                    ? first.From
                    : DateTimeOffset.MinValue;
                var to = node.StringAt("end") is { } end && Primitives.Range(end) is { } last ? last.To : DateTimeOffset.MaxValue;
                if (node["start"] is not null || node["end"] is not null) entries.Add(new IndexEntry(code, "date", null, null, from, to));
                break;
            case "Timing":
                foreach (var moment in node.ItemsAt("event")) Date(entries, code, moment, "dateTime");
                if (node["repeat"]?["boundsPeriod"] is { } bounds) Date(entries, code, bounds, "Period");
                break;
            default:
                if (node.Kind == JsonTokenType.String && Primitives.Range(node.Text) is { } range)
                    entries.Add(new IndexEntry(code, "date", null, null, range.From, range.To));
                break;
        }
    }

    private static void Text(List<IndexEntry> entries, string code, ElementNode node, string? type)
    {
        if (type is not ("HumanName" or "Address"))
        {
            if (IsScalar(node)) entries.Add(new IndexEntry(code, "string", null, node.Text, default, default));
            return;
        }
        foreach (var part in type == "HumanName" ? NameParts : AddressParts)
            foreach (var value in node.ItemsAt(part))
                if (value.Kind == JsonTokenType.String) entries.Add(new IndexEntry(code, "string", null, value.Text, default, default));
    }

    private static void Quantity(List<IndexEntry> entries, string code, ElementNode node, string? type)
    {
        switch (type)
        {
            case "Range":
                foreach (var bound in new[] { node["low"], node["high"] })
                    if (bound is { } quantity) Quantity(entries, code, quantity, "Quantity");
                break;
            default:
                if (node["value"] is not { } value) break;
                var unit = type == "Money"
                    ? $"urn:iso:std:iso:4217|{node.StringAt("currency")}"
                    : $"{node.StringAt("system")}|{node.StringAt("code") ?? node.StringAt("unit")}";
                entries.Add(new IndexEntry(code, "quantity", unit, value.Text, default, default));
                break;
        }
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
