using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Xml;
using System.Xml.Linq;
using Hl7.Fhir.Model;
using Hl7.Fhir.Serialization;

namespace PmrGateway.Fhir;

/// <summary>
/// FHIR's XML. It is read by the definitions, without loss (<see cref="XmlResourceReader"/>), and written by Hl7.Fhir.R4; what that would
/// lose is refused: a decimal of more digits than it holds, a character that XML does not have. https://hl7.org/fhir/R4/xml.html
/// </summary>
public static class FhirXml
{
    private const int MaxDecimalDigits = 28;
    private const int MaxDepth = 200;
    private const int MaxElements = 2_000_000;
    private const int MaxAttributes = 10_000;
    private static readonly FhirXmlSerializer Writer = new();

    /// <summary>Whether bytes look like XML: the first character that is not white space is an angle bracket.</summary>
    public static bool IsXml(ReadOnlySpan<byte> bytes)
    {
        if (bytes.StartsWith("\uFEFF"u8)) bytes = bytes[3..];
        var first = bytes.IndexOfAnyExcept(" \t\r\n"u8);
        return first >= 0 && bytes[first] == (byte)'<';
    }

    /// <summary>A resource in XML as JSON, UTF-8.</summary>
    /// <param name="xml">UTF-8, or another encoding that its declaration names. A DTD is refused: neither bombs nor external
    /// entities.</param>
    /// <param name="issues">What is wrong as XML, with lines; empty: nothing. What is wrong in both formats, a <see cref="Validator"/>
    /// finds in the JSON.</param>
    /// <returns>The JSON; null where the XML is not well-formed or no resource.</returns>
    public static byte[]? ToJson(ReadOnlyMemory<byte> xml, out IReadOnlyList<ValidationIssue> issues)
    {
        if (Load(xml, out var problem) is not { } root)
        {
            issues = [problem!];
            return null;
        }
        using var bytes = new MemoryStream();
        using var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        var reader = new XmlResourceReader(FhirSchema.R4, json);
        reader.Resource(root);
        json.Flush();
        issues = reader.Issues;
        return bytes.ToArray() is [(byte)'{', ..] object_ ? object_ : null;
    }

    /// <summary>Issues that were found in the JSON of a resource, with the lines and columns of the XML that it was read from.</summary>
    public static IReadOnlyList<ValidationIssue> InXml(ReadOnlyMemory<byte> xml, IReadOnlyList<ValidationIssue> issues)
    {
        if (issues.Count == 0 || Load(xml, out _) is not { } root) return issues;
        return [.. issues.Select(issue =>
        {
            var at = (IXmlLineInfo)XmlPlace.Find(root, issue.Expression);
            return issue with { Line = at.LineNumber, Column = at.LinePosition };
        })];
    }

    /// <summary>A resource as XML, UTF-8.</summary>
    /// <param name="document">The resource.</param>
    /// <param name="issue">Why not, when null.</param>
    public static byte[]? ToXml(ResourceDocument document, out ValidationIssue? issue)
    {
        issue = null;
        foreach (var row in document.Rows)
        {
            if (row.Property?.Type.Name != "decimal" || row.Kind != JsonTokenType.Number) continue;
            var text = Encoding.UTF8.GetString(document.Bytes.Span[row.Start..row.End]);
            if (!IsKept(text))
            {
                issue = new ValidationIssue(
                    IssueSeverity.Error, IssueCode.NotSupported, "", "a decimal has more digits than the conversion keeps");
                return null;
            }
        }
        try
        {
            var xml = Encoding.UTF8.GetBytes(Writer.SerializeToString(FhirTyped.Parse<Resource>(document)));
            // The typed model drops and mends without a word; what it wrote is read again and compared.
            var path = ToJson(xml, out var issues) is { } json && issues.Count == 0
                && ResourceDocument.TryParse(json, out var again, out _, document.Limits)
                ? XmlLoss.Find(document.Root, again!.Root)
                : issues is [var first, ..] ? first.Expression : document.ResourceType;
            if (path is not null)
            {
                issue = new ValidationIssue(IssueSeverity.Error, IssueCode.NotSupported, path, $"XML cannot hold what is at {path}");
                return null;
            }
            return xml;
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException or DeserializationFailedException
            or ArgumentException or NotSupportedException)
        {
            issue = new ValidationIssue(
                IssueSeverity.Error,
                IssueCode.Structure,
                "",
                "the resource cannot be written as XML: " + e.Message.ReplaceLineEndings(" "));
            return null;
        }
    }

    private static XElement? Load(ReadOnlyMemory<byte> xml, out ValidationIssue? problem)
    {
        problem = null;
        try
        {
            if (Bounds(xml) is { } text) problem = Fatal(text, 0, 0);
            else
            {
                using var reader = Open(xml);
                return XElement.Load(reader, LoadOptions.SetLineInfo | LoadOptions.PreserveWhitespace);
            }
        }
        catch (XmlException e)
        {
            problem = Fatal(
                e.Message.Contains("DTD", StringComparison.Ordinal)
                    ? "a document type declaration is refused"
                    : $"not well-formed XML: {e.Message}",
                e.LineNumber,
                e.LinePosition);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            // An encoding that the declaration names and nobody has.
            problem = Fatal("the XML cannot be read: " + e.Message, 0, 0);
        }
        return null;
    }

    // Looked at in a stream before anything is kept.
    private static string? Bounds(ReadOnlyMemory<byte> xml)
    {
        using var reader = Open(xml);
        var elements = 0;
        while (reader.Read())
        {
            if (reader.NodeType != XmlNodeType.Element) continue;
            if (reader.Depth > MaxDepth) return "the XML is nested too deeply";
            if (++elements > MaxElements || reader.AttributeCount > MaxAttributes) return "the XML has too many elements or attributes";
        }
        return elements == 0 ? "the document is empty" : null;
    }

    private static bool IsKept(string number) => number.AsSpan().IndexOfAny('e', 'E') < 0
        && number.Count(char.IsAsciiDigit) <= MaxDecimalDigits
        && decimal.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
        && value.ToString(CultureInfo.InvariantCulture) == number;

    private static XmlReader Open(ReadOnlyMemory<byte> xml) => XmlReader.Create(
        new MemoryStream(xml.ToArray()), new XmlReaderSettings
        {
            DtdProcessing = DtdProcessing.Prohibit,
            XmlResolver = null,
            IgnoreComments = true,
            IgnoreProcessingInstructions = true,
            MaxCharactersInDocument = 512L << 20
        });

    private static ValidationIssue Fatal(string text, int line, int column) =>
        new(IssueSeverity.Fatal, IssueCode.Structure, "", text) { Line = line, Column = column };
}
