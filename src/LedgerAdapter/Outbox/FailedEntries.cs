using Microsoft.Extensions.Logging;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// What becomes of entries that their contract reverted. Each is run on the newest state from time to time, without being sent: once that
/// succeeds its cause is gone, and it is queued again. Anchors are not among them: these need a new number (<see cref="AnchorWorker"/>).
/// </summary>
internal sealed partial class FailedEntries(IChain chain, EthereumAccount account, ILedgerJournal journal, TimeProvider time, ILogger log)
{
    private const int AtOnce = 200;
    internal static readonly TimeSpan LookAgainAfter = TimeSpan.FromSeconds(15);
    private long _lookedAt = time.GetTimestamp();
    private long _lastSeen;

    /// <summary>
    /// Where an entry stands whose transaction was reverted: failed with the reason, or done where the chain has what it wanted.
    /// </summary>
    public async Task<OutboxChange> RevertedAsync(OutboxEntry entry, string hash, long block, CancellationToken cancellation)
    {
        var revert = await chain.SimulateAsync(account.Address, entry.Command, cancellation);
        return revert is { IsDone: true }
            ? new OutboxChange(entry.Id, OutboxStatus.Confirmed, hash, block)
            : new OutboxChange(entry.Id, OutboxStatus.Failed, hash, block, revert?.Error ?? "reverted, though it would succeed now");
    }

    /// <summary>Looks at the failed entries again, when it is time.</summary>
    public async Task RunOnceAsync(CancellationToken cancellation)
    {
        if (time.GetElapsedTime(_lookedAt) < LookAgainAfter) return;
        _lookedAt = time.GetTimestamp();
        var changes = new List<OutboxChange>();
        // On from where the last look ended: many that never heal must not keep the others from their turn.
        var failed = await journal.FailedAsync(_lastSeen, AtOnce, cancellation);
        _lastSeen = failed.Count < AtOnce ? 0 : failed[^1].Id;
        foreach (var entry in failed)
        {
            var revert = await chain.SimulateAsync(account.Address, entry.Command, cancellation);
            if (revert is null) changes.Add(new OutboxChange(entry.Id, OutboxStatus.Queued));
            // A revocation that came too late is wanted still, and is told of until it is signed anew.
            else if (revert.IsOver && ChainCommands.Grants(entry.Command))
                changes.Add(new OutboxChange(entry.Id, OutboxStatus.Void, Block: entry.Block, Error: revert.Error));
            else if (revert.IsDone) changes.Add(new OutboxChange(entry.Id, OutboxStatus.Confirmed, Block: entry.Block));
        }
        if (changes.Count == 0) return;
        await journal.ChangeAsync(changes, cancellation);
        if (changes.Count(c => c.Status != OutboxStatus.Void) is var healed and > 0) LogHealed(healed);
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "What reverted {Count} outbox entries is gone; they are sent again, or the chain has what they wanted")]
    private partial void LogHealed(int count);
}
