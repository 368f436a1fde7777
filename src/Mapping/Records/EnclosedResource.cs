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
    // What every resource has in it. A page or a style sheet may name FHIR's namespace and is in another.
    private static readonly byte[][] JsonMarks = Marks("\"resourceType\"");
    private static readonly byte[][] XmlMarks = Marks("xmlns=\"http://hl7.org/fhir\"", "xmlns='http://hl7.org/fhir'");

    /// <summary>Bytes of the longest mark.</summary>
    public static int LongestMark { get; } = JsonMarks.Concat(XmlMarks).Max(m => m.Length);

    /// <summary>Whether the media type says that the content is FHIR. https://hl7.org/fhir/R4/http.html#mime-type</summary>
    public static bool IsPromised(string contentType) => contentType.Contains("fhir", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether content may be or hold a resource, told by how it begins: JSON, or XML, in UTF-8 or UTF-16.</summary>
    /// <param name="beginning">Its first bytes; a byte order mark and white space are passed over.</param>
    /// <returns>Null: there is nothing but these so far.</returns>
    public static bool? MayBeginWith(ReadOnlySpan<byte> beginning) =>
        First(beginning) is { } first ? first is '{' or '[' or '<' : beginning is [0, 0, ..] ? false : null;

    /// <summary>Whether content that may be a resource would be one in XML.</summary>
    /// <param name="beginning">Its first bytes.</param>
    public static bool IsXml(ReadOnlySpan<byte> beginning) => First(beginning) == '<';

    /// <summary>Whether a part of content, or all of it, has the mark of a resource.</summary>
    public static bool IsMarked(bool isXml, ReadOnlySpan<byte> part)
    {
        foreach (var mark in isXml ? XmlMarks : JsonMarks)
            if (part.IndexOf(mark) >= 0) return true;
        return false;
    }

    // The first character that is not white space; null: there is none, or nothing that is text.
    private static char? First(ReadOnlySpan<byte> beginning)
    {
        if (beginning.StartsWith("\uFEFF"u8)) beginning = beginning[3..];
        else if (beginning.StartsWith(Encoding.Unicode.Preamble) || beginning.StartsWith(Encoding.BigEndianUnicode.Preamble))
            beginning = beginning[2..];
        // In UTF-16 every other byte of these is zero, and no two are.
        if (beginning is [0, 0, ..]) return null;
        var first = beginning.IndexOfAnyExcept(" \t\r\n\0"u8);
        return first < 0 ? null : (char)beginning[first];
    }

    private static byte[][] Marks(params string[] marks) =>
        [.. marks.SelectMany(m => new[] { Encoding.UTF8, Encoding.Unicode, Encoding.BigEndianUnicode }.Select(e => e.GetBytes(m)))];

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
            var json = IsXml(bytes.Span) ? FhirXml.ToJson(bytes, out issues) : bytes;
            // What is wrong with it as XML is not in the JSON, and could be a label.
            if (issues.Count > 0) text = issues[0].Text;
            else if (!ResourceDocument.TryParse(json, out var document, out var issue, limits)) text = issue!.Text;
            else if (document!.Schema.Type(document.ResourceType) is { Kind: TypeKind.Resource }) return document;
            else text = document.Root["resourceType"] is null ? "it holds one and is none" : "it is of no resource type of R4";
        }
        if (IsPromised(contentType) || (content is { } other && text is not null && IsMarked(IsXml(other.Span), other.Span)))
            problem = $"a FHIR resource is read for its labels, in JSON or XML, and this ({contentType}) cannot be: {text ?? "it is none"}";
        return null;
    }
}
