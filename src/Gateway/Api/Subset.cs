using System.Buffers;
using System.Text.Json;
using Microsoft.Extensions.Primitives;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Which part of each resource an answer has (<c>_summary</c>, <c>_elements</c>). It is cut out of what was opened, after all that decides
/// on the whole, so it is never more than that; and it is marked, so that nobody takes it for the whole.
/// https://hl7.org/fhir/R4/search.html#summary, https://hl7.org/fhir/R4/search.html#elements
/// </summary>
internal sealed class Subset
{
    /// <summary>The parameter of the views that there are.</summary>
    public const string Summary = "_summary";

    /// <summary>The parameter that names elements.</summary>
    public const string Elements = "_elements";

    // What was stored was within limits once: those of today are for what comes in.
    private static readonly ResourceLimits NoLimits = new(1000, int.MaxValue);
    private static readonly Subset Whole = new(View.Whole, "");

    private readonly View _view;
    private HashSet<string>? _names;
    private readonly Dictionary<string, HashSet<string>> _namesOfTypes = new(StringComparer.Ordinal);

    private Subset(View view, string parameters) => (_view, Parameters) = (view, parameters);

    private enum View
    {
        Whole,
        Elements,
        Summary,
        Text,
        Data,
    }

    /// <summary>The parameters as they stand in a link; empty: none.</summary>
    public string Parameters { get; }

    /// <summary>Whether a request asks for a part, or says that it asks for the whole.</summary>
    public static bool IsAsked(IEnumerable<KeyValuePair<string, StringValues>> query) => query.Any(p => p.Key is Summary or Elements);

    /// <summary>What a request asks for that is no search.</summary>
    /// <param name="type">The type of the resources; null: of several types.</param>
    /// <param name="query">Its parameters.</param>
    public static Result<Subset> Of(string? type, IEnumerable<KeyValuePair<string, StringValues>> query)
    {
        var (summary, elements) = ((string?)null, (string?)null);
        foreach (var (key, values) in query)
        {
            if (key is not (Summary or Elements)) continue;
            if (values.Count != 1 || (key == Summary ? summary : elements) is not null) return Bad(key, "once");
            if (key == Summary) summary = values.ToString();
            else elements = values.ToString();
        }
        return summary == "count"
            ? Bad(Summary, "count is for a search; here it is true, text, data or false")
            : Read(type, summary, elements, includes: false);
    }

    /// <summary>What a search asks for.</summary>
    /// <param name="type">The type that is searched.</param>
    /// <param name="summary">The one value of <c>_summary</c>; null: none.</param>
    /// <param name="elements">The one value of <c>_elements</c>; null: none.</param>
    /// <param name="includes">Whether resources of other types may come along.</param>
    public static Result<Subset> Of(string type, string? summary, string? elements, bool includes) =>
        Read(type, summary, elements, includes);

    private static Result<Subset> Read(string? type, string? summary, string? elements, bool includes)
    {
        if (summary is null && elements is null) return Whole;
        if (summary is not null && elements is not null) return Bad(Elements, "not together with _summary");
        var view = (summary, elements) switch
        {
            ("false" or "count", _) => View.Whole,
            ("true", _) => View.Summary,
            ("text", _) => View.Text,
            ("data", _) => View.Data,
            (not null, _) => (View?)null,
            _ => View.Elements,
        };
        if (view is not { } known) return Bad(Summary, "true, text, data, false, or of a search count");
        // R4 search.html#summary says so of the two.
        if (known == View.Text && includes) return Bad(Summary, "text not together with _include or _revinclude");
        // What a Binary holds is one piece, whichever media type it is asked for as.
        if (known != View.Whole && type == "Binary") return Bad(summary is null ? Elements : Summary, "a Binary is given whole");
        var subset = new Subset(
            known,
            summary is not null ? $"{Summary}={summary}" : $"{Elements}={Uri.EscapeDataString(elements!)}");
        foreach (var name in elements?.Split(',') ?? [])
            if (subset.Add(type, name, includes || type is null) is { } unknown) return unknown;
        return subset;
    }

    /// <summary>The part of a record that is asked for.</summary>
    /// <param name="record">What was opened.</param>
    /// <param name="isMatch">Whether it was asked for itself; else it comes along, and elements that name no type are not its own.</param>
    public OpenedRecord Of(OpenedRecord record, bool isMatch = true)
    {
        var type = record.Version.Facts.Type;
        if (record.Version.IsDeleted || !IsCut(type, isMatch)) return record;
        if (record.Binary is null) return record with { Content = Cut(record.Content, isMatch) };
        // All of it is data.
        return _view == View.Data ? record : record with { Content = Cut(BinaryJson.WithoutData(record), isMatch), Binary = null };
    }

    /// <summary>The part of a resource that is asked for.</summary>
    /// <param name="json">The resource.</param>
    /// <param name="isMatch">Whether it was asked for itself.</param>
    public byte[] Cut(byte[] json, bool isMatch = true)
    {
        if (_view == View.Whole) return json;
        if (!ResourceDocument.TryParse(json, out var document, out var issue, NoLimits))
            throw new InvalidOperationException($"what is given out does not parse: {issue!.Text}");
        var root = document!.Root;
        if (!IsCut(document.ResourceType, isMatch)) return json;
        var names = NamesOf(document.ResourceType, isMatch);
        var cut = new ArrayBufferWriter<byte>(json.Length + 128);
        // Each value is written as the bytes that it came as: a decimal keeps its digits.
        using (var writer = new Utf8JsonWriter(cut, new JsonWriterOptions { SkipValidation = true }))
        {
            writer.WriteStartObject();
            foreach (var child in root)
            {
                if (child is { Name: "meta", Kind: JsonTokenType.StartObject }) WriteMeta(writer, child);
                else if (Keeps(child, names)) Write(writer, child);
            }
            if (root["meta"] is null) WriteMeta(writer, null);
            writer.WriteEndObject();
        }
        return cut.WrittenSpan.ToArray();
    }

