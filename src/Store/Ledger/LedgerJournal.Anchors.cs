using System.Data.Common;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <content>The anchor batches.</content>
public sealed partial class LedgerJournal
{
    private const string SelectLeaf = """
        SELECT v.seq, r.type, r.id, v.version, v.key_commitment, v.salt, v.digest, v.cid, v.wrapped_key, v.subject, k.wrapped, v.body,
          v.leaf_index
        FROM versions v JOIN resources r ON r.rid = v.rid LEFT JOIN subject_keys k ON k.subject = v.subject
        """;

    /// <inheritdoc/>
    public Task<IReadOnlyList<WaitingCustodian>> WaitingAsync(int full, CancellationToken cancellation) =>
        ReadAsync<IReadOnlyList<WaitingCustodian>>(
            async (session, stop) => await session.QueryAsync(
                // Hops from custodian to custodian along the index instead of counting what waits.
                """
                WITH RECURSIVE hop (custodian) AS (
                  SELECT MIN(custodian) FROM versions WHERE batch IS NULL AND deleted = 0
                  UNION ALL
                  SELECT (SELECT MIN(v.custodian) FROM versions v WHERE v.batch IS NULL AND v.deleted = 0 AND v.custodian > hop.custodian)
                  FROM hop WHERE hop.custodian IS NOT NULL)
                SELECT a.reference, a.actor_id,
                  (SELECT v.last_updated FROM versions v WHERE v.custodian = a.reference AND v.batch IS NULL AND v.deleted = 0
                    ORDER BY v.seq LIMIT 1),
                  COALESCE(
                    (SELECT 1 FROM versions v WHERE v.custodian = a.reference AND v.batch IS NULL AND v.deleted = 0
                      ORDER BY v.seq LIMIT 1 OFFSET $1), 0)
                FROM hop JOIN actors a ON a.reference = hop.custodian
                """,
                static r => new WaitingCustodian(
                    r.GetString(0), r.GetString(1), DateTimeOffset.FromUnixTimeMilliseconds(r.GetInt64(2)), r.GetInt64(3) == 1),
                stop, (long)(full - 1)),
            cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<PendingLeaf>> PendingLeavesAsync(string custodian, int limit, CancellationToken cancellation) =>
        ReadAsync<IReadOnlyList<PendingLeaf>>(
            async (session, stop) => await session.QueryAsync(
                $"{SelectLeaf} WHERE v.custodian = $1 AND v.batch IS NULL AND v.deleted = 0 ORDER BY v.seq LIMIT $2", Leaf, stop,
                custodian, (long)limit),
            cancellation);

    /// <inheritdoc/>
    public Task<(IReadOnlyList<PendingLeaf> Leaves, AnchorLayout Layout)> BatchLeavesAsync(long batch, CancellationToken cancellation) =>
        ReadAsync<(IReadOnlyList<PendingLeaf> Leaves, AnchorLayout Layout)>(
            async (session, stop) =>
            {
                var padding = await session.FirstAsync(
                    "SELECT padding FROM batches WHERE batch = $1", static r => r.BytesOrNull(0), stop, batch);
                var leaves = await session.QueryAsync(
                    $"{SelectLeaf} WHERE v.batch = $1 ORDER BY v.seq", static r => (Leaf: Leaf(r), Place: (int)r.GetInt64(12)), stop,
                    batch);
                var head = await session.FirstAsync(
                    "SELECT seq, hash, salt, place FROM audit_heads WHERE batch = $1", static r => AnchoredHeads.Read(r, 0), stop, batch);
                return (
                    [.. leaves.Select(l => l.Leaf)],
                    new AnchorLayout([.. leaves.Select(l => l.Place)], padding ?? []) { Head = head });
            },
            cancellation);

    /// <inheritdoc/>
    public Task<long> NextSequenceAsync(string custodian, CancellationToken cancellation) => ReadAsync(
        async (session, stop) => await session.NumberAsync(NextSequence, stop, custodian) ?? 0, cancellation);

    /// <inheritdoc/>
    public Task<AuditHead?> AuditHeadAsync(CancellationToken cancellation) => ReadAsync(
        (session, stop) => session.FirstAsync(
            "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", static r => new AuditHead(r.GetInt64(0), r.Bytes(1)), stop),
        cancellation);

    /// <inheritdoc/>
    public Task<(string Custodian, string ActorId)?> AuditWaitingAsync(DateTimeOffset before, CancellationToken cancellation) => ReadAsync(
        (session, stop) => session.FirstAsync(
            """
            SELECT a.reference, a.actor_id
            FROM (SELECT custodian FROM batches ORDER BY batch DESC LIMIT 1) last JOIN actors a ON a.reference = last.custodian
            WHERE EXISTS (
              SELECT 1 FROM audit e WHERE e.recorded <= $1
                AND e.seq = 1 + COALESCE((SELECT h.seq FROM audit_heads h ORDER BY h.batch DESC LIMIT 1), 0))
            """,
            static r => ((string, string)?)(r.GetString(0), r.GetString(1)), stop, before.ToUnixTimeMilliseconds()),
        cancellation);

    /// <inheritdoc/>
    public async Task<bool> CloseBatchAsync(ClosedBatch batch, CancellationToken cancellation)
    {
        try
        {
            return await HeldAsync(Leases.Anchors, change => CloseAsync(change, batch));
        }
        catch (BatchTakenException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<FailedBatch>> FailedBatchesAsync(CancellationToken cancellation) => ReadAsync<IReadOnlyList<FailedBatch>>(
        async (session, stop) => await session.QueryAsync(
            """
            SELECT b.batch, b.custodian, a.actor_id, b.sequence, b.root, b.segment_cid, b.entry,
              CASE WHEN EXISTS (SELECT 1 FROM outbox w JOIN batches o ON o.entry = w.id
                WHERE w.status IN (0, 1, 2) AND o.custodian = b.custodian)
                THEN 1 ELSE 0 END
            FROM outbox e JOIN batches b ON b.entry = e.id JOIN actors a ON a.reference = b.custodian
            WHERE e.status = 4 ORDER BY b.custodian, b.sequence
            """,
            static r => new FailedBatch(
                r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetInt64(3), Convert.FromHexString(r.GetString(4)), r.GetString(5),
                r.GetInt64(6), r.GetInt64(7) == 1),
            stop),
        cancellation);

    /// <inheritdoc/>
    public Task MoveBatchesAsync(IReadOnlyList<MovedBatch> batches, CancellationToken cancellation) =>
        HeldAsync(Leases.Anchors, async change =>
        {
            // In two steps: one's new number may be another's old one.
            foreach (var b in batches) await change.ExecuteAsync("UPDATE batches SET sequence = -1 - batch WHERE batch = $1", b.Batch);
            foreach (var b in batches)
            {
                await change.ExecuteAsync(
                    "UPDATE batches SET sequence = $1, segment_cid = $2 WHERE batch = $3", b.Sequence, b.SegmentCid, b.Batch);
                if (b.Data is not null) await change.ExecuteAsync("UPDATE outbox SET data = $1 WHERE id = $2", b.Data, b.Entry);
                await OutboxTable.ChangeAsync(
                    change, new OutboxChange(b.Entry, b.Data is null ? OutboxStatus.Confirmed : OutboxStatus.Queued));
            }
            return true;
        });

    private const string NextSequence = "SELECT COALESCE(MAX(sequence) + 1, 0) FROM batches WHERE custodian = $1";

    private static async ValueTask<bool> CloseAsync(Change change, ClosedBatch batch)
    {
        if (await change.NumberAsync(NextSequence, batch.Custodian) != batch.Sequence) throw new BatchTakenException();
        var entry = await OutboxTable.EnqueueAsync(change, batch.Anchor);
        var number = await change.NumberAsync(
            "INSERT INTO batches (custodian, sequence, root, segment_cid, leaf_count, padding, entry) "
                + "VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING batch",
            batch.Custodian, batch.Sequence, Convert.ToHexStringLower(batch.Root), batch.SegmentCid, (long)batch.Layout.Count,
            batch.Layout.Padding, entry);
        if (batch.Layout.Head is { } anchored)
        {
            await change.ExecuteAsync(
                "INSERT INTO audit_heads (batch, seq, hash, salt, place) VALUES ($1, $2, $3, $4, $5)", number, anchored.Head.Seq,
                anchored.Head.Hash, anchored.Salt, (long)anchored.Place);
        }
        var engine = change.Session.Engine;
        var placed = await change.ExecuteAsync(
            $"""
            UPDATE versions SET batch = $1, leaf_index = n.b FROM {engine.Pairs("$2", "$3", "n")}
            WHERE versions.seq = n.a AND versions.batch IS NULL
            """,
            number, engine.List(batch.Rows), engine.List([.. batch.Layout.Places.Select(p => (long)p)]));
        return placed == batch.Rows.Count ? true : throw new BatchTakenException();
    }

    private static PendingLeaf Leaf(DbDataReader r) => new(
        r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetInt64(3),
        new AnchorLeaf(CidText.Digest(r.GetString(7)), r.Bytes(4), r.Bytes(5), r.Bytes(6)),
        r.GetString(7), r.Bytes(8), r.GetString(9), r.BytesOrNull(10), r.BytesOrNull(11));

    // Undoes the whole change: the writer takes back what throws.
    private sealed class BatchTakenException : Exception;
}
