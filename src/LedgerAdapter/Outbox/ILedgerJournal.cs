using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// The durable side of the ledger adapter: outbox, consent view, anchor batches, leases. It is an interface because the adapter must
/// not know a database: src/Store implements it. Every change is durable when its task completes, and is one transaction.
/// </summary>
/// <remarks>
/// Where several processes share a journal, each change belongs to a lease: those of the outbox but <see cref="EnqueueAsync"/> to
/// <see cref="Leases.Sender"/>, those of the view to <see cref="Leases.View"/>, those of the batches to <see cref="Leases.Anchors"/>. One
/// made by a process whose lease has passed on throws <see cref="LeaseLostException"/> and changes nothing.
/// </remarks>
public interface ILedgerJournal
{
    /// <summary>Takes or renews a lease.</summary>
    /// <param name="lease">One of <see cref="Leases"/>.</param>
    /// <param name="ttl">How long it is held without being renewed.</param>
    /// <param name="cancellation">Stops the wait.</param>
    /// <returns>Whether this process holds it now.</returns>
    Task<bool> TryHoldAsync(string lease, TimeSpan ttl, CancellationToken cancellation);

    /// <summary>Gives a lease of this process back, so that the next one who asks has it at once.</summary>
    Task ReleaseAsync(string lease, CancellationToken cancellation);

    /// <summary>Queues commands; of those whose key is there, only the failed ones: they are queued again with the new data.</summary>
    Task EnqueueAsync(IReadOnlyList<ChainCommand> commands, CancellationToken cancellation);

    /// <summary>
    /// The queued entries to send next, by priority and number, or by number alone (<paramref name="oldestFirst"/>); besides them, beyond
    /// the limit, the queued entries that they must follow.
    /// </summary>
    Task<IReadOnlyList<OutboxEntry>> QueuedAsync(int limit, bool oldestFirst, CancellationToken cancellation);

    /// <summary>The entries of a status, by nonce, then number.</summary>
    Task<IReadOnlyList<OutboxEntry>> EntriesAsync(OutboxStatus status, int limit, CancellationToken cancellation);

    /// <summary>The failed entries that are no anchors and whose number is above one, by number.</summary>
    Task<IReadOnlyList<OutboxEntry>> FailedAsync(long above, int limit, CancellationToken cancellation);

    /// <summary>The entry with a key, or null.</summary>
    Task<OutboxEntry?> FindAsync(string key, CancellationToken cancellation);

    /// <summary>How full the outbox is.</summary>
    Task<OutboxCounts> CountsAsync(CancellationToken cancellation);

    /// <summary>The nonces that entries hold, from one on, ascending.</summary>
    Task<IReadOnlyList<long>> NoncesAsync(long from, CancellationToken cancellation);

    /// <summary>Records signed transactions before they are sent: their entries are sent under that nonce from here on.</summary>
    Task RecordSignedAsync(IReadOnlyList<SignedTransaction> transactions, CancellationToken cancellation);

    /// <summary>Records where entries stand now.</summary>
    Task ChangeAsync(IReadOnlyList<OutboxChange> changes, CancellationToken cancellation);

    /// <summary>
    /// The chain has lost every transaction from this nonce on: those mined before count as sent again. Returns how many.
    /// </summary>
    Task<int> SetLostAsync(long fromNonce, CancellationToken cancellation);

    /// <summary>The first block of the chain that is followed.</summary>
    /// <param name="found">Hash of the first block of a node's chain, hex: where none was followed before, this one is from now on.</param>
    Task<string> FollowedChainAsync(string found);

    /// <summary>How far the consent view has come.</summary>
    Task<ViewCheckpoint> CheckpointAsync(CancellationToken cancellation);

    /// <summary>The blocks that are remembered, newest first.</summary>
    Task<IReadOnlyList<BlockReference>> RecentBlocksAsync(CancellationToken cancellation);

    /// <summary>Takes a step of the view, and moves the checkpoint with it.</summary>
    Task ApplyAsync(ViewUpdate update, CancellationToken cancellation);

    /// <summary>Records that the view was level with the chain that long ago.</summary>
    Task ObservedAsync(TimeSpan age, CancellationToken cancellation);

    /// <summary>The registered custodians with versions that wait for an anchor. Its cost does not grow with what waits.</summary>
    /// <param name="full">How many must wait for <see cref="WaitingCustodian.IsFull"/>.</param>
    /// <param name="cancellation">Stops the wait.</param>
    Task<IReadOnlyList<WaitingCustodian>> WaitingAsync(int full, CancellationToken cancellation);

    /// <summary>The first versions of a custodian that wait, in commit order.</summary>
    Task<IReadOnlyList<PendingLeaf>> PendingLeavesAsync(string custodian, int limit, CancellationToken cancellation);

    /// <summary>The sequence number of a custodian's next batch.</summary>
    Task<long> NextSequenceAsync(string custodian, CancellationToken cancellation);

    /// <summary>The last entry of the audit log; null: it has none.</summary>
    Task<AuditHead?> AuditHeadAsync(CancellationToken cancellation);

    /// <summary>
    /// Under which custodian the audit log is anchored on its own: the one of the last batch, where an entry behind the last anchored head
    /// is older than a moment; else null.
    /// </summary>
    Task<(string Custodian, string ActorId)?> AuditWaitingAsync(DateTimeOffset before, CancellationToken cancellation);

    /// <summary>Closes a batch.</summary>
    /// <returns>False, and nothing is changed, where the number is taken or a leaf has a place already.</returns>
    Task<bool> CloseBatchAsync(ClosedBatch batch, CancellationToken cancellation);

    /// <summary>The batches whose anchor was reverted, by custodian and sequence.</summary>
    Task<IReadOnlyList<FailedBatch>> FailedBatchesAsync(CancellationToken cancellation);

    /// <summary>The leaves of a batch in commit order, and how they lie in its tree.</summary>
    Task<(IReadOnlyList<PendingLeaf> Leaves, AnchorLayout Layout)> BatchLeavesAsync(long batch, CancellationToken cancellation);

    /// <summary>
    /// Gives failed batches new numbers and queues their anchors again, or marks them as confirmed. The numbers of two of them may change
    /// places.
    /// </summary>
    Task MoveBatchesAsync(IReadOnlyList<MovedBatch> batches, CancellationToken cancellation);
}

/// <summary>Names of the leases: each loop of the adapter runs in one process at a time.</summary>
public static class Leases
{
    /// <summary>Who follows the chain.</summary>
    public const string View = "view";

    /// <summary>Who sends transactions.</summary>
    public const string Sender = "sender";

    /// <summary>Who closes batches.</summary>
    public const string Anchors = "anchors";
}

/// <summary>A change was made under a lease that has passed on to another process; nothing was changed.</summary>
public sealed class LeaseLostException(string lease) : Exception($"the lease '{lease}' has passed on to another process");
