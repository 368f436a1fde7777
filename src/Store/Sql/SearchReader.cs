using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// Searches: a statement that walks the most selective index, or what the viewer could see at most, and asks everything else of each row
/// that it finds.
/// </summary>
internal sealed class SearchReader(Interners interners, IndexKey key, VerdictRows verdicts, Reach reach)
{
    // Up to here a total is counted while the page is looked for; beyond it by a count of its own.
    private const int Counted = 1000;

    /// <summary>Whether a search finds one record of those that a viewer may see, and no other, inside a change.</summary>
    /// <param name="session">The session of the change.</param>
    /// <param name="who">Under whose eyes.</param>
    /// <param name="query">The search.</param>
    /// <param name="only">Id of the one; null: whether it finds none.</param>
    /// <param name="cancellation">Stops the search.</param>
    /// <exception cref="VerdictsMissingException">The viewer's verdicts are to be completed first.</exception>
    public async ValueTask<bool> MatchesAsync(
        Session session, Viewer who, SearchQuery query, string? only, CancellationToken cancellation)
    {
        var found = await FirstAsync(session, who, query, only is null ? 1 : 2, cancellation);
        return only is null ? found.Count == 0 : found is [var id] && id == only;
    }

    /// <summary>How many records a search finds inside a change, counted up to a number.</summary>
    public async ValueTask<int> FoundAsync(Session session, Viewer who, SearchQuery query, int most) =>
        (await FirstAsync(session, who, query, most, default)).Count;

    private async ValueTask<List<string>> FirstAsync(
        Session session, Viewer who, SearchQuery query, int most, CancellationToken cancellation)
    {
        var state = await SnapshotState.ReadAsync(session, cancellation);
        var viewer = await state.BindAsync(session, interners, key, who, verdicts.Of(who), searches: true, cancellation);
        return await FromAsync(session, viewer.Searching, query, cancellation) is { } rows
            ? await session.QueryAsync($"SELECT r.id {rows} LIMIT {most}", static r => r.GetString(0), cancellation, rows.Values)
            : [];
    }

    /// <summary>The rows of a page, how many there are in all, and the cursor of the next page (null: this is the last).</summary>
    public async ValueTask<(IReadOnlyList<long> Rids, long Total, long? Next)> PageAsync(
        Session session, BoundViewer viewer, SearchQuery query, CancellationToken cancellation)
    {
        var from = await FromAsync(session, viewer, query, cancellation);
        if (from is not { } rows) return ([], 0, null);
        return query.Sort.Count == 0
            ? await PageAsync(session, rows, query.Cursor, query.Count, cancellation)
            : await SortedPageAsync(session, rows, query, cancellation);
    }

    // What has no value comes last. Of several values, the lowest counts upwards and the highest downwards (R4 search.html, "sorting").
    private async ValueTask<(IReadOnlyList<long> Rids, long Total, long? Next)> SortedPageAsync(
        Session session, SqlText from, SearchQuery query, CancellationToken cancellation)
    {
        var total = await CountAsync(session, from.ToString(), from.Values, cancellation);
        var order = new List<string>();
        foreach (var by in query.Sort)
        {
            if (await SortedByAsync(session, query.Type, by, cancellation) is { } value)
                order.Add($"{value} {(by.IsDescending ? "DESC" : "ASC")} NULLS LAST");
        }
        var page = await session.QueryAsync(
            $"SELECT r.rid {from} ORDER BY {string.Join(", ", order.Append("r.rid"))} LIMIT {query.Count + 1} OFFSET {query.Cursor}",
            static r => r.GetInt64(0), cancellation, from.Values);
        var isLast = query.Count == 0 || page.Count <= query.Count;
        return (page[..Math.Min(query.Count, page.Count)], total, isLast ? null : query.Cursor + query.Count);
    }

    private async ValueTask<string?> SortedByAsync(
        Session session, string type, SortKey by, CancellationToken cancellation)
    {
        if (by.Parameter == "_id") return "r.id";
        if (by.Parameter == "_lastUpdated") return "r.last_updated";
        if (await interners.Parameters.FindAsync(session, $"{type}.{by.Parameter}", cancellation) is not { } parameter) return null;
        var (table, column) = by.Type switch
        {
            "token" or "uri" => ("index_token", "code"),
            "reference" => ("index_reference", "target"),
            "string" => ("index_text", "value"),
            "number" or "quantity" => ("index_number", by.IsDescending ? "hi" : "lo"),
            _ => ("index_date", by.IsDescending ? "hi" : "lo"),
        };
        var value = $"SELECT {(by.IsDescending ? "MAX" : "MIN")}(o.{column}) FROM {table} o WHERE o.rid = r.rid AND o.param = "
            + parameter.ToString(System.Globalization.CultureInfo.InvariantCulture);
        // What was written in several units is ordered in base units, where it has them.
        return by.Type == "quantity" ? $"COALESCE(({value} AND o.unit LIKE '*%'), ({value} AND o.unit NOT LIKE '*%'))" : $"({value})";
    }

