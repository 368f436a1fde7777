using System.CommandLine;
using System.Text.Json;
using Hl7.Fhir.Specification.Source;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Hosting;

namespace PmrGateway.Gateway.Cli;

/// <summary><c>pmr validate</c>: validates files, one JSON line each.</summary>
internal static class ValidateCommand
{
    public static Command Create()
    {
        var profile = new Option<string?>("--profile") { Description = "Canonical URL of a profile to check as well" };
        var packages = new Option<string[]>("--package")
        {
            Description = "A FHIR package (.tgz or folder) or a single definition; may be repeated",
            DefaultValueFactory = _ => []
        };
        var format = new Option<string>("--format") { Description = "json, xml or auto", DefaultValueFactory = _ => "auto" };
        format.AcceptOnlyFromAmong("json", "xml", "auto");
        var engine = new Option<string>("--engine")
        {
            Description = "native, or firely: a second opinion, slower, with its own reading of profiles",
            DefaultValueFactory = _ => "native",
        };
        engine.AcceptOnlyFromAmong("native", "firely");
        var files = new Argument<string[]>("files") { Description = "FHIR resources", Arity = ArgumentArity.OneOrMore };
        var command = new Command("validate", "Validate FHIR resources; exit 0 when all files could be read, whatever the verdicts")
        {
            profile, packages, format, engine, files,
        };
        files.Validators.Add(FhirInput.NoOptions);
        command.SetAction(parsed => Run(
            parsed.GetValue(files)!,
            parsed.GetValue(profile),
            parsed.GetValue(packages)!,
            parsed.GetValue(format)!,
            parsed.GetValue(engine)!));
        return command;
    }

    private static int Run(string[] files, string? profile, string[] packages, string format, string engine)
    {
        Func<ResourceDocument, ValidationReport> validate;
        try
        {
            var profiles = FhirPackages.Load(packages);
            if (profile is not null && profiles.Explain(profile) is { } problem) return CommandError.Say(problem);
            validate = engine == "firely" ? Second(profiles, profile) : Native(profiles, profile);
        }
        catch (Exception e) when (e is InvalidProfileException or IOException or UnauthorizedAccessException)
        {
            return CommandError.Say(e.Message);
        }
        var code = 0;
        foreach (var file in files)
        {
            string line;
            try
            {
                line = Line(file, Check(validate, FhirInput.Read(file), format));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                code = CommandError.Say($"{file}: {e.Message}");
                continue;
            }
            Console.WriteLine(line);
        }
        return code;
    }

    private static Func<ResourceDocument, ValidationReport> Native(ProfileSet profiles, string? profile)
    {
        var validator = new Validator(FhirSchema.R4, profiles, new ValidationOptions { Note = note => CommandError.Say(note) });
        return document => validator.Validate(document, profile);
    }

    private static Func<ResourceDocument, ValidationReport> Second(ProfileSet profiles, string? profile)
    {
        var validator = new SecondValidator(profiles, ZipSource.CreateValidationSource);
        return document => validator.Validate(document, profile);
    }

    private static ValidationReport Check(Func<ResourceDocument, ValidationReport> validate, byte[] bytes, string format)
    {
        if (FhirInput.Parse(bytes, format, out var issues) is not { } document) return new ValidationReport(issues, issues.Count);
        var report = validate(document);
        return FhirInput.IsXml(bytes, format) ? report with { Issues = FhirXml.InXml(bytes, report.Issues) } : report;
    }

    private static string Line(string file, ValidationReport report) => JsonSerializer.Serialize(
        new
        {
            file,
            valid = report.IsValid,
            errors = report.ErrorCount,
            warnings = report.Issues.Count(i => i.Severity == IssueSeverity.Warning),
            issues = report.Issues.Select(i => new
            {
                severity = i.Severity.ToString().ToLowerInvariant(),
                code = i.CodeText,
                expression = i.Expression,
                line = i.Line,
                column = i.Column,
                text = i.Text,
            }),
        },
        FhirInput.PlainJson);
}
