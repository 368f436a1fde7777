namespace PmrGateway.LedgerAdapter;

/// <summary>How far the consent view has followed the chain.</summary>
/// <param name="Block">Last block taken in; -1: none.</param>
/// <param name="Hash">Its hash, hex; "" for none. Another hash at that height is a reorg.</param>
/// <param name="Observed">
/// Age of the last look at the chain that found the view level with it, by the journal's clock, so that every process reads the same;
/// <see cref="TimeSpan.MaxValue"/> where there was none, or while the view is being caught up.
/// </param>
public readonly record struct ViewCheckpoint(long Block, string Hash, TimeSpan Observed)
{
    /// <summary>The time of the last block, seconds since 1970, as the chain has it.</summary>
    public long Time { get; init; }

    /// <summary>Before the first block.</summary>
    public static ViewCheckpoint None { get; } = new(-1, "", TimeSpan.MaxValue);
}

/// <summary>A block by number and hash.</summary>
/// <param name="Number">Height.</param>
/// <param name="Hash">Hash, hex without 0x.</param>
public readonly record struct BlockReference(long Number, string Hash);

/// <summary>One step of the consent view: applied in one transaction.</summary>
/// <param name="RollBackTo">
/// Number of the last block that stays: what later blocks did is undone first, revocations excepted (a reorg takes access away, never
/// gives it). -1: everything that the view has from the chain is forgotten. Null: nothing is undone.
/// </param>
/// <param name="Events">What happened since, in chain order.</param>
/// <param name="Blocks">
/// The blocks to remember, ascending; the last one is the new checkpoint. None: the view is where it was before the first block.
/// </param>
/// <param name="Observed">
/// Age of the look at the chain that this rests on; <see cref="TimeSpan.MaxValue"/> while the view is not level yet.
/// </param>
public sealed record ViewUpdate(long? RollBackTo, IReadOnlyList<ChainEvent> Events, IReadOnlyList<BlockReference> Blocks, TimeSpan Observed)
{
    /// <summary>The time of the new checkpoint, seconds since 1970, as the chain has it.</summary>
    public long BlockTime { get; init; }

    /// <summary>Everything that the view has from the chain is forgotten; it is to be read anew from the start.</summary>
    public static ViewUpdate Forgetting { get; } = new(-1, [], [], TimeSpan.MaxValue);

    /// <summary>How many blocks the journal remembers: it can undo what happened above the oldest of them.</summary>
    public const int BlocksKept = 256;
}
