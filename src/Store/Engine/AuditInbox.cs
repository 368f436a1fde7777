using System.Text.Json;
using System.Threading.Channels;

namespace PmrGateway.Store;

/// <summary>
/// Audit entries on their way to the log: durable, in a file of their own, when they are told, and soon after, many at a time, in the log.
/// A commit to the records' file takes their page caches from all readers, and each read tells an entry: told one by one to the log, they
/// would cost the reads beside them more than themselves.
/// </summary>
/// <remarks>
/// Entries are numbered in the order in which they became durable. The log notes up to which it has taken them in the transaction that
/// takes them, so each comes into it once, wherever it stops.
/// </remarks>
internal sealed class AuditInbox : IAsyncDisposable
{
    /// <summary>Its file's table.</summary>
    public const string Tables = "CREATE TABLE IF NOT EXISTS entries (n INTEGER PRIMARY KEY, entry BLOB NOT NULL)";

    private const long Unknown = long.MaxValue;

    private const string Taken = "SELECT inbox FROM audit_indexed WHERE one = 1";

    // So many are taken over at once: some milliseconds, in which nothing else is written.
    private const int AtOnce = 512;

    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(1);

    private readonly RecordDatabase _log;
    private readonly Writer _writer;
    private readonly SessionPool _readers;
    private readonly Channel<bool> _some = Channel.CreateBounded<bool>(1);
    private readonly CancellationTokenSource _closing = new();
    private readonly Task _taking;
    private long? _last;
    private long _kept = Unknown;
    private long _taken;
    private volatile Exception? _failure;

    /// <param name="log">The database whose log it is.</param>
    /// <param name="engine">The file.</param>
    public AuditInbox(RecordDatabase log, IStoreEngine engine)
    {
        (_log, _writer, _readers) = (log, new Writer(engine), new SessionPool(engine));
        _some.Writer.TryWrite(true);
        _taking = TakeForEverAsync();
    }

    /// <summary>Why entries cannot be kept, or not be taken over; null: they can.</summary>
    public Exception? Failure => _writer.Failure ?? _failure;

    /// <summary>Keeps entries durably, all or none.</summary>
    /// <param name="entries">They.</param>
    /// <param name="cancellation">Stops only before they have reached the writer.</param>
    /// <exception cref="StoreUnavailableException">Nothing was kept.</exception>
    public Task AppendAsync(IReadOnlyList<AuditEntry> entries, CancellationToken cancellation)
    {
        var rows = entries.Select(e => JsonSerializer.SerializeToUtf8Bytes(e)).ToList();
        return _writer.RunAsync(
        async change =>
        {
            // On the one thread of the writer, so that none becomes durable with a number below one that may have been taken already.
            var last = _last ??= await FirstNumberAsync(change);
            foreach (var row in rows) await change.ExecuteAsync("INSERT INTO entries (n, entry) VALUES ($1, $2)", ++last, row);
            _last = last;
            change.OnCommitted(() =>
            {
                Volatile.Write(ref _kept, last);
                _some.Writer.TryWrite(true);
            });
            return true;
        },
        cancellation);
    }

    /// <summary>
    /// Takes over, in a change to the log, what was kept before: so what the change itself tells comes behind it. Where very much waits,
    /// the first of it.
    /// </summary>
    /// <returns>Whether there was any.</returns>
    public async ValueTask<bool> TakeAsync(Change change)
    {
        if (Volatile.Read(ref _taken) >= Volatile.Read(ref _kept)) return false;
        var taken = await change.NumberAsync(Taken) ?? 0;
        var rows = await _readers.RunAsync(
            (session, stop) => session.QueryAsync(
                $"SELECT n, entry FROM entries WHERE n > $1 ORDER BY n LIMIT {AtOnce}",
                static r => (Number: r.GetInt64(0), Entry: r.Bytes(1)), stop, taken),
            default);
        if (rows.Count == 0)
        {
            // What a process before this one left is taken; from here on it is known whether there is any.
            Volatile.Write(ref _taken, taken);
            Interlocked.CompareExchange(ref _kept, taken, Unknown);
            return false;
        }
        foreach (var row in rows) await AuditTable.AppendAsync(change, JsonSerializer.Deserialize<AuditEntry>(row.Entry)!);
        await change.ExecuteAsync("UPDATE audit_indexed SET inbox = $1 WHERE one = 1", rows[^1].Number);
        change.OnCommitted(() => Volatile.Write(ref _taken, rows[^1].Number));
        return true;
    }

    /// <summary>Returns when all that was kept before is in the log.</summary>
    /// <exception cref="StoreUnavailableException">The log cannot be written now.</exception>
    public async Task SettleAsync()
    {
        var upTo = Volatile.Read(ref _kept);
        while (Volatile.Read(ref _taken) < upTo && await _log.ChangeAsync(TakeAsync))
        {
        }
    }

    /// <summary>Takes over what is there and closes.</summary>
    public async ValueTask DisposeAsync()
    {
        _some.Writer.TryComplete();
        await _closing.CancelAsync();
        await _taking;
        await _writer.DisposeAsync();
        await _readers.DisposeAsync();
        _closing.Dispose();
    }

    // The file may be older than the log, or new beside it.
    private async ValueTask<long> FirstNumberAsync(Change change) => Math.Max(
        await change.NumberAsync("SELECT MAX(n) FROM entries") ?? 0,
        await _log.ReadAsync((session, stop) => session.NumberAsync(Taken, stop), default) ?? 0);

    private async Task TakeForEverAsync()
    {
        while (await _some.Reader.WaitToReadAsync())
        {
            _some.Reader.TryRead(out _);
            try
            {
                await SettleAsync();
                // Not before it is known to be in the log: what was taken in a change that failed is still here.
                var taken = await _log.ReadAsync((session, stop) => session.NumberAsync(Taken, stop), default) ?? 0;
                await _writer.RunAsync(change => change.ExecuteAsync("DELETE FROM entries WHERE n <= $1", taken), default);
                _failure = null;
                await Task.Delay(Gathering, _closing.Token);
            }
            catch (OperationCanceledException)
            {
                // Closing: what has come meanwhile is taken over without waiting for more.
            }
            catch (Exception e)
            {
                _failure = e;
                _some.Writer.TryWrite(true);
                await Task.WhenAny(Task.Delay(Again, _closing.Token));
            }
        }
    }
}
