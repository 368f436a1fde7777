namespace PmrGateway.Fhir;

/// <summary>
/// Each repetition is of one slice, or of none where the slicing is open; a slice has rules of its own, and may be sliced again.
/// https://hl7.org/fhir/R4/profiling.html#slicing
/// </summary>
internal sealed class SlicingRule(ProfileElement element, Slicing slicing) : RepetitionRule
{
    public static void Build(RuleSource source)
    {
        if (source.Definition.TryGetProperty("slicing", out var slicing))
            source.Element.RepetitionRules.Add(new SlicingRule(source.Element, Slicing.Read(slicing)));
    }

    /// <summary>What an implementation guide may leave out: extensions are told by their url, a choice by its type.</summary>
    /// <exception cref="MalformedElementException">There are slices, and nothing that tells them apart.</exception>
    public static void BuildImplied(ProfileElement element, bool isWhole)
    {
        if (element.Slices.Count == 0 || element.RepetitionRules.Exists(r => r is SlicingRule)) return;
        if (element.Name is "extension" or "modifierExtension")
            element.RepetitionRules.Add(new SlicingRule(element, new Slicing([new Discriminator("value", "url")], "open", false)));
        else if (element.Path.EndsWith("[x]", StringComparison.Ordinal) || element.Slices.TrueForAll(s => s.Types.Count == 1))
            element.RepetitionRules.Add(new SlicingRule(element, new Slicing([new Discriminator("type", "$this")], "open", false)));
        else if (isWhole) throw new MalformedElementException("it has slices and no slicing that tells them apart");
    }

    public override void Check(ProfileRun run, Repetition[] repetitions, ElementNode parent)
    {
        var slices = element.Slices;
        if (slices.Count == 0) return;
        var matcher = new SliceMatcher(run.Validation, slicing, slices);
        var found = new List<Repetition>[slices.Count];
        var (last, sawOther) = (0, false);
        foreach (var repetition in repetitions)
        {
            var slice = matcher.Find(repetition.Item);
            if (slice < 0)
            {
                sawOther = true;
                if (slicing.Rules == "closed")
                    Misplaced(run, repetition, $"it is none of the slices that {run.Profile.Url} closes {element.Id} to");
                continue;
            }
            if (sawOther && slicing.Rules == "openAtEnd")
                Misplaced(run, repetition, $"the slice {slices[slice].SliceName} comes after what is of no slice");
            if (slicing.IsOrdered && slice < last) Misplaced(run, repetition, $"the slice {slices[slice].SliceName} is not in its place");
            last = slice;
            (found[slice] ??= []).Add(repetition);
            run.Instance(repetition, slices[slice]);
        }
        for (var s = 0; s < slices.Count; s++)
            foreach (var rule in slices[s].RepetitionRules) rule.Check(run, found[s]?.ToArray() ?? [], parent);
    }

    private void Misplaced(ProfileRun run, Repetition repetition, string text) =>
        run.Error(IssueCode.Structure, repetition.At, text, repetition.Index < 0 ? element.Name : $"{element.Name}[{repetition.Index}]");
}
