namespace PmrGateway.Fhir;

/// <summary>The types that an element may have, and the profiles of them, one of which an instance conforms to.</summary>
internal sealed class TypeRule(IReadOnlyList<ProfileType> types) : ElementRule
{
    public static void Build(RuleSource source)
    {
        if (source.Definition.TryGetProperty("type", out var types))
            source.Element.Types = [.. types.EnumerateArray().Select(ProfileType.Read)];
        foreach (var type in source.Element.Types)
            if (type.Code.Length > 0 && !type.Code.Contains(':') && source.Schema.Type(type.Code) is null)
                throw new MalformedElementException($"there is no type {type.Code}");
        if (source.Element.Types.Count > 0) source.Element.Rules.Add(new TypeRule(source.Element.Types));
    }

    public override void Check(ProfileRun run, in Item item, ElementNode at)
    {
        if (item.Type is not { } type) return;
        var allowed = types.Where(t => t.Code.Length == 0 || IsOf(run, type, t.Code)).ToList();
        if (allowed.Count == 0)
            run.Error(
                IssueCode.Structure, at, $"{run.Profile.Url} allows {string.Join(", ", types.Select(t => t.Code))} here, not {type.Name}");
        // An extension is checked against its definition wherever it stands.
        else if (item.Row >= 0 && type.Name != "Extension" && allowed.TrueForAll(t => t.Profiles.Count > 0))
            Conforms(run, item.Node, [.. allowed.SelectMany(t => t.Profiles)]);
    }

    private static bool IsOf(ProfileRun run, TypeDefinition type, string code) =>
        type.Kind == TypeKind.Backbone
            ? code is "BackboneElement" or "Element"
            : run.Validation.Document.Schema.Type(code) is { } wanted && type.Is(wanted);

    private static void Conforms(ProfileRun run, ElementNode node, List<string> profiles)
    {
        // What is not known here may be what it conforms to.
        if (profiles.Find(p => run.Validation.TypeOf(p) is null) is { } unknown)
        {
            run.Validation.Unknown("profile", unknown, node);
            return;
        }
        if (profiles is [var only] && run.Validation.Profile(only) is { } single && single.Type == node.Type?.Name)
            new ProfileRun(run.Validation, single).Check(node);
        else if (!profiles.Exists(p => run.Validation.IsOf(node, p)))
            run.Error(IssueCode.Structure, node, $"it conforms to none of {string.Join(", ", profiles)}");
    }
}
