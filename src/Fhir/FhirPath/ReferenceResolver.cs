namespace PmrGateway.Fhir;

/// <summary>
/// Finds what a reference means inside its own document: a contained resource, or an entry of the Bundle. Nothing is fetched.
/// https://hl7.org/fhir/R4/bundle.html#references
/// </summary>
internal static class ReferenceResolver
{
    /// <summary>The resource that a reference names, or null.</summary>
    /// <param name="document">The document.</param>
    /// <param name="resource">The resource that holds the reference.</param>
    /// <param name="reference">The literal reference.</param>
    public static ElementNode? Find(ResourceDocument? document, in Item resource, string reference)
    {
        if (document is null) return null;
        if (reference.StartsWith('#')) return Contained(document, resource, reference[1..]);
        return document.ResourceType == "Bundle" ? InBundle(document, resource, reference) : null;
    }

    private static ElementNode? Contained(ResourceDocument document, in Item resource, string id)
    {
        var holder = resource.IsNode && resource.Row >= 0 ? resource.Node : document.Root;
        if (id.Length == 0) return holder;
        foreach (var contained in holder.ItemsAt("contained"))
            if (contained.StringAt("id") == id) return contained;
        return null;
    }

    /// <summary>The absolute URL that a reference of a Bundle's entry means; null: a relative one in an entry that has no RESTful fullUrl.</summary>
    public static string? AbsoluteUrl(ResourceDocument document, in Item resource, string reference) =>
        reference.Contains(':') ? reference : BaseOf(document, resource) is { } root ? root + reference : null;

    private static ElementNode? InBundle(ResourceDocument document, in Item resource, string reference)
    {
        var (plain, version) = Split(reference);
        var isAbsolute = plain.Contains(':');
        var baseUrl = isAbsolute ? null : BaseOf(document, resource);
        foreach (var entry in document.Root.ItemsAt("entry"))
        {
            if (entry["resource"] is not { Kind: System.Text.Json.JsonTokenType.StartObject } candidate || entry.StringAt("fullUrl") is not { } url) continue;
            var matches = isAbsolute ? url == plain : baseUrl is not null && url == baseUrl + plain;
            if (matches && (version is null || candidate["meta"]?.StringAt("versionId") == version)) return candidate;
        }
        return null;
    }

    // The root of the entry's own fullUrl, when that is a RESTful one: http://server/base/ of http://server/base/Type/id.
    private static string? BaseOf(ResourceDocument document, in Item resource)
    {
        if (!resource.IsNode) return null;
        foreach (var entry in document.Root.ItemsAt("entry"))
        {
            if (entry["resource"] is not { } candidate || candidate.Index != resource.Row) continue;
            var parts = entry.StringAt("fullUrl")?.Split('/');
            return parts is { Length: > 3 } && parts[0] is "http:" or "https:" ? string.Join('/', parts![..^2]) + "/" : null;
        }
        return null;
    }

    private static (string Plain, string? Version) Split(string reference)
    {
        var at = reference.IndexOf("/_history/", StringComparison.Ordinal);
        return at < 0 ? (reference, null) : (reference[..at], reference[(at + 10)..]);
    }
}
