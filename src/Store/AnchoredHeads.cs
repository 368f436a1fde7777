using System.Data.Common;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>A batch, and what it says of the audit log.</summary>
/// <param name="Custodian">Reference of the custodian.</param>
/// <param name="ActorId">Its on-chain id, hex; null: it is no actor any more.</param>
/// <param name="Sequence">Number of the batch.</param>
/// <param name="Root">Root of its tree.</param>
/// <param name="Seq">The entry of the log whose hash is in it; null: none is.</param>
/// <param name="Problem">What is wrong; null: nothing.</param>
public sealed record BatchOfHeads(string Custodian, string? ActorId, long Sequence, byte[] Root, long? Seq, string? Problem);

/// <summary>
/// The heads of the audit log that are leaves of batches, held against the log and against the roots: a log that somebody has written anew
/// as a whole is a chain without a gap, but its entries are not those whose hashes are on the chain.
/// </summary>
public sealed class AnchoredHeads(RecordDatabase database)
{
    private const long PageSize = 100;

    /// <summary>All batches, in the order in which they were closed.</summary>
    public async IAsyncEnumerable<BatchOfHeads> CheckAsync(
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        var (last, isKept) = (0L, false);
        while (true)
        {
            var page = await database.ReadAsync((session, stop) => PageAsync(session, last, isKept, stop), cancellation);
            foreach (var (batch, check) in page)
            {
                yield return check;
                (last, isKept) = (batch, isKept || check.Seq is not null);
            }
            if (page.Count == 0) yield break;
        }
    }

    internal static AnchoredHead Read(DbDataReader r, int at) =>
        new(new AuditHead(r.GetInt64(at), r.Bytes(at + 1)), r.Bytes(at + 2), (int)r.GetInt64(at + 3));

    private static async ValueTask<List<(long Batch, BatchOfHeads Check)>> PageAsync(
        Session session, long last, bool isKept, CancellationToken stop)
    {
        var rows = await session.QueryAsync(
            $"""
            SELECT b.batch, b.custodian, a.actor_id, b.sequence, b.root, b.padding, e.hash, h.seq, h.hash, h.salt, h.place
            FROM batches b LEFT JOIN actors a ON a.reference = b.custodian LEFT JOIN audit_heads h ON h.batch = b.batch
              LEFT JOIN audit e ON e.seq = h.seq
            WHERE b.batch > $1 ORDER BY b.batch LIMIT {PageSize}
            """,
            static r => new Row(
                r.GetInt64(0), r.GetString(1), r.TextOrNull(2), r.GetInt64(3), Convert.FromHexString(r.GetString(4)), r.BytesOrNull(5),
                r.BytesOrNull(6), r.IsDBNull(7) ? null : Read(r, 7)),
            stop, last);
        var page = new List<(long, BatchOfHeads)>();
        foreach (var row in rows)
        {
            var problem = row.Head is null
                ? isKept ? "its head of the audit log was taken out" : null
                : await ProblemAsync(session, row, row.Head, stop);
            isKept |= row.Head is not null;
            page.Add((row.Batch, new BatchOfHeads(row.Custodian, row.ActorId, row.Sequence, row.Root, row.Head?.Head.Seq, problem)));
        }
        return page;
    }

    private static async ValueTask<string?> ProblemAsync(Session session, Row row, AnchoredHead head, CancellationToken stop)
    {
        var leaves = await session.QueryAsync(
            "SELECT cid, key_commitment, salt, digest, leaf_index FROM versions WHERE batch = $1",
            static r => (
                new AnchorLeaf(CidText.Digest(r.GetString(0)), r.Bytes(1), r.Bytes(2), r.Bytes(3)).Hash, Place: (int)r.GetInt64(4)),
            stop, row.Batch);
        var layout = new AnchorLayout([.. leaves.Select(l => l.Place)], row.Padding ?? []);
        // What was changed beyond a tree is no tree with that root either.
        if (layout.Places.Any(p => p < 0 || p >= layout.Count)) return "its leaves are not those under its root";
        var tree = layout.Tree([.. leaves.Select(l => l.Hash)]);
        if (!MerkleTree.Root(tree).AsSpan().SequenceEqual(row.Root)) return "its leaves are not those under its root";
        if (head.Place < 0 || head.Place >= tree.Length || !tree[head.Place].AsSpan().SequenceEqual(head.Leaf))
            return "its head of the audit log is not the one under its root";
        return row.Entry is null ? $"entry {head.Head.Seq} of the audit log, which it anchors, is gone"
            : row.Entry.AsSpan().SequenceEqual(head.Head.Hash) ? null
            : $"entry {head.Head.Seq} of the audit log, or one before, is not the one that it anchors";
    }

    private sealed record Row(
        long Batch, string Custodian, string? ActorId, long Sequence, byte[] Root, byte[]? Padding, byte[]? Entry, AnchoredHead? Head);
}
