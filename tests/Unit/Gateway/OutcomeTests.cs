using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Tests.Unit.Gateway;

/// <summary>The one table from a category to a status code and an issue code.</summary>
public class OutcomeTests
{
    public static TheoryData<string, int, string> Table => new()
    {
        { "Malformed", 400, "structure" },
        { "Invalid", 422, "value" },
        { "Unauthenticated", 401, "login" },
        { "Forbidden", 403, "forbidden" },
        { "NotFound", 404, "not-found" },
        { "Gone", 410, "deleted" },
        { "Conflict", 409, "conflict" },
        { "PreconditionFailed", 412, "conflict" },
        { "TooLarge", 413, "too-long" },
        { "UnsupportedMediaType", 415, "not-supported" },
        { "NotAcceptable", 406, "not-supported" },
        { "NotSupported", 405, "not-supported" },
        { "TooSlow", 408, "timeout" },
        { "RangeNotSatisfiable", 416, "value" },
        { "TooMany", 429, "throttled" },
        { "Unavailable", 503, "transient" },
        { "Fault", 500, "exception" },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void A_category_has_its_status_and_its_issue_code(string category, int status, string code)
    {
        var issue = new ValidationIssue(IssueSeverity.Error, IssueCode.Value, "Patient.name", "why");
        var outcome = new Outcome(Enum.Parse<OutcomeCategory>(category), [issue]);
        Assert.Equal(status, outcome.Status);
        var answer = FhirResponse.From(outcome);
        Assert.Equal((status, outcome), (answer.Status, answer.Failure));
        var json = JsonDocument.Parse(answer.Body).RootElement.GetProperty("issue")[0];
        Assert.Equal(
            ("error", code, "why", "Patient.name"),
            (Text(json, "severity"), Text(json, "code"), Text(json, "diagnostics"), json.GetProperty("expression")[0].GetString()));

        static string? Text(JsonElement element, string name) => element.GetProperty(name).GetString();
    }

    [Fact]
    public void Every_category_is_in_the_table() =>
        Assert.Equal(Enum.GetNames<OutcomeCategory>().Order(), Table.Select(row => (string)row[0]).Order());

    [Fact]
    public void An_outcome_is_a_valid_OperationOutcome()
    {
        Assert.True(ResourceDocument.TryParse(Outcome.NotFound.ToJson(), out var document, out _));
        Assert.Empty(new Validator(FhirSchema.R4).Validate(document!).Errors);
    }

    [Fact]
    public void A_failed_result_has_no_value()
    {
        Result<string> failed = Outcome.NotFound;
        Result<string> done = "x";
        Assert.Same(Outcome.NotFound, failed.Failure);
        Assert.Throws<InvalidOperationException>(() => failed.Value);
        Assert.Equal((null, "x"), (done.Failure, done.Value));
    }
}
