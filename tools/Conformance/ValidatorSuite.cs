using System.Text.Json;
using PmrGateway.Fhir;

namespace PmrGateway.Tools.Conformance;

/// <summary>Cases of the HL7 validator with the verdict that the reference validator recorded: agreement on valid or invalid.</summary>
internal static class ValidatorSuite
{
    public static IEnumerable<SuiteResult> Run(SuiteData data)
    {
        if (data.Folder("validator") is not { } folder || !File.Exists(Path.Combine(folder, "manifest-r4.json"))) yield break;
        using var manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "manifest-r4.json")));
        foreach (var (tier, threshold) in new[] { ("base", 0.88), ("profile", 0.75) })
        {
            if (!manifest.RootElement.TryGetProperty(tier, out var cases)) continue;
            var (passed, total, failures) = (0, 0, new List<string>());
            foreach (var test in cases.EnumerateArray())
            {
                // "kind" is the verdict without the profile; with it, the count of errors tells.
                var verdict = Verdict(test);
                var expected = test.TryGetProperty("profile", out _) && verdict.ValueKind == JsonValueKind.Object
                    ? verdict.GetProperty("e").GetInt32() > 0 ? "INVALID" : "VALID"
                    : test.GetProperty("kind").GetString();
                // Of some cases no verdict is recorded.
                if (expected == "nojava") continue;
                total++;
                if (Find(folder, test.GetProperty("file").GetString()!) is null)
                {
                    failures.Add($"{test.GetProperty("name").GetString()}: the file is not here");
                    continue;
                }
                var (valid, text) = Validate(folder, test);
                if ((expected == "VALID") == valid) passed++;
                else failures.Add($"{test.GetProperty("name").GetString()}: {expected}: {(valid ? Reference(test) : text)}");
            }
            yield return new SuiteResult(
                "validator-" + tier, passed, total, threshold, "agreement with the recorded verdict of the reference validator", failures);
        }
    }

    /// <summary>The cases that need no further resources, as JSON.</summary>
    public static IEnumerable<(string Name, byte[] Bytes)> Standalone(SuiteData data)
    {
        if (data.Folder("validator") is not { } folder || !File.Exists(Path.Combine(folder, "manifest-r4.json"))) yield break;
        using var manifest = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "manifest-r4.json")));
        foreach (var test in manifest.RootElement.EnumerateObject().Where(t => t.Name is "base" or "profile")
            .SelectMany(t => t.Value.EnumerateArray()))
        {
            if (test.TryGetProperty("supporting", out _) || test.TryGetProperty("profiles", out _) || test.TryGetProperty("profile", out _))
                continue;
            if (Find(folder, test.GetProperty("file").GetString()!) is { } path && Json(File.ReadAllBytes(path), out var issues) is { } json
                && issues.Count == 0)
                yield return (test.GetProperty("name").GetString()!, json);
        }
    }

    private static string Reference(JsonElement test)
    {
        var verdict = Verdict(test);
        List<JsonElement> said = verdict.ValueKind == JsonValueKind.Object && verdict.TryGetProperty("msgs", out var messages)
            ? [.. messages.EnumerateArray()]
            : [];
        return "we accept; the reference says: " + string.Join(" | ", said.Take(2).Select(m => m.GetString()!.ReplaceLineEndings(" ")));
    }

    private static JsonElement Verdict(JsonElement test)
    {
        var own = test.TryGetProperty("profile", out var profile) ? profile.GetProperty("java") : default;
        return own.ValueKind == JsonValueKind.Object ? own : test.GetProperty("java");
    }

    private static (bool Valid, string Text) Validate(string folder, JsonElement test)
    {
        var supporting = new List<ReadOnlyMemory<byte>>();
        void Load(string name, JsonElement of)
        {
            if (of.TryGetProperty(name, out var files) && files.ValueKind == JsonValueKind.Array)
                foreach (var file in files.EnumerateArray()) Add(file.GetString()!);
        }
        void Add(string file)
        {
            var path = Find(folder, file);
            if (path is not null && Json(File.ReadAllBytes(path), out _) is { } json) supporting.Add(json);
        }
        Load("supporting", test);
        Load("profiles", test);
        string? url = null;
        if (test.TryGetProperty("profile", out var profile))
        {
            Load("supporting", profile);
            if (profile.TryGetProperty("source", out var source) && source.ValueKind == JsonValueKind.String)
            {
                if (Find(folder, source.GetString()!) is { } path && Json(File.ReadAllBytes(path), out _) is { } json)
                {
                    supporting.Add(json);
                    using var parsed = JsonDocument.Parse(json);
                    url = parsed.RootElement.TryGetProperty("url", out var u) ? u.GetString() : null;
                }
                else if (source.GetString()!.Contains(':'))
                {
                    url = source.GetString();
                }
            }
        }
        var body = Json(File.ReadAllBytes(Find(folder, test.GetProperty("file").GetString()!)!), out var issues);
        if (issues.Count > 0 || body is null) return (false, string.Join("; ", issues.Select(i => i.Text)));
        if (!ResourceDocument.TryParse(body, out var document, out var issue)) return (false, issue!.Text);
        try
        {
            var validator = new Validator(FhirSchema.R4, ProfileSet.Core(FhirSchema.R4).With(supporting), new ValidationOptions
            {
                // As the reference ran them.
                UnknownExtensions = UnknownExtensions.Refuse,
                RefusesWrongDisplays = true,
                RefusesTagsInTexts = test.TryGetProperty("security-checks", out var checks) && checks.ValueKind == JsonValueKind.True,
            });
            var report = validator.Validate(document!, url);
            return (report.IsValid, string.Join("; ", report.Errors.Take(3).Select(e => $"{e.Expression}: {e.Text}")));
        }
        catch (InvalidProfileException e)
        {
            return (false, "profile: " + e.Message);
        }
    }

    private static string? Find(string folder, string file)
    {
        foreach (var path in new[] { Path.Combine(folder, "files", file), Path.Combine(folder, file) })
            if (File.Exists(path)) return path;
        var named = Directory.EnumerateFiles(folder, Path.GetFileName(file), SearchOption.AllDirectories);
        return named.FirstOrDefault(f => f.EndsWith(file, StringComparison.Ordinal));
    }

    private static byte[]? Json(byte[] bytes, out IReadOnlyList<ValidationIssue> issues)
    {
        issues = [];
        return FhirXml.IsXml(bytes) ? FhirXml.ToJson(bytes, out issues) : bytes;
    }
}
