using PmrGateway.Fhir;

namespace PmrGateway.Tools.Conformance;

/// <summary>Resources of others that are meant to be valid: what is flagged is listed; each must come back byte for byte.</summary>
internal static class ExamplesSuite
{
    public static IEnumerable<SuiteResult> Run(SuiteData data) => RunArchive(data, "examples", 0.97);

    public static IEnumerable<SuiteResult> RunArchive(SuiteData data, string suite) => RunArchive(data, suite, 0);

    // Nothing is converted: what would be written back is what came, without a byte order mark.
    private static bool ComesBack(byte[] bytes)
    {
        if (!ResourceDocument.TryParse(bytes, out var document, out _)) return true;
        return document!.Bytes.Span.SequenceEqual(bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes.AsSpan(3) : bytes);
    }

    private static IEnumerable<SuiteResult> RunArchive(SuiteData data, string suite, double threshold)
    {
        var validator = new Validator(FhirSchema.R4);
        var (passed, total, bytesRead, failures) = (0, 0, 0L, new List<string>());
        var folders = new Dictionary<string, (int Passed, int Total)>();
        foreach (var (name, bytes) in data.Files(suite))
        {
            if (!bytes.AsSpan().Contains((byte)'{') || bytes.AsSpan().IndexOf("resourceType"u8) < 0) continue;
            total++;
            bytesRead += bytes.Length;
            var (valid, text) = AdversarialSuite.Validate(validator, bytes);
            if (!ComesBack(bytes)) (valid, text) = (false, "it does not come back as it was");
            var folder = name.Contains('/') ? name[..name.LastIndexOf('/')] : ".";
            var (p, t) = folders.GetValueOrDefault(folder);
            folders[folder] = (p + (valid ? 1 : 0), t + 1);
            if (valid) passed++;
            else failures.Add($"{name}: {text}");
        }
        var parts = folders.OrderBy(f => f.Key, StringComparer.Ordinal).Select(f => $"{f.Key} {f.Value.Passed}/{f.Value.Total}");
        yield return new SuiteResult(
            suite,
            passed,
            total,
            threshold,
            $"{bytesRead / 1e6:F1} MB; what is listed is flagged invalid; by folder: {string.Join(", ", parts)}",
            failures);
    }
}
