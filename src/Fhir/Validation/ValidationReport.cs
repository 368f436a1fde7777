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

    /// <summary>
    /// What an extension is that neither the core nor a loaded package defines. A modifier that is not known is always an error. Default:
    /// nothing.
    /// </summary>
    public UnknownExtensions UnknownExtensions { get; init; }

    /// <summary>
    /// Whether a text that holds an HTML tag is an error: for servers whose clients show texts as they come. Default false.
    /// </summary>
    public bool RefusesTagsInTexts { get; init; }

    /// <summary>
    /// Whether a display that is not one of its code system's is an error. Default false, a warning: senders write the code there, or their
    /// own words.
    /// </summary>
    public bool RefusesWrongDisplays { get; init; }

    /// <summary>
    /// Hears what an operator may want to know of how it was validated, e.g. that a profile's rule needs Firely; each thing once. For a
    /// log. Null: nobody.
    /// </summary>
    public Action<string>? Note { get; init; }

    /// <summary>The default.</summary>
    public static ValidationOptions Default { get; } = new();
}

/// <summary>What to make of an extension that nobody here knows. https://hl7.org/fhir/R4/extensibility.html</summary>
public enum UnknownExtensions
{
    /// <summary>It is let through: anybody may define extensions.</summary>
    Allow,

    /// <summary>A warning.</summary>
    Warn,

    /// <summary>An error, as for a closed exchange.</summary>
    Refuse,
}
