using System.Numerics;
using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// The chain as the adapter needs it: asked by polling only, the least that every EVM node serves. One implementation speaks to a node;
/// the other is the tests' chain in memory, which can be reorganised, lose its end and refuse at will.
/// </summary>
/// <remarks>
/// Every method throws <see cref="RpcUnavailableException"/> where the node cannot be asked or is of another chain (nothing is known then),
/// and <see cref="RpcException"/> where it refused the question.
/// </remarks>
public interface IChain
{
    /// <summary>The newest block.</summary>
    Task<BlockHeader> HeadAsync(CancellationToken cancellation);

    /// <summary>A block by its number, or null where there is none.</summary>
    Task<BlockHeader?> BlockAsync(long number, CancellationToken cancellation);

    /// <summary>The blocks of a range, both ends included, ascending. One may be of another branch than the next: hold the hashes together.
    /// </summary>
    /// <exception cref="RpcUnavailableException">The node lacks one of them, or one is not what its hash says.</exception>
    Task<IReadOnlyList<BlockHeader>> BlocksAsync(long from, long to, CancellationToken cancellation);

    /// <summary>What our contracts said in a block, in its order: all of it and nothing else, as the block's hash proves.</summary>
    /// <exception cref="RpcUnavailableException">What the node shows of the block is not what its hash says.</exception>
    Task<IReadOnlyList<ChainEvent>> EventsAsync(BlockHeader block, CancellationToken cancellation);

    /// <summary>
    /// Whether the node is of the chain that this gateway follows, asked anew: a node may be put in the place of another.
    /// </summary>
    /// <returns>Whether it is known to be; false: it may be another, begun anew (the development chain is the gateway's own).</returns>
    /// <exception cref="WrongChainException">It is of another.</exception>
    Task<bool> RecognizeAsync(CancellationToken cancellation);

    /// <summary>Whether one of our contracts is there.</summary>
    /// <param name="contract">A name of <see cref="ContractSet"/>.</param>
    /// <param name="cancellation">Stops the question.</param>
    Task<bool> IsDeployedAsync(string contract, CancellationToken cancellation);

    /// <summary>How many transactions of an account the chain has: the nonce of the next one.</summary>
    Task<long> NonceAsync(byte[] account, CancellationToken cancellation);

    /// <summary>What an account has, wei.</summary>
    Task<BigInteger> BalanceAsync(byte[] account, CancellationToken cancellation);

    /// <summary>The receipts of transactions in the order of their hashes; null where the chain has none.</summary>
    Task<IReadOnlyList<ChainReceipt?>> ReceiptsAsync(IReadOnlyList<string> hashes, CancellationToken cancellation);

    /// <summary>Gives signed transactions to the node, and what it said of each.</summary>
    Task<IReadOnlyList<SubmitResult>> SubmitAsync(IReadOnlyList<byte[]> transactions, CancellationToken cancellation);

    /// <summary>Runs a transaction on the newest state without sending it.</summary>
    /// <param name="sender">Who would send it.</param>
    /// <param name="command">What would be sent.</param>
    /// <param name="cancellation">Stops the question.</param>
    /// <returns>Why it would be reverted, or null.</returns>
    Task<Revert?> SimulateAsync(byte[] sender, ChainCommand command, CancellationToken cancellation);

    /// <summary>What the contract says of a grant at a block.</summary>
    /// <exception cref="RpcException">The node refuses: it has the state of that block no more, if it ever had.</exception>
    Task<GrantState> GrantAtAsync(byte[] patient, byte[] commitment, long block, CancellationToken cancellation);

    /// <summary>What the contract says of a patient at a block; see <see cref="GrantAtAsync"/>.</summary>
    Task<PatientState> PatientAtAsync(byte[] patient, long block, CancellationToken cancellation);

    /// <summary>What the contract says of an actor at a block; see <see cref="GrantAtAsync"/>.</summary>
    Task<ActorState> ActorAtAsync(byte[] actor, long block, CancellationToken cancellation);

    /// <summary>The actor that a client is bound to at a block, hex; null: to none. See <see cref="GrantAtAsync"/>.</summary>
    Task<string?> ActorOfClientAtAsync(byte[] client, long block, CancellationToken cancellation);

