using System.Diagnostics;

namespace PmrGateway.Fhir;

/// <summary>A function as the compiler finds it.</summary>
/// <param name="Min">Least arguments.</param>
/// <param name="Max">Most arguments.</param>
/// <param name="Body">What it does, where its arguments are evaluated on the outer focus.</param>
/// <param name="Make">Makes an expression of its own, where arguments are evaluated once for each item.</param>
internal sealed record Function(int Min, int Max, FunctionBody? Body, Func<Expr, Expr[], Expr>? Make);

/// <summary>The functions of FHIRPath and of FHIR, by name.</summary>
internal static partial class Functions
{
    // Of the clock, not of the processor: fewer than a step takes, for a machine that is busy.
    private const int StepsInMicrosecond = 3;

    /// <summary>The types of the namespace System.</summary>
    public static readonly HashSet<string> SystemTypes =
    [
        "Boolean", "String", "Integer", "Long", "Decimal", "Date", "DateTime", "Time", "Quantity", "Any"
    ];

    /// <summary>All functions.</summary>
    public static readonly Dictionary<string, Function> All = new(StringComparer.Ordinal);

    static Functions()
    {
        AddCollections();
        AddLambdas();
        AddText();
        AddNumbers();
        AddConversions();
        AddFhir();
    }

    /// <summary>The type of an item, in its namespace.</summary>
    public static TypeInfo TypeOf(in Item item)
    {
        if (item.IsNode || item.Type is not null)
            return new TypeInfo(
                "FHIR", item.Type is null ? "" : item.Type.Kind == TypeKind.Backbone ? item.Type.BaseName! : item.Type.Name);
        return new TypeInfo("System", item.Boxed switch
        {
            bool => "Boolean",
            int => "Integer",
            long => "Long",
            decimal => "Decimal",
            FhirTemporal t => t.TypeName,
            QuantityValue => "Quantity",
            TypeInfo => "TypeInfo",
            _ => "String",
        });
    }

    /// <summary>is, as and ofType over the items from a place on.</summary>
    public static void TypeTest(FhirPathContext c, int start, string op, string type)
    {
        if (op == "is")
        {
            if (c.Count > start + 1) throw FhirPathException.Execution("is() is asked of one item");
            var result = c.Count == start ? (bool?)null : Is(c, c[start], type);
            c.Truncate(start);
            if (result is { } known) c.Push(known);
            return;
        }
        // Published expressions use as() on collections (descendants().as(uri)): it selects, like ofType.
        // Of primitives it takes the type itself: a code is a string to is(), not to as(), by the official suite.
        Keep(
            c,
            start,
            (context, item) =>
                Is(context, item, type)
                    && (item.Type is not { Kind: TypeKind.Primitive } actual || actual.Name == type || type == "FHIR." + actual.Name));
    }

    /// <summary>Leaves each item once, in the order of its first place.</summary>
    public static void Distinct(FhirPathContext c, int start)
    {
        var to = start;
        // Few items are compared one by one: a set costs more than it saves.
        var set = c.Count - start > 8 ? new ItemSet(c) : null;
        for (var i = start; i < c.Count; i++)
        {
            var seen = set is not null && !set.Add(c[i]);
            for (var j = start; set is null && j < to && !seen; j++) seen = BinaryExpr.AreEqual(c, j, i) == true;
            if (!seen) c.Set(to++, c[i]);
        }
        c.Truncate(to);
    }

    private static bool Is(FhirPathContext c, in Item item, string type)
    {
        var isSystem = type.StartsWith("System.", StringComparison.Ordinal);
        var isFhir = type.StartsWith("FHIR.", StringComparison.Ordinal);
        var name = isSystem ? type[7..] : isFhir ? type[5..] : type;
        if (item.Type is { } actual) return !isSystem && c.Schema.Type(name) is { } named && (actual.Is(named) || (actual.Name == name));
        return !isFhir && TypeOf(item) is var info && (info.Name == name || name == "Any");
    }

    private static void Keep(FhirPathContext c, int start, Func<FhirPathContext, Item, bool> wanted)
    {
        var to = start;
        for (var i = start; i < c.Count; i++)
            if (wanted(c, c[i])) c.Set(to++, c[i]);
        c.Truncate(to);
    }

    private static void Add(string name, int min, int max, FunctionBody body) => All.Add(name, new Function(min, max, body, null));

    private static void AddLambda(string name, int min, int max, Func<Expr, Expr[], Expr> make) =>
        All.Add(name, new Function(min, max, null, make));

    /// <summary>A function of one item's value; of no item there is none, of several it is an error.</summary>
    private static void AddScalar(string name, int min, int max, Func<object, object?[], object?> of, bool isTimed = false) =>
        Add(name, min, max, (FhirPathContext c, int start, in Item focus, Expr[] arguments) =>
    {
        if (c.Count > start + 1) throw FhirPathException.Execution($"{name}() is asked of one item, there are several");
        if (c.Count > start) c.Look(c[start]);
        var value = c.Count == start ? null : c[start].Value;
        var isNode = c.Count > start && c[start].IsNode;
        c.Truncate(start);
        var values = new object?[arguments.Length];
        for (var i = 0; i < values.Length; i++) values[i] = arguments[i].Single(c, focus);
        // A text is looked for in another: at worst at each place anew.
        foreach (var argument in values)
            if (value is string text && argument is string part) c.Spend((long)text.Length * part.Length / 1024);
        var began = isTimed ? Stopwatch.GetTimestamp() : 0;
        if (value is not null) c.Push(InRange(() => of(value, values)));
        if (isTimed) c.Spend((long)Stopwatch.GetElapsedTime(began).TotalMicroseconds * StepsInMicrosecond);
        if (value is null && isNode) throw FhirPathException.Semantic($"{name}() is asked of a value, not of an element with children");
    });

    // What is out of the range of its type is empty. https://hl7.org/fhirpath/N1/#math-2
    private static object? InRange(Func<object?> compute)
    {
        try
        {
            return compute();
        }
        catch (OverflowException)
        {
            return null;
        }
    }

    private static void Replace(FhirPathContext c, int start, bool? value)
    {
        c.Truncate(start);
        if (value is { } known) c.Push(known);
    }
}
