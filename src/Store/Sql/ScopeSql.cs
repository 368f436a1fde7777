using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// What the scopes of a viewer's token reach at most, as a condition over a row of <c>resources</c>: search parameters in a scope are
/// criteria of a search that is always asked besides. Of an ended record nothing is indexed, and nothing is reached.
/// </summary>
internal static class ScopeSql
{
    private static readonly IReadOnlyDictionary<string, long> None = new Dictionary<string, long>();

    /// <summary>The condition for records of a type (null: of any); null: nothing is restricted.</summary>
    /// <param name="sql">Takes the values.</param>
    /// <param name="engine">The engine.</param>
    /// <param name="viewer">Who asks.</param>
    /// <param name="type">The resource type.</param>
    /// <param name="row">The name of the row of <c>resources</c>.</param>
    public static string? Condition(SqlText sql, IStoreEngine engine, BoundViewer viewer, string? type, string row)
    {
        var criteria = new CriterionSql(sql, engine, viewer, viewer.ScopeParameters);
        var conditions = new List<string>();
        foreach (var (restricted, filters) in viewer.Reach.Filters)
        {
            if (type is null) conditions.Add($"({row}.type <> {sql.Value(restricted)} OR {Any(restricted, filters, row)})");
            else if (type == restricted) conditions.Add(Any(restricted, filters, row));
        }
        if (viewer.Reach.FiltersOfLinkers.Count > 0 && type is null or "Binary") conditions.Add(LinkedAlone());
        return conditions.Count == 0 ? null : string.Join(" AND ", conditions);

        string Any(string of, IEnumerable<ScopeFilter> filters, string at) => "(" + string.Join(" OR ", filters.Select(
            f => "(" + string.Join(" AND ", f.Terms.Select(t => criteria.Holds(of, CriterionOf(t), at))) + ")")) + ")";

        // As a code that not all have who link to it opens no Binary: each of them is reached, where its type is restricted. Another
        // hospital's are not asked, as they are not by consents: it must not close what is not its own.
        string LinkedAlone()
        {
            var (link, linker) = ($"{row}_k", $"{row}_l");
            var outside = viewer.Reach.FiltersOfLinkers
                .Select(f => $"({linker}.type = {sql.Value(f.Key)} AND NOT {Any(f.Key, f.Value, linker)})");
            return $"""
                ({row}.type <> 'Binary' OR ({row}.deleted = 0 AND NOT EXISTS (
                  SELECT 1 FROM links {link} {engine.OrderedJoin} resources {linker} ON {linker}.rid = {link}.rid
                  WHERE {link}.binary_id = {row}.id AND {linker}.custodian = {row}.custodian AND {linker}.deleted = 0
                  AND ({string.Join(" OR ", outside)}))))
                """;
        }
    }

    /// <summary>The numbers of the search parameters that restrict a viewer; of one that no record has there is none.</summary>
    public static async ValueTask<IReadOnlyDictionary<string, long>> ParametersAsync(
        Session session, Interners interners, Viewer who, CancellationToken cancellation)
    {
        // Most viewers are restricted by none: what each request pays for is not begun.
        if (ReferenceEquals(who.Reads, ScopeReach.All) && ReferenceEquals(who.Searches, ScopeReach.All)) return None;
        var numbers = new Dictionary<string, long>();
        foreach (var (type, filters) in new[] { who.Reads, who.Searches }.SelectMany(r => r.Filters.Concat(r.FiltersOfLinkers)))
        {
            foreach (var name in filters.SelectMany(f => f.Terms).Select(t => $"{type}.{t.Parameter}").Distinct())
                if (await interners.Parameters.FindAsync(session, name, cancellation) is { } number) numbers[name] = number;
        }
        return numbers;
    }

    private static SearchCriterion CriterionOf(ScopeTerm term) =>
        new(term.Parameter, term.Kind, [.. term.Values.Select(v => new SearchValue(v.System, v.Text))]) { IsPersonal = term.IsPersonal };
}
