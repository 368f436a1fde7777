namespace PmrGateway.Gateway.Flows;

/// <summary>What a scope lets a client do to resources.</summary>
[Flags]
public enum ScopeAction
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>create.</summary>
    Create = 1,

    /// <summary>read, vread, history of a resource.</summary>
    Read = 2,

    /// <summary>update.</summary>
    Update = 4,

    /// <summary>delete.</summary>
    Delete = 8,

    /// <summary>search, history of a type.</summary>
    Search = 16,
}

/// <summary>
/// The resource scopes of a token, SMART v1 (<c>read</c>, <c>write</c>, <c>*</c>) and v2 (<c>cruds</c>). A v2 scope with a search
/// restriction counts for nothing here rather than for too much. Source: SMART App Launch 2.2, scopes-and-launch-context.
/// </summary>
public sealed class SmartScopes
{
    private readonly List<(string Level, string Type, ScopeAction Actions)> _scopes = [];

    /// <summary>The scopes of a space-separated text.</summary>
    public SmartScopes(IEnumerable<string> scopes)
    {
        foreach (var scope in scopes)
            if (Parse(scope) is { } parsed) _scopes.Add(parsed);
    }

    /// <summary>
    /// A scope or app role of Microsoft Entra ID in the words of SMART. Entra takes no slash and no star in a scope's name: there
    /// <c>patient/Observation.rs</c> is registered as <c>patient.Observation.rs</c> and <c>system/*.read</c> as <c>system.all.read</c>.
    /// </summary>
    /// <param name="scope">One scope or role; one without two dots is given back as it is.</param>
    public static string FromEntra(string scope) => scope.Split('.') is [var level, var type, var actions]
        ? $"{level}/{(type == "all" ? "*" : type)}.{(actions == "all" ? "*" : actions)}"
        : scope;

    /// <summary>Whether an action on a type is allowed at one of the levels patient, user, system.</summary>
    public bool Allow(string level, string type, ScopeAction action) =>
        _scopes.Exists(s => s.Level == level && (s.Type == "*" || s.Type == type) && (s.Actions & action) != 0);

    /// <summary>Whether a text is a resource scope.</summary>
    public static bool IsResourceScope(string scope) => Parse(scope) is not null;

    /// <summary>Whether a scope asks for nothing that these do not have: the same level, a type of theirs and no other action.</summary>
    /// <param name="scope">One scope; what is no resource scope is not covered.</param>
    public bool Cover(string scope)
    {
        if (Parse(scope) is not { } asked) return false;
        var (level, type, actions) = asked;
        var had = _scopes.Where(s => s.Level == level && (s.Type == "*" || s.Type == type))
            .Aggregate(ScopeAction.None, static (all, s) => all | s.Actions);
        return (actions & ~had) == ScopeAction.None;
    }

    private static (string Level, string Type, ScopeAction Actions)? Parse(string scope)
    {
        var slash = scope.IndexOf('/');
        var dot = scope.LastIndexOf('.');
        if (slash < 0 || dot < slash || scope[..slash] is not ("patient" or "user" or "system")) return null;
        var type = scope[(slash + 1)..dot];
        if (type != "*" && (type.Length == 0 || !type.All(char.IsAsciiLetter))) return null;
        return Actions(scope[(dot + 1)..]) is { } actions ? (scope[..slash], type, actions) : null;
    }

    private static ScopeAction? Actions(string text)
    {
        const ScopeAction Reads = ScopeAction.Read | ScopeAction.Search;
        const ScopeAction Writes = ScopeAction.Create | ScopeAction.Update | ScopeAction.Delete;
        switch (text)
        {
            case "read": return Reads;
            case "write": return Writes;
            case "*": return Reads | Writes;
        }
        // v2: letters of "cruds" in this order, each at most once.
        var (actions, at) = (ScopeAction.None, 0);
        foreach (var letter in text)
        {
            var place = "cruds".IndexOf(letter, at);
            if (place < 0) return null;
            actions |= (ScopeAction)(1 << place);
            at = place + 1;
        }
        return actions == ScopeAction.None ? null : actions;
    }
}
