namespace PmrGateway.Fhir;

/// <summary>How often an element, or a slice of it, occurs.</summary>
internal sealed class CardinalityRule(ProfileElement element) : RepetitionRule
{
    public static void Build(RuleSource source)
    {
        if (source.Definition.TryGetProperty("min", out var min)) source.Element.Min = min.GetInt32();
        if (source.Definition.TryGetProperty("max", out var max)) source.Element.Max = SchemaCompiler.Max(max);
        if (source.Element.Min < 0 || (source.Element.Max >= 0 && source.Element.Min > source.Element.Max))
            throw new MalformedElementException($"min {source.Element.Min} and max {source.Element.Max} cannot both hold");
        if (source.Element.Min > 0 || source.Element.Max >= 0) source.Element.RepetitionRules.Add(new CardinalityRule(source.Element));
    }

    public override void Check(ProfileRun run, Repetition[] repetitions, ElementNode parent)
    {
        var name = element.SliceName is null ? element.Name : $"{element.Name}:{element.SliceName}";
        if (repetitions.Length < element.Min)
            run.Error(
                IssueCode.Required,
                parent,
                $"{name}: at least {element.Min} is required by {run.Profile.Url}, {repetitions.Length} given",
                element.Name);
        if (element.Max >= 0 && repetitions.Length > element.Max)
            run.Error(
                IssueCode.Structure,
                parent,
                $"{name}: at most {element.Max} is allowed by {run.Profile.Url}, {repetitions.Length} given",
                element.Name);
    }
}
