using Hl7.Fhir.Model;
using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Flows;

/// <summary>What became of a request, apart from success. One table maps it to a status code: nobody else picks one.</summary>
public enum OutcomeCategory
{
    /// <summary>The request cannot be read.</summary>
    Malformed,

    /// <summary>The resource breaks a rule.</summary>
    Invalid,

    /// <summary>There is no token, or none that counts.</summary>
    Unauthenticated,

    /// <summary>The requester may not do this at all, whatever the data.</summary>
    Forbidden,

    /// <summary>There is nothing for this requester: unknown and denied are the same.</summary>
    NotFound,

    /// <summary>Deleted.</summary>
    Gone,

    /// <summary>Somebody else changed it.</summary>
    Conflict,

    /// <summary>If-Match does not match, or a condition matches several.</summary>
    PreconditionFailed,

    /// <summary>The body is too large.</summary>
    TooLarge,

    /// <summary>The body did not come in time.</summary>
    TooSlow,

    /// <summary>No byte of the body is in the range asked for.</summary>
    RangeNotSatisfiable,

    /// <summary>The body's media type is not taken.</summary>
    UnsupportedMediaType,

    /// <summary>The media type asked for is not made.</summary>
    NotAcceptable,

    /// <summary>The interaction is not offered.</summary>
    NotSupported,

    /// <summary>Too much of what is refused: nothing more is looked at for a while.</summary>
    TooMany,

    /// <summary>The gateway cannot say now: a store or the chain is out of reach.</summary>
    Unavailable,

    /// <summary>Stored bytes are not what was stored, or a bug.</summary>
    Fault,
}

/// <summary>Why a request was not done, as a value.</summary>
/// <param name="Category">What kind.</param>
/// <param name="Issues">What, for the sender.</param>
public sealed record Outcome(OutcomeCategory Category, IReadOnlyList<ValidationIssue> Issues)
{
    /// <summary>The same answer for a record that does not exist and for one that the requester may not see.</summary>
    public static Outcome NotFound { get; } = Of(OutcomeCategory.NotFound, "no such resource");

    /// <summary>An outcome with one text.</summary>
    public static Outcome Of(OutcomeCategory category, string text, string expression = "") =>
        new(category, [new ValidationIssue(IssueSeverity.Error, IssueCode.Structure, expression, text)]);

    /// <summary>When to ask again; null: it is not told.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>
    /// Ids of patients whom it conceals: to them it is a refusal, though to the requester it is a mistake. None: it would conceal one if
    /// there were one, and takes as long. Null: it conceals nobody.
    /// </summary>
    public IReadOnlyList<string>? Concealed { get; init; }

    /// <summary>The HTTP status.</summary>
    public int Status => Table(Category).Status;

    /// <summary>The OperationOutcome, JSON.</summary>
    public byte[] ToJson()
    {
        var outcome = new OperationOutcome();
        foreach (var issue in Issues)
        {
            outcome.Issue.Add(new OperationOutcome.IssueComponent
            {
                Severity = issue.Severity == IssueSeverity.Fatal
                    ? OperationOutcome.IssueSeverity.Fatal
                    : OperationOutcome.IssueSeverity.Error,
                // The kinds of validation are finer than the table's, and only a refused body has them.
                Code = Category is OutcomeCategory.Invalid
                    ? Hl7.Fhir.Utility.EnumUtility.ParseLiteral<OperationOutcome.IssueType>(issue.CodeText)
                    : Table(Category).Code,
                Diagnostics = issue.Text,
                Expression = issue.Expression.Length > 0 ? [issue.Expression] : [],
            });
        }
        return FhirTyped.ToJson(outcome);
    }

    /// <summary>The OperationOutcome of an answer that passed parameters over, JSON.</summary>
    /// <param name="parameters">Their names.</param>
    public static byte[] Ignored(IEnumerable<string> parameters) => FhirTyped.ToJson(new OperationOutcome
    {
        Issue =
        [
            .. parameters.Distinct().Select(p => new OperationOutcome.IssueComponent
            {
                Severity = OperationOutcome.IssueSeverity.Warning,
                Code = OperationOutcome.IssueType.NotSupported,
                Diagnostics = $"the search parameter '{(p.Length > 40 ? p[..40] : p)}' is not known here and was passed over",
            }),
        ],
    });

    private static (int Status, OperationOutcome.IssueType Code) Table(OutcomeCategory category) => category switch
    {
        OutcomeCategory.Malformed => (400, OperationOutcome.IssueType.Structure),
        OutcomeCategory.Invalid => (422, OperationOutcome.IssueType.Invalid),
        OutcomeCategory.Unauthenticated => (401, OperationOutcome.IssueType.Login),
        OutcomeCategory.Forbidden => (403, OperationOutcome.IssueType.Forbidden),
        OutcomeCategory.NotFound => (404, OperationOutcome.IssueType.NotFound),
        OutcomeCategory.Gone => (410, OperationOutcome.IssueType.Deleted),
        OutcomeCategory.Conflict => (409, OperationOutcome.IssueType.Conflict),
        OutcomeCategory.PreconditionFailed => (412, OperationOutcome.IssueType.Conflict),
        OutcomeCategory.TooLarge => (413, OperationOutcome.IssueType.TooLong),
        OutcomeCategory.TooSlow => (408, OperationOutcome.IssueType.Timeout),
        OutcomeCategory.RangeNotSatisfiable => (416, OperationOutcome.IssueType.Value),
        OutcomeCategory.UnsupportedMediaType => (415, OperationOutcome.IssueType.NotSupported),
        OutcomeCategory.NotAcceptable => (406, OperationOutcome.IssueType.NotSupported),
        OutcomeCategory.NotSupported => (405, OperationOutcome.IssueType.NotSupported),
        OutcomeCategory.TooMany => (429, OperationOutcome.IssueType.Throttled),
        OutcomeCategory.Unavailable => (503, OperationOutcome.IssueType.Transient),
        _ => (500, OperationOutcome.IssueType.Exception),
    };
}
