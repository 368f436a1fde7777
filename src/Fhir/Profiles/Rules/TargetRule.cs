using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>What a Reference may point to, as far as the document tells: types, and profiles of them.</summary>
internal sealed class TargetRule(List<string> targets) : ElementRule
{
    public static void Build(RuleSource source)
    {
        // Without a target profile, any resource of the type that the core allows.
        var references = source.Element.Types.Where(t => t.Code == "Reference").ToList();
        if (references.Count > 0 && references.TrueForAll(t => t.Targets.Count > 0))
            source.Element.Rules.Add(new TargetRule([.. references.SelectMany(t => t.Targets)]));
    }

    public override void Check(ProfileRun run, in Item item, ElementNode at)
    {
        if (item.Row < 0 || item.Type?.Name != "Reference" || item.Node["reference"] is not { Kind: JsonTokenType.String } text) return;
        var resolved = run.Validation.References.Resolve(text.Text);
        if ((resolved?.Type?.Name ?? FhirReference.TypeNamed(text.Text)) is not { } type) return;
        var types = targets.Select(run.Validation.TypeOf).ToList();
        if (types.Contains(null)) return;
        if (!types.Contains(type) && !types.Contains("Resource"))
            run.Error(
                IssueCode.Structure,
                text,
                $"{run.Profile.Url} allows a reference to {string.Join(", ", types.Distinct())} here, not to {type}");
        else if (resolved is { } target && !targets.Exists(t => run.Validation.IsOf(target, t)))
            run.Error(IssueCode.Structure, text, $"what it points to conforms to none of {string.Join(", ", targets)}");
    }
}
