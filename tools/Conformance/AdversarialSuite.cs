using System.Diagnostics;
using PmrGateway.Fhir;

namespace PmrGateway.Tools.Conformance;

/// <summary>Hostile and edge-case files with the verdict that each must get, in under a second: expected.tsv.</summary>
internal static class AdversarialSuite
{
    private static readonly TimeSpan MaxTime = TimeSpan.FromSeconds(1);

    public static IEnumerable<SuiteResult> Run(SuiteData data)
    {
        if (data.Folder("adversarial") is not { } folder || !File.Exists(Path.Combine(folder, "expected.tsv"))) yield break;
        var validator = new Validator(FhirSchema.R4);
        var (passed, total, either, failures) = (0, 0, 0, new List<string>());
        var warm = false;
        foreach (var line in File.ReadLines(Path.Combine(folder, "expected.tsv")).Skip(1))
        {
            if (line.Length == 0) continue;
            total++;
            var columns = line.Split('\t');
            if (columns.Length < 2 || Path.Combine(folder, columns[0]) is var path && !File.Exists(path))
            {
                failures.Add($"{columns[0]}: {(columns.Length < 2 ? "no verdict is given" : "the file is not here")}");
                continue;
            }
            var (file, expect) = (columns[0], columns[1]);
            var bytes = File.ReadAllBytes(path);
            if (!warm) Validate(validator, "{\"resourceType\":\"Patient\"}"u8.ToArray());
            warm = true;
            var start = Stopwatch.GetTimestamp();
            var (valid, text) = Validate(validator, bytes);
            var took = Stopwatch.GetElapsedTime(start);
            // A shared core, or the JIT at the first large file: what is slow is slow again.
            if (took >= MaxTime)
            {
                start = Stopwatch.GetTimestamp();
                Validate(validator, bytes);
                took = Stopwatch.GetElapsedTime(start);
            }
            var ok = expect switch { "ACCEPT" => valid, "REJECT" => !valid, _ => true } && took < MaxTime;
            if (expect is not ("ACCEPT" or "REJECT")) either++;
            if (ok) passed++;
            else failures.Add($"{file}: {expect}, was {(valid ? "accepted" : "rejected")} in {took.TotalMilliseconds:F0} ms; "
                    + $"{columns.ElementAtOrDefault(4)}; {text}");
        }
        yield return new SuiteResult("adversarial", passed, total, 1, $"{either} of them may get either verdict", failures);
    }

    public static (bool Valid, string Text) Validate(Validator validator, byte[] bytes)
    {
        if (!ResourceDocument.TryParse(bytes, out var document, out var issue)) return (false, issue!.Text);
        var report = validator.Validate(document!);
        return (report.IsValid, string.Join("; ", report.Errors.Take(3).Select(e => $"{e.Expression}: {e.Text}")));
    }
}
