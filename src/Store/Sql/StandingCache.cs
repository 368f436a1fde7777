using System.Collections.Concurrent;

namespace PmrGateway.Store;

/// <summary>
/// The standing consents of patients as they were held against their seals, for as long as the seal over all of a patient's is the same:
/// it changes with each change of any of them, in whichever process.
/// </summary>
/// <remarks>
/// What is kept is right whatever happens to the rows meanwhile; but the operator is to be told of rows that are changed. So they are read
/// anew after a moment.
/// </remarks>
internal sealed class StandingCache
{
    private const int Capacity = 5_000;
    private const long Milliseconds = 500;
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <summary>The standing consents of a patient under a seal; null: they are to be read.</summary>
    public StandingConsents? Find(string patient, byte[]? seal) =>
        _entries.TryGetValue(patient, out var entry) && Environment.TickCount64 - entry.Read < Milliseconds
        && entry.Seal.AsSpan().SequenceEqual(seal)
            ? entry.Consents
            : null;

    /// <summary>Keeps what was read and is whole.</summary>
    public StandingConsents Add(string patient, byte[] seal, StandingConsents consents)
    {
        if (_entries.Count >= Capacity) _entries.Clear();
        _entries[patient] = new Entry(seal, consents, Environment.TickCount64);
        return consents;
    }

    /// <summary>Forgets all.</summary>
    public void Forget() => _entries.Clear();

    private sealed record Entry(byte[] Seal, StandingConsents Consents, long Read);
}
