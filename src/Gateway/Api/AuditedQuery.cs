using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// A search as the audit log has it: what was looked for by, not what was looked for. Values name and describe persons (an identifier, a
/// birth date, the code of a disease), and the rows of the log are not sealed: each value is a star, but for what says how to answer.
/// </summary>
internal static class AuditedQuery
{
    private static readonly HashSet<string> Controls = ["_count", "_sort", "_include", "_revinclude", Subset.Summary, Subset.Elements];

    /// <summary>The text.</summary>
    /// <param name="list">Type, also of a search in a compartment, whose patient is an entity of its own; or path of a history.</param>
    /// <param name="self">The parameters that were understood, as they stand in the self link.</param>
    public static string Of(string list, string self) => Text(list, self.Split('&', StringSplitOptions.RemoveEmptyEntries).Select(p =>
    {
        var name = p.Split('=')[0];
        return Controls.Contains(Uri.UnescapeDataString(name).Split(':')[0]) ? p : name + "=*";
    }));

    /// <summary>The same of a condition.</summary>
    public static string Of(SearchQuery condition) => Text(condition.Type, condition.Criteria.Select(
        c => $"{c.Parameter}{(c.IsNegated ? ":not" : c.IsMissing is null ? "" : ":missing")}=*"));

    private static string Text(string list, IEnumerable<string> parameters)
    {
        var query = string.Join('&', parameters);
        return query.Length == 0 ? list : $"{list}?{query}";
    }
}
