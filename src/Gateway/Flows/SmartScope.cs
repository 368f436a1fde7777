using PmrGateway.Mapping;

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
/// One resource scope of SMART, v1 (<c>read</c>, <c>write</c>, <c>*</c>) or v2 (<c>cruds</c>). Source: SMART App Launch 2.2,
/// scopes-and-launch-context.
/// </summary>
/// <param name="Level">patient, user or system.</param>
/// <param name="Type">Resource type, or <c>*</c>.</param>
/// <param name="Actions">What it lets a client do.</param>
public sealed record SmartScope(string Level, string Type, ScopeAction Actions)
{
    /// <summary>To which records of the type; null: to all.</summary>
    public ScopeFilter? Filter { get; init; }

    /// <summary>The scope as it was written, where it has search parameters; "": it has none.</summary>
    public string Text { get; init; } = "";

    /// <summary>A resource scope without search parameters; null: the text is none.</summary>
    public static SmartScope? Read(string scope)
    {
        var slash = scope.IndexOf('/');
        var dot = scope.LastIndexOf('.');
        if (slash < 0 || dot < slash || scope[..slash] is not ("patient" or "user" or "system")) return null;
        var type = scope[(slash + 1)..dot];
        if (type != "*" && (type.Length == 0 || !type.All(char.IsAsciiLetter))) return null;
        return ActionsOf(scope[(dot + 1)..]) is { } actions ? new SmartScope(scope[..slash], type, actions) : null;
    }

    /// <summary>
    /// A scope or app role of Microsoft Entra ID in the words of SMART. Entra takes no slash and no star in a scope's name: there
    /// <c>patient/Observation.rs</c> is registered as <c>patient.Observation.rs</c> and <c>system/*.read</c> as <c>system.all.read</c>.
    /// </summary>
    /// <param name="scope">One scope or role; one whose name is none such is given back as it is.</param>
    public static string FromEntra(string scope)
    {
        // Search parameters behind the name have dots and slashes of their own.
        var name = scope.Split('?')[0];
        return name.Split('.') is [var level, var type, var actions] && !name.Contains('/')
            ? $"{level}/{(type == "all" ? "*" : type)}.{(actions == "all" ? "*" : actions)}{scope[name.Length..]}"
            : scope;
    }

    /// <summary>Whether it lets a client do something to a type, or to some records of it.</summary>
    public bool Allows(string type, ScopeAction action) => (Type == "*" || Type == type) && (Actions & action) != 0;

    private static ScopeAction? ActionsOf(string text)
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