    /// <summary>The number that the contract expects of a custodian's next batch.</summary>
    Task<long> NextSequenceAsync(byte[] custodian, CancellationToken cancellation);

    /// <summary>Root of a custodian's batch; null where there is none.</summary>
    Task<byte[]?> RootAsync(byte[] custodian, long sequence, CancellationToken cancellation);

    /// <summary>Whether the contract finds a leaf under a batch's root.</summary>
    Task<bool> VerifyAsync(
        byte[] custodian, long sequence, byte[] leaf, uint index, IReadOnlyList<byte[]> path, CancellationToken cancellation);
}

/// <summary>What the adapter needs of a block.</summary>
/// <param name="Number">Height.</param>
/// <param name="Hash">Hash, hex without 0x.</param>
/// <param name="ParentHash">Hash of the block before it, hex without 0x.</param>
/// <param name="BaseFee">Base fee a gas, wei; zero on a chain without fees.</param>
/// <param name="Time">When it was made, as its proposer says, seconds since 1970.</param>
public sealed record BlockHeader(long Number, string Hash, string ParentHash, BigInteger BaseFee, long Time)
{
    /// <summary>Whether a contract of ours may have said something in it; false: none has (its logs' bloom filter).</summary>
    public bool MayTell { get; init; }

    /// <summary>Root of the trie of its receipts, hex without 0x: what was said in it and what became of its transactions.</summary>
    public string ReceiptsRoot { get; init; } = "";
}

/// <summary>A transaction in a block.</summary>
/// <param name="Block">The block's number.</param>
/// <param name="IsReverted">Whether it had no effect.</param>
public sealed record ChainReceipt(long Block, bool IsReverted);

/// <summary>Why a contract reverts.</summary>
/// <param name="Error">Name of its error, or the node's words.</param>
/// <param name="IsDone">Whether it says that what is wanted is on the chain already.</param>
public sealed record Revert(string Error, bool IsDone)
{
    /// <summary>Whether it says that the time of what is wanted is over: it will never be on the chain.</summary>
    public bool IsOver { get; init; }
}

/// <summary>A grant as the contract has it.</summary>
/// <param name="Status">0 none, 1 active, 2 revoked.</param>
/// <param name="NotBefore">Begin, Unix seconds.</param>
/// <param name="NotAfter">End, Unix seconds.</param>
/// <param name="Epoch">The patient's epoch when it was made.</param>
public sealed record GrantState(byte Status, ulong NotBefore, ulong NotAfter, ulong Epoch);

/// <summary>A patient as the contract has them. Hex without 0x.</summary>
/// <param name="Controller">Address of who controls the record; null: there is no such patient.</param>
/// <param name="Epoch">Raised by each revocation of all: a grant of an earlier one stands no longer.</param>
/// <param name="Custodian">Id of the hospital that registered the patient.</param>
public sealed record PatientState(string? Controller, ulong Epoch, string Custodian);

/// <summary>An actor as the contract has it.</summary>
/// <param name="Kind">What it is; none: there is no such actor.</param>
/// <param name="Status">0 none, 1 active, 2 suspended: its own, whatever its hospital's is.</param>
/// <param name="Hospital">A practitioner's hospital, its id in hex; null for others.</param>
public sealed record ActorState(ActorKind Kind, byte Status, string? Hospital);

/// <summary>What a node said of a transaction.</summary>
/// <param name="Outcome">What it means.</param>
/// <param name="Text">The node's words where it refused.</param>
public readonly record struct SubmitResult(SubmitOutcome Outcome, string Text = "");

/// <summary>What a node does with a transaction that it is given.</summary>
public enum SubmitOutcome
{
    /// <summary>It has it, now or already.</summary>
    Accepted,

    /// <summary>The chain has a transaction with this nonce.</summary>
    NonceTooLow,

    /// <summary>The fee is below what the node takes.</summary>
    Underpriced,

    /// <summary>The sender cannot pay.</summary>
    InsufficientFunds,

    /// <summary>Something else.</summary>
    Refused,
}
