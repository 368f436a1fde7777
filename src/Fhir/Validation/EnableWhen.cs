using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// Whether a question is to be asked, by the answers that were given. https://hl7.org/fhir/R4/questionnaire.html#enableWhen
/// </summary>
internal sealed class EnableWhen
{
    private readonly Dictionary<string, List<ElementNode>> _answers = new(StringComparer.Ordinal);

    /// <summary>Collects the answers of a response by linkId.</summary>
    public EnableWhen(ElementNode response) => Collect(response);

    public bool IsEnabled(ElementNode question)
    {
        var conditions = question.ItemsAt("enableWhen").ToList();
        if (conditions.Count == 0) return true;
        return question.StringAt("enableBehavior") == "any" ? conditions.Exists(IsMet) : conditions.TrueForAll(IsMet);
    }

    private bool IsMet(ElementNode condition)
    {
        var answers = _answers.GetValueOrDefault(condition.StringAt("question") ?? "") ?? [];
        if (condition.Choice("answer") is not { } wanted) return false;
        return condition.StringAt("operator") switch
        {
            "exists" => answers.Count > 0 == (wanted.Kind == JsonTokenType.True),
            "=" => answers.Exists(a => QuestionnaireReading.IsSameAnswer(wanted, a)),
            "!=" => answers.Exists(a => !QuestionnaireReading.IsSameAnswer(wanted, a)),
            var other => answers.Exists(a => IsOrdered(a, other, wanted)),
        };
    }

    private static bool IsOrdered(ElementNode answer, string? @operator, ElementNode wanted)
    {
        if (Item.OfNode(answer).Value is not { } x || Item.OfNode(wanted).Value is not { } y) return false;
        if (FhirPathValues.Order(x, y) is not { } order) return false;
        return @operator switch
        {
            ">" => order > 0,
            "<" => order < 0,
            ">=" => order >= 0,
            "<=" => order <= 0,
            _ => false,
        };
    }

    private void Collect(ElementNode holder)
    {
        foreach (var item in holder.ItemsAt("item"))
        {
            foreach (var answer in item.ItemsAt("answer"))
            {
                if (item.StringAt("linkId") is { } linkId && answer.Choice() is { } value)
                {
                    if (!_answers.TryGetValue(linkId, out var known)) _answers[linkId] = known = [];
                    known.Add(value);
                }
                Collect(answer);
            }
            Collect(item);
        }
    }
}
