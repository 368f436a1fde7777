using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Attacks;

/// <summary>Which attack a method plays.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PlaysAttribute(string id) : Attribute
{
    public string Id => id;
}

/// <summary>An attack on something that this gateway does not have yet.</summary>
internal sealed class NotApplicableException(string reason) : Exception(reason);

/// <summary>One attack being played: what it is played on, and what came out otherwise than expected.</summary>
internal sealed class Attempt(Stage stage)
{
    public Stage Stage => stage;

    /// <summary>What was sent, what was expected and what came, of each check that failed.</summary>
    public List<string> Failures { get; } = [];

    /// <summary>How much was checked: an attack that checks nothing has not been played.</summary>
    public int Checks { get; private set; }

    /// <summary>Takes over what came out on a stage of its own.</summary>
    public void Take(Attempt other)
    {
        Failures.AddRange(other.Failures);
        Checks += other.Checks;
    }

    /// <summary>Holds what came against what is expected.</summary>
    /// <param name="holds">Whether it is as expected.</param>
    /// <param name="sent">What was sent, in words.</param>
    /// <param name="expected">What was expected, in words.</param>
    /// <param name="came">What came.</param>
    public void Check(bool holds, string sent, string expected, string came)
    {
        Checks++;
        if (!holds) Failures.Add($"{sent}, expected {expected}, came {came}");
    }

    /// <summary>Holds an answer against what is expected.</summary>
    public void Check(bool holds, string sent, string expected, Answer came) => Check(holds, sent, expected, Shown(came));

    /// <summary>Holds the status of an answer against those that are expected.</summary>
    public void Status(Answer came, string sent, params ReadOnlySpan<int> expected) =>
        Check(expected.Contains(came.Status), sent, string.Join("/", expected.ToArray()), came);

    /// <summary>A refusal of the FHIR API: one of the statuses, and an OperationOutcome.</summary>
    public void Refused(Answer came, string sent, params ReadOnlySpan<int> expected) => Check(
        expected.Contains(came.Status) && came.Text.Contains("\"OperationOutcome\"", StringComparison.Ordinal),
        sent, string.Join("/", expected.ToArray()) + " with an OperationOutcome", came);

    /// <summary>A refusal of the token endpoint with an error of OAuth.</summary>
    public void OAuthError(Answer came, string sent, params string[] errors) => Check(
        came.Status is 400 or 401 && errors.Any(e => came.Text.Contains($"\"{e}\"", StringComparison.Ordinal)),
        sent, $"400/401 {string.Join(" or ", errors)}", came);

    private static string Shown(Answer answer)
    {
        var text = answer.Text.ReplaceLineEndings(" ");
        return $"{answer.Status} {(text.Length > 200 ? text[..200] + "..." : text)}";
    }
}
