namespace PmrGateway.Fhir;

/// <summary>How bad an issue is, as OperationOutcome says it.</summary>
public enum IssueSeverity
{
    /// <summary>Nothing further could be checked.</summary>
    Fatal,

    /// <summary>The document is not valid.</summary>
    Error,

    /// <summary>Valid, but worth a look.</summary>
    Warning,
}

/// <summary>What kind of issue it is: the IssueType codes of OperationOutcome that validation uses.</summary>
public enum IssueCode
{
    /// <summary>structure: not the shape that the definition says.</summary>
    Structure,

    /// <summary>required: something is missing.</summary>
    Required,

    /// <summary>value: a value is malformed.</summary>
    Value,

    /// <summary>code-invalid: a code is not in its value set.</summary>
    CodeInvalid,

    /// <summary>invariant: a rule over several elements is broken.</summary>
    Invariant,

    /// <summary>not-found: what is named is not there.</summary>
    NotFound,

    /// <summary>not-supported: the gateway has no rule for what is asked.</summary>
    NotSupported,

    /// <summary>too-long: it is larger than it may be.</summary>
    TooLong,

    /// <summary>too-costly: it takes more than what is spent on one request.</summary>
    TooCostly,
}

/// <summary>One finding.</summary>
/// <param name="Severity">How bad.</param>
/// <param name="Code">What kind.</param>
/// <param name="Expression">FHIRPath of the element, e.g. <c>Patient.name[0].given[1]</c>; "" for the document.</param>
/// <param name="Text">What is wrong, for a person. Holds names and lengths, never values of the patient's.</param>
/// <remarks>Here ends what a sender can make an answer echo: both texts are cut, and hold no control characters.</remarks>
public sealed record ValidationIssue(IssueSeverity Severity, IssueCode Code, string Expression, string Text)
{
    private const int MaxText = 2000;

    /// <summary>FHIRPath of the element.</summary>
    public string Expression { get; init; } = IssueSink.Shown(Expression, MaxText);

    /// <summary>What is wrong.</summary>
    public string Text { get; init; } = IssueSink.Shown(Text, MaxText);

    /// <summary>Line of the element in the document, from 1; 0: not known.</summary>
    public int Line { get; init; }

    /// <summary>Column of the element, in bytes from 1; 0: not known.</summary>
    public int Column { get; init; }

    /// <summary>The IssueType code.</summary>
    public string CodeText => Code switch
    {
        IssueCode.Structure => "structure",
        IssueCode.Required => "required",
        IssueCode.Value => "value",
        IssueCode.CodeInvalid => "code-invalid",
        IssueCode.NotSupported => "not-supported",
        IssueCode.NotFound => "not-found",
        IssueCode.TooLong => "too-long",
        IssueCode.TooCostly => "too-costly",
        _ => "invariant",
    };
}
