using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>Extensions: which are known, where they may stand, and that a modifier nobody knows is not passed over. https://hl7.org/fhir/R4/extensibility.html</summary>
internal static class ExtensionRules
{
    private const string StructureDefinitions = SchemaCompiler.CoreTypes + "structuredefinition-";

    /// <summary>Checks one extension.</summary>
    /// <param name="run">The validation.</param>
    /// <param name="owner">The element that it is on.</param>
    /// <param name="place">The property that holds it: extension or modifierExtension.</param>
    /// <param name="node">The extension.</param>
    public static void Check(ValidationRun run, ExtensionOwner owner, PropertySpec place, ElementNode node)
    {
        if (node["url"] is not { Kind: JsonTokenType.String } element) return;
        var url = element.Text;
        // Inside an extension the url is a name of its own.
        var isNested = owner.Property?.Type.Name == "Extension";
        if (!url.Contains(':'))
        {
            if (!isNested) run.Sink.Error(IssueCode.Value, element, "the url of an extension is absolute", "url");
            return;
        }
        if (run.Profile(url) is { Type: "Extension" } profile)
        {
            if (owner.Property is not null && !IsAllowed(run, profile, owner)) run.Sink.Error(IssueCode.Structure, node, $"the extension {IssueSink.Shown(url)} does not belong here, only on {string.Join(", ", profile.Contexts.Select(c => c.Expression))}");
            new ProfileRun(run, profile).Check(node);
            return;
        }
        if (place.Element.Name == "modifierExtension") run.Sink.Error(IssueCode.NotSupported, node, $"the modifier extension {IssueSink.Shown(url)} is not known here: what it changes cannot be told");
        else if (run.Options.UnknownExtensions == UnknownExtensions.Refuse) run.Sink.Error(IssueCode.NotSupported, node, $"the extension {IssueSink.Shown(url)} is not known here");
        else if (run.Options.UnknownExtensions == UnknownExtensions.Warn) run.Sink.Warning(IssueCode.NotSupported, node, $"the extension {IssueSink.Shown(url)} is not known here");
    }

    private static bool IsAllowed(ValidationRun run, Profile profile, ExtensionOwner owner)
    {
        // The core uses its own extensions of definitions where their contexts do not allow it.
        if (profile.Contexts.Count == 0 || profile.Url.StartsWith(StructureDefinitions, StringComparison.Ordinal) || profile.Url == SchemaCompiler.CoreTypes + "regex") return true;
        foreach (var (type, expression) in profile.Contexts)
        {
            var isMet = type switch
            {
                "element" => IsElement(run, expression, owner.Property!),
                "extension" => owner.Extension == expression,
                _ => run.Selects(expression, owner.Node),
            };
            if (isMet) return true;
        }
        return false;
    }

    private static bool IsElement(ValidationRun run, string context, PropertySpec owner)
    {
        // The core's own examples show that "Element" means anything, resources too.
        if (context == "Element" || context == owner.Path || context == owner.Path + "[x]") return true;
        for (var type = owner.Type.Definition; type is not null; type = type.Base)
            if (type.Name == context) return true;
        // DomainResource.text is Patient.text as well; a type of a later version of FHIR says nothing here.
        var (name, element) = (context.Split('.')[0], context.Split('.')[^1]);
        if (run.Document.Schema.Type(name) is not { } above) return true;
        return context.Count(c => c == '.') == 1 && owner.Path.EndsWith("." + element, StringComparison.Ordinal) && run.Document.Schema.Type(owner.Path[..owner.Path.LastIndexOf('.')])?.Is(above) == true;
    }
}

/// <summary>What an extension is on.</summary>
/// <param name="Property">The element's place in the definitions; null: not known.</param>
/// <param name="Node">The element.</param>
/// <param name="Above">What that element is in.</param>
internal readonly record struct ExtensionOwner(PropertySpec? Property, ElementNode Node, ElementNode Above)
{
    /// <summary>Canonical URL of the extension that this is, or whose value it is; null: it is neither.</summary>
    public string? Extension => Property?.Type.Name == "Extension" ? Node.StringAt("url") : Property?.Path == "Extension.value" ? Above.StringAt("url") : null;
}
