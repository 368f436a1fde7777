using System.Data;
using System.Globalization;
using System.Numerics;
using Dapper;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Store;

/// <inheritdoc/>
public sealed partial class SqliteLedgerJournal(Database database, TimeProvider time) : ILedgerJournal
{
    private const string EntryColumns = """
        o.id Id, o.key Key, o.contract Contract, o.action Action, o.data Data, o.priority Priority, o.follows Follows, o.status Status,
        o.nonce Nonce, o.hash Hash, o.block Block, o.error Error
        """;

    private sealed record EntryRow(
        long Id,
        string Key,
        string Contract,
        string Action,
        byte[] Data,
        long Priority,
        string? Follows,
        long Status,
        long? Nonce,
        string? Hash,
        long? Block,
        string? Error);

    private sealed record TransactionRow(long Entry, long Nonce, string Hash, byte[] Raw, string Tip, string MaxFee);

    /// <summary>Queues a command inside a change; see <see cref="ILedgerJournal.EnqueueAsync"/>.</summary>
    /// <returns>The entry's id, new or not.</returns>
    public static long Enqueue(IDbConnection connection, ChainCommand command) => connection.ExecuteScalar<long>(
        """
        INSERT INTO outbox (key, contract, action, data, priority, follows, status)
        VALUES (@Key, @Contract, @Action, @Data, @Priority, @After, 0)
        ON CONFLICT (key) DO UPDATE SET data = excluded.data, status = 0, nonce = NULL, block = NULL, error = NULL WHERE outbox.status = 4;
        SELECT id FROM outbox WHERE key = @Key
        """,
        new { command.Key, command.Contract, command.Action, command.Data, Priority = (int)command.Priority, command.After });

    /// <summary>The entry with a key, inside a change or a snapshot; null where there is none.</summary>
    public static OutboxEntry? Find(IDbConnection connection, string key) =>
        Entries(connection, "o.key = @key", "o.id", new { key, limit = 1 }).FirstOrDefault();

    /// <inheritdoc/>
    public Task<bool> TryHoldAsync(string lease, TimeSpan ttl, CancellationToken cancellation) => Task.FromResult(true);

    /// <inheritdoc/>
    public Task EnqueueAsync(IReadOnlyList<ChainCommand> commands, CancellationToken cancellation) => WriteAsync(c =>
    {
        foreach (var command in commands) Enqueue(c, command);
    });

