using Microsoft.Extensions.Primitives;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>A search request as it was understood.</summary>
/// <param name="Query">What to find.</param>
/// <param name="Includes">What comes along with what matches.</param>
/// <param name="Subset">Which part of each resource.</param>
/// <param name="Self">The parameters that were understood, for the self link, without the cursor.</param>
/// <param name="Cursor">The cursor of a next link, not opened yet; null: the first page.</param>
internal sealed record ParsedSearch(
    SearchQuery Query, IReadOnlyList<Inclusion> Includes, Subset Subset, string Self, string? Cursor);

/// <summary>What comes along with the matches of a search. https://hl7.org/fhir/R4/search.html#include</summary>
/// <param name="Type">The type whose reference it is.</param>
/// <param name="Parameter">Its search parameter.</param>
/// <param name="IsReverse">Whether what refers to a match comes along (<c>_revinclude</c>), not what a match refers to.</param>
internal sealed record Inclusion(string Type, string Parameter, bool IsReverse);

/// <summary>Reads search parameters. An unknown one is refused: a filter passed over would give more than was asked for.</summary>
internal sealed class SearchParser(SearchIndexer indexer, LimitOptions limits)
{
    private static readonly IFormatProvider Invariant = System.Globalization.CultureInfo.InvariantCulture;
    private const int DefaultCount = 50;
    private const int MaxCount = 500;
    private const int MaxValues = 200;
    private const int MaxSortKeys = 4;
    private static readonly string[] Ignored = ["_format", "_pretty"];
    private static readonly string[] Once = ["_count", "_cursor", Subset.Summary, Subset.Elements, "_total", "_sort"];

    /// <summary>Parses the parameters of a search over a type.</summary>
    public Result<ParsedSearch> Parse(string type, IEnumerable<KeyValuePair<string, StringValues>> parameters)
    {
        var criteria = new List<SearchCriterion>();
        var includes = new List<Inclusion>();
        var self = new List<string>();
        var sort = new List<SortKey>();
        var once = new HashSet<string>(StringComparer.Ordinal);
        var (count, cursor, summary, elements) = (DefaultCount, (string?)null, (string?)null, (string?)null);
        foreach (var (key, values) in parameters)
        {
            if (Ignored.Contains(key)) continue;
            foreach (var value in values)
            {
                // Passed over as nothing, a filter without its value would let everything through.
                if (string.IsNullOrEmpty(value)) return Bad(key, "with a value");
                if (Once.Contains(key) && !once.Add(key)) return Bad(key, "once");
                // A total is always given, and is exact.
                if (key == "_total" && value is "none" or "estimate" or "accurate") continue;
                if (key == "_cursor")
                {
                    cursor = value;
                    continue;
                }
                self.Add($"{Uri.EscapeDataString(key)}={Uri.EscapeDataString(value)}");
                if (key == Subset.Summary) summary = value;
                else if (key == Subset.Elements) elements = value;
                else if (key == "_count" && value.All(char.IsAsciiDigit))
                    count = int.TryParse(value, Invariant, out var wanted) ? Math.Min(wanted, MaxCount) : MaxCount;
                else if (key == "_count") return Bad(key, "a number from 0");
                else if (key == "_total") return Bad(key, "none, estimate or accurate");
                else if (key == "_sort" && Sort(type, value) is { } keys) sort.AddRange(keys);
                else if (key == "_sort") return Bad(key, $"up to {MaxSortKeys} parameters of {type}, with a minus to fall");
                else if (key is "_include" or "_revinclude" && Include(type, key == "_revinclude", value) is { } include)
                    includes.Add(include);
                else if (key == "_include") return Bad(key, $"{type}:parameter, with one of the reference parameters of {type}");
                else if (key == "_revinclude") return Bad(key, $"type:parameter, with one of its reference parameters to {type}");
                else if (Criterion(type, key, value) is { } criterion) criteria.Add(criterion);
                else return Bad(key, Allowed(type));
            }
        }
        // Each is asked of every record that the others leave: a long list of long lists is hours of work in one line.
        var sum = criteria.Sum(c => c.Values.Count);
        if (sum > limits.MaxSearchValues)
        {
            return Outcome.Of(
                OutcomeCategory.Malformed,
                $"the search has {sum} values, and may have {limits.MaxSearchValues} (Limits:MaxSearchValues): ask in several searches");
        }
        var subset = Subset.Of(type, summary, elements, includes.Count > 0);
        if (subset.Failure is { } notCut) return notCut;
        var query = new SearchQuery(type, criteria, summary == "count" ? 0 : count, 0) { Sort = sort };
        return new ParsedSearch(query, includes, subset.Value, string.Join('&', self), cursor);
    }

