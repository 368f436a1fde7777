using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>A batch to be anchored: the leaves of one custodian in order.</summary>
/// <param name="Custodian">Reference of the custodian, <c>Organization/id</c>.</param>
/// <param name="Sequence">Its number among the custodian's batches.</param>
/// <param name="Leaves">The leaves, at least one.</param>
public sealed record AnchorBatch(string Custodian, long Sequence, IReadOnlyList<PendingLeaf> Leaves);

/// <summary>
/// Closes what waits in the outbox into batches, by size or by age: the segment goes into IPFS, the root and the segment's encrypted
/// CID into a durable intent. The request that wrote the record is long answered by then.
/// </summary>
/// <param name="journal">The outbox.</param>
/// <param name="storeSegment">Stores a batch's segment and sealed bodies durably; gives the segment's CID and the same encrypted for the chain.</param>
/// <param name="options">Size and age.</param>
/// <param name="time">The clock.</param>
public sealed class AnchorWorker(
    ILedgerJournal journal, Func<AnchorBatch, CancellationToken, Task<(string Cid, byte[] SealedCid)>> storeSegment, LedgerOptions options, TimeProvider time)
{
    /// <summary>One round over all custodians. What fails is tried again in the next.</summary>
    public async Task RunOnceAsync(CancellationToken cancellation)
    {
        foreach (var (custodian, count, oldest) in await journal.PendingAsync(cancellation))
        {
            if (count < options.AnchorBatchSize && time.GetUtcNow() - oldest < options.AnchorMaxAge) continue;
            if (await journal.ActorIdAsync(custodian, cancellation) is not { } actor) continue;
            var leaves = await journal.PendingLeavesAsync(custodian, options.AnchorBatchSize, cancellation);
            var sequence = await journal.NextSequenceAsync(custodian, cancellation);
            var (cid, sealedCid) = await storeSegment(new AnchorBatch(custodian, sequence, leaves), cancellation);
            var root = MerkleTree.Root([.. leaves.Select(l => l.Leaf.Hash)]);
            var call = AnchorRegistryContract.Anchor(Hex.Bytes(actor), (ulong)sequence, root, (ulong)leaves.Count, sealedCid);
            await journal.CloseBatchAsync(custodian, sequence, root, cid, [.. leaves.Select(l => l.Row)], call, cancellation);
        }
    }
}
