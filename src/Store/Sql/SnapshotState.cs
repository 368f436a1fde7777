using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>What a snapshot begins with: how far the chain was followed, and up to where verdicts must be complete.</summary>
/// <param name="Chain">Block and hash of the checkpoint; its age is not known here.</param>
/// <param name="BlockTime">When that block was made, as the chain has it, ms since 1970.</param>
/// <param name="Shapes">The highest number of a shape.</param>
/// <param name="LabelSets">The highest number of a label set.</param>
/// <param name="Records">The highest number of a record.</param>
internal readonly record struct SnapshotState(ViewCheckpoint Chain, long BlockTime, long Shapes, long LabelSets, long Records)
{
    private const string Text =
        """
        SELECT COALESCE((SELECT block FROM chain_view WHERE one = 1), -1), COALESCE((SELECT hash FROM chain_view WHERE one = 1), ''),
          COALESCE((SELECT block_time FROM chain_view WHERE one = 1), 0) * 1000, COALESCE((SELECT MAX(id) FROM shapes), 0),
          COALESCE((SELECT MAX(id) FROM label_sets), 0), COALESCE((SELECT MAX(rid) FROM resources), 0)
        """;

    public static async ValueTask<SnapshotState> ReadAsync(Session session, CancellationToken cancellation) => await session.FirstAsync(
        Text,
        static r => new SnapshotState(
            new ViewCheckpoint(r.GetInt64(0), r.GetString(1), TimeSpan.MaxValue), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4),
            r.GetInt64(5)),
        cancellation);

    /// <summary>A viewer in this snapshot.</summary>
    /// <param name="session">The snapshot.</param>
    /// <param name="interners">Where the numbers of search parameters are.</param>
    /// <param name="key">The key of what is indexed as hashes.</param>
    /// <param name="who">Who looks.</param>
    /// <param name="known">What was complete before the snapshot began: what was completed since, it does not see.</param>
    /// <param name="searches">Whether it will search, and so join verdicts; a single record is decided without them.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="VerdictsMissingException">Verdicts are missing: complete them, and begin anew.</exception>
    public async ValueTask<BoundViewer> BindAsync(
        Session session, Interners interners, IndexKey key, Viewer who, CompleteVerdicts? known, bool searches,
        CancellationToken cancellation)
    {
        if (searches && (known is not { } found || found.Shapes < Shapes || found.LabelSets < LabelSets))
            throw new VerdictsMissingException(who);
        var complete = known.GetValueOrDefault();
        var now = who.Now.ToUnixTimeMilliseconds();
        return new BoundViewer(
            who, complete.Viewer, complete.Readings, Chain.Block - who.Confirmations, now, Math.Max(now, BlockTime), Records,
            await ScopeSql.ParametersAsync(session, interners, who, cancellation), key);
    }
}

/// <summary>A viewer's verdicts are not complete for what the snapshot holds.</summary>
internal sealed class VerdictsMissingException(Viewer who) : Exception("verdicts are missing")
{
    public Viewer Who { get; } = who;
}

/// <summary>Up to where a viewer's rows are durable.</summary>
/// <param name="Viewer">The viewer's number.</param>
/// <param name="Readings">How many readings it has.</param>
/// <param name="Shapes">Up to which shape.</param>
/// <param name="LabelSets">Up to which label set, of all its readings.</param>
internal readonly record struct CompleteVerdicts(long Viewer, int Readings, long Shapes, long LabelSets);
