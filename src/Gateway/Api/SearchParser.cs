using Microsoft.Extensions.Primitives;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>A search request as it was understood.</summary>
/// <param name="Query">What to find.</param>
/// <param name="Includes">What comes along with what matches.</param>
/// <param name="Subset">Which part of each resource.</param>
/// <param name="Self">The parameters that were understood, for the self link, without the cursor.</param>
/// <param name="Cursor">The cursor of a next link, not opened yet; null: the first page.</param>
/// <param name="Ignored">Names of parameters that were passed over, as was asked for.</param>
internal sealed record ParsedSearch(
    SearchQuery Query, IReadOnlyList<Inclusion> Includes, Subset Subset, string Self, string? Cursor, IReadOnlyList<string> Ignored);

/// <summary>What comes along with the matches of a search. https://hl7.org/fhir/R4/search.html#include</summary>
/// <param name="Type">The type whose reference it is.</param>
/// <param name="Parameter">Its search parameter; null: each (<c>*</c>).</param>
/// <param name="Target">The type that is referred to; null: any.</param>
/// <param name="IsReverse">Whether what refers to a match comes along (<c>_revinclude</c>), not what a match refers to.</param>
/// <param name="Iterates">Whether it is asked of what came along, too (<c>:iterate</c>).</param>
internal sealed record Inclusion(string Type, string? Parameter, string? Target, bool IsReverse, bool Iterates);

/// <summary>
/// Reads search parameters. An unknown one is refused: a filter passed over would give more than was asked for. Who wants that says so, by
/// <c>Prefer: handling=lenient</c>, and is told. https://hl7.org/fhir/R4/search.html#errors
/// </summary>
internal sealed class SearchParser(CriterionParser criterionParser, LimitOptions limits)
{
    private static readonly IFormatProvider Invariant = System.Globalization.CultureInfo.InvariantCulture;
    private const int DefaultCount = 50;
    private const int MaxCount = 500;
    private const int MaxSortKeys = 4;
    private const int MaxCriteria = 100;

    // Of a condition, which is asked where all writes wait.
    private const int MaxConditionValues = 20;
    private static readonly string[] OfAll = ["_format", "_pretty"];
    private static readonly string[] Once = ["_count", "_cursor", Subset.Summary, Subset.Elements, "_total", "_sort"];
    private static readonly string[] Includes = ["_include", "_revinclude"];

    /// <summary>Parses the parameters of a search over a type.</summary>
    /// <param name="type">Resource type.</param>
    /// <param name="parameters">The parameters.</param>
    /// <param name="reach">What the token reaches at most by searching: that is asked as well.</param>
    /// <param name="isLenient">Whether those that the type does not have are passed over.</param>
    public Result<ParsedSearch> Parse(
        string type, IEnumerable<KeyValuePair<string, StringValues>> parameters, ScopeReach reach, bool isLenient = false)
    {
        var ignored = new List<string>();
        var criteria = new List<SearchCriterion>();
        var includes = new List<Inclusion>();
        var self = new List<string>();
        var sort = new List<SortKey>();
        var once = new HashSet<string>(StringComparer.Ordinal);
        var (count, cursor, summary, elements) = (DefaultCount, (string?)null, (string?)null, (string?)null);
        foreach (var (key, values) in parameters)
        {
            if (OfAll.Contains(key)) continue;
            if (isLenient && !IsKnown(type, key))
            {
                ignored.Add(key);
                continue;
            }
            foreach (var value in values)
            {
                // Passed over as nothing, a filter without its value would let everything through.
                if (string.IsNullOrEmpty(value)) return CriterionParser.Bad(key, "with a value");
                if (Once.Contains(key) && !once.Add(key)) return CriterionParser.Bad(key, "once");
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
                else if (key == "_count") return CriterionParser.Bad(key, "a number from 0");
                else if (key == "_total") return CriterionParser.Bad(key, "none, estimate or accurate");
                else if (key == "_sort" && Sort(type, value) is { } keys) sort.AddRange(keys);
                else if (key == "_sort") return CriterionParser.Bad(key, SortExpected(type));
                else if (Include(type, key, value) is { } include) includes.Add(include);
                else if (key.StartsWith("_include", StringComparison.Ordinal))
                    return CriterionParser.Bad(
                        key, $"* or {type}:parameter, with one of the reference parameters of {type}; :iterate takes any type's");
                else if (key.StartsWith("_revinclude", StringComparison.Ordinal))
                    return CriterionParser.Bad(key, $"type:parameter, with one of its reference parameters to {type}; :iterate takes any");
                else
                {
                    var criterion = criterionParser.Parse(type, key, value);
                    if (criterion.Failure is { } failure) return failure;
                    criteria.Add(criterion.Value);
                }
            }
        }
        // Each is asked of every record that the others leave: a long list of long lists is hours of work in one line.
        if (criteria.Count > MaxCriteria)
            return Outcome.Of(OutcomeCategory.Malformed, $"the search asks {criteria.Count} parameters, and may ask {MaxCriteria}");
        var sum = reach.ValuesOf(type) + criteria.Sum(c => ValuesOf(c, reach));
        if (sum > limits.MaxSearchValues)
        {
            return Outcome.Of(
                OutcomeCategory.Malformed,
                $"the search has {sum} values, with those of the token's scopes, and may have {limits.MaxSearchValues} "
                    + "(Limits:MaxSearchValues): ask in several searches");
        }
        var subset = Subset.Of(type, summary, elements, includes.Count > 0);
        if (subset.Failure is { } notCut) return notCut;
        var query = new SearchQuery(type, criteria, summary == "count" ? 0 : count, 0) { Sort = sort };
        // The patients of each that is not found are told, in an entry of its own.
        if (query.Named.Count() is > Found.MaxCounted and var records)
        {
            return Outcome.Of(
                OutcomeCategory.Malformed,
                $"the search names {records} records, and may name {Found.MaxCounted}: ask in several searches");
        }
        return new ParsedSearch(query, includes, subset.Value, string.Join('&', self), cursor, ignored);
    }

