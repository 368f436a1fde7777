using System.Numerics;
using Nethereum.Model;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using BlockHeader = PmrGateway.LedgerAdapter.BlockHeader;

namespace PmrGateway.Tests.Unit.LedgerAdapter;

/// <summary>
/// A chain in memory: transactions of one account are mined in the order of their nonces when a test says so, and the chain can be
/// reorganised, lose its end, be used by a stranger, and refuse at will. What contracts say is what a test puts into a block.
/// </summary>
/// <param name="time">The clock of whoever makes blocks.</param>
internal sealed class FakeChain(TimeProvider time) : IChain
{
    private readonly List<Mined> _blocks =
        [new(new BlockHeader(0, HashOf("genesis"), HashOf("before"), 0, 0) { MayTell = true }, [], [])];
    private readonly SortedDictionary<long, byte[]> _pool = [];
    private readonly List<ChainEvent> _said = [];
    private int _salt;

    private sealed record Mined(BlockHeader Header, List<(string Hash, long Nonce, bool IsReverted)> Transactions, List<ChainEvent> Events);

    public bool IsDown { get; set; }

    /// <summary>Whether it is another chain than the one that was followed.</summary>
    public bool IsOther { get; private set; }

    /// <summary>Whether its first block is known.</summary>
    public bool IsPinned { get; set; } = true;

    /// <summary>What happens after blocks were read.</summary>
    public Action? WhenAsked { get; set; }

    public BigInteger BaseFee { get; set; }

    /// <summary>What the node says of a transaction that it is given; null: it takes it.</summary>
    public Func<SubmitResult>? Refuse { get; set; }

    /// <summary>Whether a transaction is reverted when it is mined.</summary>
    public Func<Transaction1559, bool> Reverts { get; set; } = _ => false;

    /// <summary>What a simulation says.</summary>
    public Func<ChainCommand, Revert?> Simulates { get; set; } = _ => null;

    /// <summary>The largest range of blocks that the node answers.</summary>
    public long MaxRange { get; set; } = long.MaxValue;

    /// <summary>Whether the node has the state of its newest block alone.</summary>
    public bool IsPruned { get; set; }

    /// <summary>What the contract says of a grant, by commitment, where it is not that it stands.</summary>
    public Dictionary<string, GrantState> Grants { get; } = [];

    /// <summary>What the contract says of patients by key.</summary>
    public Dictionary<string, PatientState> Patients { get; } = [];

    /// <summary>What the contract says of actors by id.</summary>
    public Dictionary<string, ActorState> Actors { get; } = [];

    /// <summary>What the contract says of clients.</summary>
    public Dictionary<string, string> Clients { get; } = [];

    /// <summary>Grants that the node shows in a log and the contract does not know.</summary>
    public HashSet<string> Forged { get; } = [];

    public List<(long From, long To)> Asked { get; } = [];

    public List<byte[]> Given { get; } = [];

    public Dictionary<string, byte[]> Roots { get; } = [];

    public long Sequence { get; set; }

    public bool IsDeployed { get; set; } = true;

    public BlockHeader Head => _blocks[^1].Header;

    private long Used => _blocks.Sum(b => (long)b.Transactions.Count);

    /// <summary>Adds to what the contracts say in the next block.</summary>
    public void Say(params Func<long, ChainEvent>[] events) => _said.AddRange(events.Select(e => e(Head.Number + 1)));

    /// <summary>Makes blocks; the first takes what waits.</summary>
    public void Mine(int blocks = 1, int capacity = int.MaxValue)
    {
        for (var i = 0; i < blocks; i++)
        {
            var transactions = new List<(string, long, bool)>();
            for (var nonce = Used; transactions.Count < capacity && _pool.Remove(nonce, out var raw); nonce++)
                transactions.Add((HashOf(raw), nonce, Reverts((Transaction1559)TransactionFactory.CreateTransaction(raw))));
            Add(transactions, [.. _said]);
            _said.Clear();
        }
    }

    /// <summary>A transaction of another sender with our key.</summary>
    public void MineForeign()
    {
        _pool.Remove(Used);
        Add([(HashOf($"foreign {_salt++}"), Used, false)], []);
    }

    /// <summary>Takes blocks off the end; their transactions wait again, or are forgotten.</summary>
    public void RollBack(int blocks)
    {
        _pool.Clear();
        _blocks.RemoveRange(_blocks.Count - blocks, blocks);
        _salt++;
    }

    /// <summary>Another chain is in its place, from the first block on.</summary>
    public void BecomeAnother()
    {
        _blocks.RemoveRange(1, _blocks.Count - 1);
        _blocks[0] = _blocks[0] with { Header = _blocks[0].Header with { Hash = HashOf("another genesis") } };
        IsOther = true;
    }

    /// <summary>The node forgets what waits.</summary>
    public void Forget() => _pool.Clear();

    public Task<BlockHeader> HeadAsync(CancellationToken cancellation) => Answer(Head);

    public Task<BlockHeader?> BlockAsync(long number, CancellationToken cancellation) =>
        Answer(number < _blocks.Count ? _blocks[(int)number].Header : null);

