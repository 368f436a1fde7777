using Microsoft.Extensions.Logging;
using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>A batch to be anchored: leaves of one custodian in commit order.</summary>
/// <param name="Custodian">Reference of the custodian, <c>Organization/id</c>.</param>
/// <param name="Sequence">Its number among the custodian's batches.</param>
/// <param name="Leaves">The leaves; none where the audit log alone has something new.</param>
/// <param name="Layout">How they lie in the tree.</param>
public sealed record AnchorBatch(string Custodian, long Sequence, IReadOnlyList<PendingLeaf> Leaves, AnchorLayout Layout);

/// <summary>Stores a batch's segment and sealed bodies durably; gives the segment's CID and the same sealed for the chain.</summary>
public delegate Task<(string Cid, byte[] SealedCid)> StoreSegment(AnchorBatch batch, CancellationToken cancellation);

/// <summary>
/// Closes what waits in the outbox into batches, by size or by age: the segment goes into IPFS, the root and the segment's encrypted
/// CID into an outbox entry. The request that wrote the record is long answered by then. A batch whose anchor was reverted is anchored
/// again under the number that the contract expects, with the same leaves and root. Each batch has the head of the audit log in it.
/// </summary>
/// <param name="journal">What waits.</param>
/// <param name="chain">Asked for the number that it expects where an anchor was reverted.</param>
/// <param name="storeSegment">Stores a batch.</param>
/// <param name="options">Size and age.</param>
/// <param name="time">The clock.</param>
/// <param name="log">Told of anchors that are sent again.</param>
internal sealed partial class AnchorWorker(
    ILedgerJournal journal, IChain chain, StoreSegment storeSegment, LedgerOptions options, TimeProvider time, ILogger<AnchorWorker> log)
{
    // Bounds how long the others wait for one that writes without end.
    private const int BatchesAtOnce = 16;
    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(15);
    private readonly Dictionary<string, (long At, TimeSpan Wait)> _repairs = new(StringComparer.Ordinal);

    /// <summary>One round over all custodians. What fails is tried again in the next.</summary>
    public async Task RunOnceAsync(CancellationToken cancellation)
    {
        var failed = (await journal.FailedBatchesAsync(cancellation)).GroupBy(b => b.Custodian)
            .ToDictionary(g => g.Key, g => g.ToList(), StringComparer.Ordinal);
        foreach (var custodian in await journal.WaitingAsync(options.AnchorBatchSize, cancellation))
        {
            // Behind a reverted anchor every other would be reverted too.
            if (failed.ContainsKey(custodian.Custodian)) continue;
            if (custodian.IsFull || time.GetUtcNow() - custodian.Oldest >= options.AnchorMaxAge) await CloseAsync(custodian, cancellation);
        }
        await CloseForAuditAsync(failed.Keys, cancellation);
        foreach (var (custodian, batches) in failed)
            if (!batches[0].IsBusy && IsDue(custodian)) await RepairAsync(custodian, batches, cancellation);
    }

    private async Task CloseAsync(WaitingCustodian custodian, CancellationToken cancellation)
    {
        for (var i = 0; i < BatchesAtOnce; i++)
        {
            var leaves = await journal.PendingLeavesAsync(custodian.Custodian, options.AnchorBatchSize, cancellation);
            // What is left behind full batches waits for its age or for more.
            if (leaves.Count == 0 || (i > 0 && leaves.Count < options.AnchorBatchSize)) return;
            var sequence = await journal.NextSequenceAsync(custodian.Custodian, cancellation);
            if (!await CloseAsync(custodian.Custodian, custodian.ActorId, sequence, leaves, cancellation)) return;
        }
    }

    private async Task<bool> CloseAsync(
        string custodian, string actorId, long sequence, IReadOnlyList<PendingLeaf> leaves, CancellationToken cancellation)
    {
        var layout = AnchorLayout.New(leaves.Count, await journal.AuditHeadAsync(cancellation));
        var root = MerkleTree.Root(layout.Tree([.. leaves.Select(l => l.Leaf.Hash)]));
        var (cid, anchor) = await StoreAsync(new AnchorBatch(custodian, sequence, leaves, layout), actorId, root, cancellation);
        var batch = new ClosedBatch(custodian, sequence, root, cid, [.. leaves.Select(l => l.Row)], layout, anchor);
        return await journal.CloseBatchAsync(batch, cancellation);
    }

    // A batch of no record, where there was nothing to write and something was read: what was read is anchored all the same, in time.
    private async Task CloseForAuditAsync(IEnumerable<string> failed, CancellationToken cancellation)
    {
        var before = time.GetUtcNow() - options.AuditAnchorMaxAge;
        if (await journal.AuditWaitingAsync(before, cancellation) is not { } last || failed.Contains(last.Custodian)) return;
        var sequence = await journal.NextSequenceAsync(last.Custodian, cancellation);
        await CloseAsync(last.Custodian, last.ActorId, sequence, [], cancellation);
    }

    private async Task RepairAsync(string custodian, List<FailedBatch> batches, CancellationToken cancellation)
    {
        var moved = new List<MovedBatch>();
        var actor = Convert.FromHexString(batches[0].ActorId);
        var next = await chain.NextSequenceAsync(actor, cancellation);
        foreach (var batch in batches)
        {
            var there = batch.Sequence < next ? await chain.RootAsync(actor, batch.Sequence, cancellation) : null;
            if (there is not null && there.AsSpan().SequenceEqual(batch.Root))
            {
                moved.Add(new MovedBatch(batch.Batch, batch.Sequence, batch.SegmentCid, batch.Entry, null));
                continue;
            }
            // Stored anew: segment and CID are sealed for their number.
            var (leaves, layout) = await journal.BatchLeavesAsync(batch.Batch, cancellation);
            var again = new AnchorBatch(custodian, next, leaves, layout);
            var (cid, anchor) = await StoreAsync(again, batch.ActorId, batch.Root, cancellation);
            moved.Add(new MovedBatch(batch.Batch, next++, cid, batch.Entry, anchor.Data));
        }
        await journal.MoveBatchesAsync(moved, cancellation);
        LogRepaired(custodian, moved.Count, moved[0].Sequence);
    }

    private async Task<(string Cid, ChainCommand Anchor)> StoreAsync(
        AnchorBatch batch, string actorId, byte[] root, CancellationToken cancellation)
    {
        var (cid, sealedCid) = await storeSegment(batch, cancellation);
        var actor = Convert.FromHexString(actorId);
        return (cid, ChainCommands.Anchor(batch.Custodian, actor, batch.Sequence, root, batch.Layout.Count, sealedCid));
    }

    // At once the first time; then ever less often: what reverts for another reason than its number is not cured by a new one.
    private bool IsDue(string custodian)
    {
        if (_repairs.TryGetValue(custodian, out var last) && time.GetElapsedTime(last.At) < last.Wait) return false;
        var isRecent = last.Wait > TimeSpan.Zero && time.GetElapsedTime(last.At) < LongestWait * 2;
        var wait = isRecent ? TimeSpan.FromTicks(Math.Min(last.Wait.Ticks * 2, LongestWait.Ticks)) : FirstWait;
        _repairs[custodian] = (time.GetTimestamp(), wait);
        return true;
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Count} anchors of {Custodian} were reverted; they are sent again from number {Sequence} on")]
    private partial void LogRepaired(string custodian, int count, long sequence);
}
