namespace PmrGateway.Fhir;

/// <summary>An element that an expression selected, with the type it has there.</summary>
/// <param name="Node">The JSON value.</param>
/// <param name="Type">The name of its type, e.g. <c>CodeableConcept</c>.</param>
public readonly record struct TypedNode(ElementNode Node, string Type);

/// <summary>
/// The part of FHIRPath that search parameters use to select elements: paths, unions, <c>as</c> a type, <c>where(resolve() is T)</c>.
/// An expression with anything else does not compile, and its parameter is not offered.
/// </summary>
public sealed class PathExpression
{
    private readonly List<Alternative> _alternatives;

    private PathExpression(List<Alternative> alternatives) => _alternatives = alternatives;

    private sealed record Alternative(string Root, IReadOnlyList<string> Steps, string? As, string? Target);

    /// <summary>Compiles an expression; false where it uses more than this engine has.</summary>
    public static bool TryCompile(string text, out PathExpression? expression)
    {
        expression = null;
        var alternatives = new List<Alternative>();
        foreach (var part in SplitUnion(text))
        {
            if (Parse(part) is not { } alternative) return false;
            alternatives.Add(alternative);
        }
        expression = new PathExpression(alternatives);
        return true;
    }

    /// <summary>Whether some alternative begins at this resource type.</summary>
    public bool AppliesTo(string resourceType) => _alternatives.Exists(a => IsRoot(a.Root, resourceType));

    /// <summary>The elements that the expression selects in a resource, in document order of each alternative.</summary>
    public IEnumerable<TypedNode> Select(ResourceDocument document, FhirSchema schema)
    {
        foreach (var alternative in _alternatives)
        {
            if (!IsRoot(alternative.Root, document.ResourceType)) continue;
            foreach (var found in Walk(new TypedNode(document.Root, document.ResourceType), alternative.Steps, 0, schema))
            {
                if (alternative.As is { } type && found.Type != type) continue;
                if (alternative.Target is { } target && FhirReference.TypeOf(found.Node) != target) continue;
                yield return found;
            }
        }
    }

    private static bool IsRoot(string root, string resourceType) => root == resourceType || root is "Resource" or "DomainResource";

    private static IEnumerable<TypedNode> Walk(TypedNode from, IReadOnlyList<string> steps, int at, FhirSchema schema)
    {
        if (at == steps.Count)
        {
            yield return from;
            yield break;
        }
        if (schema.Type(from.Type) is not { } type || from.Node.Kind != System.Text.Json.JsonTokenType.StartObject) yield break;
        foreach (var child in from.Node)
        {
            if (type.Property(child.Name!) is not { IsSibling: false } property || property.Element.Name != steps[at]) continue;
            if (child.Kind == System.Text.Json.JsonTokenType.StartArray)
            {
                foreach (var item in child)
                    foreach (var found in Walk(new TypedNode(item, property.Type.Name), steps, at + 1, schema)) yield return found;
            }
            else
            {
                foreach (var found in Walk(new TypedNode(child, property.Type.Name), steps, at + 1, schema)) yield return found;
            }
        }
    }

    private static List<string> SplitUnion(string text)
    {
        var (parts, depth, from) = (new List<string>(), 0, 0);
        for (var i = 0; i < text.Length; i++)
        {
            depth += text[i] switch { '(' => 1, ')' => -1, _ => 0 };
            if (text[i] != '|' || depth != 0) continue;
            parts.Add(text[from..i].Trim());
            from = i + 1;
        }
        parts.Add(text[from..].Trim());
        return parts;
    }

    private static Alternative? Parse(string text)
    {
        string? cast = null, target = null;
        if (text.StartsWith('(') && text.EndsWith(')')) text = text[1..^1].Trim();
        if (text.Split(" as ") is [var path, var type]) (text, cast) = (path.Trim(), type.Trim());
        const string Where = ".where(resolve() is ";
        if (text.IndexOf(Where, StringComparison.Ordinal) is var where and >= 0)
        {
            if (!text.EndsWith(')')) return null;
            target = text[(where + Where.Length)..^1].Trim();
            text = text[..where];
        }
        if (text.IndexOf(".as(", StringComparison.Ordinal) is var suffix and >= 0 && text.EndsWith(')'))
        {
            cast = text[(suffix + 4)..^1];
            text = text[..suffix];
        }
        var names = text.Split('.');
        if (!names.All(n => n.Length > 0 && n.All(char.IsAsciiLetterOrDigit)) || (target is not null && !target.All(char.IsAsciiLetterOrDigit))) return null;
        return new Alternative(names[0], names[1..], cast, target);
    }
}
