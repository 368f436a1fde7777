using PmrGateway.Fhir;

namespace PmrGateway.Mapping;

/// <summary>
/// A FHIR resource as the content of an attachment or of a Binary: it is a part of the record (IHE MHD), so what it says of itself decides
/// about that too. Content is known for FHIR by its media type, or by being it: a sender that says <c>application/json</c> hides nothing.
/// </summary>
public static class EnclosedResource
{
    /// <summary>Whether the media type says that the content is FHIR. https://hl7.org/fhir/R4/http.html#mime-type</summary>
    public static bool IsPromised(string contentType) => contentType.Contains("fhir", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether content may be a resource, told by how it begins: an object of JSON, or XML.</summary>
    /// <param name="beginning">Its first bytes; a byte order mark and white space are passed over.</param>
    /// <returns>Null: there is nothing but these so far.</returns>
    public static bool? MayBeginWith(ReadOnlySpan<byte> beginning)
    {
        if (beginning.StartsWith("\uFEFF"u8)) beginning = beginning[3..];
        var first = beginning.IndexOfAnyExcept(" \t\r\n"u8);
        return first < 0 ? null : beginning[first] is (byte)'{' or (byte)'<';
    }

    /// <summary>Reads the resource that content is.</summary>
    /// <param name="contentType">Its media type.</param>
    /// <param name="content">The bytes; null: longer than can be read, or nothing that begins like a resource.</param>
    /// <param name="limits">Sizes that a resource may have.</param>
    /// <param name="problem">Why content that its media type calls FHIR cannot be read: what is in it could not be decided about.</param>
    /// <returns>The resource; null: the content is none.</returns>
    public static ResourceDocument? Read(string contentType, ReadOnlyMemory<byte>? content, ResourceLimits? limits, out string? problem)
    {
        problem = null;
        string? text = null;
        if (content is { } bytes && MayBeginWith(bytes.Span) == true)
        {
            IReadOnlyList<ValidationIssue> issues = [];
            var json = FhirXml.IsXml(bytes.Span) ? FhirXml.ToJson(bytes, out issues) : bytes;
            ValidationIssue? issue = null;
            if (issues.Count == 0 && ResourceDocument.TryParse(json, out var document, out issue, limits)
                && document!.Schema.Type(document.ResourceType) is { Kind: TypeKind.Resource })
                return document;
            text = issues.Count > 0 ? issues[0].Text : issue?.Text;
        }
        if (IsPromised(contentType))
            problem = $"{contentType} is read for its labels, as one resource in JSON or XML, and this cannot be: {text ?? "it is none"}";
        return null;
    }
}