    /// <summary>The rows of a patient's compartment, the patient's own first: the cursor of the first page is 0.</summary>
    public async ValueTask<(IReadOnlyList<long> Rids, long Total, long? Next)> CompartmentAsync(
        Session session, BoundViewer viewer, string patient, IReadOnlyCollection<string>? types, long cursor, int count,
        CancellationToken cancellation)
    {
        if (!viewer.Who.Requester.IsActive) return ([], 0, null);
        var (sql, engine) = (new SqlText(), session.Engine);
        if (await reach.IsSmallAsync(session, viewer, cancellation))
        {
            sql.Add("FROM (");
            Reach.AddRows(sql, engine, viewer, null);
            sql.Add($") d {engine.OrderedJoin} compartments p ON p.rid = d.rid ");
        }
        else
        {
            sql.Add("FROM compartments p ");
        }
        sql.Add($"{engine.OrderedJoin} resources r ON r.rid = p.rid "
            + $"WHERE p.patient_id = {sql.Value(patient)} AND p.mentioned = 0 AND r.deleted = 0");
        if (types is not null) sql.Add($" AND r.type {session.Engine.IsOneOf(sql.Value(session.Engine.List(types)))}");
        if (AccessSql.Condition(sql, session.Engine, viewer, null) is { } access) sql.Add($" AND {access}");
        if (AccessSql.InCompartment(sql, session.Engine, viewer, patient, "p.rid") is { } inside) sql.Add($" AND {inside}");
        return await PageAsync(session, sql, cursor, count, cancellation);
    }

    private static async ValueTask<(IReadOnlyList<long> Rids, long Total, long? Next)> PageAsync(
        Session session, SqlText from, long cursor, int count, CancellationToken cancellation)
    {
        var (text, values) = (from.ToString(), from.Values);
        if (cursor == 0)
        {
            var first = await session.QueryAsync(
                $"SELECT r.rid {text} ORDER BY r.rid LIMIT {Math.Max(count + 1, Counted)}", static r => r.GetInt64(0),
                cancellation, values);
            var total = first.Count < Math.Max(count + 1, Counted) ? first.Count : await CountAsync(session, text, values, cancellation);
            return (first[..Math.Min(count, first.Count)], total, count > 0 && first.Count > count ? first[count - 1] : null);
        }
        var page = await session.QueryAsync(
            $"SELECT r.rid {text} AND r.rid > ${values.Length + 1} ORDER BY r.rid LIMIT {count + 1}",
            static r => r.GetInt64(0), cancellation, [.. values, cursor]);
        return (
            page[..Math.Min(count, page.Count)],
            await CountAsync(session, text, values, cancellation),
            count > 0 && page.Count > count ? page[count - 1] : null);
    }

    private static async ValueTask<long> CountAsync(Session session, string text, object?[] values, CancellationToken cancellation) =>
        (await session.NumberAsync($"SELECT COUNT(*) {text}", cancellation, values)).GetValueOrDefault();

    private async ValueTask<SqlText?> FromAsync(Session session, BoundViewer viewer, SearchQuery query, CancellationToken cancellation)
    {
        if (!viewer.Who.Requester.IsActive) return null;
        var (engine, type) = (session.Engine, query.Type);
        var parameters = new Dictionary<string, long>();
        foreach (var name in query.Criteria.SelectMany(c => CriterionSql.ParametersOf(type, c)).Distinct())
            if (await interners.Parameters.FindAsync(session, name, cancellation) is { } parameter) parameters[name] = parameter;
        var drive = query.Criteria.Where(CriterionSql.IsWalked).OrderBy(CriterionSql.Selectivity).FirstOrDefault();
        var isNarrow = drive is not null && CriterionSql.Selectivity(drive) <= CriterionSql.OfFew;
        var sql = new SqlText();
        var isOne = drive is not null && CriterionSql.IsOfOne(drive);
        if (!isOne && await reach.IsShorterAsync(session, viewer, type, isNarrow, AddFound, cancellation))
        {
            drive = null;
            sql.Add("FROM (");
            Reach.AddRows(sql, engine, viewer, type);
            sql.Add($") d {engine.OrderedJoin} resources r ON r.rid = d.rid");
        }
        else if (drive is null)
        {
            sql.Add("FROM resources r");
        }
        else
        {
            sql.Add("FROM (");
            AddFound(sql);
            sql.Add($") d {engine.OrderedJoin} resources r ON r.rid = d.rid");
        }
        sql.Add($" WHERE r.type = {sql.Value(type)} AND r.deleted = 0");
        var criteria = Criteria(sql);
        // What a link finds may be tied to what the viewer may not see.
        foreach (var criterion in query.Criteria.Where(c => c != drive || !CriterionSql.IsFoundExactly(c)))
            sql.Add($" AND {criteria.Holds(type, criterion, "r")}");
        if (AccessSql.Condition(sql, engine, viewer, type) is { } access) sql.Add($" AND {access}");
        if (type != "Binary") return sql;
        foreach (var criterion in query.Criteria.Where(c => c.Type == "compartment"))
            if (AccessSql.InCompartment(sql, engine, viewer, criterion.Values[0].Text!, "d.rid") is { } inside)
                sql.Add($" AND {inside}");
        return sql;

        // The rows of the most selective parameter.
        void AddFound(SqlText into) => into.Add(drive is null
            ? $"SELECT t.rid FROM resources t WHERE t.type = {into.Value(type)}"
            : Criteria(into).Found(type, drive));

        CriterionSql Criteria(SqlText into) => new(into, engine, viewer, parameters);
    }
}
