using Microsoft.Extensions.Logging;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// Follows the contracts' events into the journal, block by block, with a checkpoint. Each block is held to the one before by its hash,
/// and what was said in it is proven by its hash: a node cannot leave out or make up an event, nor show a chain with a hole. Where the
/// chain was reorganised, what happened above the last block that both chains have is undone, and taken in as it is now; only a
/// reorganisation deeper than the journal remembers has everything taken in anew. The local word on revocations stays.
/// </summary>
/// <remarks>The view is as old as its last block says it is: a node that stands still is one whose view grows old.</remarks>
public sealed partial class ConsentView
{
    private const long LargestWindow = 1000;
    private const int BlocksRemembered = 32;
    private const int EventsAtOnce = 10_000;

    // Clocks of machines differ by this and no more, where they are kept.
    private static readonly TimeSpan LongestAhead = TimeSpan.FromSeconds(15);

    // What is read in a round is kept before the lease is over.
    private static readonly TimeSpan LongestRound = LedgerLoop.LeaseTime / 4;

    private readonly IChain _chain;
    private readonly ILedgerJournal _journal;
    private readonly TimeSpan _recordEvery;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private long _window = LargestWindow;
    private readonly TimeSpan _maxStaleness;
    private readonly bool _idlesInBlocks;
    private (long Block, long ObservedAt) _level = (-1, 0);
    private long? _recordedAt;

    /// <summary>The view of a chain, kept in a journal.</summary>
    public ConsentView(IChain chain, ILedgerJournal journal, LedgerOptions options, TimeProvider time, ILogger<ConsentView> log)
    {
        (_chain, _journal, _time, _log, _maxStaleness) = (chain, journal, time, log, options.MaxStaleness);
        _idlesInBlocks = options.BlocksWhenIdle;
        // A fresh look is recorded with each new block; without one, often enough for those who read the journal.
        _recordEvery = options.MaxStaleness / 10;
    }

    /// <summary>The last block whose events are in the view; -1 before the first look in this process.</summary>
    public long Block => Volatile.Read(ref _level.Block);

    /// <summary>
    /// Age of what the view knows: the time since it was level with the chain, by the monotonic clock, and the age that its last block had
    /// then; very long before the first look.
    /// </summary>
    public TimeSpan Staleness => Volatile.Read(ref _level.ObservedAt) is var at && (Block < 0 || at == long.MinValue)
        ? TimeSpan.MaxValue
        : _time.GetElapsedTime(at);

    /// <summary>Whether the last look at the chain is too old to know whether a consent still stands (Ledger:MaxStaleness).</summary>
    public bool IsStale => Staleness > _maxStaleness;

    /// <summary>What is wrong with the node's answers; null for nothing.</summary>
    internal string? Problem { get; private set; }

    /// <summary>That the chain is ahead of this machine's clock; null: it is not.</summary>
    internal string? Ahead { get; private set; }

    /// <summary>One round: brings the view up to the head.</summary>
    /// <exception cref="RpcUnavailableException">The node cannot be asked, or is not to be believed; the view stays as it was.</exception>
    /// <exception cref="RpcException">The node refused a query.</exception>
    internal async Task RunOnceAsync(CancellationToken cancellation)
    {
        // Taken before the question: the view must not seem fresher than the answer it rests on.
        var askedAt = _time.GetTimestamp();
        var head = await _chain.HeadAsync(cancellation);
        var observedAt = askedAt - (long)(AgeOf(head).TotalSeconds * _time.TimestampFrequency);
        var checkpoint = await _journal.CheckpointAsync(cancellation);
        if (checkpoint.Block == head.Number && checkpoint.Hash == head.Hash)
        {
            await RecordAsync(observedAt, cancellation);
            Level(head.Number, observedAt);
            return;
        }
        if (await CommonBlockAsync(checkpoint, head, cancellation) is not { } common) return;
        await FollowAsync(common, common.Number == checkpoint.Block ? null : common.Number, head, observedAt, cancellation);
    }

