namespace PmrGateway.LedgerAdapter;

/// <summary>In which order entries get their nonces: as they come, but none before one that it must follow.</summary>
internal static class OutboxOrder
{
    /// <summary>Arranges entries. Every prefix of the result has what it needs: cutting it off anywhere leaves nothing behind.</summary>
    public static List<OutboxEntry> Arrange(IEnumerable<OutboxEntry> entries)
    {
        var wanted = entries.ToList();
        var byKey = wanted.ToDictionary(e => e.Command.Key, StringComparer.Ordinal);
        var (arranged, seen) = (new List<OutboxEntry>(wanted.Count), new HashSet<long>());
        foreach (var entry in wanted) Add(entry);
        return arranged;

        void Add(OutboxEntry entry)
        {
            // Marked before what it follows is added: a circle, which no command makes, ends here.
            if (!seen.Add(entry.Id)) return;
            if (entry.Command.After is { } after && byKey.TryGetValue(after, out var first)) Add(first);
            arranged.Add(entry);
        }
    }

    /// <summary>
    /// The nonces from the chain's count on that no entry of ours holds, in order: gaps first, then those above the last.
    /// </summary>
    /// <param name="used">The chain's count of our transactions.</param>
    /// <param name="held">The nonces that entries hold from there on, ascending.</param>
    public static IEnumerable<long> FreeNonces(long used, IReadOnlyList<long> held)
    {
        var next = used;
        foreach (var nonce in held)
        {
            while (next < nonce) yield return next++;
            next = nonce + 1;
        }
        while (true) yield return next++;
    }

    /// <summary>How many nonces below the last held one nobody holds: until these are used, nothing above them is mined.</summary>
    public static int Gaps(long used, IReadOnlyList<long> held) =>
        held.Count == 0 ? 0 : (int)Math.Min(int.MaxValue, held[^1] + 1 - used - held.Count);
}