    /// <inheritdoc/>
    public Task<IReadOnlyList<OutboxEntry>> QueuedAsync(int limit, bool oldestFirst, CancellationToken cancellation)
    {
        var order = oldestFirst ? "id" : "priority, id";
        // UNION, not UNION ALL: what many grants wait for comes once.
        return ReadAsync<IReadOnlyList<OutboxEntry>>(c =>
            [
                .. c.Query<EntryRow>(
                    $"""
                    WITH RECURSIVE picked (id, follows) AS (
                      SELECT id, follows FROM (SELECT id, follows FROM outbox WHERE status = 0 ORDER BY {order} LIMIT @limit) first
                      UNION
                      SELECT d.id, d.follows FROM outbox d JOIN picked p ON d.key = p.follows WHERE d.status = 0)
                    SELECT {EntryColumns} FROM outbox o JOIN picked p ON p.id = o.id ORDER BY {(oldestFirst ? "o.id" : "o.priority, o.id")}
                    """,
                    new { limit }).Select(r => Entry(r, [])),
            ]);
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<OutboxEntry>> EntriesAsync(OutboxStatus status, int limit, CancellationToken cancellation) =>
        ReadAsync(c => Entries(c, "o.status = @status", "o.nonce, o.id", new { status = (int)status, limit }));

    /// <inheritdoc/>
    public Task<OutboxEntry?> FindAsync(string key, CancellationToken cancellation) => ReadAsync(c => Find(c, key));

    /// <inheritdoc/>
    public Task<OutboxCounts> CountsAsync(CancellationToken cancellation) => ReadAsync(c =>
    {
        var counts = c.Query<(long Status, long Count)>("SELECT status, COUNT(*) FROM outbox WHERE status IN (0, 1, 4) GROUP BY status")
            .ToDictionary(r => (OutboxStatus)r.Status, r => r.Count);
        var failed = c.QueryFirstOrDefault<(string Key, string? Error)>(
            "SELECT key, error FROM outbox WHERE status = 4 ORDER BY id LIMIT 1");
        return new OutboxCounts(
            counts.GetValueOrDefault(OutboxStatus.Queued),
            counts.GetValueOrDefault(OutboxStatus.Sent),
            counts.GetValueOrDefault(OutboxStatus.Failed),
            failed.Key,
            failed.Error);
    });

    /// <inheritdoc/>
    public Task<IReadOnlyList<long>> NoncesAsync(long from, CancellationToken cancellation) =>
        ReadAsync<IReadOnlyList<long>>(
            c => [.. c.Query<long>("SELECT nonce FROM outbox WHERE nonce >= @from ORDER BY nonce", new { from })]);

    /// <inheritdoc/>
    public Task RecordSignedAsync(IReadOnlyList<SignedTransaction> transactions, CancellationToken cancellation) => WriteAsync(c =>
    {
        foreach (var t in transactions)
        {
            c.Execute(
                """
                INSERT INTO outbox_transactions (entry, nonce, hash, raw, tip, max_fee) VALUES (@Entry, @Nonce, @Hash, @Raw, @tip, @maxFee)
                ON CONFLICT (hash) DO NOTHING
                """,
                new { t.Entry, t.Nonce, t.Hash, t.Raw, tip = Text(t.Tip), maxFee = Text(t.MaxFee) });
            c.Execute(
                "UPDATE outbox SET status = 1, nonce = @Nonce, hash = @Hash, block = NULL, error = NULL WHERE id = @Entry",
                new { t.Entry, t.Nonce, t.Hash });
        }
    });

    /// <inheritdoc/>
    public Task ChangeAsync(IReadOnlyList<OutboxChange> changes, CancellationToken cancellation) => WriteAsync(c =>
    {
        foreach (var change in changes) Change(c, change);
    });

    /// <inheritdoc/>
    public async Task<int> SetLostAsync(long fromNonce, CancellationToken cancellation)
    {
        const string Lost = "status IN (2, 3, 4) AND nonce >= @fromNonce";
        // Asked first by a reader: nearly always nothing is lost, and nothing needs to be written.
        if (await ReadAsync(c => c.ExecuteScalar<long>($"SELECT COUNT(*) FROM outbox WHERE {Lost}", new { fromNonce })) == 0) return 0;
        return await database.WriteAsync(
            c => c.Execute($"UPDATE outbox SET status = 1, block = NULL, error = NULL WHERE {Lost}", new { fromNonce }));
    }

    private static void Change(IDbConnection c, OutboxChange change) => c.Execute(
        """
        UPDATE outbox SET status = @status, nonce = CASE WHEN @status = 0 THEN NULL ELSE nonce END, hash = COALESCE(@Hash, hash),
          block = @Block, error = @Error WHERE id = @Entry
        """,
        new { change.Entry, status = (int)change.Status, change.Hash, change.Block, change.Error });

    private static IReadOnlyList<OutboxEntry> Entries(IDbConnection c, string where, string order, object parameters)
    {
        var rows = c.Query<EntryRow>($"SELECT {EntryColumns} FROM outbox o WHERE {where} ORDER BY {order} LIMIT @limit", parameters)
            .AsList();
        if (rows.Count == 0) return [];
        var transactions = c.Query<TransactionRow>(
            $"""
            SELECT t.entry Entry, t.nonce Nonce, t.hash Hash, t.raw Raw, t.tip Tip, t.max_fee MaxFee FROM outbox_transactions t
            JOIN (SELECT o.id id FROM outbox o WHERE {where} ORDER BY {order} LIMIT @limit) e ON e.id = t.entry ORDER BY t.tx
            """,
            parameters).ToLookup(t => t.Entry);
        return [.. rows.Select(r => Entry(r, [.. transactions[r.Id].Select(Transaction)]))];
    }

    private static OutboxEntry Entry(EntryRow r, IReadOnlyList<SignedTransaction> transactions) => new(
        r.Id,
        new ChainCommand(r.Key, r.Contract, r.Action, r.Data, (OutboxPriority)r.Priority, r.Follows),
        (OutboxStatus)r.Status,
        r.Nonce,
        r.Hash,
        r.Block,
        r.Error,
        transactions);

    private static SignedTransaction Transaction(TransactionRow r) =>
        new(
            r.Entry,
            r.Nonce,
            r.Hash,
            r.Raw,
            BigInteger.Parse(r.Tip, CultureInfo.InvariantCulture),
            BigInteger.Parse(r.MaxFee, CultureInfo.InvariantCulture));

    private static string Text(BigInteger number) => number.ToString(CultureInfo.InvariantCulture);

    private Task WriteAsync(Action<IDbConnection> change) => database.WriteAsync(connection =>
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
