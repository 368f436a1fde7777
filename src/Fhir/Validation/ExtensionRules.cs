using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// Extensions: which are known, where they may stand, and that a modifier nobody knows is not passed over.
/// https://hl7.org/fhir/R4/extensibility.html https://hl7.org/fhir/R4/defining-extensions.html
/// </summary>
internal static class ExtensionRules
{
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
        var isModifier = place.Element.Name == "modifierExtension";
        if (run.Profile(url) is { Type: "Extension" } profile)
        {
            Place(run, profile, owner, node, isModifier);
            new ProfileRun(run, profile).Check(node);
            return;
        }
        var text = $"the {(isModifier ? "modifier " : "")}extension {IssueSink.Shown(url)} is not known here";
        if (isModifier) run.Sink.Error(IssueCode.NotSupported, node, text + ": what it changes cannot be told");
        else if (run.Options.UnknownExtensions == UnknownExtensions.Refuse) run.Sink.Error(IssueCode.NotSupported, node, text);
        else if (run.Options.UnknownExtensions == UnknownExtensions.Warn) run.Sink.Warning(IssueCode.NotSupported, node, text);
    }

    private static void Place(ValidationRun run, Profile profile, ExtensionOwner owner, ElementNode node, bool isModifier)
    {
        var name = IssueSink.Shown(profile.Url);
        if (isModifier && !profile.IsModifier) run.Sink.Error(IssueCode.Structure, node, $"the extension {name} is no modifier");
        if (!isModifier && profile.IsModifier)
            run.Sink.Error(IssueCode.Structure, node, $"the extension {name} is a modifier, and stands in modifierExtension");
        if (owner.Property is not { } property) return;
        if (!IsAllowed(run, profile, owner, property))
        {
            var contexts = string.Join(", ", profile.Contexts.Select(c => c.Expression));
            run.Sink.Error(IssueCode.Structure, node, $"the extension {name} does not belong here, only on {contexts}");
        }
        foreach (var rule in profile.ContextInvariants)
            run.Check(
                rule,
                property.IsSibling ? Item.OfNode(run.Document, -1, owner.Node.Index, property.Type.Definition) : Item.OfNode(owner.Node),
                node);
    }

    private static bool IsAllowed(ValidationRun run, Profile profile, ExtensionOwner owner, PropertySpec property)
    {
        if (profile.Contexts.Count == 0) return true;
        foreach (var (type, expression) in profile.Contexts)
        {
            var isMet = type switch
            {
                "element" => IsElement(run, expression, owner, property),
                "extension" => owner.Extension == expression,
                _ => run.Selects(expression, run.Root, owner.Node),
            };
            if (isMet) return true;
        }
        return false;
    }

    private static bool IsElement(ValidationRun run, string context, ExtensionOwner owner, PropertySpec property)
    {
        // The core's own examples show that "Element" means anything, resources too.
        if (context == "Element" || context == property.Path || context == property.Path + "[x]") return true;
        for (var type = property.Type.Definition; type is not null; type = type.Base)
            if (type.Name == context) return true;
        // DomainResource.text is Patient.text as well; a type of a later version of FHIR says nothing here.
        var schema = run.Document.Schema;
        if (schema.Type(context.Split('.')[0]) is not { } above) return true;
        var dot = context.LastIndexOf('.');
        if (dot < 0) return false;
        if (schema.Type(context[..dot]) is not null)
        {
            if (!property.Path.EndsWith(context[dot..], StringComparison.Ordinal)) return false;
            return schema.Type(property.Path[..property.Path.LastIndexOf('.')])?.Is(above) == true;
        }
        // A path on through the datatypes: Patient.name.family.
        return run.Resource.Type?.Is(above) == true
            && run.Selects(context.Replace("[x]", "", StringComparison.Ordinal), run.Resource, owner.Node);
    }
}

/// <summary>What an extension is on.</summary>
/// <param name="Property">The element's place in the definitions; null: not known.</param>
/// <param name="Node">The element.</param>
/// <param name="Above">What that element is in.</param>
internal readonly record struct ExtensionOwner(PropertySpec? Property, ElementNode Node, ElementNode Above)
{
    /// <summary>Canonical URL of the extension that this is, or whose value it is; null: it is neither.</summary>
    public string? Extension
    {
        get
        {
            if (Property?.Type.Name == "Extension") return Node.StringAt("url");
            return Property?.Path == "Extension.value" ? Above.StringAt("url") : null;
        }
    }
}
