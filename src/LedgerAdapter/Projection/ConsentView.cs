using Microsoft.Extensions.Logging;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// Follows the contracts' events into the journal, block by block, with a checkpoint. Where the chain was reorganised, what happened above
/// the last block that both chains have is undone, and taken in as it is now; only a reorganisation deeper than the journal remembers
/// has everything taken in anew. The local word on revocations stays.
/// </summary>
public sealed partial class ConsentView
{
    private const long LargestWindow = 2000;
    private const int HeadersBelowHead = 32;
    private const int EventsAtOnce = 10_000;
    private readonly IChain _chain;
    private readonly ILedgerJournal _journal;
    private readonly TimeSpan _recordEvery;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private long _window = LargestWindow;
    private readonly TimeSpan _maxStaleness;
    private (long Block, long ObservedAt) _level = (-1, 0);
    private long? _recordedAt;

    /// <summary>The view of a chain, kept in a journal.</summary>
    public ConsentView(IChain chain, ILedgerJournal journal, LedgerOptions options, TimeProvider time, ILogger<ConsentView> log)
    {
        (_chain, _journal, _time, _log, _maxStaleness) = (chain, journal, time, log, options.MaxStaleness);
        // A fresh look is recorded with each new block; without one, often enough for those who read the journal.
        _recordEvery = options.MaxStaleness / 10;
    }

    /// <summary>The last block whose events are in the view; -1 before the first look in this process.</summary>
    public long Block => Volatile.Read(ref _level.Block);

    /// <summary>Time since the view was last level with the chain, by the monotonic clock; very long before the first look.</summary>
    public TimeSpan Staleness => Volatile.Read(ref _level.ObservedAt) is var at && (Block < 0 || at == long.MinValue)
        ? TimeSpan.MaxValue
        : _time.GetElapsedTime(at);

    /// <summary>Whether the last look at the chain is too old to know whether a consent still stands (Ledger:MaxStaleness).</summary>
    public bool IsStale => Staleness > _maxStaleness;

    /// <summary>What is wrong with the node's answers; null for nothing.</summary>
    internal string? Problem { get; private set; }

    /// <summary>One round: brings the view up to the head.</summary>
    /// <exception cref="RpcUnavailableException">The node cannot be asked; the view stays as it was.</exception>
    /// <exception cref="RpcException">The node refused a query.</exception>
    internal async Task RunOnceAsync(CancellationToken cancellation)
    {
        // Taken before the question: the view must not seem fresher than the answer it rests on.
        var observedAt = _time.GetTimestamp();
        var head = await _chain.HeadAsync(cancellation);
        var checkpoint = await _journal.CheckpointAsync(cancellation);
        if (checkpoint.Block == head.Number && checkpoint.Hash == head.Hash)
        {
            await RecordAsync(observedAt, cancellation);
            Level(head.Number, observedAt);
            return;
        }
        if (await CommonBlockAsync(checkpoint, head, cancellation) is not { } common) return;
        await FollowAsync(common, common == checkpoint.Block ? null : common, head, observedAt, cancellation);
    }

    /// <summary>Without the lease: what the journal says, where another process keeps the view.</summary>
    internal async Task ReadJournalAsync(CancellationToken cancellation)
    {
        var now = _time.GetTimestamp();
        var checkpoint = await _journal.CheckpointAsync(cancellation);
        if (checkpoint.Observed == TimeSpan.MaxValue) Level(checkpoint.Block, long.MinValue);
        else Level(checkpoint.Block, now - (long)(checkpoint.Observed.TotalSeconds * _time.TimestampFrequency));
    }

    // The last block that the view and the chain have in common; -1: none. Null: the node is behind the view, on the same chain.
    private async Task<long?> CommonBlockAsync(ViewCheckpoint checkpoint, BlockHeader head, CancellationToken cancellation)
    {
        if (checkpoint.Block < 0 || (checkpoint.Block == head.Number - 1 && checkpoint.Hash == head.ParentHash)) return checkpoint.Block;
        foreach (var known in await _journal.RecentBlocksAsync(cancellation))
        {
            if (known.Number > head.Number) continue;
            var there = known.Number == head.Number ? head : await _chain.BlockAsync(known.Number, cancellation);
            if (there?.Hash != known.Hash) continue;
            if (known.Number == checkpoint.Block) return known.Number;
            // It knows no other chain than ours, only less of it: a lagging node, or one that has lost its end and will make another.
            if (known.Number == head.Number)
            {
                if (Problem is null) LogBehind(head.Number, checkpoint.Block);
                Problem = $"the node is at block {head.Number}, behind the view at {checkpoint.Block}";
                return null;
            }
            LogReorg(checkpoint.Block, head.Number, known.Number);
            return known.Number;
        }
        LogRebuild(checkpoint.Block, head.Number);
        return -1;
    }

