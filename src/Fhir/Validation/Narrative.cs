using System.Collections.Frozen;
using System.Xml;

namespace PmrGateway.Fhir;

/// <summary>
/// The XHTML of a narrative (R4 narrative.html, invariants txt-1 and txt-2): one div, formatting only, nothing that acts.
/// </summary>
internal static class Narrative
{
    private const string Xhtml = "http://www.w3.org/1999/xhtml";

    private static readonly FrozenSet<string> Elements = (
        "a abbr acronym address b bdo big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i " +
        "img kbd li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var")
        .Split(' ').ToFrozenSet(StringComparer.Ordinal);

    private static readonly FrozenSet<string> Attributes = (
        "abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff charset cite class " +
        "colspan compact coords dir frame headers height href hreflang hspace id lang longdesc name nowrap rel rev rowspan rules scope " +
        "shape span src start style summary tabindex title type valign value vspace width")
        .Split(' ').ToFrozenSet(StringComparer.Ordinal);

    private static readonly string[] ActsInStyle =
        ["expression(", "javascript:", "vbscript:", "behavior:", "-moz-binding", "@import", "\\", "/*"];

    /// <summary>Why a narrative is refused, or null.</summary>
    public static string? Check(string text)
    {
        // No DTD: neither external entities nor entity bombs, and no HTML entities, which XHTML without a DTD does not have.
        var settings = new XmlReaderSettings
        {
            DtdProcessing = DtdProcessing.Prohibit,
            XmlResolver = null,
            ConformanceLevel = ConformanceLevel.Document
        };
        var hasContent = false;
        try
        {
            using var reader = XmlReader.Create(new StringReader(text), settings);
            while (reader.Read())
            {
                if (reader.NodeType is XmlNodeType.Text or XmlNodeType.CDATA) hasContent |= !string.IsNullOrWhiteSpace(reader.Value);
                if (reader.NodeType == XmlNodeType.ProcessingInstruction) return "the narrative holds a processing instruction";
                if (reader.NodeType != XmlNodeType.Element) continue;
                if (reader.Depth == 0 && reader.LocalName != "div") return "the narrative is not one <div>";
                if (reader.NamespaceURI != Xhtml) return "the narrative's <div> is not in the XHTML namespace";
                if (!Elements.Contains(reader.LocalName)) return "the narrative holds an element that narratives may not have (txt-1)";
                hasContent |= reader.LocalName == "img";
                if (CheckAttributes(reader) is { } problem) return problem;
            }
        }
        catch (XmlException e)
        {
            return $"the narrative is not well-formed XHTML (line {e.LineNumber}, position {e.LinePosition})";
        }
        return hasContent ? null : "the narrative has no content (txt-2)";
    }

    private static string? CheckAttributes(XmlReader reader)
    {
        var element = reader.LocalName;
        while (reader.MoveToNextAttribute())
        {
            if (reader.Prefix is "xmlns" or "xml" || reader.Name == "xmlns") continue;
            if (!Attributes.Contains(reader.LocalName) || (reader.LocalName == "value" && element != "li"))
                return "the narrative holds an attribute that narratives may not have (txt-1)";
            if (reader.LocalName == "style" && ActsByStyle(reader.Value)) return "the narrative holds a style that acts (txt-1)";
            if (reader.LocalName is "href" or "src" && IsActive(reader.Value)) return "the narrative holds a link that acts (txt-1)";
        }
        reader.MoveToElement();
        return null;
    }

    // What browsers have run, or run, of a style. A backslash writes a letter in another way, a comment hides one: neither is needed.
    private static bool ActsByStyle(string style)
    {
        var text = new string([.. style.Where(c => c > ' ')]).ToLowerInvariant();
        return ActsInStyle.Any(a => text.Contains(a, StringComparison.Ordinal));
    }

    // What a browser would run, and schemes that lead nowhere.
    private static bool IsActive(string link)
    {
        var scheme = new string([.. link.Where(c => c > ' ')]).ToLowerInvariant();
        var colon = scheme.IndexOf(':');
        if (colon < 0 || scheme.AsSpan(0, colon).IndexOfAny('/', '#', '?') >= 0) return false;
        return scheme[..colon] is not ("http" or "https" or "ftp" or "mailto" or "tel" or "cid" or "data")
            || scheme.StartsWith("data:text", StringComparison.Ordinal);
    }
}
