namespace PmrGateway.Fhir;

/// <summary>The search parameters of one resource type: all, those that make index entries, and what can be asked.</summary>
internal sealed class TypeParameters
{
    // What the store knows of every resource without an index; what no index of texts answers: how words sound, how near places are.
    private static readonly string[] NotIndexed = ["_id", "_lastUpdated", "phonetic", "near"];

    public TypeParameters(FhirSchema schema, string type, Func<SearchParameterSpec, bool>? isOffered)
    {
        var personal = new PersonalPaths(schema);
        var isOfPatients = type == "Patient" || schema.PatientCompartmentParameters(type).Count > 0
            || schema.SearchParameters.Any(p => p.Bases.Contains(type) && p.Targets.Contains("Patient"));
        All = [.. schema.SearchParameters.Where(p => isOffered is null || isOffered(p))
            .Select(p => Compile(schema, p, type)).OfType<Parameter>()
            .Select(p => p with
            {
                IsPersonal = (isOfPatients && p.Spec.Type == "string")
                    || (p.Spec.Type is "token" or "string" or "date" && p.Parts.Any(s => personal.Names(s, type))),
            })];
        var known = All.Where(p => !NotIndexed.Contains(p.Spec.Code)).DistinctBy(p => p.Spec.Code).ToList();
        var anyOf = known.ToDictionary(p => p.Spec.Code, p => SameAs(p, known), StringComparer.Ordinal);
        var indexed = known.Where(p => anyOf[p.Spec.Code].Count == 0 && !IsWhole(p, type)).ToList();
        var again = All.Where(p => known.TrueForAll(k => k.Spec != p.Spec) && indexed.Exists(k => k.Spec.Code == p.Spec.Code));
        Indexed = [.. indexed, .. again];
        var asked = known.ToDictionary(p => p.Spec.Code, p => new SearchParameter(p.Spec.Code, p.Spec.Type)
        {
            IsPersonal = p.IsPersonal,
            Targets = p.Spec.Targets,
            AnyOf = anyOf[p.Spec.Code],
            IsWhole = IsWhole(p, type),
        }, StringComparer.Ordinal);
        foreach (var composite in known.Where(p => p.Spec.Type == "composite"))
        {
            var code = composite.Spec.Code;
            asked[code] = asked[code] with
            {
                Components = [.. composite.Spec.Components.Select((c, i) => asked[code].IsWhole
                    ? asked[c.Code]
                    : new SearchParameter(Component(code, i), c.Type))],
            };
        }
        Asked = new SortedDictionary<string, SearchParameter>(asked, StringComparer.Ordinal);
    }

    public Parameter[] All { get; }

    public Parameter[] Indexed { get; }

    public SortedDictionary<string, SearchParameter> Asked { get; }

    private static bool IsWhole(Parameter parameter, string type) =>
        parameter.Spec.Type == "composite" && parameter.Parts is [Syntax.Member { On: null } whole] && whole.Name == type;

    // Of Observation, combo-code is code and component-code: what two others have needs no third index.
    private static List<string> SameAs(Parameter parameter, List<Parameter> known)
    {
        var own = Keys(parameter);
        if (own.Count < 2) return [];
        var parts = known.Where(k => k.Spec.Type == parameter.Spec.Type && k.IsPersonal == parameter.IsPersonal)
            .Select(k => (k.Spec.Code, Keys: Keys(k))).Where(k => k.Keys.IsProperSubsetOf(own)).ToList();
        return own.SetEquals(parts.SelectMany(p => p.Keys)) ? [.. parts.Select(p => p.Code).Order(StringComparer.Ordinal)] : [];
    }

    private static HashSet<string> Keys(Parameter parameter)
    {
        var components = string.Join(';', parameter.Spec.Components.Select(c => $"{c.Type} {c.Expression}"));
        return [.. parameter.Parts.Select(p => $"{TextOf(p is Syntax.Call { Name: "distinct" } one ? one.On : p)} {components}")];
    }

    private static string TextOf(Syntax? syntax) => syntax switch
    {
        Syntax.Member member => $"{TextOf(member.On)}.{member.Name}",
        Syntax.Call call => $"{TextOf(call.On)}.{call.Name}({string.Join(',', call.Arguments.Select(TextOf))})",
        Syntax.Binary binary => $"({TextOf(binary.Left)} {binary.Operator} {TextOf(binary.Right)})",
        Syntax.TypeTest test => $"({TextOf(test.Operand)} {test.Operator} {test.Type})",
        Syntax.Indexer indexer => $"{TextOf(indexer.On)}[{TextOf(indexer.Index)}]",
        null => "",
        _ => syntax.ToString(),
    };

    /// <summary>The code of a component's entries.</summary>
    public static string Component(string composite, int place) => $"{composite}${place}";

    /// <summary>An expression narrowed to a type: of a union only the parts that begin at it. Null where none does.</summary>
    internal static Expr? CompileFor(FhirSchema schema, string expression, string type) =>
        PartsFor(schema, expression, type) is { Count: > 0 } parts ? Compile(parts) : null;

    private static Expr Compile(List<Syntax> parts) => Compiler.Compile(parts.Aggregate((a, b) => new Syntax.Binary("|", a, b)));

    private static List<Syntax> PartsFor(FhirSchema schema, string expression, string type)
    {
        var parts = new List<Syntax>();
        if (expression.Length > 0) Collect(Parser.Parse(expression));
        // A union gives each value once, also where one part of it is left.
        return parts is [var only] && expression.Contains('|') ? [new Syntax.Call(only, "distinct", [])] : parts;

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
        if (!isBase || PartsFor(schema, spec.Expression, type) is not { Count: > 0 } parts) return null;
        return new Parameter(spec, parts, Compile(parts), [.. spec.Components.Select(c => Compiler.Compile(Parser.Parse(c.Expression)))]);
    }

    /// <summary>A parameter, compiled for the type.</summary>
    public sealed record Parameter(SearchParameterSpec Spec, IReadOnlyList<Syntax> Parts, Expr Body, Expr[] Components)
    {
        public bool IsPersonal { get; init; }
    }
}
