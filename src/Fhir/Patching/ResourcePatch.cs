namespace PmrGateway.Fhir;

/// <summary>What language a patch is written in. https://hl7.org/fhir/R4/http.html#patch</summary>
public enum PatchFormat
{
    /// <summary>RFC 6902: <c>application/json-patch+json</c>.</summary>
    JsonPatch,

    /// <summary>A Parameters resource: <c>application/fhir+json</c>.</summary>
    FhirPathPatch,
}

/// <summary>What a patch came to.</summary>
/// <param name="Document">The patched resource; null where the patch cannot be applied.</param>
/// <param name="Issues">Why not; empty where it was applied.</param>
public sealed record PatchResult(ResourceDocument? Document, IReadOnlyList<ValidationIssue> Issues)
{
    /// <summary>Whether the patch cannot even be read: it is not JSON as a resource's is.</summary>
    public bool IsMalformed { get; init; }
}

/// <summary>
/// Patches a resource: the operations of a patch in their order, all or none. What comes out is parsed and not validated.
/// </summary>
public static class ResourcePatch
{
    /// <summary>Most operations of one patch.</summary>
    public const int MaxOperations = 1000;
    /// <summary>The patched resource, as new bytes.</summary>
    /// <param name="document">The resource; it stays as it is.</param>
    /// <param name="format">What the patch is written in.</param>
    /// <param name="patch">The patch, JSON, UTF-8.</param>
    /// <param name="limits">How large and deep the patch and what comes out may be; null: the default.</param>
    /// <param name="budget">What it takes from; null: one of its own.</param>
    /// <param name="cancellation">Stops it.</param>
    public static PatchResult Apply(
        ResourceDocument document,
        PatchFormat format,
        ReadOnlyMemory<byte> patch,
        ResourceLimits? limits = null,
        PatchBudget? budget = null,
        CancellationToken cancellation = default)
    {
        limits ??= ResourceLimits.Default;
        budget ??= new PatchBudget();
        var bytes = format == PatchFormat.JsonPatch
            ? JsonPatch.Apply(document.Bytes, patch, limits, budget, out var issue, cancellation)
            : FhirPath(document, patch, limits, budget, out issue, cancellation);
        if (bytes is null) return new PatchResult(null, [issue!]) { IsMalformed = issue!.Severity == IssueSeverity.Fatal };
        if (!ResourceDocument.TryParse(bytes, out var patched, out issue, limits)) return new PatchResult(null, [issue!]);
        // A patch changes a resource; it does not make another one of it.
        if (patched!.ResourceType != document.ResourceType) return Refuse("resourceType", "a patch does not change the type of a resource");
        if (patched.Id != document.Id) return Refuse("id", "a patch does not change the id of a resource");
        return new PatchResult(patched, []);
    }

    private static byte[]? FhirPath(
        ResourceDocument document,
        ReadOnlyMemory<byte> patch,
        ResourceLimits limits,
        PatchBudget budget,
        out ValidationIssue? issue,
        CancellationToken cancellation)
    {
        if (!ResourceDocument.TryParse(patch, out var parameters, out issue, limits)) return null;
        if (parameters!.ResourceType == "Parameters")
            return new FhirPathPatch(document, limits, budget, cancellation).Apply(parameters, out issue);
        issue = new ValidationIssue(IssueSeverity.Error, IssueCode.Structure, "", "a FHIRPath Patch is a Parameters resource");
        return null;
    }

    private static PatchResult Refuse(string element, string text) =>
        new(null, [new ValidationIssue(IssueSeverity.Error, IssueCode.Value, element, text)]);
}

/// <summary>Why a patch cannot be applied.</summary>
internal sealed class PatchException(string message, IssueCode code = IssueCode.Value) : Exception(message)
{
    /// <summary>What kind of fault it is.</summary>
    public IssueCode Code => code;

    /// <summary>What comes out is nested deeper than a resource may be.</summary>
    public static PatchException TooDeep() => new("what comes out is nested too deep");

    /// <summary>What comes out is larger than a resource may be.</summary>
    /// <param name="limit">The limit, bytes.</param>
    public static PatchException TooLong(long limit) => new($"what comes out is larger than {limit} bytes", IssueCode.TooLong);
}
