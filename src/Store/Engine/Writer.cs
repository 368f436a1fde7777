using System.Data.Common;
using System.Diagnostics;
using System.Threading.Channels;

namespace PmrGateway.Store;

/// <summary>One change inside a group: its session, and what becomes true in memory once it is durable.</summary>
internal sealed class Change(Session session, WriterState state)
{
    private List<Action>? _onCommitted;

    public Session Session => session;

    /// <summary>What a group keeps between its changes.</summary>
    public WriterState State => state;

    public ValueTask<int> ExecuteAsync(string sql, params object?[] values) => session.ExecuteAsync(sql, default, values);

    public ValueTask<long?> NumberAsync(string sql, params object?[] values) => session.NumberAsync(sql, default, values);

    public ValueTask<T?> FirstAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] values) =>
        session.FirstAsync(sql, map, default, values);

    public ValueTask<List<T>> QueryAsync<T>(string sql, Func<DbDataReader, T> map, params object?[] values) =>
        session.QueryAsync(sql, map, default, values);

    /// <summary>Runs when the change is durable; not at all where it fails.</summary>
    public void OnCommitted(Action action) => (_onCommitted ??= []).Add(action);

    internal void Committed()
    {
        var failures = new List<Exception>();
        foreach (var action in _onCommitted ?? [])
        {
            try
            {
                action();
            }
            catch (StoreUnavailableException e)
            {
                // None keeps another from its turn.
                failures.Add(e);
            }
        }
        if (failures.Count > 0) throw failures[0];
    }
}

/// <summary>What a group of changes keeps in memory; taken back with the change that made it.</summary>
internal sealed class WriterState
{
    /// <summary>Number and hash of the last audit entry; null: not read in this group.</summary>
    public (long Seq, byte[] Hash)? AuditHead { get; set; }
}

/// <summary>
/// The one writer of this process. Changes that come in together share one transaction and one fsync. Where one of them fails, the others
/// are run once more, each behind a savepoint, so that none takes another with it. A change is durable when its task completes, and may run
/// twice.
/// </summary>
internal sealed class Writer : IAsyncDisposable
{
    private const int GroupLimit = 256;

    // Others wait for the lock meanwhile, here and on other gateways: what comes behind a slow change goes into a group of its own.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    // A commit costs an fsync and the page caches of all readers, whatever is in it: where several come at a time, a group waits for more.
    // Who writes alone does not wait. (PostgreSQL calls these commit_delay and commit_siblings.)
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(1);

    private readonly Channel<Job> _jobs = Channel.CreateBounded<Job>(new BoundedChannelOptions(4096) { SingleReader = true });
    private readonly List<Job> _postponed = [];
    private readonly IStoreEngine _engine;
    private readonly Task _loop;
    private Session? _session;
    private volatile Exception? _failure;

