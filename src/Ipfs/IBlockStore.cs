namespace PmrGateway.Ipfs;

/// <summary>Where blocks lie: <see cref="EmbeddedBlockStore"/> or <see cref="KuboBlockStore"/>, chosen by configuration.</summary>
public interface IBlockStore
{
    /// <summary>
    /// Begins a set of blocks that become durable together. A set that is never committed leaves bytes that nothing names.
    /// </summary>
    IBlockBatch Begin();

    /// <summary>
    /// Reads a block as it came and gives its length; -1 where there is none. Not verified: callers read through <see cref="UnixFs"/>.
    /// </summary>
    /// <param name="cid">The block.</param>
    /// <param name="into">Where to; a block that is longer is refused.</param>
    /// <param name="cancellation">Stops the read.</param>
    /// <exception cref="BlockStoreUnavailableException">The store cannot say.</exception>
    /// <exception cref="BlockCorruptException">What is stored is longer than a block may be.</exception>
    ValueTask<int> ReadAsync(Cid cid, Memory<byte> into, CancellationToken cancellation);
}

/// <summary>
/// Blocks of one or more DAGs on their way into a store, one at a time, so that no file is ever held whole. Used by one writer.
/// </summary>
public interface IBlockBatch
{
    /// <summary>Takes one block. Its bytes are the caller's again when this returns.</summary>
    /// <exception cref="BlockStoreUnavailableException">
    /// Nothing of the batch may be assumed stored; all of it can be put again in another.
    /// </exception>
    ValueTask PutAsync(Block block, CancellationToken cancellation);

    /// <summary>Makes all blocks durable and pins the roots. When it returns, they survive power loss.</summary>
    /// <exception cref="BlockStoreUnavailableException">
    /// Nothing of the batch may be assumed stored; all of it can be put again in another.
    /// </exception>
    Task CommitAsync(IReadOnlyList<Cid> roots, CancellationToken cancellation);
}

/// <summary>A block store that cannot answer now: a node that is down, a full disk.</summary>
public sealed class BlockStoreUnavailableException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>Stored bytes that are not what their CID names, or are missing.</summary>
public sealed class BlockCorruptException(Cid cid, string what) : Exception($"block {cid}: {what}")
{
    /// <summary>The block asked for.</summary>
    public Cid Cid { get; } = cid;
}
