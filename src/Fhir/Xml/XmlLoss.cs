using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// Whether two documents say the same: names in any order, texts and numbers to the letter; white space in base64 and at the ends of texts,
/// and the spelling of XHTML, apart.
/// </summary>
internal static class XmlLoss
{
    /// <summary>Path of the first difference, or null.</summary>
    public static string? Find(ElementNode a, ElementNode b) => Differs(a, b, a.StringAt("resourceType") ?? "");

    private static string? Differs(ElementNode a, ElementNode b, string path)
    {
        if (a.Kind != b.Kind) return path;
        if (a.Kind == JsonTokenType.StartObject)
        {
            foreach (var child in a)
                if ((b[child.Name!] is { } same ? Differs(child, same, $"{path}.{child.Name}") : $"{path}.{child.Name}") is { } found)
                    return found;
            return a.ChildCount == b.ChildCount ? null : path;
        }
        if (a.Kind == JsonTokenType.StartArray)
        {
            if (a.ChildCount != b.ChildCount) return path;
            var (other, i) = (b.GetEnumerator(), 0);
            foreach (var item in a)
            {
                other.MoveNext();
                if (Differs(item, other.Current, $"{path}[{i++}]") is { } found) return found;
            }
            return null;
        }
        return a.Type?.Name switch
        {
            "xhtml" => null,
            "base64Binary" => Plain(a.Text) == Plain(b.Text) ? null : path,
            // The typed model trims what it writes.
            _ => a.Text == b.Text || a.Text.Trim() == b.Text ? null : path,
        };
    }

    private static string Plain(string base64) => string.Concat(base64.Where(c => !char.IsWhiteSpace(c)));
}