    private static Outcome Bad(string key, string allowed) =>
        Outcome.Of(OutcomeCategory.Malformed, $"the parameter '{key}' is not understood: {allowed}");

    private Outcome? Add(string? type, string text, bool isMixed)
    {
        var dot = text.IndexOf('.');
        var (of, name) = dot < 0 ? (null, text) : (text[..dot], text[(dot + 1)..]);
        var shown = text.Length > 40 ? text[..40] : text;
        if (of is not null && (!FhirSchema.R4.IsResourceType(of) || of == "Binary" || (of != type && !isMixed)))
            return Bad(Elements, $"'{shown}' names no type of which an element could be left out here");
        // Where any type may come, those that all of them have.
        var definition = FhirSchema.R4.Type(of ?? type ?? "DomainResource")!;
        if (ElementOf(definition, name) is not { } element)
            return Bad(Elements, $"'{shown}' is no element of {(of ?? type) ?? "every resource"}; names are separated by commas");
        if (of is null) (_names ??= new HashSet<string>(StringComparer.Ordinal)).Add(element);
        else if (_namesOfTypes.TryGetValue(of, out var names)) names.Add(element);
        else _namesOfTypes[of] = new HashSet<string>(StringComparer.Ordinal) { element };
        return null;
    }

    // Also as it stands in JSON: a choice is one element, whatever its type.
    private static string? ElementOf(TypeDefinition type, string name)
    {
        var element = type.Elements.FirstOrDefault(e => e.Name == name || (e.IsChoice && e.Name + "[x]" == name));
        return (element ?? (type.Property(name) is { IsSibling: false } property ? property.Element : null))?.Name;
    }

    private bool IsCut(string type, bool isMatch) => _view switch
    {
        View.Whole => false,
        View.Elements => (isMatch && _names is not null) || _namesOfTypes.ContainsKey(type),
        _ => true,
    };

    private HashSet<string> NamesOf(string type, bool isMatch) =>
        [.. isMatch && _names is not null ? _names : [], .. _namesOfTypes.GetValueOrDefault(type) ?? []];

    // What must be there is; and what changes the meaning of the rest is never left out.
    private bool Keeps(ElementNode child, HashSet<string> names)
    {
        if (child.Property is not { Element: var element }) return child.Name == "resourceType";
        var isKept = element.Min > 0 || element.IsModifier || element.Name is "id" or "meta";
        return _view switch
        {
            View.Summary => (isKept || element.IsSummary) && HasSummary(child),
            _ when isKept => true,
            View.Text => element.Name == "text",
            View.Data => element.Name != "text",
            _ => names.Contains(element.Name),
        };
    }

    private void Write(Utf8JsonWriter to, ElementNode child)
    {
        to.WritePropertyName(child.Name!);
        if (_view == View.Summary) WriteSummary(to, child);
        else to.WriteRawValue(child.RawBytes, skipInputValidation: true);
    }

    // Inside an element the definition of its type says what belongs to a summary: an attachment without its data.
    private static void WriteSummary(Utf8JsonWriter to, ElementNode node)
    {
        if (!HasParts(node)) to.WriteRawValue(node.RawBytes, skipInputValidation: true);
        else if (node.Kind == JsonTokenType.StartArray)
        {
            to.WriteStartArray();
            foreach (var item in node)
                if (HasSummary(item)) WriteSummary(to, item);
            to.WriteEndArray();
        }
        else
        {
            to.WriteStartObject();
            foreach (var child in node)
            {
                if (!IsOfSummary(child)) continue;
                to.WritePropertyName(child.Name!);
                WriteSummary(to, child);
            }
            to.WriteEndObject();
        }
    }

    // Nothing is left empty: FHIR has no empty objects and arrays.
    private static bool HasSummary(ElementNode node)
    {
        if (!HasParts(node)) return true;
        foreach (var child in node)
            if (node.Kind == JsonTokenType.StartArray ? HasSummary(child) : IsOfSummary(child)) return true;
        return false;
    }

    // What extends a value goes with it; R4 leaves open whether it belongs to a summary, and it may say why there is no value.
    private static bool IsOfSummary(ElementNode child) => child.Property is { Element: var element }
        && (element.IsSummary || element.Min > 0 || element.Name is "id" or "extension" or "modifierExtension")
        && HasSummary(child);

    private static bool HasParts(ElementNode node) => node is
    {
        Kind: JsonTokenType.StartObject or JsonTokenType.StartArray,
        Property: { IsSibling: false, Type: { Name: not "Extension", Definition.Kind: TypeKind.Complex or TypeKind.Backbone } },
    };

    private static void WriteMeta(Utf8JsonWriter to, ElementNode? meta)
    {
        to.WriteStartObject("meta");
        if (meta is { } given)
        {
            foreach (var child in given)
            {
                if (child.Name == "tag") continue;
                to.WritePropertyName(child.Name!);
                to.WriteRawValue(child.RawBytes, skipInputValidation: true);
            }
        }
        to.WriteStartArray("tag");
        foreach (var tag in meta?.ItemsAt("tag").Where(t => !Subsetted.Is(t)) ?? [])
            to.WriteRawValue(tag.RawBytes, skipInputValidation: true);
        to.WriteStartObject();
        to.WriteString("system", Subsetted.System);
        to.WriteString("code", Subsetted.Code);
        to.WriteEndObject();
        to.WriteEndArray();
        to.WriteEndObject();
    }
}
