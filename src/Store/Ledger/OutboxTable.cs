using System.Data.Common;
using System.Globalization;
using System.Numerics;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Store;

/// <summary>The rows of the outbox.</summary>
internal static class OutboxTable
{
    public const string Columns =
        "o.id, o.key, o.contract, o.action, o.data, o.priority, o.follows, o.status, o.nonce, o.hash, o.block, o.error";

    /// <summary>Queues a command; see <see cref="ILedgerJournal.EnqueueAsync"/>.</summary>
    /// <returns>The entry's id, new or not.</returns>
    public static async ValueTask<long> EnqueueAsync(Change change, ChainCommand command) =>
        await change.NumberAsync(
            """
            INSERT INTO outbox (key, contract, action, data, priority, follows, status) VALUES ($1, $2, $3, $4, $5, $6, 0)
            ON CONFLICT (key) DO UPDATE SET data = excluded.data, status = 0, nonce = NULL, block = NULL, error = NULL
              WHERE outbox.status = 4
            RETURNING id
            """,
            command.Key, command.Contract, command.Action, command.Data, (long)command.Priority, command.After)
        ?? (await change.NumberAsync("SELECT id FROM outbox WHERE key = $1", command.Key))!.Value;

    public static ValueTask<int> ChangeAsync(Change change, OutboxChange c) => change.ExecuteAsync(
        """
        UPDATE outbox SET status = $1, nonce = CASE WHEN $1 = 0 THEN NULL ELSE nonce END, hash = COALESCE($2, hash), block = $3, error = $4
        WHERE id = $5
        """,
        (long)c.Status, c.Hash, c.Block, c.Error, c.Entry);

    /// <summary>Entries with everything that was signed for them.</summary>
    /// <param name="session">Where to read.</param>
    /// <param name="where">Which, in order, with a limit.</param>
    /// <param name="cancellation">Stops the read.</param>
    /// <param name="values">Values of the parameters.</param>
    public static async ValueTask<IReadOnlyList<OutboxEntry>> EntriesAsync(
        Session session, string where, CancellationToken cancellation, params object?[] values)
    {
        var rows =
            await session.QueryAsync($"SELECT {Columns} FROM outbox o WHERE {where}", static r => Entry(r, []), cancellation, values);
        if (rows.Count == 0) return rows;
        var transactions = (await session.QueryAsync(
            $"SELECT t.entry, t.nonce, t.hash, t.raw, t.tip, t.max_fee FROM outbox_transactions t "
                + $"WHERE t.entry {session.Engine.IsOneOf("$1")} ORDER BY t.tx",
            static r => new SignedTransaction(
                r.GetInt64(0), r.GetInt64(1), r.GetString(2), r.Bytes(3), Number(r.GetString(4)), Number(r.GetString(5))),
            cancellation, session.Engine.List([.. rows.Select(r => r.Id)]))).ToLookup(t => t.Entry);
        return [.. rows.Select(r => r with { Transactions = [.. transactions[r.Id]] })];
    }

    public static OutboxEntry Entry(DbDataReader r, IReadOnlyList<SignedTransaction> transactions) => new(
        r.GetInt64(0),
        new ChainCommand(r.GetString(1), r.GetString(2), r.GetString(3), r.Bytes(4), (OutboxPriority)r.GetInt64(5), r.TextOrNull(6)),
        (OutboxStatus)r.GetInt64(7), r.NumberOrNull(8), r.TextOrNull(9), r.NumberOrNull(10), r.TextOrNull(11), transactions);

    public static string Text(BigInteger number) => number.ToString(CultureInfo.InvariantCulture);

    private static BigInteger Number(string text) => BigInteger.Parse(text, CultureInfo.InvariantCulture);
}
