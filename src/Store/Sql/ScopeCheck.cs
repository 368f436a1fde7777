namespace PmrGateway.Store;

/// <summary>
/// What of single versions the token of a viewer reaches. Which search values an earlier version had only its content says, and the index
/// of the current one is not sealed: each is judged by what it holds, the current one as well as any other.
/// </summary>
internal sealed class ScopeCheck(RecordDatabase database, Session session, BoundViewer viewer)
{
    /// <summary>Those that are reached; null in the place of any other, as in that of one that consents do not permit.</summary>
    public async ValueTask<List<PermittedVersion?>> ReachedAsync(
        IReadOnlyList<VersionRow> rows, List<PermittedVersion?> decided, CancellationToken cancellation)
    {
        for (var i = 0; i < rows.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            if (decided[i] is { } permitted && !await IsReachedAsync(rows[i], permitted, cancellation)) decided[i] = null;
        }
        return decided;
    }

    /// <summary>Whether the index tells that a record is reached: of a Binary, and of what is not opened.</summary>
    public async ValueTask<bool> IsIndexedAsync(VersionRow row, CancellationToken cancellation)
    {
        var sql = new SqlText();
        sql.Add($"SELECT 1 FROM resources r WHERE r.rid = {sql.Value(row.Rid)}");
        if (ScopeSql.Condition(sql, session.Engine, viewer, row.Type, "r") is not { } condition) return true;
        sql.Add($" AND {condition}");
        return await session.NumberAsync(sql.ToString(), cancellation, sql.Values) is not null;
    }

    private async ValueTask<bool> IsReachedAsync(VersionRow row, PermittedVersion permitted, CancellationToken cancellation)
    {
        if (!viewer.Reach.Restricts(row.Type)) return true;
        // What has ended has no content, and a Binary none that says what it is.
        if (row.IsDeleted) return false;
        if (row.Type == "Binary") return await IsIndexedAsync(row, cancellation);
        var index = database.ContentIndex ?? throw new InvalidOperationException("nothing tells what the content is found by");
        return viewer.Reach.Holds(row.Type, await index(permitted, cancellation));
    }
}
