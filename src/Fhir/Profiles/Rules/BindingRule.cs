namespace PmrGateway.Fhir;

/// <summary>A value set, other than the one that the core binds.</summary>
internal sealed class BindingRule(Binding binding) : ElementRule
{
    public Binding Binding => binding;

    public static void Build(RuleSource source)
    {
        if (!source.Definition.TryGetProperty("binding", out var binding) || !binding.TryGetProperty("valueSet", out var url)) return;
        var strength = binding.GetProperty("strength").GetString() switch
        {
            "required" => BindingStrength.Required,
            "extensible" => BindingStrength.Extensible,
            "preferred" or "example" => BindingStrength.None,
            var other => throw new MalformedElementException($"there is no binding strength {other}")
        };
        var bound = new Binding(strength, url.GetString()!.Split('|')[0]);
        if (strength != BindingStrength.None && bound != source.Core?.Binding) source.Element.Rules.Add(new BindingRule(bound));
    }

    public override void Check(ProfileRun run, in Item item, ElementNode at)
    {
        if (item.Row >= 0) BindingRules.Check(run.Validation, binding, item.Node);
    }
}
