using System.Collections.Concurrent;
using System.Data.Common;

namespace PmrGateway.Store;

/// <summary>Sessions for reading, kept open between requests with what they have prepared.</summary>
internal sealed class SessionPool(IStoreEngine engine) : IAsyncDisposable
{
    private const int Kept = 32;
    private readonly ConcurrentBag<Session> _idle = [];
    private int _count;

    /// <summary>Runs a read on a session of the pool.</summary>
    /// <exception cref="StoreUnavailableException">The database cannot be read now.</exception>
    public async ValueTask<T> RunAsync<T>(Func<Session, CancellationToken, ValueTask<T>> read, CancellationToken cancellation)
    {
        var session = await RentAsync(cancellation);
        try
        {
            var result = await read(session, cancellation);
            await ReturnAsync(session);
            return result;
        }
        catch (Exception e)
        {
            // In whatever state it is, nobody else gets it.
            await session.DisposeAsync();
            if (engine.Unavailable(e) is { } unavailable) throw unavailable;
            throw;
        }
    }

    /// <summary>A session; <see cref="ReturnAsync"/> it clean, or dispose of it.</summary>
    public async ValueTask<Session> RentAsync(CancellationToken cancellation)
    {
        if (_idle.TryTake(out var session))
        {
            Interlocked.Decrement(ref _count);
            return session;
        }
        try
        {
            return new Session(await engine.OpenAsync(cancellation), engine);
        }
        catch (DbException e)
        {
            throw new StoreUnavailableException("the database cannot be opened", e);
        }
    }

    public async ValueTask ReturnAsync(Session session)
    {
        if (Interlocked.Increment(ref _count) <= Kept)
        {
            _idle.Add(session);
            return;
        }
        Interlocked.Decrement(ref _count);
        await session.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        while (_idle.TryTake(out var session)) await session.DisposeAsync();
    }
}
