namespace PmrGateway.Fhir;

/// <summary>A rule in FHIRPath that the core does not have.</summary>
internal sealed class InvariantRule(Invariant invariant) : ElementRule
{
    public static void Build(RuleSource source)
    {
        if (!source.Definition.TryGetProperty("constraint", out var constraints)) return;
        foreach (var constraint in constraints.EnumerateArray())
        {
            // STU3 had constraints in words alone.
            if (!constraint.TryGetProperty("expression", out var expression)) continue;
            if (!constraint.TryGetProperty("key", out var name)) throw new MalformedElementException("a constraint has no key");
            // What a core definition says, the walk over the types has checked.
            if (constraint.TryGetProperty("source", out var from) && source.Schema.TypeOfCanonical(from.GetString()!) is not null) continue;
            var key = name.GetString()!;
            if (key is "ele-1" or "ext-1" || IsOfCore(source, key)) continue;
            var isWarning = constraint.TryGetProperty("severity", out var severity) && severity.GetString() == "warning";
            var invariant = new Invariant(key, isWarning, SchemaCompiler.Correct(key, expression.GetString()!));
            source.Element.Rules.Add(Compiled(invariant, source.Profile));
        }
    }

    public override void Check(ProfileRun run, in Item item, ElementNode at) => run.Validation.Check(invariant, item, at);

    // What does not parse is the profile's fault and not a resource's.
    private static ElementRule Compiled(Invariant invariant, string profile)
    {
        try
        {
            _ = invariant.Compiled;
            return new InvariantRule(invariant);
        }
        catch (FhirPathException e) when (e.Fault == FhirPathFault.UnknownFunction && FirelyFhirPath.Compiles(invariant.Expression))
        {
            return new FallbackRule(invariant, profile, e.Message);
        }
        catch (FhirPathException e)
        {
            throw new MalformedElementException($"the constraint {invariant.Key} is no FHIRPath: {e.Message}", e);
        }
    }

    private static bool IsOfCore(RuleSource source, string key) =>
        (source.Path == source.Type && source.Schema.Type(source.Type)?.Invariants.Any(i => i.Key == key) == true)
        || source.Core?.Invariants.Any(i => i.Key == key) == true
        || source.Core?.Types.Any(t => t.Definition?.Invariants.Any(i => i.Key == key) == true) == true;
}
