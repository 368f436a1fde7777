using System.Data;
using Dapper;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <inheritdoc/>
public sealed class SqliteLedgerJournal(Database database) : ILedgerJournal
{
    private sealed record IntentRow(long Id, string Contract, string Action, byte[] Data, long Status, long? Nonce, byte[]? Raw, string? Hash, long? Block);

    private sealed record LeafRow(
        long Seq, string Type, string Id, long Version, byte[] KeyCommitment, byte[] Salt, byte[] Digest, string Cid, byte[] WrappedKey, string Subject, byte[]? Body, long LastUpdated);

    // The contract keeps grants by patient and commitment, and commitments are public: one patient's event must not touch another's consent.
    private const string OfPatient = "patient_id IN (SELECT id FROM patients WHERE patient_key = @Patient)";

    /// <summary>Queues a transaction inside a change, unless one with the same key is there.</summary>
    public static void Enqueue(IDbConnection connection, string key, string contract, string action, byte[] data) => connection.Execute(
        "INSERT INTO intents (key, contract, action, data, status) VALUES (@key, @contract, @action, @data, 0) ON CONFLICT (key) DO NOTHING", new { key, contract, action, data });

    /// <summary>Where the transaction with a key stands, its hash and block; null where there is none.</summary>
    public static (IntentStatus Status, string? Hash, long? Block)? Find(IDbConnection connection, string key) =>
        connection.QueryFirstOrDefault<(long Status, string? Hash, long? Block)?>("SELECT status, hash, block FROM intents WHERE key = @key", new { key }) is { } found
            ? ((IntentStatus)found.Status, found.Hash, found.Block)
            : null;

    /// <inheritdoc/>
    public Task EnqueueAsync(string key, string contract, string action, byte[] data, CancellationToken cancellation) => ChangeAsync(c => Enqueue(c, key, contract, action, data));

    /// <inheritdoc/>
    public Task<IReadOnlyList<LedgerIntent>> IntentsAsync(IntentStatus status, int limit, CancellationToken cancellation) => ReadAsync<IReadOnlyList<LedgerIntent>>(c =>
        [
            .. c.Query<IntentRow>(
                "SELECT id Id, contract Contract, action Action, data Data, status Status, nonce Nonce, raw Raw, hash Hash, block Block FROM intents WHERE status = @status ORDER BY id LIMIT @limit",
                new { status = (int)status, limit })
                .Select(r => new LedgerIntent(r.Id, r.Contract, r.Action, r.Data, (IntentStatus)r.Status, r.Nonce, r.Raw, r.Hash, r.Block)),
        ]);

    /// <inheritdoc/>
    public Task<long> LastNonceAsync(CancellationToken cancellation) => ReadAsync(c => c.ExecuteScalar<long>("SELECT COALESCE(MAX(nonce), -1) FROM intents"));

    /// <inheritdoc/>
    public Task SetSignedAsync(long intent, long nonce, byte[] raw, string hash, CancellationToken cancellation) =>
        ChangeAsync(c => c.Execute("UPDATE intents SET status = 1, nonce = @nonce, raw = @raw, hash = @hash WHERE id = @intent", new { intent, nonce, raw, hash }));

    /// <inheritdoc/>
    public Task SetStatusAsync(long intent, IntentStatus status, long? block, string? error, CancellationToken cancellation) =>
        ChangeAsync(c => c.Execute("UPDATE intents SET status = @status, block = @block, error = @error WHERE id = @intent", new { intent, status = (int)status, block, error }));

    /// <inheritdoc/>
    public async Task<int> SetLostAsync(long fromNonce, CancellationToken cancellation)
    {
        const string Lost = "status IN (2, 3, 4) AND nonce >= @fromNonce";
        // Asked first by a reader: nearly always nothing is lost, and nothing needs to be written.
        if (await ReadAsync(c => c.ExecuteScalar<long>($"SELECT COUNT(*) FROM intents WHERE {Lost}", new { fromNonce })) == 0) return 0;
        return await database.WriteAsync(c => c.Execute($"UPDATE intents SET status = 1, block = NULL WHERE {Lost}", new { fromNonce }));
    }

    /// <inheritdoc/>
    public Task<ViewCheckpoint> CheckpointAsync(CancellationToken cancellation) => ReadAsync(c =>
        c.QueryFirstOrDefault<(long Block, string Hash)?>("SELECT block, hash FROM chain_view WHERE one = 1") is { } found ? new ViewCheckpoint(found.Block, found.Hash) : ViewCheckpoint.None);

    /// <inheritdoc/>
    public Task ApplyAsync(IReadOnlyList<ChainEvent> events, ViewCheckpoint checkpoint, bool fromStart, CancellationToken cancellation) => ChangeAsync(c =>
    {
        if (fromStart)
        {
            // Revocations stay: a reorganisation can take access away, never give it.
            c.Execute("UPDATE actors SET chain_active = 0; DELETE FROM bindings; UPDATE patients SET controller = NULL; UPDATE consents SET granted_block = NULL; UPDATE batches SET block = NULL, tx = NULL");
        }
        foreach (var chainEvent in events) Apply(c, chainEvent);
        c.Execute("INSERT INTO chain_view VALUES (1, @Block, @Hash) ON CONFLICT (one) DO UPDATE SET block = @Block, hash = @Hash", new { checkpoint.Block, checkpoint.Hash });
    });

