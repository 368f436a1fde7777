using System.Text.Json;
using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Api;

/// <summary>The references between the entries of a transaction. https://hl7.org/fhir/R4/http.html#trules</summary>
internal static class EntryLinks
{
    /// <summary>What each reference to another entry becomes: one to the resource that the entry becomes.</summary>
    /// <param name="document">The resource of an entry.</param>
    /// <param name="links">From fullUrl to <c>Type/id</c>.</param>
    /// <param name="texts">Takes the references and their new texts.</param>
    /// <returns>The conditional references that are left: <c>Type?query</c>.</returns>
    public static IReadOnlyList<ElementNode> In(
        ResourceDocument document, IReadOnlyDictionary<string, string> links, List<(ElementNode Node, string Text)> texts)
    {
        var conditional = new List<ElementNode>();
        Walk(document.Root);
        return conditional;

        void Walk(ElementNode node)
        {
            foreach (var child in node)
            {
                if (child.Kind is JsonTokenType.StartObject or JsonTokenType.StartArray) Walk(child);
                else if (child is { Name: "reference" or "url", Kind: JsonTokenType.String }) Visit(child);
            }
        }

        void Visit(ElementNode node)
        {
            var text = node.Text;
            if (links.TryGetValue(text, out var target) && !text.Contains('?')) texts.Add((node, target));
            else if (node.Name == "reference" && text.IndexOf('?') is var q and > 0 && FhirSchema.R4.IsResourceType(text[..q]))
                conditional.Add(node);
        }
    }
}
