namespace PmrGateway.Mapping;

/// <summary>Where a transaction that we want on the chain stands.</summary>
public enum IntentStatus
{
    /// <summary>Durable here, not signed yet.</summary>
    Queued = 0,

    /// <summary>Signed under a nonce and given to the node, maybe several times.</summary>
    Sent = 1,

    /// <summary>In a block, not deep enough yet.</summary>
    Mined = 2,

    /// <summary>Deep enough.</summary>
    Confirmed = 3,

    /// <summary>In a block, but reverted: it had no effect.</summary>
    Failed = 4,
}

/// <summary>One transaction as a durable wish: written with what it belongs to, and followed until the chain has it.</summary>
/// <param name="Id">Its number; intents are sent in this order.</param>
/// <param name="Contract">Name of the contract called; "" where the contract is created.</param>
/// <param name="Action">The function, or the contract created; for people.</param>
/// <param name="Data">Call data, or creation code.</param>
/// <param name="Status">Where it stands.</param>
/// <param name="Nonce">Its nonce once signed.</param>
/// <param name="Raw">The signed bytes once signed: sent again as they are when the chain has lost them.</param>
/// <param name="Hash">The transaction hash once signed, hex.</param>
/// <param name="Block">Its block once mined.</param>
public sealed record LedgerIntent(long Id, string Contract, string Action, byte[] Data, IntentStatus Status, long? Nonce, byte[]? Raw, string? Hash, long? Block);

/// <summary>A version that waits for its anchor.</summary>
/// <param name="Row">Its row in the store.</param>
/// <param name="Type">Resource type.</param>
/// <param name="Id">Logical id.</param>
/// <param name="Version">Version.</param>
/// <param name="Leaf">Its leaf.</param>
/// <param name="Cid">The CID of its sealed bytes, text.</param>
/// <param name="WrappedKey">Its data key under its subject's key.</param>
/// <param name="Subject">Whose key that is.</param>
/// <param name="Body">The sealed bytes where they are not in the block store yet, else null.</param>
/// <param name="Committed">When it was committed.</param>
public sealed record PendingLeaf(
    long Row, string Type, string Id, long Version, AnchorLeaf Leaf, string Cid, byte[] WrappedKey, string Subject, byte[]? Body, DateTimeOffset Committed);

/// <summary>
/// The durable side of the ledger adapter: intents, the consent view and the anchor batches. It is an interface because the adapter
/// must not know a database: SQLite implements it here, PostgreSQL beside it.
/// </summary>
public interface ILedgerJournal
{
    /// <summary>Queues a transaction unless one with the same key is there.</summary>
    Task EnqueueAsync(string key, string contract, string action, byte[] data, CancellationToken cancellation);

    /// <summary>The intents of a status in order of their numbers.</summary>
    Task<IReadOnlyList<LedgerIntent>> IntentsAsync(IntentStatus status, int limit, CancellationToken cancellation);

    /// <summary>The highest nonce given out; -1 for none.</summary>
    Task<long> LastNonceAsync(CancellationToken cancellation);

    /// <summary>Records the signed transaction, durably, before it is sent.</summary>
    Task SetSignedAsync(long intent, long nonce, byte[] raw, string hash, CancellationToken cancellation);

    /// <summary>Records where an intent stands now.</summary>
    Task SetStatusAsync(long intent, IntentStatus status, long? block, string? error, CancellationToken cancellation);

    /// <summary>The chain has lost every transaction from this nonce on: those count as sent again. Returns how many.</summary>
    Task<int> SetLostAsync(long fromNonce, CancellationToken cancellation);

    /// <summary>How far the consent view has come.</summary>
    Task<ViewCheckpoint> CheckpointAsync(CancellationToken cancellation);

    /// <summary>Takes events into the consent view and moves the checkpoint, in one transaction.</summary>
    /// <param name="events">In chain order.</param>
    /// <param name="checkpoint">The new checkpoint.</param>
    /// <param name="fromStart">Whether what the view had from the chain is forgotten first: the events are all since block 0.</param>
    /// <param name="cancellation">Stops the wait.</param>
    Task ApplyAsync(IReadOnlyList<ChainEvent> events, ViewCheckpoint checkpoint, bool fromStart, CancellationToken cancellation);

    /// <summary>The custodians with versions that wait for an anchor, and since when the oldest waits.</summary>
    Task<IReadOnlyList<(string Custodian, int Count, DateTimeOffset Oldest)>> PendingAsync(CancellationToken cancellation);

    /// <summary>The first versions of a custodian that wait, in commit order.</summary>
    Task<IReadOnlyList<PendingLeaf>> PendingLeavesAsync(string custodian, int limit, CancellationToken cancellation);

    /// <summary>The on-chain id of an actor by its reference, hex, or null while it has none.</summary>
    Task<string?> ActorIdAsync(string reference, CancellationToken cancellation);

    /// <summary>The sequence number of a custodian's next batch.</summary>
    Task<long> NextSequenceAsync(string custodian, CancellationToken cancellation);

    /// <summary>Closes a batch: its leaves get their places, and its transaction is queued, in one transaction.</summary>
    Task CloseBatchAsync(string custodian, long sequence, byte[] root, string segmentCid, IReadOnlyList<long> rows, byte[] callData, CancellationToken cancellation);
}