    public Task<IReadOnlyList<BlockHeader>> BlocksAsync(long from, long to, CancellationToken cancellation)
    {
        if (to - from + 1 > MaxRange) throw new RpcException("eth_getBlockByNumber", -32005, "batch too large");
        Asked.Add((from, to));
        var blocks = _blocks.Skip((int)from).Take((int)(to - from + 1)).Select(b => b.Header).ToList();
        WhenAsked?.Invoke();
        return Answer<IReadOnlyList<BlockHeader>>(blocks);
    }

    public Task<IReadOnlyList<ChainEvent>> EventsAsync(BlockHeader block, CancellationToken cancellation) =>
        Answer<IReadOnlyList<ChainEvent>>(_blocks[(int)block.Number] is var mined && mined.Header.Hash == block.Hash
            ? mined.Events
            : throw new RpcUnavailableException("receipts of another block"));

    public Task<bool> RecognizeAsync(CancellationToken cancellation) =>
        IsOther ? throw new WrongChainException("another chain") : Task.FromResult(IsPinned);

    public Task<bool> IsDeployedAsync(string contract, CancellationToken cancellation) => Answer(IsDeployed);

    public Task<long> NonceAsync(byte[] account, CancellationToken cancellation) => Answer(Used);

    public Task<BigInteger> BalanceAsync(byte[] account, CancellationToken cancellation) => Answer(BigInteger.Zero);

    public Task<IReadOnlyList<ChainReceipt?>> ReceiptsAsync(IReadOnlyList<string> hashes, CancellationToken cancellation) =>
        Answer<IReadOnlyList<ChainReceipt?>>(
        [.. hashes.Select(ReceiptOf)]);

    public Task<IReadOnlyList<SubmitResult>> SubmitAsync(IReadOnlyList<byte[]> transactions, CancellationToken cancellation) =>
        Answer<IReadOnlyList<SubmitResult>>([.. transactions.Select(Take)]);

    public Task<Revert?> SimulateAsync(byte[] sender, ChainCommand command, CancellationToken cancellation) => Answer(Simulates(command));

    public Task<GrantState> GrantAtAsync(byte[] patient, byte[] commitment, long block, CancellationToken cancellation) =>
        State(block, Grants.GetValueOrDefault(Convert.ToHexStringLower(commitment))
            ?? new GrantState(Forged.Contains(Convert.ToHexStringLower(commitment)) ? (byte)0 : (byte)1, 0, ulong.MaxValue, 0));

    public Task<PatientState> PatientAtAsync(byte[] patient, long block, CancellationToken cancellation) => State(
        block, Patients.GetValueOrDefault(Convert.ToHexStringLower(patient)) ?? new PatientState(null, 0, new string('0', 64)));

    public Task<ActorState> ActorAtAsync(byte[] actor, long block, CancellationToken cancellation) => State(
        block, Actors.GetValueOrDefault(Convert.ToHexStringLower(actor)) ?? new ActorState(ActorKind.None, 0, null));

    public Task<string?> ActorOfClientAtAsync(byte[] client, long block, CancellationToken cancellation) =>
        State(block, Clients.GetValueOrDefault(Convert.ToHexStringLower(client)));

    public Task<long> NextSequenceAsync(byte[] custodian, CancellationToken cancellation) => Answer(Sequence);

    public Task<byte[]?> RootAsync(byte[] custodian, long sequence, CancellationToken cancellation) =>
        Answer(Roots.GetValueOrDefault($"{sequence}"));

    public Task<bool> VerifyAsync(
        byte[] custodian, long sequence, byte[] leaf, uint index, IReadOnlyList<byte[]> path, CancellationToken cancellation) =>
        Answer(false);

    private ChainReceipt? ReceiptOf(string hash) => _blocks
        .SelectMany(b => b.Transactions.Where(t => t.Hash == hash).Select(t => new ChainReceipt(b.Header.Number, t.IsReverted)))
        .FirstOrDefault();

    private static string HashOf(string text) => HashOf(System.Text.Encoding.UTF8.GetBytes(text));

    private static string HashOf(byte[] bytes) => Convert.ToHexStringLower(Keccak256.Hash([bytes]));

    private Task<T> Answer<T>(T value) => IsDown ? throw new RpcUnavailableException("down") : Task.FromResult(value);

    private Task<T> State<T>(long block, T value) => IsPruned && block != Head.Number
        ? throw new RpcException("eth_call", -32000, "missing trie node")
        : Answer(value);

    private void Add(List<(string, long, bool)> transactions, List<ChainEvent> events) => _blocks.Add(new Mined(
        new BlockHeader(Head.Number + 1, HashOf($"{Head.Hash} {_salt}"), Head.Hash, BaseFee, time.GetUtcNow().ToUnixTimeSeconds())
        {
            MayTell = true,
        },
        transactions, events));

    private SubmitResult Take(byte[] raw)
    {
        Given.Add(raw);
        if (Refuse?.Invoke() is { } refusal) return refusal;
        var transaction = (Transaction1559)TransactionFactory.CreateTransaction(raw);
        if (transaction.MaxFeePerGas < BaseFee) return new SubmitResult(
            SubmitOutcome.Underpriced, "max fee per gas less than block base fee");
        if (transaction.Nonce < Used) return new SubmitResult(SubmitOutcome.NonceTooLow, "nonce too low");
        _pool[(long)transaction.Nonce!.Value] = raw;
        return new SubmitResult(SubmitOutcome.Accepted);
    }
}
