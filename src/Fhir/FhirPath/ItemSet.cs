using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// Items that are equal (<c>=</c>) once. Texts, numbers and Booleans are found by hash; elements by the shape of their JSON first; dates
/// and quantities, whose equality is no equivalence, one by one. So a long list of codes or ids is told apart in linear time.
/// </summary>
/// <param name="context">The evaluation, in which looking at an item counts.</param>
internal sealed class ItemSet(FhirPathContext context)
{
    private readonly HashSet<object> _values = [];
    private readonly Dictionary<int, List<Item>> _others = [];

    /// <summary>Adds an item; false where an equal one is there.</summary>
    public bool Add(in Item item)
    {
        context.Look(item);
        var value = item.Value;
        if (FhirPathValues.Number(value) is { } number) return _values.Add(number);
        if (value is string or bool) return _values.Add(value);
        var bucket = Bucket(item, value);
        if (!_others.TryGetValue(bucket, out var alike)) _others[bucket] = alike = [];
        if (IsAmong(alike, item)) return false;
        alike.Add(item);
        return true;
    }

    /// <summary>The items of a part of the stack.</summary>
    public static ItemSet Of(FhirPathContext c, int from, int to)
    {
        var set = new ItemSet(c);
        for (var i = from; i < to; i++) set.Add(c[i]);
        return set;
    }

    /// <summary>Whether an equal item is there.</summary>
    public bool Holds(in Item item)
    {
        context.Look(item);
        var value = item.Value;
        if (FhirPathValues.Number(value) is { } number) return _values.Contains(number);
        if (value is string or bool) return _values.Contains(value);
        return _others.TryGetValue(Bucket(item, value), out var alike) && IsAmong(alike, item);
    }

    private bool IsAmong(List<Item> alike, in Item item)
    {
        foreach (var known in alike)
        {
            context.Look(known);
            context.Look(item);
            if (FhirPathValues.AreEqual(known, item) == true) return true;
        }
        return false;
    }

    // Equal elements have as many children and, where they begin with a text, the same one.
    private static int Bucket(in Item item, object? value)
    {
        if (value is not null || !item.IsNode || item.Row < 0) return 0;
        var hash = new HashCode();
        hash.Add(item.Node.ChildCount);
        Texts(item.Node, ref hash, 0);
        return hash.ToHashCode();
    }

    // The texts of an element in no order: a sum does not tell it.
    private static void Texts(ElementNode node, ref HashCode hash, int depth)
    {
        var sum = 0;
        foreach (var child in node)
        {
            if (child.Kind == JsonTokenType.String) sum += string.GetHashCode(child.Text, StringComparison.Ordinal);
            else if (depth < 4 && child.Kind is JsonTokenType.StartObject or JsonTokenType.StartArray)
            {
                var inner = default(HashCode);
                Texts(child, ref inner, depth + 1);
                sum += inner.ToHashCode();
            }
        }
        hash.Add(sum);
    }
}
