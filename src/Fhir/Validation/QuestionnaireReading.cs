using System.Globalization;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// What Questionnaires and their answers say, read without trust: what is malformed says nothing here, and is a finding elsewhere.
/// </summary>
internal static class QuestionnaireReading
{
    private const string Core = SchemaCompiler.CoreTypes;

    /// <summary>The value of a choice element, or null.</summary>
    /// <param name="holder">An answer, an option, an initial value, a condition.</param>
    /// <param name="choice">Name of the element: value, answer.</param>
    public static ElementNode? Choice(this ElementNode holder, string choice = "value")
    {
        foreach (var child in holder)
            if (child.Property is { IsSibling: false } property && property.Element.Name == choice) return child;
        return null;
    }

    /// <summary>A whole number, or null.</summary>
    public static int? Whole(this ElementNode node)
    {
        if (node.Kind != JsonTokenType.Number) return null;
        return int.TryParse(node.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;
    }

    /// <summary>A number, or null.</summary>
    public static decimal? Number(this ElementNode node)
    {
        if (node.Kind != JsonTokenType.Number) return null;
        return decimal.TryParse(node.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null;
    }

    public static bool IsTrue(this ElementNode holder, string name) => holder[name]?.Kind == JsonTokenType.True;

    /// <summary>The values of the core extensions of a name, e.g. <c>questionnaire-unitOption</c>.</summary>
    public static IEnumerable<ElementNode> CoreExtensions(this ElementNode holder, string name)
    {
        foreach (var extension in holder.ItemsAt("extension"))
            if (extension.StringAt("url") == Core + name && extension.Choice() is { } value) yield return value;
    }

    /// <summary>The value of the first core extension of a name, or null.</summary>
    public static ElementNode? CoreExtension(this ElementNode holder, string name)
    {
        foreach (var value in holder.CoreExtensions(name)) return value;
        return null;
    }

    /// <summary>Whether an answer is what an option, an initial value or a condition has.</summary>
    public static bool IsSameAnswer(ElementNode wanted, ElementNode answer)
    {
        if (wanted.Type is null || wanted.Type.Name != answer.Type?.Name || wanted.Kind != answer.Kind) return false;
        if (wanted.Kind != JsonTokenType.StartObject) return wanted.Text == answer.Text;
        return wanted.Type.Name switch
        {
            "Coding" => wanted.StringAt("code") == answer.StringAt("code")
                && (wanted.StringAt("system") is not { } system || system == answer.StringAt("system")),
            "Reference" => wanted.StringAt("reference") is not { } reference || reference == answer.StringAt("reference"),
            _ => Item.OfNode(wanted).Value is { } x && Item.OfNode(answer).Value is { } y && FhirPathValues.Order(x, y) == 0,
        };
    }
}
