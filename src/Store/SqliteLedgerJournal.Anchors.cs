using System.Data;
using Dapper;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Store;

/// <content>The anchor batches.</content>
public sealed partial class SqliteLedgerJournal
{
    private const string Waiting = "batch IS NULL AND deleted = 0";

    private const string SelectLeaf = """
        SELECT v.seq Seq, r.type Type, r.id Id, v.version Version, v.key_commitment KeyCommitment, v.salt Salt, v.digest Digest, v.cid Cid,
          v.wrapped_key WrappedKey, v.subject Subject, k.wrapped WrappedSubjectKey, v.body Body, v.last_updated LastUpdated
        FROM versions v JOIN resources r ON r.rid = v.rid LEFT JOIN subject_keys k ON k.subject = v.subject
        """;

    private sealed record LeafRow(
        long Seq,
        string Type,
        string Id,
        long Version,
        byte[] KeyCommitment,
        byte[] Salt,
        byte[] Digest,
        string Cid,
        byte[] WrappedKey,
        string Subject,
        byte[]? WrappedSubjectKey,
        byte[]? Body,
        long LastUpdated);

    private sealed record FailedRow(
        long Batch, string Custodian, string ActorId, long Sequence, string Root, string SegmentCid, long Entry);

    /// <inheritdoc/>
    public Task<IReadOnlyList<WaitingCustodian>> WaitingAsync(int full, CancellationToken cancellation) =>
        ReadAsync<IReadOnlyList<WaitingCustodian>>(c =>
        [
            // Hops from custodian to custodian along the index instead of counting what waits.
            .. c.Query<(string Custodian, string ActorId, long Oldest, long Full)>(
                $"""
                WITH RECURSIVE hop (custodian) AS (
                  SELECT MIN(custodian) FROM versions WHERE {Waiting}
                  UNION ALL
                  SELECT (SELECT MIN(v.custodian) FROM versions v WHERE v.batch IS NULL AND v.deleted = 0 AND v.custodian > hop.custodian)
                  FROM hop WHERE hop.custodian IS NOT NULL)
                SELECT a.reference, a.actor_id,
                  (SELECT v.last_updated FROM versions v WHERE v.custodian = a.reference AND v.batch IS NULL AND v.deleted = 0 ORDER BY v.seq LIMIT 1),
                  COALESCE(
                    (SELECT 1 FROM versions v WHERE v.custodian = a.reference AND v.batch IS NULL AND v.deleted = 0 ORDER BY v.seq LIMIT 1 OFFSET @before), 0)
                FROM hop JOIN actors a ON a.reference = hop.custodian
                """,
                new { before = full - 1 })
                .Select(r => new WaitingCustodian(r.Custodian, r.ActorId, DateTimeOffset.FromUnixTimeMilliseconds(r.Oldest), r.Full == 1)),
        ]);

    /// <inheritdoc/>
    public Task<IReadOnlyList<PendingLeaf>> PendingLeavesAsync(string custodian, int limit, CancellationToken cancellation) =>
        ReadAsync(c => Leaves(c, "v.custodian = @custodian AND v.batch IS NULL AND v.deleted = 0 ORDER BY v.seq LIMIT @limit", new { custodian, limit }));

    /// <inheritdoc/>
    public Task<IReadOnlyList<PendingLeaf>> BatchLeavesAsync(long batch, CancellationToken cancellation) =>
        ReadAsync(c => Leaves(c, "v.batch = @batch ORDER BY v.leaf_index", new { batch }));

    /// <inheritdoc/>
    public Task<long> NextSequenceAsync(string custodian, CancellationToken cancellation) => ReadAsync(c => NextSequence(c, custodian));

