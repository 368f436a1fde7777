namespace PmrGateway.Fhir;

/// <summary>
/// A QuestionnaireResponse against its Questionnaire, where that is among the loaded resources or contained: which items stand where, how
/// often, in which order. Source: R4 questionnaireresponse.html, questionnaire.html.
/// </summary>
internal sealed class QuestionnaireResponseRules(ValidationRun run, ElementNode response)
{
    private readonly EnableWhen _conditions = new(response);
    private bool _isComplete;

    public void Check()
    {
        if (response.StringAt("questionnaire") is not { } canonical) return;
        if (Find(canonical) is not { } questionnaire)
        {
            run.Unknown("questionnaire", canonical, response);
            return;
        }
        // Of an answer in progress nothing is required yet.
        _isComplete = response.StringAt("status") is "completed" or "amended";
        Items(response, questionnaire, new AnswerRules(run, questionnaire), "");
    }

    private ElementNode? Find(string canonical)
    {
        if (canonical.StartsWith('#')) return ReferenceResolver.Find(run.Document, Item.OfNode(response), canonical);
        return run.Profiles.Questionnaire(canonical)?.Root;
    }

    private void Items(ElementNode holder, ElementNode definition, AnswerRules answers, string path)
    {
        var questions = new Dictionary<string, (ElementNode Question, int Order)>(StringComparer.Ordinal);
        foreach (var question in definition.ItemsAt("item"))
            if (question.StringAt("linkId") is { } linkId) questions.TryAdd(linkId, (question, questions.Count));
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        var (i, last) = (0, 0);
        foreach (var item in holder.ItemsAt("item"))
        {
            var at = $"{path}item[{i++}]";
            if (item.StringAt("linkId") is not { } linkId) continue;
            if (!questions.TryGetValue(linkId, out var found))
            {
                run.Sink.Error(IssueCode.Structure, item, $"the questionnaire has no item '{IssueSink.Shown(linkId)}' here", at);
                continue;
            }
            if (found.Order < last) run.Sink.Error(IssueCode.Structure, item, "the items stand in the order of the questionnaire", at);
            last = found.Order;
            Title(item, found.Question, at);
            // An item without an answer and without items below says nothing, and is not one that was answered.
            if (item["answer"] is null && item["item"] is null && found.Question.StringAt("type") != "display") continue;
            counts[linkId] = counts.GetValueOrDefault(linkId) + 1;
            if (!_conditions.IsEnabled(found.Question))
                run.Sink.Error(IssueCode.Structure, item, $"the item '{IssueSink.Shown(linkId)}' is not enabled and has an answer", at);
            CheckItem(item, found.Question, answers, at);
        }
        foreach (var (linkId, (question, _)) in questions) Count(holder, question, linkId, counts.GetValueOrDefault(linkId), path + "item");
    }

    private void Count(ElementNode holder, ElementNode question, string linkId, int count, string path)
    {
        var name = IssueSink.Shown(linkId);
        if (count > 1 && !question.IsTrue("repeats"))
            run.Sink.Error(IssueCode.Structure, holder, $"the item '{name}' does not repeat", path);
        if (count > 1 && question.StringAt("type") != "group")
            run.Sink.Error(IssueCode.Structure, holder, $"the answers of '{name}' stand in one item", path);
        if (count == 0 && _isComplete && question.IsTrue("required") && _conditions.IsEnabled(question))
            run.Sink.Error(IssueCode.Required, holder, $"the item '{name}' is required", path);
    }

    // What was asked is what the questionnaire asks, in one of the languages that it has.
    private void Title(ElementNode item, ElementNode question, string path)
    {
        if (item.StringAt("text") is not { } text || question.StringAt("text") == text) return;
        if (question["_text"] is { } sibling && Translations(sibling).Contains(text)) return;
        run.Sink.Error(IssueCode.Value, item, "the text of the item is not the one of the questionnaire", path + ".text");
    }

    private static IEnumerable<string?> Translations(ElementNode element)
    {
        foreach (var extension in element.ItemsAt("extension"))
        {
            if (extension.StringAt("url") is not (SchemaCompiler.CoreTypes + "translation")) continue;
            foreach (var part in extension.ItemsAt("extension"))
                if (part.StringAt("url") == "content") yield return part.Choice()?.Text;
        }
    }

    private void CheckItem(ElementNode item, ElementNode question, AnswerRules rules, string path)
    {
        var type = question.StringAt("type");
        var answers = item.ItemsAt("answer").ToList();
        if (type is "group" or "display")
        {
            if (answers.Count > 0) run.Sink.Error(IssueCode.Structure, item, $"an item of type {type} has no answers", path);
            Items(item, question, rules, path + ".");
            return;
        }
        if (item["item"] is not null) run.Sink.Error(IssueCode.Structure, item, "the items below a question stand in its answer", path);
        if (answers.Count == 0 && _isComplete && question.IsTrue("required"))
            run.Sink.Error(IssueCode.Required, item, "a required item has an answer", path);
        if (answers.Count > 1 && !question.IsTrue("repeats"))
            run.Sink.Error(IssueCode.Structure, item, "an item that does not repeat has one answer", path);
        if (question.CoreExtension("questionnaire-maxOccurs")?.Whole() is { } most && answers.Count > most)
            run.Sink.Error(IssueCode.Structure, item, $"at most {most} answers are allowed", path);
        if (_isComplete && question.CoreExtension("questionnaire-minOccurs")?.Whole() is { } least && answers.Count < least)
            run.Sink.Error(IssueCode.Required, item, $"at least {least} answers are required", path);
        var (i, isExclusive) = (0, false);
        foreach (var answer in answers)
        {
            var at = $"{path}.answer[{i++}]";
            if (answer.Choice() is { } value) isExclusive |= rules.Check(value, question, at);
            Items(answer, question, rules, at + ".");
        }
        if (isExclusive && answers.Count > 1) run.Sink.Error(IssueCode.Value, item, "an exclusive option is chosen beside another", path);
    }
}
