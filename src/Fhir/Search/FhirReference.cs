namespace PmrGateway.Fhir;

/// <summary>A literal reference to a resource on this server.</summary>
/// <param name="Type">The resource type.</param>
/// <param name="Id">The logical id.</param>
/// <param name="Version">The version, or null.</param>
public readonly record struct FhirReference(string Type, string Id, string? Version = null)
{
    /// <summary>Reads <c>Type/id</c> or <c>Type/id/_history/version</c>; false for contained, absolute, logical and conditional references.</summary>
    public static bool TryParse(string? text, out FhirReference reference)
    {
        reference = default;
        if (text is null) return false;
        var parts = text.Split('/');
        if (parts.Length is not (2 or 4) || (parts.Length == 4 && parts[2] != "_history")) return false;
        if (!FhirSchema.R4.IsResourceType(parts[0]) || !Primitives.IsId(parts[1]) || (parts.Length == 4 && !Primitives.IsId(parts[3]))) return false;
        reference = new FhirReference(parts[0], parts[1], parts.Length == 4 ? parts[3] : null);
        return true;
    }

    /// <summary>The type that a Reference element points to, by its literal reference, else by its <c>type</c>; null where neither tells.</summary>
    public static string? TypeOf(ElementNode node)
    {
        var text = node.StringAt("reference");
        if (TryParse(text, out var local)) return local.Type;
        if (text is not null && Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Segments.Length > 2) return uri.Segments[^2].Trim('/');
        return node.StringAt("type");
    }

    /// <summary>The resource type that a literal reference names, relative or absolute, with or without a version; null where it names none.</summary>
    public static string? TypeNamed(string reference)
    {
        if (reference.StartsWith('#') || reference.StartsWith("urn:", StringComparison.Ordinal)) return null;
        var query = reference.IndexOf('?');
        // A conditional reference: Patient?identifier=...
        if (query >= 0) return reference[..query] is var type && FhirSchema.R4.IsResourceType(type) ? type : null;
        var parts = reference.Split('/');
        var history = Array.LastIndexOf(parts, "_history");
        var end = history > 0 ? history : parts.Length;
        return end >= 2 && FhirSchema.R4.IsResourceType(parts[end - 2]) ? parts[end - 2] : null;
    }

    /// <summary><c>Type/id</c>.</summary>
    public override string ToString() => $"{Type}/{Id}";
}
