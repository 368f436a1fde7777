using System.Text.Json;
using Hl7.Fhir.Model;
using Hl7.Fhir.Serialization;
using Hl7.Fhir.Specification.Source;
using Hl7.Fhir.Specification.Terminology;
using Hl7.Fhir.Utility;

namespace PmrGateway.Fhir;

/// <summary>
/// Firely's validator over the typed model: a second opinion on a resource, for profiles of others. Slow to start and slow beside
/// <see cref="Validator"/>, so nothing on the write path asks it. Thread-safe: Firely's instance is not, one call at a time enters it.
/// </summary>
public sealed class SecondValidator
{
    private static readonly JsonSerializerOptions Strict =
        new JsonSerializerOptions { MaxDepth = FhirTyped.MaxJsonDepth }.ForFhir(ModelInfo.ModelInspector)
            .UsingMode(DeserializationMode.Strict);

    private readonly Lazy<Firely.Fhir.Validation.Validator> _validator;
    private readonly Lock _lock = new();

    /// <summary>A validator that reads nothing before it is first asked.</summary>
    /// <param name="profiles">Profiles, extensions, value sets and code systems beyond the core.</param>
    /// <param name="core">Makes what resolves the definitions of the core, e.g. <c>ZipSource.CreateValidationSource</c>.</param>
    public SecondValidator(ProfileSet profiles, Func<IAsyncResourceResolver> core) => _validator = new(() =>
    {
        var all = new CachedResolver(new SnapshotSource(new Definitions(profiles, new CachedResolver(core()))));
        return new(all, LocalTerminologyService.CreateDefaultForCore(all));
    });

    /// <summary>The findings, in the terms of <see cref="Validator"/>.</summary>
    /// <param name="document">The resource.</param>
    /// <param name="profile">Canonical URL of a further profile to check; null: those that <c>meta.profile</c> claims alone.</param>
    public ValidationReport Validate(ResourceDocument document, string? profile = null)
    {
        var issues = new List<ValidationIssue>();
        if (Read(document, issues) is { } resource)
        {
            lock (_lock) issues.AddRange(Issues(resource, profile));
        }
        return new ValidationReport(issues, issues.Count(i => i.Severity != IssueSeverity.Warning));
    }

    // What the typed model cannot hold is said by its reader; what it holds is validated all the same.
    private static Resource? Read(ResourceDocument document, List<ValidationIssue> issues)
    {
        try
        {
            return JsonSerializer.Deserialize<Resource>(document.Bytes.Span, Strict);
        }
        catch (DeserializationFailedException e)
        {
            issues.AddRange(e.Exceptions
                .Select(x => new ValidationIssue(IssueSeverity.Error, IssueCode.Structure, "", IssueSink.Shown(x.Message, 1000))));
            return e.PartialResult as Resource;
        }
    }

    private IEnumerable<ValidationIssue> Issues(Resource resource, string? profile)
    {
        OperationOutcome outcome;
        try
        {
            outcome = _validator.Value.Validate(resource, profile);
        }
        catch (Exception e) when (e is not (OutOfMemoryException or IOException or UnauthorizedAccessException))
        {
            // Firely has no contract of what it throws at a malformed profile or resource.
            return [new ValidationIssue(IssueSeverity.Fatal, IssueCode.NotSupported, "", "Firely cannot validate it: " + e.Message)];
        }
        return [.. outcome.Issue.Where(i => i.Severity != OperationOutcome.IssueSeverity.Information).Select(Issue)];
    }

    private static ValidationIssue Issue(OperationOutcome.IssueComponent issue) => new(
        issue.Severity switch
        {
            OperationOutcome.IssueSeverity.Fatal => IssueSeverity.Fatal,
            OperationOutcome.IssueSeverity.Warning => IssueSeverity.Warning,
            _ => IssueSeverity.Error,
        },
        issue.Code switch
        {
            OperationOutcome.IssueType.Structure => IssueCode.Structure,
            OperationOutcome.IssueType.Required => IssueCode.Required,
            OperationOutcome.IssueType.Value => IssueCode.Value,
            OperationOutcome.IssueType.CodeInvalid => IssueCode.CodeInvalid,
            OperationOutcome.IssueType.NotFound => IssueCode.NotFound,
            OperationOutcome.IssueType.NotSupported or OperationOutcome.IssueType.Incomplete => IssueCode.NotSupported,
            _ => IssueCode.Invariant,
        },
        issue.Expression.FirstOrDefault() ?? "",
        issue.Details?.Text ?? issue.Diagnostics ?? issue.Code.GetLiteral() ?? "");

    /// <summary>Definitions by canonical URL: of the profiles at hand, else of the core.</summary>
    private sealed class Definitions(ProfileSet profiles, IAsyncResourceResolver core) : IAsyncResourceResolver
    {
        public Task<Resource?> ResolveByUriAsync(string uri) => ResolveByCanonicalUriAsync(uri);

        public async Task<Resource?> ResolveByCanonicalUriAsync(string uri)
        {
            var url = uri.Split('|')[0];
            return profiles.Resource(url) is { } own
                ? FhirTyped.Parse<Resource>(own)
                : (await core.TryResolveByCanonicalUriAsync(url)).Value;
        }
    }
}
