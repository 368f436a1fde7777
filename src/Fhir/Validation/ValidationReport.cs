namespace PmrGateway.Fhir;

/// <summary>What a validation found.</summary>
/// <param name="Issues">The findings, in document order of each part.</param>
/// <param name="ErrorCount">How many of all findings were errors, also where the list was cut.</param>
public sealed record ValidationReport(IReadOnlyList<ValidationIssue> Issues, int ErrorCount)
{
    /// <summary>Whether nothing forbids the document; warnings may remain.</summary>
    public bool IsValid => ErrorCount == 0;

    /// <summary>The findings that forbid it.</summary>
    public IReadOnlyList<ValidationIssue> Errors => [.. Issues.Where(i => i.Severity != IssueSeverity.Warning)];
}

/// <summary>What a validation is to look at.</summary>
public sealed record ValidationOptions
{
    /// <summary>Most findings that are listed. Default 100.</summary>
    public int MaxIssues { get; init; } = 100;

    /// <summary>Whether an extension that no loaded package defines is worth a warning. A modifier that is not known is always an error. Default false.</summary>
    public bool WarnsOfUnknownExtensions { get; init; }

    /// <summary>The default.</summary>
    public static ValidationOptions Default { get; } = new();
}
