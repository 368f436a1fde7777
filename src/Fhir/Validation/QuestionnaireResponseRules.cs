using System.Globalization;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// A QuestionnaireResponse against its Questionnaire, where that is among the loaded resources or contained. Source: R4
/// questionnaireresponse.html, questionnaire.html, and the core extensions for ranges, lengths and attachments.
/// </summary>
internal sealed class QuestionnaireResponseRules(ValidationRun run, ElementNode response)
{
    private const string Core = SchemaCompiler.CoreTypes;
    private bool _isComplete;

    public void Check()
    {
        if (response.StringAt("questionnaire") is not { } canonical || Find(canonical) is not { } questionnaire) return;
        // Of an answer in progress nothing is required yet.
        _isComplete = response.StringAt("status") is "completed" or "amended";
        Items(response, questionnaire, "");
    }

    private ElementNode? Find(string canonical)
    {
        if (canonical.StartsWith('#')) return ReferenceResolver.Find(run.Document, Item.OfNode(response), canonical);
        return run.Profiles.Questionnaire(canonical)?.Root;
    }

    private void Items(ElementNode holder, ElementNode definition, string path)
    {
        var questions = definition.ItemsAt("item").Where(q => q.StringAt("linkId") is not null).GroupBy(q => q.StringAt("linkId")!).ToDictionary(g => g.Key, g => g.First(), StringComparer.Ordinal);
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        var i = 0;
        foreach (var item in holder.ItemsAt("item"))
        {
            var at = $"{path}item[{i++}]";
            if (item.StringAt("linkId") is not { } linkId) continue;
            if (!questions.TryGetValue(linkId, out var question))
            {
                run.Sink.Error(IssueCode.Structure, item, $"the questionnaire has no item '{IssueSink.Shown(linkId)}' here", at);
                continue;
            }
            counts[linkId] = counts.GetValueOrDefault(linkId) + 1;
            if (!IsEnabled(question)) run.Sink.Error(IssueCode.Structure, item, $"the item '{linkId}' is not enabled and has an answer", at);
            CheckItem(item, question, at);
        }
        foreach (var (linkId, question) in questions)
        {
            var count = counts.GetValueOrDefault(linkId);
            if (count > 1 && question["repeats"]?.Kind != JsonTokenType.True) run.Sink.Error(IssueCode.Structure, holder, $"the item '{linkId}' does not repeat", path + "item");
            if (count > 1 && question.StringAt("type") != "group") run.Sink.Error(IssueCode.Structure, holder, $"the answers of '{linkId}' stand in one item", path + "item");
            if (count == 0 && _isComplete && question["required"]?.Kind == JsonTokenType.True && IsEnabled(question)) run.Sink.Error(IssueCode.Required, holder, $"the item '{linkId}' is required", path + "item");
        }
    }

    private void CheckItem(ElementNode item, ElementNode question, string path)
    {
        var type = question.StringAt("type");
        var answers = item.ItemsAt("answer").ToList();
        if (type is "group" or "display")
        {
            if (answers.Count > 0) run.Sink.Error(IssueCode.Structure, item, $"an item of type {type} has no answers", path);
            if (type == "group" && _isComplete && question["required"]?.Kind == JsonTokenType.True && item["item"] is null) run.Sink.Error(IssueCode.Required, item, "a required group has items", path);
            Items(item, question, path + ".");
            return;
        }
        if (item["item"] is not null) run.Sink.Error(IssueCode.Structure, item, "the items below a question stand in its answer", path);
        if (answers.Count == 0 && _isComplete && question["required"]?.Kind == JsonTokenType.True) run.Sink.Error(IssueCode.Required, item, "a required item has an answer", path);
        if (answers.Count > 1 && question["repeats"]?.Kind != JsonTokenType.True) run.Sink.Error(IssueCode.Structure, item, "an item that does not repeat has one answer", path);
        if (Extension(question, Core + "questionnaire-maxOccurs", "valueInteger") is { } most && int.Parse(most.Text, CultureInfo.InvariantCulture) < answers.Count) run.Sink.Error(IssueCode.Structure, item, $"at most {most.Text} answers are allowed", path);
        if (Extension(question, Core + "questionnaire-minOccurs", "valueInteger") is { } least && _isComplete && int.Parse(least.Text, CultureInfo.InvariantCulture) > answers.Count) run.Sink.Error(IssueCode.Required, item, $"at least {least.Text} answers are required", path);
        var i = 0;
        var exclusive = false;
        foreach (var answer in answers)
        {
            var at = $"{path}.answer[{i++}]";
            foreach (var child in answer)
                if (child.Property is { IsSibling: false, Element.Name: "value" }) Answer(child, question, type, at, ref exclusive);
            Items(answer, question, at + ".");
        }
        if (exclusive && answers.Count > 1) run.Sink.Error(IssueCode.Value, item, "an exclusive option is chosen beside another", path);
    }

