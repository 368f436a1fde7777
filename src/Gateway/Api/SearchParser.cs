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
/// <param name="Parameter">Its search parameter; null: each (<c>*</c>).</param>
/// <param name="Target">The type that is referred to; null: any.</param>
/// <param name="IsReverse">Whether what refers to a match comes along (<c>_revinclude</c>), not what a match refers to.</param>
/// <param name="Iterates">Whether it is asked of what came along, too (<c>:iterate</c>).</param>
internal sealed record Inclusion(string Type, string? Parameter, string? Target, bool IsReverse, bool Iterates);

/// <summary>Reads search parameters. An unknown one is refused: a filter passed over would give more than was asked for.</summary>
internal sealed class SearchParser(SearchIndexer indexer, LimitOptions limits)
{
    private static readonly IFormatProvider Invariant = System.Globalization.CultureInfo.InvariantCulture;
    private const int DefaultCount = 50;
    private const int MaxCount = 500;
    public const int MaxValues = 200;
    private const int MaxSortKeys = 4;
    private const int MaxLinks = 3;
    private const int MaxCriteria = 100;
    private static readonly string[] Ignored = ["_format", "_pretty"];
    private static readonly string[] Once = ["_count", "_cursor", Subset.Summary, Subset.Elements, "_total", "_sort"];
    private static readonly string[] Includes = ["_include", "_revinclude"];

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
                else if (Include(type, key, value) is { } include) includes.Add(include);
                else if (key.StartsWith("_include", StringComparison.Ordinal))
                    return Bad(key, $"* or {type}:parameter, with one of the reference parameters of {type}; :iterate takes any type's");
                else if (key.StartsWith("_revinclude", StringComparison.Ordinal))
                    return Bad(key, $"type:parameter, with one of its reference parameters to {type}; :iterate takes any");
                else if (Criterion(type, key, value, links: 0) is { } criterion) criteria.Add(criterion);
                else return Bad(key, Allowed(type));
            }
        }
        // Each is asked of every record that the others leave: a long list of long lists is hours of work in one line.
        if (criteria.Count > MaxCriteria)
            return Outcome.Of(OutcomeCategory.Malformed, $"the search asks {criteria.Count} parameters, and may ask {MaxCriteria}");
        var sum = criteria.Sum(ValuesOf);
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

    private static int ValuesOf(SearchCriterion criterion) =>
        criterion.Link is { } link ? 1 + ValuesOf(link.Criterion) : Math.Max(1, criterion.Values.Count);

    /// <summary>
    /// Parses the condition of a write: criteria alone, one at least. What says how a search is answered would change nothing here, and
    /// whoever sends it (<c>_count=1</c>) may think that it does.
    /// </summary>
    public Result<SearchQuery> ParseCondition(string type, IEnumerable<KeyValuePair<string, StringValues>> criteria)
    {
        List<KeyValuePair<string, StringValues>> all = [.. criteria];
        if (all.Find(p => Once.Contains(p.Key) || Includes.Contains(p.Key.Split(':')[0])) is { Key: { } key })
        {
            return Outcome.Of(
                OutcomeCategory.Malformed, $"the parameter '{key}' says how a search is answered: a condition has criteria alone");
        }
        var parsed = Parse(type, all);
        if (parsed.Failure is { } failure) return failure;
        var named = parsed.Value.Query.Criteria;
        // It is asked again where all writes wait for each other: what is tied to others, or lacks something, takes too long for that.
        if (named.Any(c => c.Link is not null))
            return Outcome.Of(OutcomeCategory.Malformed, "a condition says what a resource has itself: no chain and no _has");
        return !named.Any(c => c is { IsNegated: false, IsMissing: null })
            ? Outcome.Of(OutcomeCategory.Malformed, $"the condition names nothing to look for: it has search parameters of {type}")
            // The first, and how many there are.
            : parsed.Value.Query with { Count = 1 };
    }

    private static Outcome Bad(string key, string allowed) => Outcome.Of(
        OutcomeCategory.Malformed, $"the search parameter '{(key.Length > 40 ? key[..40] : key)}' is not understood: {allowed}");

    private string Allowed(string type)
    {
        var codes = indexer.ParametersOf(type).Select(p => p.Code);
        return $"one of: _id, _lastUpdated, {string.Join(", ", codes)}, _count, _sort, _include, _revinclude, _summary, _elements; with a "
            + $"value of its type; :not of a token, :missing, reference:Type.parameter, _has:Type:reference:parameter, {MaxLinks} links";
    }

    // A third part names the type that is referred to.
    private Inclusion? Include(string type, string key, string value)
    {
        if (key.Split(':') is not [var name and ("_include" or "_revinclude"), .. var modifiers] || modifiers is not ([] or ["iterate"]))
            return null;
        var (isReverse, iterates) = (name == "_revinclude", modifiers.Length > 0);
        if (!isReverse && value == "*") return new Inclusion(type, null, null, IsReverse: false, iterates);
        if (value.Split(':') is not [var from, var parameter, .. var more] || more is not ([] or [_])) return null;
        var target = more is [var to] ? to : null;
        // What came along before is of any type, and so is what it refers to.
        var fits = iterates || (isReverse ? target is null || target == type : from == type);
        var isKnown = !isReverse && parameter == "*" ? FhirTypes.Offered.Contains(from) : IsReference(from, parameter);
        return fits && isKnown && (target is null || FhirSchema.R4.IsResourceType(target))
            ? new Inclusion(from, parameter == "*" ? null : parameter, target, isReverse, iterates)
            : null;
    }

    private bool IsReference(string type, string code) => indexer.ParametersOf(type).Any(p => p.Code == code && p.Type == "reference");

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

    private SearchCriterion? Criterion(string type, string key, string value, int links)
    {
        if (key.StartsWith("_has:", StringComparison.Ordinal) || key.Contains('.')) return Link(type, key, value, links);
        var (code, modifier) = key.Split(':') is [var c, var m] ? (c, m) : (key, null);
        var kind = KindOf(type, code);
        if (kind is null) return null;
        if (modifier == "missing")
        {
            // Of these there is always a value.
            var canBeMissing = code is not ("_id" or "_lastUpdated") && kind is "token" or "reference" or "date";
            return canBeMissing && value is "true" or "false"
                ? new SearchCriterion(code, kind, []) { IsMissing = value == "true" }
                : null;
        }
        if (modifier == "not" && kind == "token")
            return Criterion(type, code, value, links) is { } negated ? negated with { IsNegated = true } : null;
        if (modifier is not null && (kind != "reference" || !FhirSchema.R4.IsResourceType(modifier))) return null;
        var values = new List<SearchValue>();
        foreach (var text in SplitValues(value))
        {
            if (Value(kind, code, modifier, text) is not { } parsed) return null;
            values.Add(parsed);
        }
        return values.Count <= MaxValues ? new SearchCriterion(code, kind, values) : null;
    }

    // patient.identifier, subject:Patient.identifier, _has:Observation:patient:code; what stands behind the first link may be one again.
    // https://hl7.org/fhir/R4/search.html#chaining and #has
    private SearchCriterion? Link(string type, string key, string value, int links)
    {
        if (links == MaxLinks) return null;
        if (key.Split(':', 4) is ["_has", var referring, var by, var asked])
            return IsReference(referring, by) ? Of(referring, by, isReverse: true, asked) : null;
        if (key.Split('.', 2) is not [var reference, var rest]) return null;
        var (code, target) = reference.Split(':') is [var c, var t] ? (c, t) : (reference, reference == "patient" ? "Patient" : null);
        return target is not null && IsReference(type, code) ? Of(target, code, isReverse: false, rest) : null;

        SearchCriterion? Of(string other, string parameter, bool isReverse, string inner) =>
            FhirTypes.Offered.Contains(other) && Criterion(other, inner, value, links + 1) is { } criterion
                ? new SearchCriterion(parameter, "link", []) { Link = new SearchLink(other, parameter, isReverse, criterion) }
                : null;
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
