using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// Histories: of a record, of a type, of all that there is. What a viewer may not see of them is not there: it is not counted, begins no
/// page, and makes no version one that was current for less time.
/// </summary>
internal sealed class HistoryReader(Reach reach)
{
    /// <summary>The versions of a page, how many there are in all, and the cursor of the next page (null: this is the last).</summary>
    /// <param name="session">The snapshot.</param>
    /// <param name="viewer">Who asks.</param>
    /// <param name="query">Of what.</param>
    /// <param name="counts">Whether it is counted; else the total is 0.</param>
    /// <param name="cancellation">Stops it.</param>
    public async ValueTask<(IReadOnlyList<long> Versions, long Total, long? Next)> PageAsync(
        Session session, BoundViewer viewer, HistoryQuery query, bool counts, CancellationToken cancellation)
    {
        if (!viewer.Who.Requester.IsActive || query.Types.Count == 0) return ([], 0, null);
        var sql = await FromAsync(session, viewer, query, cancellation);
        var total = counts ? await session.NumberAsync($"SELECT COUNT(*) {sql}", cancellation, sql.Values) ?? 0 : 0;
        if ((counts && total == 0) || query.Count == 0) return ([], total, null);
        if (query.Cursor != 0)
        {
            var last = sql.Value(query.Cursor);
            sql.Add($" AND (v.last_updated, v.seq) < (SELECT b.last_updated, b.seq FROM versions b WHERE b.seq = {last})");
        }
        var page = await session.QueryAsync(
            $"SELECT v.seq {sql} ORDER BY {VersionRow.NewestFirst} LIMIT {query.Count + 1}", static r => r.GetInt64(0), cancellation,
            sql.Values);
        return page.Count > query.Count ? (page[..query.Count], total, page[query.Count - 1]) : (page, total, null);
    }

    // Where it starts: at the record, at what the viewer could see at most, at the newest of all that there is, or at the type.
    private async ValueTask<SqlText> FromAsync(
        Session session, BoundViewer viewer, HistoryQuery query, CancellationToken cancellation)
    {
        var (sql, engine) = (new SqlText(), session.Engine);
        var versions = $"{engine.OrderedJoin} versions v ON v.rid = r.rid";
        // The directory is open to all.
        var isOpen = query.Types.All(DirectoryTypes.Contains);
        if (query.Id is null && !isOpen && await reach.IsSmallAsync(session, viewer, cancellation))
        {
            sql.Add("FROM (");
            Reach.AddVersionRows(sql, engine, viewer, query.Types);
            sql.Add($") d {engine.OrderedJoin} resources r ON r.rid = d.rid {versions}");
        }
        else if (query.Id is null && (query.Since is not null || query.Type is null))
        {
            sql.Add($"FROM versions v {engine.OrderedJoin} resources r ON r.rid = v.rid");
        }
        else
        {
            sql.Add($"FROM resources r {versions}");
        }
        sql.Add(query.Type is { } type
            ? $" WHERE r.type = {sql.Value(type)}"
            : $" WHERE r.type {engine.IsOneOf(sql.Value(engine.List([.. query.Types])))}");
        if (query.Id is { } id) sql.Add($" AND r.id = {sql.Value(id)}");
        if (query.Since is { } since) sql.Add($" AND v.last_updated >= {sql.Value(since)}");
        if (AccessSql.VersionCondition(sql, engine, viewer, query.Type, "v") is { } access) sql.Add($" AND {access}");
        if (query.At is not { } at) return sql;
        // What follows a version ends it to who may see what follows, and to nobody else.
        var follows = AccessSql.VersionCondition(sql, engine, viewer, query.Type, "n");
        sql.Add($" AND v.last_updated < {sql.Value(at.To)} AND NOT EXISTS (SELECT 1 FROM versions n WHERE n.rid = v.rid "
            + $"AND n.version > v.version AND n.last_updated <= {sql.Value(at.From)}{(follows is null ? "" : " AND " + follows)})");
        return sql;
    }
}