    private void Answer(ElementNode value, ElementNode question, string? type, string path, ref bool exclusive)
    {
        var given = value.Type?.Name ?? "";
        var expected = type switch
        {
            "boolean" or "decimal" or "integer" or "date" or "dateTime" or "time" => new[] { type },
            "string" or "text" => ["string"],
            "url" => ["uri"],
            "choice" => ["Coding", "string", "date", "time", "integer", "Reference"],
            "open-choice" => ["Coding", "string"],
            "attachment" => ["Attachment"],
            "reference" => ["Reference"],
            "quantity" => ["Quantity"],
            _ => [given],
        };
        // Of a choice the options say which type it is.
        if (type is "choice" or "open-choice" && question["answerOption"] is null) expected = type == "choice" ? ["Coding"] : ["Coding", "string"];
        if (!expected.Contains(given))
        {
            run.Sink.Error(IssueCode.Structure, value, $"the answer to a question of type {type} is not a {given}", path);
            return;
        }
        Options(value, question, type, path, ref exclusive);
        Limits(value, question, given, path);
        if (given == "Attachment") Attachment(value, question, path);
        if (given == "Reference") Reference(value, question, path);
        if (given == "Quantity") Unit(value, question, path);
    }

    private void Options(ElementNode value, ElementNode question, string? type, string path, ref bool exclusive)
    {
        var options = question.ItemsAt("answerOption").ToList();
        var isOpen = type == "open-choice" && value.Type?.Name == "string";
        if (options.Count > 0 && !isOpen)
        {
            var chosen = options.Where(o => OptionValue(o) is { } v && IsSame(v, value)).Select(o => (ElementNode?)o).FirstOrDefault();
            if (chosen is null) run.Sink.Error(IssueCode.CodeInvalid, value, "the answer is none of the options", path);
            else exclusive |= Extension(chosen.Value, Core + "questionnaire-optionExclusive", "valueBoolean")?.Kind == JsonTokenType.True;
        }
        if (question.StringAt("answerValueSet") is not { } valueSet || value.Type?.Name != "Coding") return;
        var coding = (System: value.StringAt("system") ?? "", Code: value.StringAt("code"));
        if (valueSet.StartsWith('#') || coding.Code is null) return;
        if (run.Profiles.Terminology.Contains(valueSet.Split('|')[0], coding.System, coding.Code) == false) run.Sink.Error(IssueCode.CodeInvalid, value, $"the answer is not in the value set {valueSet}", path);
    }

    private static ElementNode? OptionValue(ElementNode option)
    {
        foreach (var child in option)
            if (child.Property is { IsSibling: false, Element.Name: "value" }) return child;
        return null;
    }

    private static bool IsSame(ElementNode option, ElementNode value)
    {
        if (option.Type?.Name != value.Type?.Name) return false;
        if (option.Type?.Name != "Coding") return option.Kind == JsonTokenType.StartObject || option.Text == value.Text;
        return option.StringAt("code") == value.StringAt("code") && (option.StringAt("system") is not { } system || system == value.StringAt("system"));
    }

    private void Limits(ElementNode value, ElementNode question, string given, string path)
    {
        if (given == "string")
        {
            var length = value.Text.EnumerateRunes().Count();
            if (question["maxLength"] is { } max && int.Parse(max.Text, CultureInfo.InvariantCulture) < length) run.Sink.Error(IssueCode.Value, value, $"at most {max.Text} characters are allowed", path);
            if (Extension(question, Core + "minLength", "valueInteger") is { } min && int.Parse(min.Text, CultureInfo.InvariantCulture) > length) run.Sink.Error(IssueCode.Value, value, $"at least {min.Text} characters are required", path);
            if (Extension(question, Core + "regex", "valueString") is { } pattern && run.Holds(new Invariant("regex", false, $"$this.matches({Quoted(pattern.Text)})"), Item.OfNode(value)) == false) run.Sink.Error(IssueCode.Value, value, "the answer is not of the form that is asked for", path);
        }
        if (given == "decimal" && Extension(question, Core + "maxDecimalPlaces", "valueInteger") is { } places && value.Text.IndexOf('.') is var dot and >= 0 && value.Text.Length - dot - 1 > int.Parse(places.Text, CultureInfo.InvariantCulture))
            run.Sink.Error(IssueCode.Value, value, $"at most {places.Text} decimal places are allowed", path);
        Bound(value, question, path, "minValue", isMin: true);
        Bound(value, question, path, "maxValue", isMin: false);
    }

    private void Bound(ElementNode value, ElementNode question, string path, string name, bool isMin)
    {
        foreach (var extension in question.ItemsAt("extension"))
        {
            if (extension.StringAt("url") is not { } url || !url.EndsWith("/" + name, StringComparison.Ordinal) && !url.EndsWith(isMin ? "questionnaire-minQuantity" : "questionnaire-maxQuantity", StringComparison.Ordinal)) continue;
            if (OptionValue(extension) is not { } bound || Item.OfNode(bound).Value is not { } limit || Item.OfNode(value).Value is not { } given) continue;
            if (given is QuantityValue q && limit is QuantityValue r && (value["code"] is null || bound["code"] is null || QuantityValue.Compare(q, r) is null))
            {
                run.Sink.Error(IssueCode.Value, value, "the quantity cannot be compared with its bound", path);
                continue;
            }
            if (given is FhirTemporal != limit is FhirTemporal || given is string) continue;
            var order = FhirPathValues.Compare(given, limit);
            if (isMin ? order < 0 : order > 0) run.Sink.Error(IssueCode.Value, value, isMin ? "the answer is below the least that is allowed" : "the answer is above the greatest that is allowed", path);
        }
    }

