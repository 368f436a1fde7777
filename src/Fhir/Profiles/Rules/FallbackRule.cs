namespace PmrGateway.Fhir;

/// <summary>
/// A rule in FHIRPath with a function that the native engine does not have: Firely's evaluates it, on the typed model, and the log says so
/// once.
/// </summary>
internal sealed class FallbackRule(Invariant invariant, string profile, string why) : ElementRule
{
    private int _said;

    public override void Check(ProfileRun run, in Item item, ElementNode at)
    {
        if (Interlocked.Exchange(ref _said, 1) == 0)
            run.Validation.Options.Note?.Invoke($"{profile}: the rule {invariant.Key} is evaluated by Firely: {why}");
        run.Validation.Report(invariant, Holds(run.Validation), at);
    }

    private bool? Holds(ValidationRun run)
    {
        try
        {
            // The place as FHIRPath from the resource; a name may be a keyword of the language.
            var place = string.Join('.', run.Sink.Path.Split('.').Select((step, i) => i == 0 ? step : Quoted(step)));
            return FirelyFhirPath.Evaluate(run.Document, $"{place}.all({invariant.Expression})") is not [{ Text: "false" }];
        }
        catch (FhirPathException)
        {
            return null;
        }
    }

    private static string Quoted(string step)
    {
        var end = step.IndexOf('[');
        return end < 0 ? $"`{step}`" : $"`{step[..end]}`{step[end..]}";
    }
}
