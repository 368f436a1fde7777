using System.Collections.Concurrent;

namespace PmrGateway.Store;

/// <summary>
/// Actors that were looked up, until anything in the directory changes. Only where no other process changes it: there what is forgotten
/// when a change is durable is forgotten before anybody is told that it is.
/// </summary>
internal sealed class ActorCache
{
    private const int Capacity = 20_000;
    private readonly ConcurrentDictionary<(string Query, string Key), Actor> _actors = new();
    private int _generation;

    /// <summary>Changes with each change of the directory.</summary>
    public int Generation => Volatile.Read(ref _generation);

    /// <summary>What a query found for a key, or null.</summary>
    public Actor? Find(string query, string key) => _actors.GetValueOrDefault((query, key));

    /// <summary>Keeps an actor that was looked up.</summary>
    /// <param name="query">The query that found it.</param>
    /// <param name="key">For which key.</param>
    /// <param name="actor">The actor.</param>
    /// <param name="generation"><see cref="Generation"/> before it was looked up: what changed since may be this very actor.</param>
    public void Add(string query, string key, Actor actor, int generation)
    {
        if (_actors.Count >= Capacity) _actors.Clear();
        _actors[(query, key)] = actor;
        // Asked after it is in: a change that came in between takes it out, or is seen here.
        if (generation != Generation) _actors.TryRemove((query, key), out _);
    }

    /// <summary>Forgets all.</summary>
    public void Forget()
    {
        Interlocked.Increment(ref _generation);
        _actors.Clear();
    }
}
