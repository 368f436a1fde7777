namespace PmrGateway.Ipfs;

/// <summary>Where blocks lie: <see cref="EmbeddedBlockStore"/> or <see cref="KuboBlockStore"/>, chosen by configuration.</summary>
public interface IBlockStore
{
    /// <summary>Stores the blocks of one or more DAGs durably and pins the roots. When it returns, the blocks survive power loss.</summary>
    /// <exception cref="BlockStoreUnavailableException">Nothing may be assumed stored; the same call can be made again.</exception>
    Task PutAsync(IReadOnlyList<Block> blocks, IReadOnlyList<Cid> roots, CancellationToken cancellation);

    /// <summary>The bytes stored under a CID as they came, or null when there are none. Not verified: callers read through <see cref="UnixFs"/>.</summary>
    /// <exception cref="BlockStoreUnavailableException">The store cannot say.</exception>
    Task<byte[]?> GetAsync(Cid cid, CancellationToken cancellation);
}

/// <summary>A block store that cannot answer now: a node that is down, a full disk.</summary>
public sealed class BlockStoreUnavailableException(string message, Exception? cause = null) : Exception(message, cause);

/// <summary>Stored bytes that are not what their CID names, or are missing.</summary>
public sealed class BlockCorruptException(Cid cid, string what) : Exception($"block {cid}: {what}")
{
    /// <summary>The block asked for.</summary>
    public Cid Cid { get; } = cid;
}