    private static Outcome Bad(string key, string allowed) => Outcome.Of(
        OutcomeCategory.Malformed, $"the search parameter '{(key.Length > 40 ? key[..40] : key)}' is not understood: {allowed}");

    private string Allowed(string type)
    {
        var codes = indexer.ParametersOf(type).Select(p => p.Code);
        return $"one of: _id, _lastUpdated, {string.Join(", ", codes)}, _count, _sort, _include, _revinclude, _summary, _elements; "
            + "with a value of its type";
    }

    // A third part names the type that is referred to.
    private Inclusion? Include(string type, bool isReverse, string value)
    {
        var parts = value.Split(':');
        var isReference = parts.Length is 2 or 3
            && (isReverse ? parts.Length == 2 || parts[2] == type : parts[0] == type)
            && indexer.ParametersOf(parts[0]).Any(p => p.Code == parts[1] && p.Type == "reference");
        return isReference ? new Inclusion(parts[0], parts[1], isReverse) : null;
    }

    private List<SortKey>? Sort(string type, string value)
    {
        var keys = value.Split(',').Select(k => (Code: k.TrimStart('-'), IsDescending: k.StartsWith('-'))).ToList();
        return keys.Count <= MaxSortKeys && keys.TrueForAll(k => KindOf(type, k.Code) is not null)
            ? keys.ConvertAll(k => new SortKey(k.Code, KindOf(type, k.Code)!, k.IsDescending))
            : null;
    }

    private string? KindOf(string type, string code) => code switch
    {
        "_id" => "id",
        "_lastUpdated" => "date",
        _ => indexer.ParametersOf(type).FirstOrDefault(p => p.Code == code).Type,
    };

    private SearchCriterion? Criterion(string type, string key, string value)
    {
        var (code, modifier) = key.Split(':') is [var c, var m] ? (c, m) : (key, null);
        var kind = KindOf(type, code);
        if (kind is null || (modifier is not null && (kind != "reference" || !FhirSchema.R4.IsResourceType(modifier)))) return null;
        var values = new List<SearchValue>();
        foreach (var text in SplitValues(value))
        {
            if (Value(kind, code, modifier, text) is not { } parsed) return null;
            values.Add(parsed);
        }
        return values.Count <= MaxValues ? new SearchCriterion(code, kind, values) : null;
    }

    private static SearchValue? Value(string kind, string code, string? modifier, string text)
    {
        switch (kind)
        {
            case "id":
                return new SearchValue(null, text);
            case "token":
                var (system, token) = Token(text);
                return new SearchValue(system, system is not null && token.Length == 0 ? null : token);
            case "reference":
                if (FhirReference.TryParse(text, out var reference)) return new SearchValue(reference.Type, reference.Id);
                if (text.Contains('/') || text.Contains(':')) return new SearchValue(null, text);
                return new SearchValue(modifier ?? (code == "patient" ? "Patient" : null), text);
            default:
                var prefix = text.Length > 2 && char.IsAsciiLetter(text[0]) ? text[..2] : "eq";
                if (prefix is not ("eq" or "ne" or "lt" or "le" or "gt" or "ge")) return null;
                var date = text.StartsWith(prefix, StringComparison.Ordinal) ? text[2..] : text;
                return FhirDate.Range(date) is { } range
                    ? new SearchValue(null, null, prefix, range.From.ToUnixTimeMilliseconds(), range.To.ToUnixTimeMilliseconds())
                    : null;
        }
    }

    /// <summary>
    /// A token: without a bar of any system, with nothing before it of none; with nothing behind it any code. R4 search.html#token
    /// </summary>
    internal static (string? System, string Code) Token(string text)
    {
        var bar = text.IndexOf('|');
        return bar < 0 ? (null, text) : (text[..bar], text[(bar + 1)..]);
    }

    // A comma separates alternatives unless a backslash stands before it (R4 search.html, "escaping").
    internal static IEnumerable<string> SplitValues(string value)
    {
        var current = new System.Text.StringBuilder();
        for (var i = 0; i < value.Length; i++)
        {
            if (value[i] == '\\' && i + 1 < value.Length) current.Append(value[++i]);
            else if (value[i] == ',')
            {
                yield return current.ToString();
                current.Clear();
            }
            else current.Append(value[i]);
        }
        yield return current.ToString();
    }
}
