using PmrGateway.Fhir;

namespace PmrGateway.Mapping;

/// <summary>A value that a search parameter in a scope takes.</summary>
/// <param name="System">token: the system, "" for none, null for any; reference: the target's type, or null for any.</param>
/// <param name="Text">token: the code, or null for any; reference: id or URL.</param>
public readonly record struct ScopeValue(string? System, string? Text)
{
    /// <summary>Whether every value that the other one takes is one that this takes.</summary>
    public bool Covers(ScopeValue other) => (System is null || System == other.System) && (Text is null || Text == other.Text);

    /// <summary>Whether a search value of a record is one.</summary>
    public bool Takes(IndexEntry entry) => (System is null || System == (entry.System ?? "")) && (Text is null || Text == entry.Value);
}

/// <summary>A search parameter in a scope: any of its values.</summary>
/// <param name="Parameter">Code of the search parameter.</param>
/// <param name="Kind">token or reference.</param>
/// <param name="Values">The alternatives.</param>
public sealed record ScopeTerm(string Parameter, string Kind, IReadOnlyList<ScopeValue> Values)
{
    /// <summary>Whether the index has hashes of its values: <see cref="SearchParameter.IsPersonal"/>.</summary>
    public bool IsPersonal { get; init; }

    /// <summary>Whether what the other one lets through is let through by this, too.</summary>
    public bool Covers(ScopeTerm other) =>
        Parameter == other.Parameter && other.Values.All(theirs => Values.Any(ours => ours.Covers(theirs)));

    /// <summary>Whether a record with these search values is let through.</summary>
    public bool Holds(IReadOnlyList<IndexEntry> record) =>
        record.Any(entry => entry.Parameter == Parameter && entry.Type == Kind && Values.Any(v => v.Takes(entry)));
}

/// <summary>The search parameters of one scope: all of them hold of what it reaches.</summary>
/// <param name="Terms">The parameters, one at least.</param>
public sealed record ScopeFilter(IReadOnlyList<ScopeTerm> Terms)
{
    /// <summary>How many values are asked of a record.</summary>
    public int Values => Terms.Sum(t => t.Values.Count);

    /// <summary>Whether what the other one reaches is reached by this, too.</summary>
    public bool Covers(ScopeFilter other) => Terms.All(ours => other.Terms.Any(ours.Covers));

    /// <summary>Whether a record with these search values is reached.</summary>
    public bool Holds(IReadOnlyList<IndexEntry> record) => Terms.All(t => t.Holds(record));
}

/// <summary>
/// What the scopes of a token reach at most, where they name search parameters (SMART App Launch 2.2, "finer-grained resource
/// constraints"): of a type that is restricted what one of its filters lets through. Types that are not restricted are not in it: whether
/// the token reaches those at all is asked of its scopes.
/// </summary>
/// <param name="filters">The filters of each restricted type, alternatives.</param>
/// <param name="filtersOfLinkers">
/// The same for what links to a Binary, which is what links to it: whether it is read or searched, the linker may be either. A type that
/// is here more than once is reached by each.
/// </param>
public sealed class ScopeReach(
    IReadOnlyDictionary<string, IReadOnlyList<ScopeFilter>> filters,
    IReadOnlyCollection<KeyValuePair<string, IReadOnlyList<ScopeFilter>>> filtersOfLinkers)
{
    /// <summary>No type is restricted.</summary>
    public static ScopeReach All { get; } = new(new Dictionary<string, IReadOnlyList<ScopeFilter>>(), []);

    /// <summary>The filters of each restricted type.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<ScopeFilter>> Filters => filters;

    /// <summary>The filters of each restricted type as one that links to a Binary.</summary>
    public IReadOnlyCollection<KeyValuePair<string, IReadOnlyList<ScopeFilter>>> FiltersOfLinkers => filtersOfLinkers;

    /// <summary>How many values are asked of a record of a type, besides what a search asks of it.</summary>
    public int ValuesOf(string type) => type == "Binary"
        ? filtersOfLinkers.Sum(f => f.Value.Sum(v => v.Values))
        : filters.TryGetValue(type, out var alternatives) ? alternatives.Sum(f => f.Values) : 0;

    /// <summary>Whether some record of a type may be out of reach.</summary>
    public bool Restricts(string type) => type == "Binary" ? filtersOfLinkers.Count > 0 : filters.ContainsKey(type);

    /// <summary>Whether a record of a type with these search values is reached. What a Binary is tells its content nothing of.</summary>
    public bool Holds(string type, IReadOnlyList<IndexEntry> record) =>
        !filters.TryGetValue(type, out var alternatives) || alternatives.Any(f => f.Holds(record));
}
