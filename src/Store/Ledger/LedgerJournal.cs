using PmrGateway.LedgerAdapter;

namespace PmrGateway.Store;

/// <inheritdoc/>
public sealed partial class LedgerJournal(RecordDatabase database) : ILedgerJournal
{
    // Of this process, and tells an operator which one that is; a second start of the same gateway is another holder.
    private readonly string _holder = $"{Environment.MachineName}/{Environment.ProcessId}/{Mapping.ResourceId.New()}";

    /// <inheritdoc/>
    public async Task<bool> TryHoldAsync(string lease, TimeSpan ttl, CancellationToken cancellation)
    {
        var now = database.Engine.ClockNow;
        // Asked first by a reader: a lease that is held, by whomever, costs no write until it is half over, or over.
        var held = await ReadAsync(
            (session, stop) => session.FirstAsync(
                $"SELECT holder, expires - {now} FROM leases WHERE name = $1",
                static r => new Lease(r.GetString(0), r.GetInt64(1)), stop, lease),
            cancellation);
        if (held is not null && held.Holder == _holder && held.Left > ttl.TotalMilliseconds / 2) return true;
        if (held is not null && held.Holder != _holder && held.Left >= 0) return false;
        return await database.ChangeAsync(async change => await change.ExecuteAsync(
            $"""
            INSERT INTO leases (name, holder, expires) VALUES ($1, $2, {now} + $3)
            ON CONFLICT (name) DO UPDATE SET holder = $2, expires = {now} + $3 WHERE leases.holder = $2 OR leases.expires < {now}
            """,
            lease, _holder, (long)ttl.TotalMilliseconds) == 1);
    }

    /// <inheritdoc/>
    public Task ReleaseAsync(string lease, CancellationToken cancellation) => database.ChangeAsync(
        // The row stays: it tells a process that was thought dead that it is no longer the holder.
        async change => await change.ExecuteAsync("UPDATE leases SET expires = 0 WHERE name = $1 AND holder = $2", lease, _holder));

    /// <inheritdoc/>
    public Task EnqueueAsync(IReadOnlyList<ChainCommand> commands, CancellationToken cancellation) => database.ChangeAsync(async change =>
    {
        foreach (var command in commands) await OutboxTable.EnqueueAsync(change, command);
        return true;
    });

