using System.CommandLine;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Hosting;

namespace PmrGateway.Gateway.Cli;

/// <summary><c>pmr validate</c>: validates files, one JSON line each.</summary>
internal static class ValidateCommand
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var profile = new Option<string?>("--profile") { Description = "Canonical URL of a profile to check as well" };
        var files = new Argument<string[]>("files") { Description = "FHIR resources in JSON", Arity = ArgumentArity.OneOrMore };
        var command = new Command("validate", "Validate FHIR resources") { profile, files };
        command.SetAction(parsed => Run(parsed.GetValue(files)!, parsed.GetValue(profile)));
        return command;
    }

    private static int Run(string[] files, string? profile)
    {
        var validator = new Validator(FhirSchema.R4, Profiles.Own);
        var failed = false;
        foreach (var file in files)
        {
            try
            {
                Console.WriteLine(Line(file, Check(validator, File.ReadAllBytes(file), profile)));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Console.Error.WriteLine($"pmr: {file}: {e.Message}");
                failed = true;
            }
        }
        return failed ? 1 : 0;
    }

    private static IReadOnlyList<ValidationIssue> Check(Validator validator, byte[] bytes, string? profile) =>
        ResourceDocument.TryParse(bytes, out var document, out var issue) ? validator.Validate(document!, profile).Issues : [issue!];

    private static string Line(string file, IReadOnlyList<ValidationIssue> issues)
    {
        var errors = issues.Count(i => i.Severity != IssueSeverity.Warning);
        return JsonSerializer.Serialize(
            new
            {
                file,
                valid = errors == 0,
                errors,
                warnings = issues.Count - errors,
                issues = issues.Select(i => new { severity = i.Severity.ToString().ToLowerInvariant(), code = i.CodeText, expression = i.Expression, text = i.Text }),
            },
            Plain);
    }
}
