using System.Text.Json;
using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Flows;

/// <summary>A reference by this server's own URL is one to this server: as such it counts for compartments and consent.</summary>
internal static class LocalReferences
{
    /// <summary>The document with such references made relative; the document itself where there is none.</summary>
    /// <param name="document">The resource as it came.</param>
    /// <param name="fhirBase">This server's FHIR base, without a slash at its end.</param>
    public static ResourceDocument Of(ResourceDocument document, string fhirBase)
    {
        var edits = new JsonEdits(document);
        Walk(document.Root);
        if (edits.IsEmpty) return document;
        return ResourceDocument.TryParse(edits.Apply(), out var local, out var issue)
            ? local!
            : throw new InvalidOperationException("an edited resource does not parse: " + issue!.Text);

        void Walk(ElementNode node)
        {
            foreach (var child in node)
            {
                if (child.Kind is JsonTokenType.StartObject or JsonTokenType.StartArray) Walk(child);
                else if (child is { Name: "reference", Kind: JsonTokenType.String }) Visit(child);
            }
        }

        void Visit(ElementNode node)
        {
            if (node.Text is var text && text.StartsWith(fhirBase + "/", StringComparison.Ordinal))
                edits.ReplaceString(node, text[(fhirBase.Length + 1)..]);
        }
    }
}