    /// <inheritdoc/>
    public Task<IReadOnlyList<OutboxEntry>> QueuedAsync(int limit, bool oldestFirst, CancellationToken cancellation)
    {
        var order = oldestFirst ? "id" : "priority, id";
        // UNION, not UNION ALL: what many grants wait for comes once.
        return ReadAsync<IReadOnlyList<OutboxEntry>>(
            async (session, stop) => await session.QueryAsync(
                $"""
                WITH RECURSIVE picked (id, follows) AS (
                  SELECT id, follows FROM (SELECT id, follows FROM outbox WHERE status = 0 ORDER BY {order} LIMIT $1) head
                  UNION
                  SELECT d.id, d.follows FROM outbox d JOIN picked p ON d.key = p.follows WHERE d.status = 0)
                SELECT {OutboxTable.Columns} FROM outbox o JOIN picked p ON p.id = o.id
                ORDER BY {(oldestFirst ? "o.id" : "o.priority, o.id")}
                """,
                static r => OutboxTable.Entry(r, []), stop, (long)limit),
            cancellation);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<OutboxEntry>> EntriesAsync(OutboxStatus status, int limit, CancellationToken cancellation) => ReadAsync(
        (session, stop) => OutboxTable.EntriesAsync(
            session, "o.status = $1 ORDER BY o.nonce, o.id LIMIT $2", stop, (long)status, (long)limit), cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<OutboxEntry>> FailedAsync(long above, int limit, CancellationToken cancellation) => ReadAsync(
        (session, stop) => OutboxTable.EntriesAsync(
            session, "o.status = 4 AND o.contract <> $1 AND o.id > $2 ORDER BY o.id LIMIT $3", stop, ContractSet.Anchors, above,
            (long)limit), cancellation);

    /// <inheritdoc/>
    public Task<OutboxEntry?> FindAsync(string key, CancellationToken cancellation) => ReadAsync(
        async (session, stop) => (await OutboxTable.EntriesAsync(session, "o.key = $1", stop, key)).FirstOrDefault(), cancellation);

    /// <inheritdoc/>
    public Task<OutboxCounts> CountsAsync(CancellationToken cancellation) => ReadAsync(
        async (session, stop) =>
        {
            var counts = (await session.QueryAsync(
                "SELECT status, COUNT(*) FROM outbox WHERE status IN (0, 1, 4) GROUP BY status",
                static r => (Status: (OutboxStatus)r.GetInt64(0), Count: r.GetInt64(1)), stop)).ToDictionary(r => r.Status, r => r.Count);
            var (key, error) = await session.FirstAsync(
                "SELECT key, error FROM outbox WHERE status = 4 ORDER BY id LIMIT 1",
                static r => ((string?)r.GetString(0), r.TextOrNull(1)), stop);
            return new OutboxCounts(
                counts.GetValueOrDefault(OutboxStatus.Queued), counts.GetValueOrDefault(OutboxStatus.Sent),
                counts.GetValueOrDefault(OutboxStatus.Failed), key, error);
        },
        cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<long>> NoncesAsync(long from, CancellationToken cancellation) => ReadAsync<IReadOnlyList<long>>(
        async (session, stop) => await session.QueryAsync(
            "SELECT nonce FROM outbox WHERE nonce >= $1 ORDER BY nonce", static r => r.GetInt64(0), stop, from),
        cancellation);

    /// <inheritdoc/>
    public Task RecordSignedAsync(IReadOnlyList<SignedTransaction> transactions, CancellationToken cancellation) =>
        HeldAsync(Leases.Sender, async change =>
        {
            foreach (var t in transactions)
            {
                await change.ExecuteAsync(
                    "INSERT INTO outbox_transactions (entry, nonce, hash, raw, tip, max_fee) VALUES ($1, $2, $3, $4, $5, $6) "
                        + "ON CONFLICT (hash) DO NOTHING",
                    t.Entry, t.Nonce, t.Hash, t.Raw, OutboxTable.Text(t.Tip), OutboxTable.Text(t.MaxFee));
                await change.ExecuteAsync(
                    "UPDATE outbox SET status = 1, nonce = $1, hash = $2, block = NULL, error = NULL WHERE id = $3", t.Nonce,
                    t.Hash, t.Entry);
            }
            return true;
        });

    /// <inheritdoc/>
    public Task ChangeAsync(IReadOnlyList<OutboxChange> changes, CancellationToken cancellation) => HeldAsync(Leases.Sender, async change =>
    {
        foreach (var c in changes) await OutboxTable.ChangeAsync(change, c);
        return true;
    });

    /// <inheritdoc/>
    public async Task<int> SetLostAsync(long fromNonce, CancellationToken cancellation)
    {
        const string Lost = "status IN (2, 3, 4, 5) AND nonce >= $1";
        // Asked first by a reader: nearly always nothing is lost, and nothing needs to be written.
        var count = await ReadAsync(
            (session, stop) => session.NumberAsync($"SELECT COUNT(*) FROM outbox WHERE {Lost}", stop, fromNonce), cancellation);
        return count == 0 ? 0 : await HeldAsync(Leases.Sender, async change =>
            await change.ExecuteAsync($"UPDATE outbox SET status = 1, block = NULL, error = NULL WHERE {Lost}", fromNonce));
    }

    private async Task<T> ReadAsync<T>(Func<Session, CancellationToken, ValueTask<T>> read, CancellationToken cancellation) =>
        await database.ReadAsync(read, cancellation);

    // A process that was thought dead, and whose lease has passed on, must not write over its successor: the lease is asked in the very
    // transaction. One that was never passed on holds, even past its time.
    private Task<T> HeldAsync<T>(string lease, Func<Change, ValueTask<T>> run) => database.ChangeAsync(async change =>
    {
        var holder = await change.FirstAsync("SELECT holder FROM leases WHERE name = $1", static r => r.GetString(0), lease);
        if (holder is not null && holder != _holder) throw new LeaseLostException(lease);
        return await run(change);
    });

    private sealed record Lease(string Holder, long Left);
}
