using System.Text;
using PmrGateway.Fhir;

namespace PmrGateway.Mapping;

/// <summary>
/// A FHIR resource as the content of an attachment or of a Binary: it is a part of the record (IHE MHD), so what it says of itself decides
/// about that too. Content is known for FHIR by its media type, or by being it: a sender that says <c>application/json</c> hides nothing.
/// What is FHIR and cannot be read is refused, since what is in it could not be decided about.
/// </summary>
public static class EnclosedResource
{
    // What every resource has in it, in JSON and in XML.
    private static readonly byte[][] Marks = [.. new[] { "\"resourceType\"", "http://hl7.org/fhir\"", "http://hl7.org/fhir'" }
        .SelectMany(m => new[] { Encoding.UTF8, Encoding.Unicode, Encoding.BigEndianUnicode }.Select(e => e.GetBytes(m)))];

    /// <summary>Whether the media type says that the content is FHIR. https://hl7.org/fhir/R4/http.html#mime-type</summary>
    public static bool IsPromised(string contentType) => contentType.Contains("fhir", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether content may be a resource, told by how it begins: an object of JSON, or XML, in UTF-8 or UTF-16.</summary>
    /// <param name="beginning">Its first bytes; a byte order mark and white space are passed over.</param>
    /// <returns>Null: there is nothing but these so far.</returns>
    public static bool? MayBeginWith(ReadOnlySpan<byte> beginning)
    {
        if (beginning.StartsWith("\uFEFF"u8)) beginning = beginning[3..];
        else if (beginning.StartsWith(Encoding.Unicode.Preamble) || beginning.StartsWith(Encoding.BigEndianUnicode.Preamble))
            beginning = beginning[2..];
        // In UTF-16 every other byte of these is zero, and no two are.
        if (beginning is [0, 0, ..]) return false;
        var first = beginning.IndexOfAnyExcept(" \t\r\n\0"u8);
        return first < 0 ? null : beginning[first] is (byte)'{' or (byte)'<';
    }

    /// <summary>Whether content, or a part of it, has the marks of a resource.</summary>
    public static bool IsMarked(ReadOnlySpan<byte> content)
    {
        foreach (var mark in Marks)
            if (content.IndexOf(mark) >= 0) return true;
        return false;
    }

    /// <summary>Reads the resource that content is.</summary>
    /// <param name="contentType">Its media type.</param>
    /// <param name="content">The bytes; null: nothing that begins like a resource.</param>
    /// <param name="limits">Sizes that a resource may have.</param>
    /// <param name="problem">Why content that is FHIR cannot be read.</param>
    /// <returns>The resource; null: the content is none.</returns>
    public static ResourceDocument? Read(string contentType, ReadOnlyMemory<byte>? content, ResourceLimits? limits, out string? problem)
    {
        problem = null;
        string? text = null;
        if (content is { } bytes && MayBeginWith(bytes.Span) == true)
        {
            IReadOnlyList<ValidationIssue> issues = [];
            var isXml = FhirXml.IsXml(bytes.Span) || bytes.Span.StartsWith(Encoding.Unicode.Preamble)
                || bytes.Span.StartsWith(Encoding.BigEndianUnicode.Preamble);
            // What is wrong with it as XML hides none of its labels.
            var json = isXml ? FhirXml.ToJson(bytes, out issues) : bytes;
            if (ResourceDocument.TryParse(json, out var document, out var issue, limits)
                && document!.Schema.Type(document.ResourceType) is { Kind: TypeKind.Resource })
                return document;
            text = issues.Count > 0 ? issues[0].Text : issue?.Text;
        }
        if (IsPromised(contentType) || (content is { } other && text is not null && IsMarked(other.Span)))
            problem = $"a FHIR resource is read for its labels, in JSON or XML, and this ({contentType}) cannot be: {text ?? "it is none"}";
        return null;
    }
}
