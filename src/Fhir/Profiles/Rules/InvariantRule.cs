namespace PmrGateway.Fhir;

/// <summary>A rule in FHIRPath that the core does not have.</summary>
internal sealed class InvariantRule(Invariant invariant) : ElementRule
{
    public static void Build(RuleSource source)
    {
        if (!source.Definition.TryGetProperty("constraint", out var constraints)) return;
        foreach (var constraint in constraints.EnumerateArray())
        {
            if (!constraint.TryGetProperty("expression", out var expression) || !constraint.TryGetProperty("key", out var name)) continue;
            // What a core definition says, the walk over the types has checked.
            if (constraint.TryGetProperty("source", out var from) && source.Schema.TypeOfCanonical(from.GetString()!) is not null) continue;
            var key = name.GetString()!;
            if (key is "ele-1" or "ext-1" || IsOfCore(source, key)) continue;
            var isWarning = constraint.TryGetProperty("severity", out var severity) && severity.GetString() == "warning";
            source.Element.Rules.Add(new InvariantRule(new Invariant(key, isWarning, SchemaCompiler.Correct(key, expression.GetString()!))));
        }
    }

    public override void Check(ProfileRun run, in Item item, ElementNode at) => run.Validation.Check(invariant, item, at);

    private static bool IsOfCore(RuleSource source, string key) =>
        (source.Path == source.Type && source.Schema.Type(source.Type)?.Invariants.Any(i => i.Key == key) == true)
        || source.Core?.Invariants.Any(i => i.Key == key) == true
        || source.Core?.Types.Any(t => t.Definition?.Invariants.Any(i => i.Key == key) == true) == true;
}
