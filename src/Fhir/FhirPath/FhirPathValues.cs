using System.Globalization;
using System.Text;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// What values mean to each other: conversion from elements, equality, equivalence, order, text. https://hl7.org/fhirpath/N1/#equality
/// </summary>
internal static class FhirPathValues
{
    // More names in an object are not sought one by one.
    private const int MaxSought = 64;

    /// <summary>The System value of an element.</summary>
    public static object? OfNode(in Item item)
    {
        if (item.Row < 0) return null;
        var node = item.Node;
        switch (node.Kind)
        {
            case JsonTokenType.True or JsonTokenType.False:
                return node.Kind == JsonTokenType.True;
            case JsonTokenType.Number:
                var text = node.Text;
                if (item.Type?.Name != "decimal"
                    && int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer))
                    return integer;
                return decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : text;
            case JsonTokenType.String:
                return Temporal(item.Type?.Name, node.Text) ?? (object)node.Text;
            case JsonTokenType.StartObject when item.Type?.Name is "Quantity" or "Age" or "Count" or "Distance" or "Duration":
                return Quantity(node);
            default:
                return null;
        }
    }

    /// <summary>A number as FHIRPath writes it.</summary>
    public static string Text(decimal number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>The text that toString() gives; null: the value has none.</summary>
    public static string? Text(object? value) => value switch
    {
        string s => s,
        bool b => b ? "true" : "false",
        int i => i.ToString(CultureInfo.InvariantCulture),
        long l => l.ToString(CultureInfo.InvariantCulture),
        decimal d => Text(d),
        FhirTemporal or QuantityValue => value.ToString(),
        _ => null,
    };

    /// <summary>The number of a value, or null.</summary>
    public static decimal? Number(object? value) => value switch { int i => i, long l => l, decimal d => d, _ => null };

    /// <summary><c>=</c> of two items; null: it cannot be told.</summary>
    public static bool? AreEqual(in Item a, in Item b)
    {
        var (x, y) = (a.Value, b.Value);
        // A Quantity element against a Quantity element is a comparison of quantities too.
        if (x is null || y is null) return a.IsNode && b.IsNode ? IsSameTree(a, b) : ReferenceEquals(x, y) && a.IsNode == b.IsNode;
        if (Number(x) is { } m && Number(y) is { } n) return m == n;
        return (x, y) switch
        {
            (string s, string t) => string.Equals(s, t, StringComparison.Ordinal),
            (bool s, bool t) => s == t,
            (FhirTemporal s, FhirTemporal t) when s.Kind == TemporalKind.Time != (t.Kind == TemporalKind.Time) => false,
            (FhirTemporal s, FhirTemporal t) => FhirTemporal.Compare(s, t) is { } order ? order == 0 : null,
            (QuantityValue s, QuantityValue t) => QuantityValue.Compare(s, t) is { } order ? order == 0 : null,
            (TypeInfo s, TypeInfo t) => s == t,
            _ => false,
        };
    }

    /// <summary><c>~</c> of two items.</summary>
    public static bool AreEquivalent(in Item a, in Item b)
    {
        var (x, y) = (a.Value, b.Value);
        if (x is null || y is null) return a.IsNode && b.IsNode && IsSameTree(a, b);
        if (Number(x) is { } m && Number(y) is { } n)
        {
            var digits = Math.Min(m.Scale, n.Scale);
            return decimal.Round(m, digits) == decimal.Round(n, digits);
        }
        return (x, y) switch
        {
            (string s, string t) => string.Equals(Normal(s), Normal(t), StringComparison.OrdinalIgnoreCase),
            (FhirTemporal s, FhirTemporal t) => s.Fields == t.Fields && FhirTemporal.Compare(s, t) == 0,
            (QuantityValue s, QuantityValue t) => Equivalent(s, t),
            _ => AreEqual(a, b) == true,
        };
    }

    /// <summary>The order of two values; null: it cannot be told.</summary>
    /// <exception cref="FhirPathException">They are of types that have no order between them.</exception>
    public static int? Compare(object? x, object? y) =>
        HaveOrder(x, y) ? Order(x, y) : throw FhirPathException.Execution("the two values have no order");

    /// <summary>The order of two values; null: it cannot be told, or there is none between their types.</summary>
    public static int? Order(object? x, object? y)
    {
        if (Number(x) is { } m && Number(y) is { } n) return m.CompareTo(n);
        return (x, y) switch
        {
            (string s, string t) => string.CompareOrdinal(s, t),
            (FhirTemporal s, FhirTemporal t) => FhirTemporal.Compare(s, t),
            (QuantityValue s, QuantityValue t) => QuantityValue.Compare(s, t),
            // A date element is compared with a text in published invariants: by what the text says.
            (FhirTemporal s, string t) => FhirTemporal.Parse(s.Kind, t) is { } other ? FhirTemporal.Compare(s, other) : null,
            (string s, FhirTemporal t) => FhirTemporal.Parse(t.Kind, s) is { } other ? FhirTemporal.Compare(other, t) : null,
            _ => null,
        };
    }

    private static bool HaveOrder(object? x, object? y) => (x, y) switch
    {
        (string or FhirTemporal, string or FhirTemporal) or (QuantityValue, QuantityValue) => true,
        _ => Number(x) is not null && Number(y) is not null,
    };

    private static FhirTemporal? Temporal(string? type, string text) => type switch
    {
        "date" => FhirTemporal.Parse(TemporalKind.Date, text),
        "dateTime" or "instant" => FhirTemporal.Parse(TemporalKind.DateTime, text),
        "time" => FhirTemporal.Parse(TemporalKind.Time, text),
        _ => null,
    };

    /// <summary>A Quantity in JSON as its number and unit; null: it has no number, or a comparator.</summary>
    public static QuantityValue? QuantityOf(string json) =>
        ResourceDocument.TryParse(Encoding.UTF8.GetBytes(json), out var document, out _) ? Quantity(document!.Root) : null;

    private static QuantityValue? Quantity(ElementNode node)
    {
        if (node["value"] is not { Kind: JsonTokenType.Number } number
            || !decimal.TryParse(number.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value))
            return null;
        if (node["comparator"] is not null) return null;
        var code = node.StringAt("system") is "http://unitsofmeasure.org" ? node.StringAt("code") : null;
        return new QuantityValue(value, code ?? node.StringAt("unit") ?? node.StringAt("code") ?? "1", false);
    }

    private static bool Equivalent(QuantityValue a, QuantityValue b)
    {
        // Equivalent forgets the difference between a calendar duration and its UCUM namesake.
        var (x, y) = (Ucum(a), Ucum(b));
        if (x.Unit == y.Unit) return IsAbout(x.Value, y.Value);
        return QuantityValue.InOneUnit(x, y) is { } same && IsAbout(same.A, same.B);

        static bool IsAbout(decimal a, decimal b)
        {
            var digits = Math.Min(a.Scale, b.Scale);
            return decimal.Round(a, digits) == decimal.Round(b, digits);
        }

        static QuantityValue Ucum(QuantityValue q) => !q.IsCalendar ? q : new QuantityValue(
            q.Value, q.Unit switch
            {
                "year" => "a",
                "month" => "mo",
                "week" => "wk",
                "day" => "d",
                "hour" => "h",
                "minute" => "min",
                "second" => "s",
                _ => "ms"
            }, false);
    }

    private static string Normal(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var c in text.Trim()) result.Append(char.IsWhiteSpace(c) ? ' ' : c);
        return result.ToString();
    }

    private static bool IsSameTree(in Item a, in Item b)
    {
        if (!IsSame(a.Document!, a.Row, b.Document!, b.Row)) return false;
        return IsSame(a.Document!, a.Sibling, b.Document!, b.Sibling);
    }

    private static bool IsSame(ResourceDocument a, int i, ResourceDocument b, int j)
    {
        if (i < 0 || j < 0) return i == j || (i < 0 && j < 0);
        var (x, y) = (new ElementNode(a, i), new ElementNode(b, j));
        if (x.Kind != y.Kind || x.ChildCount != y.ChildCount) return false;
        if (x.Kind is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
            return x.Kind == JsonTokenType.Number ? Number(OfNode(Item.OfNode(x))) == Number(OfNode(Item.OfNode(y))) : x.Text == y.Text;
        if (x.Kind == JsonTokenType.StartArray)
        {
            var other = y.GetEnumerator();
            foreach (var item in x)
                if (!other.MoveNext() || !IsSame(a, item.Index, b, other.Current.Index)) return false;
            return true;
        }
        if (x.ChildCount > MaxSought)
        {
            var named = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach (var child in y) named[child.Name!] = child.Index;
            foreach (var child in x)
                if (!named.TryGetValue(child.Name!, out var match) || !IsSame(a, child.Index, b, match)) return false;
            return true;
        }
        foreach (var child in x)
            if (y[child.Name!] is not { } match || !IsSame(a, child.Index, b, match.Index)) return false;
        return true;
    }
}

/// <summary>What type() gives.</summary>
/// <param name="Namespace">FHIR or System.</param>
/// <param name="Name">The type's name.</param>
internal sealed record TypeInfo(string Namespace, string Name);
