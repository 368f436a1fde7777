using System.Numerics;

namespace PmrGateway.LedgerAdapter;

/// <summary>Where a transaction that we want on the chain stands. The numbers are stored.</summary>
public enum OutboxStatus
{
    /// <summary>Durable here, without a nonce.</summary>
    Queued = 0,

    /// <summary>Signed under a nonce and given to the node, maybe several times.</summary>
    Sent = 1,

    /// <summary>In a block, not deep enough yet.</summary>
    Mined = 2,

    /// <summary>Deep enough.</summary>
    Confirmed = 3,

    /// <summary>In a block, deep enough, but reverted: it had no effect. It is tried again when the cause is gone.</summary>
    Failed = 4,

    /// <summary>It had no effect, and never will: its period or its deadline is over.</summary>
    Void = 5,
}

/// <summary>What is sent first. The numbers are stored.</summary>
public enum OutboxPriority
{
    /// <summary>A contract's creation, on which everything else rests; and what fills a gap in the nonces.</summary>
    Foundation = 0,

    /// <summary>What takes access away: revocations, suspensions.</summary>
    Withdrawal = 1,

    /// <summary>Grants, and what changes who may grant.</summary>
    Grant = 2,

    /// <summary>Registrations of actors, clients and patients. One that a grant waits for goes with the grant.</summary>
    Registration = 3,

    /// <summary>Anchors.</summary>
    Anchor = 4,
}

/// <summary>A transaction to be brought onto the chain; made by <see cref="ChainCommands"/>.</summary>
/// <param name="Key">What it is, once for ever: a second command with the same key is the same wish.</param>
/// <param name="Contract">Name of the contract called; "" where the contract is created.</param>
/// <param name="Action">The function, or the contract created; for people.</param>
/// <param name="Data">Call data, or creation code.</param>
/// <param name="Priority">What is sent first.</param>
/// <param name="After">Key of an entry that must be sent before this one; null: none. A key that no entry has holds nothing up.</param>
public sealed record ChainCommand(string Key, string Contract, string Action, byte[] Data, OutboxPriority Priority, string? After = null);

/// <summary>One transaction as a durable wish: written with what it belongs to, and followed until the chain has it.</summary>
/// <param name="Id">Its number, in the order of writing.</param>
/// <param name="Command">What is to be done.</param>
/// <param name="Status">Where it stands.</param>
/// <param name="Nonce">Its nonce while signed; null when queued.</param>
/// <param name="Hash">Hash of the transaction that was mined, else of the one signed last, hex; null before the first.</param>
/// <param name="Block">Its block once mined.</param>
/// <param name="Error">Why it failed.</param>
/// <param name="Transactions">Everything that was ever signed for it, oldest first; each may still be mined.</param>
public sealed record OutboxEntry(
    long Id,
    ChainCommand Command,
    OutboxStatus Status,
    long? Nonce,
    string? Hash,
    long? Block,
    string? Error,
    IReadOnlyList<SignedTransaction> Transactions);

/// <summary>A transaction that was signed for an outbox entry.</summary>
/// <param name="Entry">The entry.</param>
/// <param name="Nonce">The account's nonce.</param>
/// <param name="Hash">Transaction hash, hex without 0x.</param>
/// <param name="Raw">The signed bytes: sent again as they are when the chain has lost them.</param>
/// <param name="Tip">maxPriorityFeePerGas, wei. Stored as decimal text.</param>
/// <param name="MaxFee">maxFeePerGas, wei. Stored as decimal text.</param>
public sealed record SignedTransaction(long Entry, long Nonce, string Hash, byte[] Raw, BigInteger Tip, BigInteger MaxFee);

/// <summary>Where an entry stands from now on.</summary>
/// <param name="Entry">The entry.</param>
/// <param name="Status">Its status. <see cref="OutboxStatus.Queued"/> takes its nonce away: it is signed anew.</param>
/// <param name="Hash">The transaction that was mined; null: as it was.</param>
/// <param name="Block">Its block; null: none.</param>
/// <param name="Error">Why it failed; null: it did not.</param>
public sealed record OutboxChange(long Entry, OutboxStatus Status, string? Hash = null, long? Block = null, string? Error = null);

/// <summary>How full the outbox is.</summary>
/// <param name="Queued">Entries without a nonce.</param>
/// <param name="Sent">Entries with a nonce that the chain does not have yet.</param>
/// <param name="Failed">Entries that were reverted.</param>
/// <param name="FailedKey">Key of the oldest of these, or null.</param>
/// <param name="FailedError">Its error, or null.</param>
public sealed record OutboxCounts(long Queued, long Sent, long Failed, string? FailedKey, string? FailedError);
