using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// Contained resources: they have ids that are told apart, and are not contained in each other.
/// https://hl7.org/fhir/R4/references.html#contained
/// </summary>
internal static class ContainedRules
{
    /// <summary>dom-3: each contained resource is referred to from the resource that holds it, or refers to that one.</summary>
    public static bool AreAllReferenced(ElementNode holder)
    {
        var named = new HashSet<string>(StringComparer.Ordinal);
        Collect(holder, named);
        foreach (var contained in holder.ItemsAt("contained"))
        {
            if (contained.StringAt("id") is { } id && named.Contains("#" + id)) continue;
            var own = new HashSet<string>(StringComparer.Ordinal);
            Collect(contained, own);
            if (!own.Contains("#")) return false;
        }
        return true;
    }

    // The rows of a subtree lie next to each other: one pass finds every reference, canonical, uri and url that begins with '#'.
    private static void Collect(ElementNode node, HashSet<string> named)
    {
        var rows = node.Document.Rows;
        var bytes = node.Document.Bytes.Span;
        for (var i = node.Index + 1; i < rows.Length && rows[i].Start < node.End; i++)
        {
            ref readonly var row = ref rows[i];
            if (row.Kind != JsonTokenType.String || bytes[row.Start + 1] != (byte)'#') continue;
            if (row.Property is { IsSibling: false } property
                && (property.Path == "Reference.reference" || property.Type.Name is "canonical" or "uri" or "url"))
                named.Add(new ElementNode(node.Document, i).Text);
        }
    }

    public static void Check(ValidationRun run, ElementNode holder)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var i = 0;
        foreach (var contained in holder.ItemsAt("contained"))
        {
            var path = $"contained[{i++}]";
            if (contained.Kind != JsonTokenType.StartObject) continue;
            if (contained.StringAt("id") is not { } id)
                run.Sink.Error(IssueCode.Required, contained, "a contained resource has an id", path);
            else if (!seen.Add(id)) run.Sink.Error(IssueCode.Structure, contained, "two contained resources have the same id", path);
        }
    }
}
