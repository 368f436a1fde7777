using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>A version that waits for its anchor, or has its place in a batch.</summary>
/// <param name="Row">Its row in the store.</param>
/// <param name="Type">Resource type.</param>
/// <param name="Id">Logical id.</param>
/// <param name="Version">Version.</param>
/// <param name="Leaf">Its leaf.</param>
/// <param name="Cid">The CID of its sealed bytes, text.</param>
/// <param name="WrappedKey">Its data key under its subject's key.</param>
/// <param name="Subject">Whose key that is.</param>
/// <param name="WrappedSubjectKey">That subject's key under the keyring; null where it was destroyed.</param>
/// <param name="Body">The sealed bytes where they are not in the block store yet, else null.</param>
public sealed record PendingLeaf(
    long Row,
    string Type,
    string Id,
    long Version,
    AnchorLeaf Leaf,
    string Cid,
    byte[] WrappedKey,
    string Subject,
    byte[]? WrappedSubjectKey,
    byte[]? Body);

/// <summary>A custodian with versions that wait for an anchor.</summary>
/// <param name="Custodian">Reference, <c>Organization/id</c>.</param>
/// <param name="ActorId">Its on-chain id, hex.</param>
/// <param name="Oldest">When the first of them was committed.</param>
/// <param name="IsFull">Whether at least as many wait as was asked for.</param>
public sealed record WaitingCustodian(string Custodian, string ActorId, DateTimeOffset Oldest, bool IsFull);

/// <summary>A batch that is closed: its leaves have their places, its transaction is queued.</summary>
/// <param name="Custodian">Reference of the custodian.</param>
/// <param name="Sequence">Its number among the custodian's batches.</param>
/// <param name="Root">Root of its tree.</param>
/// <param name="SegmentCid">CID of its segment.</param>
/// <param name="Rows">The rows of its leaves.</param>
/// <param name="Layout">How they lie in the tree, in the order of the rows.</param>
/// <param name="Anchor">The transaction that anchors it.</param>
public sealed record ClosedBatch(
    string Custodian, long Sequence, byte[] Root, string SegmentCid, IReadOnlyList<long> Rows, AnchorLayout Layout, ChainCommand Anchor);

/// <summary>A closed batch whose anchor was reverted.</summary>
/// <param name="Batch">Its row.</param>
/// <param name="Custodian">Reference of the custodian.</param>
/// <param name="ActorId">The custodian's on-chain id, hex.</param>
/// <param name="Sequence">The number under which it was refused.</param>
/// <param name="Root">Root of its tree.</param>
/// <param name="SegmentCid">CID of its segment.</param>
/// <param name="Entry">Its outbox entry.</param>
/// <param name="IsBusy">Whether other anchors of this custodian are queued, sent or not deep enough yet.</param>
public sealed record FailedBatch(
    long Batch, string Custodian, string ActorId, long Sequence, byte[] Root, string SegmentCid, long Entry, bool IsBusy);

/// <summary>A failed batch under the number that the chain expects; leaves, layout and root stay.</summary>
/// <param name="Batch">Its row.</param>
/// <param name="Sequence">The new number.</param>
/// <param name="SegmentCid">CID of the segment sealed under that number.</param>
/// <param name="Entry">Its outbox entry, which is queued again, or confirmed.</param>
/// <param name="Data">The new call data; null where the chain has the batch under this number already, by another transaction.</param>
public sealed record MovedBatch(long Batch, long Sequence, string SegmentCid, long Entry, byte[]? Data);