    /// <summary>
    /// Forgets the view and reads the chain anew from its start, until it is level, while nobody else follows the chain. What was read is
    /// kept from time to time, and whoever follows the chain next goes on from there. Until it is level no read is answered.
    /// </summary>
    /// <param name="told">Told how far it is, and how far it is to go.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="RpcUnavailableException">
    /// The node cannot be asked or is of another chain; or it is behind the view: what it has not seen would be forgotten for good.
    /// </exception>
    /// <exception cref="LeaseLostException">Another process follows the chain.</exception>
    public async Task RebuildAsync(Action<long, long> told, CancellationToken cancellation)
    {
        // A process that was killed holds the lease until its time is over.
        for (var start = _time.GetTimestamp(); !await TryHoldAsync(); await Task.Delay(TimeSpan.FromMilliseconds(500), _time, cancellation))
            if (_time.GetElapsedTime(start) > LedgerLoop.LeaseTime) throw new LeaseLostException(Leases.View);
        try
        {
            var head = await _chain.HeadAsync(cancellation);
            if (await CommonBlockAsync(await _journal.CheckpointAsync(cancellation), head, cancellation) is null)
                throw new RpcUnavailableException($"{Problem}: nothing is forgotten for it");
            await _journal.ApplyAsync(ViewUpdate.Forgetting, cancellation);
            while (Block < 0 || Volatile.Read(ref _level.ObservedAt) == long.MinValue)
            {
                var before = Block;
                if (!await TryHoldAsync()) throw new LeaseLostException(Leases.View);
                await RunOnceAsync(cancellation);
                told(Block, Math.Max(Block, head.Number));
                // The chain moved while it was read.
                if (Block == before) await Task.Delay(TimeSpan.FromMilliseconds(100), _time, cancellation);
            }
        }
        finally
        {
            await _journal.ReleaseAsync(Leases.View, CancellationToken.None);
        }

        Task<bool> TryHoldAsync() => _journal.TryHoldAsync(Leases.View, LedgerLoop.LeaseTime, cancellation);
    }

    // A node that has lost the others shows its last block for ever; so does one that was told to. How old it is, the block says itself.
    private TimeSpan AgeOf(BlockHeader head)
    {
        var age = _time.GetUtcNow() - DateTimeOffset.FromUnixTimeSeconds(head.Time);
        if (age < -LongestAhead)
        {
            Ahead = $"block {head.Number} is of {-age.TotalSeconds:F0} s from now: the clock of this machine is behind";
            return TimeSpan.Zero;
        }
        Ahead = null;
        return _idlesInBlocks && age > TimeSpan.Zero ? age : TimeSpan.Zero;
    }

    /// <summary>Without the lease: what the journal says, where another process keeps the view.</summary>
    internal async Task ReadJournalAsync(CancellationToken cancellation)
    {
        var now = _time.GetTimestamp();
        // Whether the chain is ahead is seen by who looks at it.
        Ahead = null;
        var checkpoint = await _journal.CheckpointAsync(cancellation);
        if (checkpoint.Observed == TimeSpan.MaxValue) Level(checkpoint.Block, long.MinValue);
        else Level(checkpoint.Block, now - (long)(checkpoint.Observed.TotalSeconds * _time.TimestampFrequency));
    }

    // The last block that the view and the chain have in common; of number -1: none. Null: the node is behind the view, on the same chain.
    private async Task<BlockReference?> CommonBlockAsync(ViewCheckpoint checkpoint, BlockHeader head, CancellationToken cancellation)
    {
        var last = new BlockReference(checkpoint.Block, checkpoint.Hash);
        if (last.Number < 0 || (last.Number == head.Number - 1 && last.Hash == head.ParentHash)) return last;
        var isContradicted = false;
        foreach (var known in await _journal.RecentBlocksAsync(cancellation))
        {
            if (known.Number > head.Number) continue;
            var there = known.Number == head.Number ? head : await _chain.BlockAsync(known.Number, cancellation);
            if (there?.Hash != known.Hash)
            {
                isContradicted = true;
                continue;
            }
            if (known.Number == checkpoint.Block) return known;
            if (!isContradicted) return Behind();
            LogReorg(checkpoint.Block, head.Number, known.Number);
            return known;
        }
        // Not one block in common: before everything is forgotten, whether it is the same chain at all. Of the same one, where no block
        // could be compared, it is a node that is still on its way.
        if (await _chain.RecognizeAsync(cancellation) && !isContradicted) return Behind();
        LogRebuild(checkpoint.Block, head.Number);
        return new BlockReference(-1, "");

        // It knows no other chain than ours, only less of it: a lagging node, or one that has lost its end and will make another.
        BlockReference? Behind()
        {
            if (Problem is null) LogBehind(head.Number, checkpoint.Block);
            Problem = $"the node is at block {head.Number}, behind the view at {checkpoint.Block}";
            return null;
        }
    }