    private async Task FollowAsync(long common, long? rollBackTo, BlockHeader head, long observedAt, CancellationToken cancellation)
    {
        var from = common < 0 ? await FirstBlockAsync(head, cancellation) : common + 1;
        var events = new List<ChainEvent>();
        while (true)
        {
            var to = Math.Min(from + _window - 1, head.Number);
            if (from <= to && !await TryReadAsync(from, to, events, cancellation)) continue;
            var isLevel = to >= head.Number;
            if (isLevel || events.Count >= EventsAtOnce)
            {
                var last = isLevel ? head : await BlockAsync(to, cancellation);
                if (await BlocksAsync(common, last, cancellation) is not { } blocks) return;
                // Where it is not level yet, reads are refused: what it has of grants may miss suspensions that follow.
                if (!isLevel) Level(to, long.MinValue);
                var proven = await ProvenAsync(events, to, cancellation);
                await _journal.ApplyAsync(
                    new ViewUpdate(rollBackTo, proven, blocks, isLevel ? _time.GetElapsedTime(observedAt) : TimeSpan.MaxValue)
                    {
                        BlockTime = last.Time,
                    },
                    cancellation);
                if (isLevel)
                {
                    _recordedAt = _time.GetTimestamp();
                    Level(head.Number, observedAt);
                    return;
                }
                (common, rollBackTo) = (to, null);
                events.Clear();
            }
            from = to + 1;
        }
    }

    // Nothing of ours is on the chain before the contracts are.
    private async Task<long> FirstBlockAsync(BlockHeader head, CancellationToken cancellation)
    {
        var deployment = await _journal.FindAsync(ChainCommands.DeployKey(ContractSet.Actors), cancellation);
        var hashes = deployment?.Transactions.Select(t => t.Hash).ToList() ?? [];
        // Asked of the chain, not of our own notes: it may be another chain now.
        var receipt = hashes.Count == 0
            ? null
            : (await _chain.ReceiptsAsync(hashes, cancellation)).FirstOrDefault(r => r is { IsReverted: false });
        if (receipt is not null) return receipt.Block;
        return await _chain.IsDeployedAsync(ContractSet.Actors, cancellation) ? 0 : head.Number + 1;
    }

    // Nodes bound what they answer, each in its own way: a refused range is asked for in halves.
    private async Task<bool> TryReadAsync(long from, long to, List<ChainEvent> events, CancellationToken cancellation)
    {
        try
        {
            events.AddRange(await _chain.EventsAsync(from, to, cancellation));
            _window = Math.Min(LargestWindow, _window * 2);
            return true;
        }
        catch (RpcException) when (to > from)
        {
            _window = Math.Max(1, (to - from + 1) / 2);
            return false;
        }
    }

    // A log gives no access: only what the contract itself says of a grant does.
    private async Task<IReadOnlyList<ChainEvent>> ProvenAsync(List<ChainEvent> events, long block, CancellationToken cancellation)
    {
        var proven = new List<ChainEvent>(events.Count);
        foreach (var chainEvent in events)
        {
            if (chainEvent is not ConsentGrantedEvent e || await IsProvenAsync(e, block, cancellation)) proven.Add(chainEvent);
            else LogUnproven(e.Commitment, e.Block);
        }
        return proven;
    }

    private async Task<bool> IsProvenAsync(ConsentGrantedEvent granted, long block, CancellationToken cancellation)
    {
        var (patient, commitment) = (Convert.FromHexString(granted.Patient), Convert.FromHexString(granted.Commitment));
        return (await _chain.GrantAtAsync(patient, commitment, block, cancellation)).Status != 0;
    }

    // The head and some blocks below it, so that the next reorganisation finds where to go back to. Null: the chain moved meanwhile, and
    // the logs may be of two chains.
    private async Task<IReadOnlyList<BlockReference>?> BlocksAsync(long common, BlockHeader last, CancellationToken cancellation)
    {
        if (await _chain.BlockAsync(last.Number, cancellation) is not { } again || again.Hash != last.Hash) return null;
        var blocks = new List<BlockReference> { new(last.Number, last.Hash) };
        var above = last;
        for (var number = last.Number - 1; number > Math.Max(common, last.Number - HeadersBelowHead); number--)
        {
            var block = await BlockAsync(number, cancellation);
            if (block.Hash != above.ParentHash) return null;
            blocks.Add(new BlockReference(number, block.Hash));
            above = block;
        }
        blocks.Reverse();
        return blocks;
    }

    private async Task<BlockHeader> BlockAsync(long number, CancellationToken cancellation) =>
        await _chain.BlockAsync(number, cancellation) ?? throw new RpcUnavailableException(
            $"the node has no block {number} though its head is above");

    private async Task RecordAsync(long observedAt, CancellationToken cancellation)
    {
        if (_recordedAt is { } at && _time.GetElapsedTime(at) < _recordEvery) return;
        await _journal.ObservedAsync(_time.GetElapsedTime(observedAt), cancellation);
        _recordedAt = _time.GetTimestamp();
    }

    private void Level(long block, long observedAt)
    {
        if (observedAt != long.MinValue) Problem = null;
        Volatile.Write(ref _level.ObservedAt, observedAt);
        Volatile.Write(ref _level.Block, block);
    }

    [LoggerMessage(
        Level = LogLevel.Critical,
        Message = "The node shows a log of the grant {Commitment} at block {Block} that the contract knows nothing of: it does " +
            "not count")]
    private partial void LogUnproven(string commitment, long block);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The chain was reorganised: the view was at block {Block}, the head is {Head}, both have block {Common}")]
    private partial void LogReorg(long block, long head, long common);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The chain is not the one followed up to block {Block}; its head is {Head}. The view is built anew")]
    private partial void LogRebuild(long block, long head);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The node is at block {Head}, behind the view at {Block}")]
    private partial void LogBehind(long head, long block);
}