    /// <inheritdoc/>
    public Task<IReadOnlyList<(string Custodian, int Count, DateTimeOffset Oldest)>> PendingAsync(CancellationToken cancellation) =>
        ReadAsync<IReadOnlyList<(string, int, DateTimeOffset)>>(c =>
            [
                .. c.Query<(string Custodian, long Count, long Oldest)>(
                    "SELECT custodian, COUNT(*), MIN(last_updated) FROM versions WHERE batch IS NULL AND deleted = 0 GROUP BY custodian")
                    .Select(r => (r.Custodian, (int)r.Count, DateTimeOffset.FromUnixTimeMilliseconds(r.Oldest))),
            ]);

    /// <inheritdoc/>
    public Task<IReadOnlyList<PendingLeaf>> PendingLeavesAsync(string custodian, int limit, CancellationToken cancellation) => ReadAsync<IReadOnlyList<PendingLeaf>>(c =>
        [
            .. c.Query<LeafRow>(
                """
                SELECT v.seq Seq, r.type Type, r.id Id, v.version Version, v.key_commitment KeyCommitment, v.salt Salt, v.digest Digest, v.cid Cid, v.wrapped_key WrappedKey,
                  v.subject Subject, v.body Body, v.last_updated LastUpdated
                FROM versions v JOIN resources r ON r.rid = v.rid WHERE v.custodian = @custodian AND v.batch IS NULL AND v.deleted = 0 ORDER BY v.seq LIMIT @limit
                """,
                new { custodian, limit })
                .Select(r => new PendingLeaf(
                    r.Seq, r.Type, r.Id, r.Version, RecordStore.LeafOf(r.Cid, r.KeyCommitment, r.Salt, r.Digest), r.Cid, r.WrappedKey, r.Subject, r.Body,
                    DateTimeOffset.FromUnixTimeMilliseconds(r.LastUpdated))),
        ]);

    /// <inheritdoc/>
    public Task<string?> ActorIdAsync(string reference, CancellationToken cancellation) => ReadAsync(c =>
        c.ExecuteScalar<string?>("SELECT actor_id FROM actors WHERE reference = @reference", new { reference }));

    /// <inheritdoc/>
    public Task<long> NextSequenceAsync(string custodian, CancellationToken cancellation) => ReadAsync(c =>
        c.ExecuteScalar<long>("SELECT COALESCE(MAX(sequence) + 1, 0) FROM batches WHERE custodian = @custodian", new { custodian }));

    /// <inheritdoc/>
    public Task CloseBatchAsync(string custodian, long sequence, byte[] root, string segmentCid, IReadOnlyList<long> rows, byte[] callData, CancellationToken cancellation) => ChangeAsync(c =>
    {
        var batch = c.ExecuteScalar<long>(
            "INSERT INTO batches (custodian, sequence, root, segment_cid, leaf_count) VALUES (@custodian, @sequence, @root, @segmentCid, @count) RETURNING batch",
            new { custodian, sequence, root = Convert.ToHexStringLower(root), segmentCid, count = rows.Count });
        for (var i = 0; i < rows.Count; i++)
            c.Execute("UPDATE versions SET batch = @batch, leaf_index = @i WHERE seq = @seq AND batch IS NULL", new { batch, i, seq = rows[i] });
        Enqueue(c, $"anchor {custodian} {sequence}", "AnchorRegistry", "anchor", callData);
    });

    private static void Apply(IDbConnection c, ChainEvent chainEvent)
    {
        switch (chainEvent)
        {
            case ActorRegisteredEvent e:
                c.Execute("UPDATE actors SET chain_active = 1 WHERE actor_id = @Actor", e);
                break;
            case ActorStatusEvent e:
                c.Execute("UPDATE actors SET chain_active = @active WHERE actor_id = @Actor", new { e.Actor, active = e.IsActive ? 1 : 0 });
                break;
            case ClientBindingEvent { Actor: null } e:
                c.Execute("DELETE FROM bindings WHERE client = @Client", e);
                break;
            case ClientBindingEvent e:
                c.Execute("INSERT INTO bindings VALUES (@Client, @Actor) ON CONFLICT (client) DO UPDATE SET actor_id = @Actor", e);
                break;
            case PatientRegisteredEvent e:
                c.Execute("UPDATE patients SET controller = @Controller WHERE patient_key = @Patient", e);
                break;
            case ControllerChangedEvent e:
                c.Execute("UPDATE patients SET controller = @Controller WHERE patient_key = @Patient", e);
                break;
            case ConsentGrantedEvent e:
                c.Execute($"UPDATE consents SET granted_block = @Block WHERE commitment = @Commitment AND {OfPatient}", e);
                break;
            case ConsentRevokedEvent e:
                c.Execute($"UPDATE consents SET revoked = 1 WHERE commitment = @Commitment AND {OfPatient}", e);
                break;
            case AllConsentsRevokedEvent e:
                c.Execute(
                    $"UPDATE consents SET revoked = 1 WHERE granted_block IS NOT NULL AND granted_block <= @Block AND {OfPatient}", e);
                break;
            case BatchAnchoredEvent e:
                c.Execute(
                    """
                    UPDATE batches SET block = @Block, tx = @Transaction
                    WHERE sequence = @Sequence AND root = @Root AND custodian IN (SELECT reference FROM actors WHERE actor_id = @Custodian)
                    """,
                    e);
                break;
        }
    }

    private Task ChangeAsync(Action<IDbConnection> change) => database.WriteAsync(connection =>
    {
        change(connection);
        return true;
    });

    private Task<T> ReadAsync<T>(Func<IDbConnection, T> read)
    {
        using var connection = database.OpenReader();
        return Task.FromResult(read(connection));
    }
}