    // A modifier or value that is not understood is refused all the same.
    private bool IsKnown(string type, string key) =>
        Once.Contains(key) || Includes.Contains(key.Split(':')[0]) || criterionParser.IsKnown(type, key);

    private static int ValuesOf(SearchCriterion criterion, ScopeReach reach) =>
        criterion.Link is { } link ? 1 + reach.ValuesOf(link.Type) + ValuesOf(link.Criterion, reach)
        : criterion.Alternatives.Count > 0 ? criterion.Alternatives.SelectMany(a => a.Criteria).Sum(c => ValuesOf(c, reach))
        : Math.Max(1, criterion.Values.Count);

    /// <summary>
    /// Parses the condition of a write: criteria alone, one at least. What says how a search is answered would change nothing here, and
    /// whoever sends it (<c>_count=1</c>) may think that it does.
    /// </summary>
    public Result<SearchQuery> ParseCondition(
        string type, IEnumerable<KeyValuePair<string, StringValues>> criteria, ScopeReach reach)
    {
        List<KeyValuePair<string, StringValues>> all = [.. criteria];
        if (all.Find(p => Once.Contains(p.Key) || Includes.Contains(p.Key.Split(':')[0])) is { Key: { } key })
        {
            return Outcome.Of(
                OutcomeCategory.Malformed, $"the parameter '{key}' says how a search is answered: a condition has criteria alone");
        }
        var parsed = Parse(type, all, reach);
        if (parsed.Failure is { } failure) return failure;
        var query = parsed.Value.Query;
        // It is asked again where all writes wait for each other: what is tied to others, or lacks something, takes too long for that.
        if (query.Criteria.Any(c => c.Link is not null))
            return Outcome.Of(OutcomeCategory.Malformed, "a condition says what a resource has itself: no chain and no _has");
        // For the same reason an index has to lead to the few that it may be about.
        if (!query.Criteria.Any(c => c.NamesFew))
        {
            var asked = query.Criteria.Count == 0 ? "" : $" by '{string.Join("', '", query.Criteria.Select(c => c.Parameter).Distinct())}'";
            return Outcome.Of(
                OutcomeCategory.Malformed,
                $"the condition names nothing to look for{asked}: one of its parameters is an identifier with its value, a reference or "
                    + $"_id of {type}");
        }
        var values = query.Criteria.Sum(c => ValuesOf(c, ScopeReach.All));
        if (values > MaxConditionValues)
        {
            var longest = query.Criteria.MaxBy(c => ValuesOf(c, ScopeReach.All))!.Parameter;
            return Outcome.Of(
                OutcomeCategory.Malformed,
                $"the condition has {values} values, most of them of '{longest}', and may have {MaxConditionValues}");
        }
        // Whose records match is told, as of what is counted.
        return query with { Count = Found.MaxCounted };
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
        var isKnown = !isReverse && parameter == "*" ? FhirTypes.Offered.Contains(from) : criterionParser.IsReference(from, parameter);
        return fits && isKnown && (target is null || FhirSchema.R4.IsResourceType(target))
            ? new Inclusion(from, parameter == "*" ? null : parameter, target, isReverse, iterates)
            : null;
    }

    private List<SortKey>? Sort(string type, string value)
    {
        var keys = value.Split(',').Select(k => (Parameter: Sorting(type, k.TrimStart('-')), IsDescending: k.StartsWith('-'))).ToList();
        return keys.Count <= MaxSortKeys && keys.TrueForAll(k => k.Parameter is not null)
            ? keys.ConvertAll(k => new SortKey(k.Parameter!.Code, k.Parameter.Type, k.IsDescending))
            : null;
    }

    // Hashes have no order, and what is made of several parameters has none of its own.
    private SearchParameter? Sorting(string type, string code) =>
        criterionParser.Find(type, code) is { IsPersonal: false, AnyOf.Count: 0, Type: not "composite" } parameter ? parameter : null;

    private string SortExpected(string type)
    {
        var codes = criterionParser.ParametersOf(type).Where(p => Sorting(type, p.Code) is not null).Select(p => p.Code);
        return $"up to {MaxSortKeys} of _id, _lastUpdated, {string.Join(", ", codes)}, with a minus to fall; the index has hashes of what "
            + "names a person, which have no order";
    }
}
