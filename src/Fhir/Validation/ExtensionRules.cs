using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>Extensions: which are known, and that a modifier nobody knows is not passed over. https://hl7.org/fhir/R4/extensibility.html</summary>
internal static class ExtensionRules
{
    public static void Check(ValidationRun run, ElementNode place, ElementNode node)
    {
        if (node["url"] is not { Kind: JsonTokenType.String } element) return;
        var url = element.Text;
        var isModifier = place.Property?.Element.Name == "modifierExtension";
        // Inside an extension the url is a name of its own.
        if (!url.Contains(':')) return;
        if (run.Profiles.Find(url) is { Type: "Extension" } profile)
        {
            new ProfileRun(run, profile).Check(node);
            return;
        }
        if (isModifier) run.Sink.Error(IssueCode.NotSupported, node, $"the modifier extension {IssueSink.Shown(url)} is not known here: what it changes cannot be told");
        else if (run.Options.WarnsOfUnknownExtensions) run.Sink.Warning(IssueCode.NotSupported, node, $"the extension {IssueSink.Shown(url)} is not known here");
    }
}