    public Writer(IStoreEngine engine)
    {
        _engine = engine;
        _loop = Task.Factory.StartNew(Loop, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Why the last group was not written; null: it was.</summary>
    public Exception? Failure => _failure;

    /// <summary>Runs a change in the next group and returns what it returned, once that is durable.</summary>
    /// <param name="change">The change.</param>
    /// <param name="cancellation">Whoever asked for it is gone: it is passed over, where its turn has not come yet.</param>
    /// <exception cref="StoreUnavailableException">Nothing of it was kept.</exception>
    public async Task<T> RunAsync<T>(Func<Change, ValueTask<T>> change, CancellationToken cancellation)
    {
        var job = new Job<T>(change, cancellation);
        await _jobs.Writer.WriteAsync(job, cancellation);
        return await job.Done.Task;
    }

    /// <summary>Finishes the changes that are queued and closes.</summary>
    public async ValueTask DisposeAsync()
    {
        _jobs.Writer.TryComplete();
        await _loop;
    }

    // A thread of its own: waiting for the disk must not hold a thread that requests need.
    private void Loop()
    {
        var group = new List<Job>(GroupLimit);
        while (_postponed.Count > 0 || _jobs.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            if (group.Count > 1) Thread.Sleep(Gathering);
            group.Clear();
            group.AddRange(_postponed);
            _postponed.Clear();
            while (group.Count < GroupLimit && _jobs.Reader.TryRead(out var job)) group.Add(job);
            if (group.Count > 0) CommitAsync(group).GetAwaiter().GetResult();
        }
        if (_session is not null) _session.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    private async Task CommitAsync(List<Job> group)
    {
        try
        {
            _session ??= new Session(await _engine.OpenAsync(default), _engine);
            if (!await TryTogetherAsync(_session, group) && group.Count > 1) await OneByOneAsync(_session, group);
            _failure = null;
        }
        catch (Exception e)
        {
            // Nothing of the group is durable: a full disk, a failed fsync, a lost connection. Everyone is told; nothing was acknowledged.
            _failure = e;
            await GiveUpSessionAsync();
            foreach (var job in group) job.Fail(new StoreUnavailableException("the database cannot be written", e));
            return;
        }
        foreach (var job in group) job.Complete();
    }

    // False: one of them failed, and nothing is done. Savepoints would cost each change two statements, and hardly any fails.
    private async ValueTask<bool> TryTogetherAsync(Session session, List<Job> group)
    {
        var state = new WriterState();
        foreach (var begin in _engine.BeginChange) await session.ExecuteAsync(begin, default);
        var began = Stopwatch.GetTimestamp();
        for (var i = 0; i < group.Count; i++)
        {
            if (!await TryAsync(session, group[i], state))
            {
                await session.ExecuteAsync("ROLLBACK", default);
                return false;
            }
            PostponeWhereSlow(group, i + 1, began);
        }
        await session.ExecuteAsync("COMMIT", default);
        return true;
    }

    private async ValueTask OneByOneAsync(Session session, List<Job> group)
    {
        var state = new WriterState();
        foreach (var begin in _engine.BeginChange) await session.ExecuteAsync(begin, default);
        var began = Stopwatch.GetTimestamp();
        for (var i = 0; i < group.Count; i++)
        {
            var job = group[i];
            if (job.Failure is not null) continue;
            var head = state.AuditHead;
            await session.ExecuteAsync("SAVEPOINT one", default);
            if (!await TryAsync(session, job, state))
            {
                state.AuditHead = head;
                await session.ExecuteAsync("ROLLBACK TO SAVEPOINT one", default);
            }
            await session.ExecuteAsync("RELEASE SAVEPOINT one", default);
            PostponeWhereSlow(group, i + 1, began);
        }
        await session.ExecuteAsync("COMMIT", default);
    }

    private void PostponeWhereSlow(List<Job> group, int from, long began)
    {
        if (Stopwatch.GetElapsedTime(began) <= Longest) return;
        _postponed.AddRange(group.Skip(from));
        group.RemoveRange(from, group.Count - from);
    }

    // False: the change failed on its own account, and is not asked again: it may take long, and all wait for it. That the database cannot
    // do it now is everybody's.
    private async ValueTask<bool> TryAsync(Session session, Job job, WriterState state)
    {
        if (job.Failure is not null) return true;
        try
        {
            if (job.Cancellation.IsCancellationRequested) job.Failure = new OperationCanceledException(job.Cancellation);
            else await job.RunAsync(session.Change = new Change(session, state));
            return true;
        }
        catch (Exception e) when (e is not DbException failure || !_engine.IsUnavailable(failure))
        {
            job.Failure = e;
            return false;
        }
    }

    private async Task GiveUpSessionAsync()
    {
        if (_session is not { } session) return;
        _session = null;
        try
        {
            await session.DisposeAsync();
        }
        catch (DbException)
        {
            // It was broken already.
        }
    }

    private abstract class Job(CancellationToken cancellation)
    {
        public CancellationToken Cancellation => cancellation;

        public Exception? Failure { get; set; }

        public abstract ValueTask RunAsync(Change change);

        public abstract void Complete();

        public abstract void Fail(Exception e);
    }

    private sealed class Job<T>(Func<Change, ValueTask<T>> run, CancellationToken cancellation) : Job(cancellation)
    {
        private Change? _change;
        private T? _result;

        // Continuations must not run on the writer's thread: a request would hold up every other.
        public TaskCompletionSource<T> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override async ValueTask RunAsync(Change change)
        {
            _change = change;
            _result = await run(change);
        }

        public override void Complete()
        {
            if (Failure is not null)
            {
                Done.TrySetException(Failure);
                return;
            }
            try
            {
                _change!.Committed();
                Done.TrySetResult(_result!);
            }
            catch (Exception e)
            {
                // It is done, and not all that belongs to it: it is not acknowledged.
                Done.TrySetException(e);
            }
        }

        public override void Fail(Exception e) => Done.TrySetException(e);
    }
}
