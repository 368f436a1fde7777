using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// One answer against its question: the type, the options or the value set, and what the core extensions limit. Source: R4
/// questionnaire.html, and the definitions of the extensions.
/// </summary>
internal sealed class AnswerRules(ValidationRun run, ElementNode questionnaire)
{
    /// <summary>Checks an answer.</summary>
    /// <param name="value">Its value.</param>
    /// <param name="question">The item of the questionnaire.</param>
    /// <param name="path">Where it stands in the response.</param>
    /// <returns>Whether the option that was chosen excludes every other.</returns>
    public bool Check(ElementNode value, ElementNode question, string path)
    {
        var (type, given) = (question.StringAt("type"), value.Type?.Name ?? "");
        if (!TypesOf(question, type, given).Contains(given))
        {
            run.Sink.Error(IssueCode.Structure, value, $"the answer to a question of type {type} is not a {given}", path);
            return false;
        }
        var isExclusive = Options(value, question, type, path);
        ValueSet(value, question, type, path);
        Bounds(value, question, path);
        switch (given)
        {
            case "string":
                Text(value, question, path);
                break;
            case "decimal":
                Places(value, question, path);
                break;
            case "Attachment":
                Attachment(value, question, path);
                break;
            case "Reference":
                Reference(value, question, path);
                break;
            case "Quantity":
                Unit(value, question, path);
                break;
        }
        return isExclusive;
    }

    private static string[] TypesOf(ElementNode question, string? type, string given) => type switch
    {
        "boolean" or "decimal" or "integer" or "date" or "dateTime" or "time" => [type],
        "string" or "text" => ["string"],
        "url" => ["uri"],
        // Of a choice the options say which type it is; without options it is a code.
        "choice" => question["answerOption"] is null ? ["Coding"] : ["Coding", "string", "date", "time", "integer", "Reference"],
        "open-choice" => question["answerOption"] is null
            ? ["Coding", "string"]
            : ["Coding", "string", "date", "time", "integer", "Reference"],
        "attachment" => ["Attachment"],
        "reference" => ["Reference"],
        "quantity" => ["Quantity"],
        _ => [given],
    };

    private bool Options(ElementNode value, ElementNode question, string? type, string path)
    {
        var options = question.ItemsAt("answerOption").ToList();
        var isOpen = type == "open-choice" && value.Type?.Name == "string";
        if (options.Count == 0 || isOpen) return false;
        foreach (var option in options)
        {
            if (option.Choice() is { } offered && QuestionnaireReading.IsSameAnswer(offered, value))
                return option.CoreExtension("questionnaire-optionExclusive")?.Kind == JsonTokenType.True;
        }
        run.Sink.Error(IssueCode.CodeInvalid, value, "the answer is none of the options", path);
        return false;
    }

    private void ValueSet(ElementNode value, ElementNode question, string? type, string path)
    {
        if (question.StringAt("answerValueSet") is not { } valueSet || value.Type?.Name != "Coding") return;
        if (value.StringAt("code") is not { } code)
        {
            // What is no code of a list is a text, where the choice is open.
            var isText = type == "open-choice" && value["system"] is null;
            if (!isText) run.Sink.Error(IssueCode.CodeInvalid, value, "the answer is a code of the value set", path);
            return;
        }
        if (Contains(valueSet, value.StringAt("system") ?? "", code) == false)
            run.Sink.Error(IssueCode.CodeInvalid, value, $"the answer is not in the value set {valueSet}", path);
    }

    // A value set may lie inside the questionnaire.
    private bool? Contains(string valueSet, string system, string code)
    {
        if (!valueSet.StartsWith('#')) return run.Profiles.Terminology.Contains(valueSet.Split('|')[0], system, code);
        foreach (var contained in questionnaire.ItemsAt("contained"))
        {
            if (contained.StringAt("id") != valueSet[1..] || contained.StringAt("resourceType") != "ValueSet") continue;
            return run.Profiles.Terminology.Contains(ValueSetExpander.Contained(contained, run.Profiles.Terminology), system, code);
        }
        return null;
    }

    private void Text(ElementNode value, ElementNode question, string path)
    {
        var length = value.Text.EnumerateRunes().Count();
        if (question["maxLength"]?.Whole() is { } max && length > max)
            run.Sink.Error(IssueCode.Value, value, $"at most {max} characters are allowed", path);
        if (question.CoreExtension("minLength")?.Whole() is { } min && length < min)
            run.Sink.Error(IssueCode.Value, value, $"at least {min} characters are required", path);
        if (question.CoreExtension("regex") is not { Kind: JsonTokenType.String } pattern) return;
        var rule = new Invariant("regex", false, $"$this.matches({Quoted(pattern.Text)})");
        if (run.Holds(rule, Item.OfNode(value)) == false)
            run.Sink.Error(IssueCode.Value, value, "the answer is not of the form that is asked for", path);
    }

