using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Flows;

/// <summary>The resource scopes of a token. Each is an alternative: together they reach what one of them reaches.</summary>
/// <param name="scopes">The scopes.</param>
public sealed class SmartScopes(IReadOnlyList<SmartScope> scopes)
{
    private const ScopeAction Shown = ScopeAction.Read | ScopeAction.Search;

    /// <summary>The scopes of a list of texts, none of which has search parameters; one that has counts for nothing.</summary>
    public SmartScopes(IEnumerable<string> scopes)
        : this([.. scopes.Select(SmartScope.Read).OfType<SmartScope>()])
    {
    }

    /// <summary>
    /// Whether an action on a type is allowed at one of the levels patient, user, system; where a scope names search parameters, on some
    /// records of it.
    /// </summary>
    public bool Allow(string level, string type, ScopeAction action) => scopes.Any(s => s.Level == level && s.Allows(type, action));

    /// <summary>What they reach at most by an action at some levels, as far as search parameters say.</summary>
    public ScopeReach Reach(IReadOnlyCollection<string> levels, ScopeAction action) => scopes.All(s => s.Filter is null)
        ? ScopeReach.All
        : new ScopeReach(
            Filters(levels, action),
            // Of what links to a Binary that is written: whoever must not see it by that must not write it by that.
            (action & Shown) != 0 ? Filters(levels, Shown) : [.. Filters(levels, Shown), .. Filters(levels, action)]);

    /// <summary>The scopes with search parameters that are for an action on a type, in words.</summary>
    public string Narrow(IReadOnlyCollection<string> levels, string type, ScopeAction action) => string.Join(
        ' ', scopes.Where(s => s.Filter is not null && levels.Contains(s.Level) && s.Allows(type, action)).Select(s => s.Text));

    /// <summary>Whether a scope asks for nothing that these do not have: the same level, no other type, action, or records.</summary>
    public bool Cover(SmartScope asked) => Enum.GetValues<ScopeAction>()
        .Where(action => action != ScopeAction.None && asked.Actions.HasFlag(action))
        .All(action => scopes.Any(had => had.Level == asked.Level && had.Allows(asked.Type, action) && had.Filter switch
        {
            null => true,
            var filter => asked.Filter is { } narrower && filter.Covers(narrower),
        }));

    // A scope without parameters makes those with some superfluous.
    private Dictionary<string, IReadOnlyList<ScopeFilter>> Filters(IReadOnlyCollection<string> levels, ScopeAction actions)
    {
        var counted = scopes.Where(s => levels.Contains(s.Level) && (s.Actions & actions) != 0).ToList();
        return counted.Where(s => s.Filter is not null).GroupBy(s => s.Type)
            .Where(type => !counted.Exists(s => s.Filter is null && (s.Type == "*" || s.Type == type.Key)))
            .ToDictionary(type => type.Key, IReadOnlyList<ScopeFilter> (type) => [.. type.Select(s => s.Filter!)]);
    }
}
