namespace PmrGateway.Fhir;

/// <summary>A literal reference to a resource on this server.</summary>
/// <param name="Type">The resource type.</param>
/// <param name="Id">The logical id.</param>
/// <param name="Version">The version, or null.</param>
public readonly record struct FhirReference(string Type, string Id, string? Version = null)
{
    /// <summary>
    /// Reads <c>Type/id</c> or <c>Type/id/_history/version</c>; false for contained, absolute, logical and conditional references.
    /// </summary>
    public static bool TryParse(string? text, out FhirReference reference)
    {
        reference = default;
        if (text is null) return false;
        var parts = text.Split('/');
        if (parts.Length is not (2 or 4) || (parts.Length == 4 && parts[2] != "_history")) return false;
        if (!FhirSchema.R4.IsResourceType(parts[0]) || !Primitives.IsId(parts[1]) || (parts.Length == 4 && !Primitives.IsId(parts[3])))
            return false;
        reference = new FhirReference(parts[0], parts[1], parts.Length == 4 ? parts[3] : null);
        return true;
    }

    /// <summary>
    /// A reference as this server's own, where that is what it comes to: by its URL in whatever writing, with dot segments, escapes, a
    /// query or a fragment (RFC 3986, 5.2 and 6.2.2). The base's path in whatever case, as it is served. Any other text as it is.
    /// </summary>
    /// <param name="text">A reference.</param>
    /// <param name="ownBase">This server's FHIR base URL, without a slash at its end; "": it has none.</param>
    public static string Local(string text, string ownBase)
    {
        if (ownBase.Length == 0 || TryParse(text, out _) || text.StartsWith('#')) return text;
        if (text.StartsWith("urn:", StringComparison.OrdinalIgnoreCase)) return text;
        if (!Uri.TryCreate(ownBase + "/", UriKind.Absolute, out var own) || !Uri.TryCreate(own, text, out var target)) return text;
        if (Uri.Compare(own, target, UriComponents.SchemeAndServer, UriFormat.Unescaped, StringComparison.OrdinalIgnoreCase) != 0
            || !target.AbsolutePath.StartsWith(own.AbsolutePath, StringComparison.OrdinalIgnoreCase)) return text;
        var segments = target.AbsolutePath[own.AbsolutePath.Length..].Split('/', StringSplitOptions.RemoveEmptyEntries);
        var local = string.Join('/', segments.Select(Uri.UnescapeDataString));
        return TryParse(local, out _) ? local : text;
    }

    /// <summary>
    /// The resource type that a literal reference names, relative or absolute, with or without a version; null where it names none.
    /// </summary>
    public static string? TypeNamed(string reference)
    {
        if (reference.StartsWith('#') || reference.StartsWith("urn:", StringComparison.Ordinal)) return null;
        var text = reference.AsSpan();
        // A conditional reference: Patient?identifier=...
        if (text.IndexOf('?') is var query and >= 0) return Type(text[..query]);
        if (text.LastIndexOf("/_history/") is var history and > 0) text = text[..history];
        var slash = text.LastIndexOf('/');
        return slash <= 0 ? null : Type(text[(text[..slash].LastIndexOf('/') + 1)..slash]);

        static string? Type(ReadOnlySpan<char> name)
        {
            Span<byte> utf8 = stackalloc byte[64];
            return name.Length < 64 && System.Text.Encoding.UTF8.TryGetBytes(name, utf8, out var length)
                ? FhirSchema.R4.ResourceTypeOf(utf8[..length])?.Name
                : null;
        }
    }

    /// <summary><c>Type/id</c>.</summary>
    public override string ToString() => $"{Type}/{Id}";
}
