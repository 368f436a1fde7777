using System.Globalization;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>From an element that a search parameter selects to index entries, by the types of both. Source: R4 search.html.</summary>
internal static class IndexValues
{
    private static readonly string[] NameParts = ["text", "family", "given", "prefix", "suffix"];
    private static readonly string[] AddressParts = ["text", "line", "city", "district", "state", "postalCode", "country"];

    /// <summary>Adds the entries of an element.</summary>
    public static void Add(List<IndexEntry> entries, string code, string kind, in Item item)
    {
        if (!item.IsNode)
        {
            // An expression that computes its value: Patient.deceased.exists() and deceased != false.
            if (FhirPathValues.Text(item.Boxed) is { } text) entries.Add(new IndexEntry(code, kind, null, text, default, default));
            return;
        }
        if (item.Row < 0) return;
        var (node, type) = (item.Node, item.Type?.Name);
        switch (kind)
        {
            case "token":
                Token(entries, code, node, type);
                break;
            case "reference":
                Reference(entries, code, node, type);
                break;
            case "date":
                Date(entries, code, node, type);
                break;
            case "string":
                Text(entries, code, node, type);
                break;
            case "quantity":
                Quantity(entries, code, node, type);
                break;
            case "number":
                Number(entries, code, node, type);
                break;
            default:
                if (!IsScalar(node)) break;
                foreach (var uri in WithAndWithoutVersion(node.Text, type))
                    entries.Add(new IndexEntry(code, kind, null, uri, default, default));
                break;
        }
    }

    private static bool IsScalar(ElementNode node) =>
        node.Kind is not (JsonTokenType.StartObject or JsonTokenType.StartArray or JsonTokenType.Null);

    private static void Token(List<IndexEntry> entries, string code, ElementNode node, string? type)
    {
        switch (type)
        {
            case "CodeableConcept":
                foreach (var coding in node.ItemsAt("coding")) Put(coding.StringAt("system"), coding.StringAt("code"));
                break;
            case "Coding":
                Put(node.StringAt("system"), node.StringAt("code"));
                break;
            case "Identifier" or "ContactPoint":
                Put(node.StringAt("system"), node.StringAt("value"));
                if (type != "Identifier" || code != "identifier") break;
                if (node["type"] is not { } kind || node.StringAt("value") is not { } own) break;
                foreach (var coding in kind.ItemsAt("coding"))
                {
                    var ofType = $"{coding.StringAt("system")}|{coding.StringAt("code")}|{own}";
                    entries.Add(new IndexEntry(code + SearchIndexer.OfType, "token", null, ofType, default, default));
                }
                break;
            default:
                if (IsScalar(node)) Put(null, node.Text);
                break;
        }

        void Put(string? system, string? value)
        {
            if (value is not null) entries.Add(new IndexEntry(code, "token", system, value, default, default));
        }
    }

    private static void Reference(List<IndexEntry> entries, string code, ElementNode node, string? type)
    {
        if (node.Kind == JsonTokenType.StartObject && node["identifier"] is { } logical && logical.StringAt("value") is { } value)
        {
            var identifier = new IndexEntry(
                code + SearchIndexer.OfIdentifier, "token", logical.StringAt("system"), value, default, default);
            entries.Add(identifier with { IsPersonal = true });
        }
        var text = node.Kind == JsonTokenType.String ? node.Text : node.StringAt("reference");
        // What is contained is asked elsewhere. A conditional reference names nobody, and may have a patient's number in it.
        if (string.IsNullOrEmpty(text) || text[0] == '#' || text.Contains('?')) return;
        foreach (var target in WithAndWithoutVersion(text, type))
        {
            entries.Add(FhirReference.TryParse(target, out var local)
                ? new IndexEntry(code, "reference", local.Type, local.Id, default, default)
                : new IndexEntry(code, "reference", null, target, default, default));
        }
    }

    // https://hl7.org/fhir/R4/search.html#uri: who names no version finds every version.
    private static IEnumerable<string> WithAndWithoutVersion(string text, string? type)
    {
        yield return text;
        if (type == "canonical" && text.IndexOf('|') is var bar and > 0) yield return text[..bar];
    }

