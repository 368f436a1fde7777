namespace PmrGateway.Ipfs;

/// <summary>Files over a block store. Every block read is hashed again before a byte of it is used.</summary>
public sealed class UnixFs(IBlockStore store)
{
    /// <summary>A leaf with up to 1024 parents a level is far inside this; a deeper DAG is not one that we wrote.</summary>
    private const int MaxDepth = 4;

    /// <summary>Stores a file and returns its root CID. When it returns, the file is durable and pinned.</summary>
    public async Task<Cid> AddAsync(ReadOnlyMemory<byte> file, CancellationToken cancellation)
    {
        var blocks = new List<Block>();
        var root = Cut(file.Span, blocks.Add);
        await store.PutAsync(blocks, [root], cancellation);
        return root;
    }

    /// <summary>Cuts a file into the blocks that it is stored as, gives them to a sink, and returns its root CID. Stores nothing.</summary>
    public static Cid Cut(ReadOnlySpan<byte> file, Action<Block> sink)
    {
        var builder = new UnixFsBuilder(UnixFsProfile.V1_2025, sink);
        builder.Write(file);
        return builder.Complete().Root;
    }

    /// <summary>Stores the blocks of several files at once. When it returns, they are durable and the roots pinned.</summary>
    public Task PutAsync(IReadOnlyList<Block> blocks, IReadOnlyList<Cid> roots, CancellationToken cancellation) => store.PutAsync(blocks, roots, cancellation);

    /// <summary>The leaves of a file in order.</summary>
    /// <exception cref="BlockCorruptException">A block is missing or is not what its CID names.</exception>
    /// <exception cref="BlockStoreUnavailableException">The store cannot say.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(
        Cid root, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        var open = new Stack<(Cid Cid, int Depth)>([(root, 0)]);
        while (open.TryPop(out var next))
        {
            var block = await ReadBlockAsync(next.Cid, cancellation);
            if (next.Cid.Codec == Cid.Raw)
            {
                yield return block;
                continue;
            }
            var links = DagPb.DecodeLinks(block) ?? throw new BlockCorruptException(next.Cid, "not a UnixFS file node");
            if (next.Depth == MaxDepth) throw new BlockCorruptException(next.Cid, "nested too deep");
            for (var i = links.Count - 1; i >= 0; i--) open.Push((links[i].Cid, next.Depth + 1));
        }
    }

    private async Task<byte[]> ReadBlockAsync(Cid cid, CancellationToken cancellation)
    {
        var bytes = await store.GetAsync(cid, cancellation) ?? throw new BlockCorruptException(cid, "missing");
        return cid.Matches(bytes) ? bytes : throw new BlockCorruptException(cid, "its bytes are not what its CID names");
    }
}