    private async Task FollowAsync(
        BlockReference common, long? rollBackTo, BlockHeader head, long observedAt, CancellationToken cancellation)
    {
        var from = common.Number < 0 ? await FirstBlockAsync(head, cancellation) : common.Number + 1;
        var (above, last) = (common.Number < 0 ? null : common.Hash, head);
        var events = new List<ChainEvent>();
        var recent = new Queue<BlockReference>();
        var begun = _time.GetTimestamp();
        while (from <= head.Number)
        {
            if (await TryReadAsync(from, Math.Min(from + _window - 1, head.Number), cancellation) is not { } blocks) continue;
            foreach (var block in blocks)
            {
                // The chain moved while it was read: the next round finds where to.
                if (above is not null && block.ParentHash != above) return;
                (above, last, from) = (block.Hash, block, block.Number + 1);
                Remember(block);
                if (block.MayTell) events.AddRange(await _chain.EventsAsync(block, cancellation));
                if (block.Number == head.Number) continue;
                var isLong = _time.GetElapsedTime(begun) >= LongestRound;
                if (events.Count < EventsAtOnce && !isLong) continue;
                // Where the round has been long the next one goes on from here, whoever holds the lease then.
                if (!await KeepAsync() || isLong) return;
            }
        }
        if (last.Hash != head.Hash) return;
        if (recent.Count == 0) Remember(head);
        if (!await ApplyAsync(_time.GetElapsedTime(observedAt))) return;
        _recordedAt = _time.GetTimestamp();
        Level(head.Number, observedAt);

        void Remember(BlockHeader block)
        {
            recent.Enqueue(new BlockReference(block.Number, block.Hash));
            if (recent.Count > BlocksRemembered) recent.Dequeue();
        }

        // It is not level yet, so reads are refused: what it has of grants may miss suspensions that follow.
        async Task<bool> KeepAsync()
        {
            Level(last.Number, long.MinValue);
            if (!await ApplyAsync(TimeSpan.MaxValue)) return false;
            rollBackTo = null;
            events.Clear();
            return true;
        }

        // False: the chain moved meanwhile, and nothing was done.
        async Task<bool> ApplyAsync(TimeSpan observed)
        {
            if (await ProvenAsync(events, head, cancellation) is not { } proven) return false;
            var update = new ViewUpdate(rollBackTo, proven, [.. recent], observed) { BlockTime = last.Time };
            await _journal.ApplyAsync(update, cancellation);
            return true;
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

    // Nodes bound what they answer, each in its own way: a refused range is asked for in halves, and null is returned.
    private async Task<IReadOnlyList<BlockHeader>?> TryReadAsync(long from, long to, CancellationToken cancellation)
    {
        try
        {
            var blocks = await _chain.BlocksAsync(from, to, cancellation);
            _window = Math.Min(LargestWindow, _window * 2);
            return blocks;
        }
        catch (RpcException) when (to > from)
        {
            _window = Math.Max(1, (to - from + 1) / 2);
            return null;
        }
    }

    // The contract's own state is asked besides, at the head, since nodes keep the newest states alone: what was granted once is granted or
    // revoked ever after, and what it does not know gives no access. Null: the chain moved meanwhile, and it may be another branch's.
    private async Task<IReadOnlyList<ChainEvent>?> ProvenAsync(List<ChainEvent> events, BlockHeader block, CancellationToken cancellation)
    {
        if (!events.Exists(e => e is ConsentGrantedEvent)) return events;
        var proven = new List<ChainEvent>(events.Count);
        foreach (var chainEvent in events)
        {
            if (chainEvent is not ConsentGrantedEvent e || await IsProvenAsync(e, block.Number, cancellation)) proven.Add(chainEvent);
            else LogUnproven(e.Commitment, e.Block);
        }
        return (await _chain.BlockAsync(block.Number, cancellation))?.Hash == block.Hash ? proven : null;
    }

    private async Task<bool> IsProvenAsync(ConsentGrantedEvent granted, long block, CancellationToken cancellation)
    {
        var (patient, commitment) = (Convert.FromHexString(granted.Patient), Convert.FromHexString(granted.Commitment));
        return (await _chain.GrantAtAsync(patient, commitment, block, cancellation)).Status != 0;
    }

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
