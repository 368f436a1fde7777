using System.Collections.Frozen;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// Invariants that stand on nearly every element, as code: a cheap answer of "holds". Where it does not answer so, the expression decides.
/// That each says the same as its expression is tested (NativeInvariantTests).
/// </summary>
internal static class NativeInvariants
{
    private static readonly FrozenDictionary<string, Func<ValidationRun, ElementNode, bool>> All =
        new Dictionary<string, Func<ValidationRun, ElementNode, bool>>
        {
            ["ext-1"] = (_, node) => Ext1(node),
            ["ref-1"] = Ref1,
            ["dom-2"] = (_, node) => node["contained"] is null,
            ["dom-3"] = (_, node) => node["contained"] is null || ContainedRules.AreAllReferenced(node),
            ["dom-4"] = (_, node) => node["contained"] is null,
            ["dom-5"] = (_, node) => node["contained"] is null,
            ["dom-6"] = (_, node) => node["text"]?["div"] is not null,
            // Checked where the narrative is read.
            ["txt-1"] = (_, _) => true,
            ["txt-2"] = (_, _) => true,
            // Checked by BundleRules, which knows every entry.
            ["bdl-7"] = (_, _) => true,
        }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>The code for an invariant, or null.</summary>
    public static Func<ValidationRun, ElementNode, bool>? Find(string key) => All.GetValueOrDefault(key);

    private static bool Ref1(ValidationRun run, ElementNode node)
    {
        if (node["reference"] is not { Kind: JsonTokenType.String } reference || !reference.Utf8Text.Span.StartsWith("#"u8)) return true;
        return reference.Text is "#" || ReferenceResolver.Find(run.Document, run.Root, reference.Text) is not null;
    }

    private static bool Ext1(ElementNode node)
    {
        var (value, extension) = (false, false);
        foreach (var child in node)
        {
            if (child.Property is not { } property) continue;
            value |= property.Element.Name == "value";
            extension |= property.Element.Name == "extension";
        }
        return value != extension;
    }
}
