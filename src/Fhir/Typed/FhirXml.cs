using System.Globalization;
using System.Text;
using System.Xml;
using Hl7.Fhir.Model;
using Hl7.Fhir.Serialization;

namespace PmrGateway.Fhir;

/// <summary>
/// FHIR's XML, by way of Hl7.Fhir.R4. What the typed model would lose is refused: a decimal of more digits than it holds. White space in
/// base64 and between elements is not kept. https://hl7.org/fhir/R4/xml.html
/// </summary>
public static class FhirXml
{
    private const int MaxDecimalDigits = 28;
    private static readonly FhirXmlDeserializer Reader = new(new DeserializerSettings().UsingMode(DeserializationMode.Recoverable));
    private static readonly FhirXmlSerializer Writer = new();

    /// <summary>Whether bytes look like XML: the first character that is not white space is an angle bracket.</summary>
    public static bool IsXml(ReadOnlySpan<byte> bytes)
    {
        if (bytes.StartsWith("\uFEFF"u8)) bytes = bytes[3..];
        var first = bytes.IndexOfAnyExcept(" \t\r\n"u8);
        return first >= 0 && bytes[first] == (byte)'<';
    }

    /// <summary>A resource in XML as JSON, UTF-8.</summary>
    /// <param name="xml">UTF-8, or another encoding that its declaration names. A DTD is refused: neither bombs nor external entities.</param>
    /// <param name="issues">What is wrong; empty: nothing.</param>
    /// <returns>The JSON; null where the XML cannot be read or would lose digits.</returns>
    public static byte[]? ToJson(ReadOnlyMemory<byte> xml, out IReadOnlyList<ValidationIssue> issues)
    {
        var found = new List<ValidationIssue>();
        issues = found;
        try
        {
            if (Check(xml) is { } problem)
            {
                found.Add(problem);
                return null;
            }
            using var reader = Open(xml);
            Reader.TryDeserializeResource(reader, out var resource, out var faults);
            // Values are checked on the JSON, by the validator; what has no place in a resource would vanish here.
            foreach (var fault in faults) found.Add(new ValidationIssue(IssueSeverity.Error, IssueCode.Structure, "", fault.Message));
            return resource is Resource typed ? FhirTyped.ToJson(typed) : null;
        }
        catch (XmlException e)
        {
            found.Add(Fatal($"not well-formed XML: {e.Message}", e.LineNumber, e.LinePosition));
            return null;
        }
        catch (Exception e) when (e is DeserializationFailedException or InvalidOperationException or FormatException or ArgumentException)
        {
            found.Add(Fatal("the XML is no FHIR resource: " + e.Message, 0, 0));
            return null;
        }
    }

    /// <summary>A resource as XML, UTF-8.</summary>
    /// <param name="document">The resource.</param>
    /// <param name="issue">Why not, when null.</param>
    public static byte[]? ToXml(ResourceDocument document, out ValidationIssue? issue)
    {
        issue = null;
        foreach (var row in document.Rows)
        {
            if (row.Property?.Type.Name != "decimal" || row.Kind != System.Text.Json.JsonTokenType.Number) continue;
            var text = Encoding.UTF8.GetString(document.Bytes.Span[row.Start..row.End]);
            if (!IsKept(text))
            {
                issue = new ValidationIssue(IssueSeverity.Error, IssueCode.NotSupported, "", "a decimal has more digits than the conversion keeps");
                return null;
            }
        }
        try
        {
            return Encoding.UTF8.GetBytes(Writer.SerializeToString(FhirTyped.Parse<Resource>(document)));
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException or DeserializationFailedException)
        {
            issue = new ValidationIssue(IssueSeverity.Error, IssueCode.Structure, "", "the resource cannot be written as XML: " + e.Message);
            return null;
        }
    }

    private static ValidationIssue? Check(ReadOnlyMemory<byte> xml)
    {
        using var reader = Open(xml);
        var (depth, hasRoot) = (0, false);
        while (reader.Read())
        {
            if (reader.NodeType != XmlNodeType.Element) continue;
            hasRoot = true;
            if ((depth = reader.Depth) > 200) return Fatal("the XML is nested too deeply", 0, 0);
            if (depth == 0 && reader.NamespaceURI != "http://hl7.org/fhir") return Fatal("the root is not in the namespace http://hl7.org/fhir", 0, 0);
            // A number in a value attribute: which elements are decimals only the model knows, so every long number counts.
            if (reader.GetAttribute("value") is { } value && decimal.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out _) && value.Contains('.') && !IsKept(value))
                return new ValidationIssue(IssueSeverity.Error, IssueCode.NotSupported, "", "a decimal has more digits than the conversion keeps");
        }
        return hasRoot ? null : Fatal("the document is empty", 0, 0);
    }

    private static bool IsKept(string number) => number.AsSpan().IndexOfAny('e', 'E') < 0
        && number.Count(char.IsAsciiDigit) <= MaxDecimalDigits
        && decimal.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value.ToString(CultureInfo.InvariantCulture) == number;

    private static XmlReader Open(ReadOnlyMemory<byte> xml) => XmlReader.Create(
        new MemoryStream(xml.ToArray()), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, IgnoreComments = true, IgnoreProcessingInstructions = true, MaxCharactersInDocument = 512L << 20 });

    private static ValidationIssue Fatal(string text, int line, int column) => new(IssueSeverity.Fatal, IssueCode.Structure, "", text) { Line = line, Column = column };
}