    private void Places(ElementNode value, ElementNode question, string path)
    {
        if (question.CoreExtension("maxDecimalPlaces")?.Whole() is not { } most) return;
        var digits = value.Text.Split('e', 'E')[0];
        if (digits.IndexOf('.') is var dot and >= 0 && digits.Length - dot - 1 > most)
            run.Sink.Error(IssueCode.Value, value, $"at most {most} decimal places are allowed", path);
    }

    private void Bounds(ElementNode value, ElementNode question, string path)
    {
        foreach (var extension in question.ItemsAt("extension"))
        {
            // The core's, and those of quantities in Structured Data Capture.
            var url = extension.StringAt("url") ?? "";
            if (url.EndsWith("/minValue", StringComparison.Ordinal) || url.EndsWith("questionnaire-minQuantity", StringComparison.Ordinal))
                Bound(value, extension.Choice(), path, isMin: true);
            if (url.EndsWith("/maxValue", StringComparison.Ordinal) || url.EndsWith("questionnaire-maxQuantity", StringComparison.Ordinal))
                Bound(value, extension.Choice(), path, isMin: false);
        }
    }

    private void Bound(ElementNode value, ElementNode? bound, string path, bool isMin)
    {
        if (bound is not { } node || Item.OfNode(node).Value is not { } limit || Item.OfNode(value).Value is not { } given) return;
        var order = FhirPathValues.Order(given, limit);
        if (given is QuantityValue && limit is QuantityValue && (order is null || value["code"] is null || node["code"] is null))
            run.Sink.Error(IssueCode.Value, value, "the quantity cannot be compared with its bound", path);
        else if (isMin && order < 0)
            run.Sink.Error(IssueCode.Value, value, "the answer is below the least that is allowed", path);
        else if (!isMin && order > 0)
            run.Sink.Error(IssueCode.Value, value, "the answer is above the greatest that is allowed", path);
    }

    private void Attachment(ElementNode value, ElementNode question, string path)
    {
        var types = question.CoreExtensions("mimeType").Where(t => t.Kind == JsonTokenType.String).Select(t => t.Text).ToList();
        if (types.Count > 0 && !types.Contains(value.StringAt("contentType") ?? ""))
            run.Sink.Error(IssueCode.Value, value, "the attachment is of another type than is allowed", path);
        if (question.CoreExtension("maxSize")?.Number() is not { } most || value["size"]?.Number() is not { } size) return;
        // In megabytes, by the definition of the extension.
        if (size / (1024 * 1024) > most) run.Sink.Error(IssueCode.Value, value, "the attachment is larger than is allowed", path);
    }

    private void Reference(ElementNode value, ElementNode question, string path)
    {
        if (value.StringAt("reference") is not { } text) return;
        var types = question.CoreExtensions("questionnaire-referenceResource").Where(t => t.Kind == JsonTokenType.String)
            .Select(t => t.Text).ToList();
        if (text.Contains(' ')) run.Sink.Error(IssueCode.Value, value, "the reference is no URL", path);
        else if (types.Count > 0 && FhirReference.TypeNamed(text) is { } type && !types.Contains(type))
            run.Sink.Error(IssueCode.Structure, value, $"a reference to {type} is not allowed here", path);
    }

    private void Unit(ElementNode value, ElementNode question, string path)
    {
        var options = question.CoreExtensions("questionnaire-unitOption").Where(o => o.Kind == JsonTokenType.StartObject).ToList();
        var (code, system) = (value.StringAt("code"), value.StringAt("system"));
        if (options.Count > 0 && !options.Exists(o => o.StringAt("code") == code && o.StringAt("system") == system))
            run.Sink.Error(IssueCode.CodeInvalid, value, "the unit is none of those that are allowed", path);
        if (question.CoreExtension("questionnaire-unitValueSet") is not { Kind: JsonTokenType.String } valueSet) return;
        if (code is null || Contains(valueSet.Text, system ?? "", code) == false)
            run.Sink.Error(IssueCode.CodeInvalid, value, "the unit is not in the value set that is allowed", path);
    }

    private static string Quoted(string text) =>
        "'" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal) + "'";
}