    /// <inheritdoc/>
    public async Task<bool> CloseBatchAsync(ClosedBatch batch, CancellationToken cancellation)
    {
        try
        {
            await WriteAsync(c => Close(c, batch));
            return true;
        }
        catch (BatchTakenException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<FailedBatch>> FailedBatchesAsync(CancellationToken cancellation) => ReadAsync<IReadOnlyList<FailedBatch>>(c =>
        [
            .. c.Query<FailedRow>(
                """
                SELECT b.batch Batch, b.custodian Custodian, a.actor_id ActorId, b.sequence Sequence, b.root Root, b.segment_cid SegmentCid, b.entry Entry
                FROM outbox e JOIN batches b ON b.entry = e.id JOIN actors a ON a.reference = b.custodian
                WHERE e.status = 4 ORDER BY b.custodian, b.sequence
                """)
                .Select(r => new FailedBatch(
                    r.Batch, r.Custodian, r.ActorId, r.Sequence, Convert.FromHexString(r.Root), r.SegmentCid, r.Entry, IsBusy(c, r.Custodian))),
        ]);

    /// <inheritdoc/>
    public Task MoveBatchesAsync(IReadOnlyList<MovedBatch> batches, CancellationToken cancellation) => WriteAsync(c =>
    {
        // In two steps: one's new number may be another's old one.
        foreach (var b in batches) c.Execute("UPDATE batches SET sequence = -1 - batch WHERE batch = @Batch", new { b.Batch });
        foreach (var b in batches)
        {
            c.Execute(
                "UPDATE batches SET sequence = @Sequence, segment_cid = @SegmentCid WHERE batch = @Batch",
                new { b.Batch, b.Sequence, b.SegmentCid });
            if (b.Data is not null) c.Execute("UPDATE outbox SET data = @Data WHERE id = @Entry", new { b.Entry, b.Data });
            Change(c, new OutboxChange(b.Entry, b.Data is null ? OutboxStatus.Confirmed : OutboxStatus.Queued));
        }
    });

    private static bool IsBusy(IDbConnection c, string custodian) => c.ExecuteScalar<long>(
        "SELECT COUNT(*) FROM outbox o JOIN batches b ON b.entry = o.id WHERE o.status IN (0, 1, 2) AND b.custodian = @custodian", new { custodian }) > 0;

    private static long NextSequence(IDbConnection c, string custodian) =>
        c.ExecuteScalar<long>("SELECT COALESCE(MAX(sequence) + 1, 0) FROM batches WHERE custodian = @custodian", new { custodian });

    private static void Close(IDbConnection c, ClosedBatch batch)
    {
        if (NextSequence(c, batch.Custodian) != batch.Sequence) throw new BatchTakenException();
        var number = c.ExecuteScalar<long>(
            """
            INSERT INTO batches (custodian, sequence, root, segment_cid, leaf_count, entry) VALUES (@Custodian, @Sequence, @root, @SegmentCid, @count, @entry)
            RETURNING batch
            """,
            new
            {
                batch.Custodian,
                batch.Sequence,
                root = Convert.ToHexStringLower(batch.Root),
                batch.SegmentCid,
                count = batch.Rows.Count,
                entry = Enqueue(c, batch.Anchor),
            });
        for (var i = 0; i < batch.Rows.Count; i++)
        {
            if (c.Execute("UPDATE versions SET batch = @number, leaf_index = @i WHERE seq = @seq AND batch IS NULL", new { number, i, seq = batch.Rows[i] }) != 1)
                throw new BatchTakenException();
        }
    }

    private static IReadOnlyList<PendingLeaf> Leaves(IDbConnection c, string where, object parameters) =>
        [
            .. c.Query<LeafRow>($"{SelectLeaf} WHERE {where}", parameters).Select(r => new PendingLeaf(
                r.Seq,
                r.Type,
                r.Id,
                r.Version,
                RecordStore.LeafOf(r.Cid, r.KeyCommitment, r.Salt, r.Digest),
                r.Cid,
                r.WrappedKey,
                r.Subject,
                r.WrappedSubjectKey,
                r.Body,
                DateTimeOffset.FromUnixTimeMilliseconds(r.LastUpdated))),
        ];

    // Undoes the whole change: the writer rolls back what throws.
    private sealed class BatchTakenException : Exception;
}
