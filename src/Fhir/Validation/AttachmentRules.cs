using System.Globalization;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>What an Attachment says of its own data. https://hl7.org/fhir/R4/datatypes.html#Attachment</summary>
internal static class AttachmentRules
{
    public static void Check(ValidationRun run, ElementNode node)
    {
        if (node["data"] is not { Kind: JsonTokenType.String } data || node["size"] is not { Kind: JsonTokenType.Number } stated) return;
        if (!long.TryParse(stated.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var size)) return;
        var (characters, padding) = (0L, 0);
        foreach (var c in data.Utf8Text.Span)
        {
            if (c == (byte)'=') padding++;
            if (c > (byte)' ') characters++;
        }
        var actual = characters / 4 * 3 - padding;
        if (actual != size) run.Sink.Error(IssueCode.Value, stated, $"the size is stated as {size} bytes, the data has {actual}", "size");
    }
}
