using System.Collections.Concurrent;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// What a viewer could see at most, found by indexes: what it wrote, its own compartment, and those of the patients whose standing
/// consents concern it. It is more than <see cref="AccessSql"/> lets through, never less; a search that starts there costs as much
/// whatever there is of others, and its time tells nothing of them.
/// </summary>
/// <param name="few">A viewer of no more records is always searched from there; 0: nobody is.</param>
internal sealed class Reach(int few)
{
    // Whose reach is larger is not told apart: what a search looks for is counted anyway.
    private const int Many = 50_000;
    private static readonly TimeSpan FewHold = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan ManyHold = TimeSpan.FromMinutes(1);
    // Who ever searched: past this they are counted anew.
    private const int MaxSizes = 10_000;
    private readonly ConcurrentDictionary<string, Size> _sizes = new(StringComparer.Ordinal);

    /// <summary>Whether to start from here, and not from the rows that a search's parameters find.</summary>
    /// <param name="session">The snapshot.</param>
    /// <param name="viewer">Who searches.</param>
    /// <param name="type">The resource type.</param>
    /// <param name="isNarrow">Whether the search names what few records have: a reference.</param>
    /// <param name="found">The rows that its parameters find.</param>
    /// <param name="cancellation">Stops it.</param>
    public async ValueTask<bool> IsShorterAsync(
        Session session, BoundViewer viewer, string type, bool isNarrow, Action<SqlText> found, CancellationToken cancellation)
    {
        // The directory is open to all.
        if (few == 0 || DirectoryTypes.Contains(type)) return false;
        var rows = await SizeAsync(session, viewer, cancellation);
        if (rows <= few) return true;
        if (isNarrow || rows >= Many) return false;
        var sql = new SqlText();
        sql.Add("SELECT COUNT(*) FROM (SELECT 1 FROM (");
        found(sql);
        sql.Add($") d LIMIT {sql.Value(rows + 1)}) l");
        return await session.NumberAsync(sql.ToString(), cancellation, sql.Values) > rows;
    }

    /// <summary>Whether a viewer could see few records at most.</summary>
    /// <param name="session">The snapshot.</param>
    /// <param name="viewer">Who looks.</param>
    /// <param name="cancellation">Stops it.</param>
    public async ValueTask<bool> IsSmallAsync(Session session, BoundViewer viewer, CancellationToken cancellation) =>
        few > 0 && await SizeAsync(session, viewer, cancellation) <= few;

    /// <summary>Adds a query of the numbers of the records; of one that is in it for several reasons once.</summary>
    /// <param name="sql">Takes it.</param>
    /// <param name="engine">The engine.</param>
    /// <param name="viewer">Who searches.</param>
    /// <param name="type">The resource type, null for all; of the rows by compartment, some are of others.</param>
    public static void AddRows(SqlText sql, IStoreEngine engine, BoundViewer viewer, string? type) =>
        sql.Add(string.Join(" UNION ", Parts(sql, engine, viewer, type)));

    /// <summary>Adds the same for versions of records, also those that somebody else has changed since, and the directory.</summary>
    /// <param name="sql">Takes it.</param>
    /// <param name="engine">The engine.</param>
    /// <param name="viewer">Who asks.</param>
    /// <param name="types">The resource types; some of the rows are of others.</param>
    public static void AddVersionRows(SqlText sql, IStoreEngine engine, BoundViewer viewer, IEnumerable<string> types)
    {
        var authors = engine.List([.. viewer.Who.Requester.Authors]);
        var parts = Parts(sql, engine, viewer, null).Append(
            $"SELECT e.rid FROM versions e WHERE e.author {engine.IsOneOf(sql.Value(authors))}");
        List<string> open = [.. types.Where(DirectoryTypes.Contains)];
        if (open.Count > 0)
            parts = parts.Append($"SELECT h.rid FROM resources h WHERE h.type {engine.IsOneOf(sql.Value(engine.List(open)))}");
        sql.Add(string.Join(" UNION ", parts));
    }

    // How large it was a moment ago, and what was written since: a plan may be old, it finds the same.
    private async ValueTask<long> SizeAsync(Session session, BoundViewer viewer, CancellationToken cancellation)
    {
        var requester = viewer.Who.Requester;
        // Systems of one hospital are one viewer to consents, and have each written something else.
        var key = $"{viewer.Id} {requester.Patient} {string.Join(' ', requester.Authors)}";
        if (_sizes.TryGetValue(key, out var known) && known.Until > Environment.TickCount64)
        {
            // What came since may all be theirs: who loads much must not be taken for one who has little.
            var most = known.Rows + Math.Max(0, viewer.Records - known.Records);
            if (known.Rows > few || most <= few) return known.Rows;
        }
        var sql = new SqlText();
        var parts = string.Join(" UNION ALL ", Parts(sql, session.Engine, viewer, null));
        sql.Add($"SELECT COUNT(*) FROM (SELECT 1 FROM ({parts}) u LIMIT {Many}) l");
        var rows = (await session.NumberAsync(sql.ToString(), cancellation, sql.Values)).GetValueOrDefault();
        var hold = rows <= few ? FewHold : ManyHold;
        if (_sizes.Count >= MaxSizes) _sizes.Clear();
        _sizes[key] = new Size(rows, viewer.Records, Environment.TickCount64 + (long)hold.TotalMilliseconds);
        return rows;
    }

    private static IEnumerable<string> Parts(SqlText sql, IStoreEngine engine, BoundViewer viewer, string? type)
    {
        var requester = viewer.Who.Requester;
        yield return $"SELECT a.rid FROM resources a WHERE a.author {engine.IsOneOf(sql.Value(engine.List([.. requester.Authors])))}"
            + (type is null ? "" : $" AND a.type = {sql.Value(type)}");
        if (requester.Patient is { } own) yield return $"SELECT o.rid FROM compartments o WHERE o.patient_id = {sql.Value(own)}";
        yield return $"SELECT g.rid FROM {AccessSql.Patients(sql, engine, viewer)} {engine.OrderedJoin} compartments g "
            + "ON g.patient_id = s.patient_id";
    }

    private readonly record struct Size(long Rows, long Records, long Until);
}