    private void Attachment(ElementNode value, ElementNode question, string path)
    {
        var types = question.ItemsAt("extension").Where(e => e.StringAt("url") == Core + "mimeType").Select(e => e.StringAt("valueCode")).ToList();
        if (types.Count > 0 && !types.Contains(value.StringAt("contentType"))) run.Sink.Error(IssueCode.Value, value, "the attachment is of another type than is allowed", path);
        if (Extension(question, Core + "maxSize", "valueDecimal") is { } max && value["size"] is { } size
            && decimal.TryParse(max.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var most) && decimal.TryParse(size.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var actual)
            // In megabytes, by the definition of the extension.
            && actual > most * 1024 * 1024) run.Sink.Error(IssueCode.Value, value, "the attachment is larger than is allowed", path);
    }

    private void Reference(ElementNode value, ElementNode question, string path)
    {
        var types = question.ItemsAt("extension").Where(e => e.StringAt("url") == Core + "questionnaire-referenceResource").Select(e => e.StringAt("valueCode")).ToList();
        if (value.StringAt("reference") is not { } text) return;
        if (text.Contains(' ')) run.Sink.Error(IssueCode.Value, value, "the reference is no URL", path);
        else if (types.Count > 0 && FhirReference.TypeNamed(text) is { } type && !types.Contains(type)) run.Sink.Error(IssueCode.Structure, value, $"a reference to {type} is not allowed here", path);
    }

    private void Unit(ElementNode value, ElementNode question, string path)
    {
        var options = question.ItemsAt("extension").Where(e => e.StringAt("url") == Core + "questionnaire-unitOption").Select(e => e["valueCoding"]).OfType<ElementNode>().ToList();
        if (options.Count > 0 && !options.Exists(o => o.StringAt("code") == value.StringAt("code") && o.StringAt("system") == value.StringAt("system"))) run.Sink.Error(IssueCode.CodeInvalid, value, "the unit is none of those that are allowed", path);
        if (Extension(question, Core + "questionnaire-unitValueSet", "valueCanonical") is not { } valueSet) return;
        var isIn = value.StringAt("code") is { } code ? run.Profiles.Terminology.Contains(valueSet.Text.Split('|')[0], value.StringAt("system") ?? "", code) : false;
        if (isIn == false) run.Sink.Error(IssueCode.CodeInvalid, value, "the unit is not in the value set that is allowed", path);
    }

    private bool IsEnabled(ElementNode question)
    {
        var conditions = question.ItemsAt("enableWhen").ToList();
        if (conditions.Count == 0) return true;
        return question.StringAt("enableBehavior") == "any" ? conditions.Exists(IsMet) : conditions.TrueForAll(IsMet);
    }

    private bool IsMet(ElementNode condition)
    {
        var answers = Answers(response, condition.StringAt("question") ?? "").ToList();
        var wanted = AnswerOf(condition);
        return condition.StringAt("operator") switch
        {
            "exists" => answers.Count > 0 == (wanted?.Kind == JsonTokenType.True),
            "=" => answers.Exists(a => wanted is { } w && IsSame(w, a)),
            "!=" => answers.Exists(a => wanted is { } w && !IsSame(w, a)),
            var op => answers.Exists(a => wanted is { } w && Item.OfNode(a).Value is { } x && Item.OfNode(w).Value is { } y && x.GetType() == y.GetType()
                && FhirPathValues.Compare(x, y) is { } order && (op switch { ">" => order > 0, "<" => order < 0, ">=" => order >= 0, _ => order <= 0 })),
        };
    }

    private static ElementNode? AnswerOf(ElementNode condition)
    {
        foreach (var child in condition)
            if (child.Property is { IsSibling: false, Element.Name: "answer" }) return child;
        return null;
    }

    private static IEnumerable<ElementNode> Answers(ElementNode holder, string linkId)
    {
        foreach (var item in holder.ItemsAt("item"))
        {
            foreach (var answer in item.ItemsAt("answer"))
            {
                if (item.StringAt("linkId") == linkId && OptionValue(answer) is { } value) yield return value;
                foreach (var below in Answers(answer, linkId)) yield return below;
            }
            foreach (var below in Answers(item, linkId)) yield return below;
        }
    }

    private static ElementNode? Extension(ElementNode holder, string url, string value)
    {
        foreach (var extension in holder.ItemsAt("extension"))
            if (extension.StringAt("url") == url) return extension[value];
        return null;
    }

    private static string Quoted(string text) => "'" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal) + "'";
}
