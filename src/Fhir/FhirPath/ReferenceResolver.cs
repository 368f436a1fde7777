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
        if (!reference.StartsWith('#')) return document.ResourceType == "Bundle" ? InBundle(document.Root, resource, reference) : null;
        var holder = resource.IsNode && resource.Row >= 0 ? resource.Node : document.Root;
        return reference.Length == 1 ? holder : document.References.Contained(holder, reference[1..]);
    }

    /// <summary>The entry's resource that a reference of one of a Bundle's entries names, or null.</summary>
    public static ElementNode? InBundle(ElementNode bundle, in Item resource, string reference)
    {
        var entries = bundle.Document.References.Of(bundle);
        var at = reference.IndexOf("/_history/", StringComparison.Ordinal);
        var (plain, version) = at < 0 ? (reference, null) : (reference[..at], reference[(at + 10)..]);
        if (!plain.Contains(':'))
        {
            // Relative to the root of the entry's own fullUrl, when that is a RESTful one: http://server/base/ of
            // http://server/base/Type/id.
            if (!resource.IsNode || entries.UrlOf(resource.Row)?.Split('/') is not { Length: > 3 } parts
                || parts[0] is not ("http:" or "https:"))
                return null;
            plain = string.Join('/', parts[..^2]) + "/" + plain;
        }
        return entries.Find(plain, version);
    }
}
