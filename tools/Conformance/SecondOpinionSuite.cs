using System.Text.RegularExpressions;
using Hl7.Fhir.Specification.Source;
using PmrGateway.Fhir;

namespace PmrGateway.Tools.Conformance;

/// <summary>
/// The verdicts of the native engine beside those of Firely's validator: on the examples, and on the cases of the HL7 validator that need
/// nothing but the core. Disagreements are counted by what the one that refuses says first.
/// </summary>
internal static partial class SecondOpinionSuite
{
    public static IEnumerable<SuiteResult> Run(SuiteData data)
    {
        // One instance for all: what it compiles is most of its work.
        var second = new SecondValidator(ProfileSet.Core(FhirSchema.R4), ZipSource.CreateValidationSource);
        var native = new Validator(FhirSchema.R4);
        yield return Compare("second-opinion-examples", data.Files("examples"), native, second, 0.75);
        if (data.Has("validator")) yield return Compare("second-opinion-validator", ValidatorSuite.Standalone(data), native, second, 0.6);
    }

    private static SuiteResult Compare(
        string name, IEnumerable<(string Name, byte[] Bytes)> files, Validator native, SecondValidator second, double threshold)
    {
        var (agreed, total) = (0, 0);
        var disagreements = new Dictionary<string, (int Count, string First)>(StringComparer.Ordinal);
        foreach (var (file, bytes) in files)
        {
            if (!ResourceDocument.TryParse(bytes, out var document, out _) || document!.Root.Type is null) continue;
            total++;
            var (ours, theirs) = (native.Validate(document), second.Validate(document));
            if (ours.IsValid == theirs.IsValid)
            {
                agreed++;
                continue;
            }
            var refusal = ours.IsValid ? $"Firely alone: {Kind(theirs)}" : $"ours alone: {Kind(ours)}";
            disagreements[refusal] = disagreements.TryGetValue(refusal, out var known) ? (known.Count + 1, known.First) : (1, file);
        }
        var lines =
            disagreements.OrderByDescending(d => d.Value.Count).Select(d => $"{d.Key}: {d.Value.Count} times, first in {d.Value.First}");
        return new SuiteResult(name, agreed, total, threshold, "verdicts of the native engine that are Firely's", [.. lines]);
    }

    // What was said, without what it was said of.
    private static string Kind(ValidationReport report) => Particular().Replace(report.Errors[0].Text.ReplaceLineEndings(" "), "_");

    [GeneratedRegex("""'[^']*'|"[^"]*"|https?://[^\s,;)]+|\d+""")]
    private static partial Regex Particular();
}
