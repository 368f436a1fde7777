using System.Text.Json;

namespace PmrGateway.Mapping;

/// <summary>The labels of a record as one value: many records have the same. Equal sets have equal <see cref="Text"/>.</summary>
public sealed class LabelSet
{
    private const string Inner = "inner";

    private static readonly JsonSerializerOptions Json = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping
    };

    /// <summary>A set of labels.</summary>
    public LabelSet(IEnumerable<RecordLabel> labels)
    {
        // One of a part stays beside the same one of the whole: it is there still when that is lifted.
        Labels = [.. labels.Distinct().OrderBy(l => l.Kind)
            .ThenBy(l => l.System, StringComparer.Ordinal).ThenBy(l => l.Code, StringComparer.Ordinal).ThenBy(l => l.IsInner)];
        Text = JsonSerializer.Serialize(
            Labels.Select(l => (string[])(l.IsInner
                ? [KindText(l.Kind), l.System, l.Code, Inner]
                : [KindText(l.Kind), l.System, l.Code])), Json);
    }

    /// <summary>The labels, sorted, each once.</summary>
    public IReadOnlyList<RecordLabel> Labels { get; }

    /// <summary>The canonical text: a JSON array of [kind, system, code], with a fourth "inner" where it is one of a part.</summary>
    public string Text { get; }

    /// <summary>Whether a change takes a security label off a record or a part of it, or makes it less confidential.</summary>
    /// <param name="before">Labels of the version before.</param>
    /// <param name="after">All labels of the version to be.</param>
    public static bool Loses(IReadOnlyList<RecordLabel> before, IReadOnlyList<RecordLabel> after) => CodeHierarchy.Loses(before, after);

    /// <summary>Reads a canonical text.</summary>
    public static LabelSet Parse(string text) =>
        new(JsonSerializer.Deserialize<string[][]>(text, Json)!.Select(l => new RecordLabel(KindOf(l[0]), l[1], l[2], l.Length > 3)));

    private static string KindText(LabelKind kind) => kind switch { LabelKind.Class => "class", LabelKind.Code => "code", _ => "security" };

    private static LabelKind KindOf(string text) =>
        text switch { "class" => LabelKind.Class, "code" => LabelKind.Code, _ => LabelKind.Security };
}
