namespace PmrGateway.Fhir;

/// <summary>
/// What enableWhen of a Questionnaire may ask: a question that there is, and none that it hides itself.
/// https://hl7.org/fhir/R4/questionnaire.html#enableWhen
/// </summary>
internal sealed class QuestionnaireRules(ValidationRun run, ElementNode questionnaire)
{
    private readonly Dictionary<string, ElementNode> _questions = new(StringComparer.Ordinal);

    public void Check()
    {
        Collect(questionnaire);
        Items(questionnaire, "");
    }

    private void Collect(ElementNode holder)
    {
        foreach (var item in holder.ItemsAt("item"))
        {
            if (item.StringAt("linkId") is { } id) _questions.TryAdd(id, item);
            Collect(item);
        }
    }

    private void Items(ElementNode holder, string path)
    {
        foreach (var (i, item) in Indexed(holder, "item"))
        {
            var at = $"{path}item[{i}]";
            foreach (var (j, condition) in Indexed(item, "enableWhen"))
            {
                if (condition.StringAt("question") is not { } id) continue;
                if (!_questions.TryGetValue(id, out var question))
                    run.Sink.Error(
                        IssueCode.NotFound,
                        condition,
                        $"there is no question {IssueSink.Shown(id)} to be asked",
                        $"{at}.enableWhen[{j}].question");
                // What is inside an item lies between its first and its last byte.
                else if (question.Index == item.Index || (question.Index > item.Index && question.Start < item.End))
                    run.Sink.Error(
                        IssueCode.Structure,
                        condition,
                        "an item is not enabled by its own answer or by one inside it",
                        $"{at}.enableWhen[{j}].question");
            }
            Items(item, at + ".");
        }
    }

    private static IEnumerable<(int Index, ElementNode Node)> Indexed(ElementNode holder, string name)
    {
        var i = 0;
        foreach (var node in holder.ItemsAt(name)) yield return (i++, node);
    }
}