    private static void Date(List<IndexEntry> entries, string code, ElementNode node, string? type)
    {
        switch (type)
        {
            case "Period":
                var from = node.StringAt("start") is { } start && Primitives.Range(start) is { } first
                    ? first.From
                    : DateTimeOffset.MinValue;
                var to = node.StringAt("end") is { } end && Primitives.Range(end) is { } last ? last.To : DateTimeOffset.MaxValue;
                if (node["start"] is not null || node["end"] is not null) entries.Add(new IndexEntry(code, "date", null, null, from, to));
                break;
            case "Timing":
                // Its outer limits count. https://hl7.org/fhir/R4/search.html#date
                var begin = entries.Count;
                foreach (var moment in node.ItemsAt("event")) Date(entries, code, moment, "dateTime");
                if (node["repeat"]?["boundsPeriod"] is { } bounds) Date(entries, code, bounds, "Period");
                if (entries.Count <= begin + 1) break;
                var all = entries.GetRange(begin, entries.Count - begin);
                entries.RemoveRange(begin, all.Count);
                entries.Add(new IndexEntry(code, "date", null, null, all.Min(e => e.From), all.Max(e => e.To)));
                break;
            default:
                if (node.Kind == JsonTokenType.String && Primitives.Range(node.Text) is { } range)
                    entries.Add(new IndexEntry(code, "date", null, null, range.From, range.To));
                break;
        }
    }

    private static void Text(List<IndexEntry> entries, string code, ElementNode node, string? type)
    {
        if (type is not ("HumanName" or "Address"))
        {
            if (IsScalar(node)) entries.Add(new IndexEntry(code, "string", null, node.Text, default, default));
            return;
        }
        foreach (var part in type == "HumanName" ? NameParts : AddressParts)
            foreach (var value in node.ItemsAt(part))
                if (value.Kind == JsonTokenType.String) entries.Add(new IndexEntry(code, "string", null, value.Text, default, default));
    }

    private static void Number(List<IndexEntry> entries, string code, ElementNode node, string? type)
    {
        if (type == "Range")
        {
            var (low, high) = (node["low"]?["value"], node["high"]?["value"]);
            if ((low ?? high) is { } any) entries.Add(Between(code, "number", null, any.Text, low?.Text, high?.Text));
        }
        else if (IsScalar(node)) entries.Add(Between(code, "number", null, node.Text, node.Text, node.Text));
    }

    // A range is one value, from its low to its high end; a comparator makes one of a quantity.
    // https://hl7.org/fhir/R4/search.html#quantity
    private static void Quantity(List<IndexEntry> entries, string code, ElementNode node, string? type)
    {
        if (type == "Range")
        {
            var (low, high) = (node["low"], node["high"]);
            if ((low ?? high) is not { } any || any["value"] is not { } written) return;
            Add(any, written.Text, low?["value"]?.Text, high?["value"]?.Text);
        }
        else if (node["value"] is { } value)
        {
            var comparator = node.StringAt("comparator");
            Add(node, value.Text, comparator is "<" or "<=" ? null : value.Text, comparator is ">" or ">=" ? null : value.Text);
        }

        // By its code, and by the unit as people write it, which is of no system.
        void Add(ElementNode quantity, string written, string? low, string? high)
        {
            var (system, unit, words) = type == "Money"
                ? ("urn:iso:std:iso:4217", quantity.StringAt("currency"), null)
                : (quantity.StringAt("system"), quantity.StringAt("code"), quantity.StringAt("unit"));
            if (unit is not null || words is null) entries.Add(Between(code, "quantity", $"{system}|{unit}", written, low, high));
            if (words is not null && words != unit) entries.Add(Between(code, "quantity", $"|{words}", written, low, high));
        }
    }

    private static IndexEntry Between(string code, string type, string? unit, string written, string? low, string? high) =>
        new(code, type, unit, written, default, default)
        {
            Low = low is null ? double.NegativeInfinity : double.Parse(low, CultureInfo.InvariantCulture),
            High = high is null ? double.PositiveInfinity : double.Parse(high, CultureInfo.InvariantCulture),
        };
}
