using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace PmrGateway.Ipfs;

/// <summary>Files over a block store. Every block read is hashed again before a byte of it is used.</summary>
public sealed class UnixFs(IBlockStore store)
{
    /// <summary>A leaf with up to 1024 parents a level is far inside this; a deeper DAG is not one that we wrote.</summary>
    private const int MaxDepth = 4;

    /// <summary>Begins a set of files that become durable together.</summary>
    public IBlockBatch Begin() => store.Begin();

    /// <summary>Stores a file and returns its root CID. When it returns, the file is durable and pinned.</summary>
    public async Task<Cid> AddAsync(ReadOnlyMemory<byte> file, CancellationToken cancellation)
    {
        var batch = store.Begin();
        var root = await WriteAsync(batch, file, cancellation);
        await batch.CommitAsync([root], cancellation);
        return root;
    }

    /// <summary>Writes a file that is in memory into a batch and returns its root CID.</summary>
    public static async ValueTask<Cid> WriteAsync(IBlockBatch batch, ReadOnlyMemory<byte> file, CancellationToken cancellation)
    {
        var writer = new UnixFsWriter(batch);
        var at = 0;
        do
        {
            var size = Math.Min(UnixFsBuilder.LeafSize, file.Length - at);
            await writer.AddLeafAsync(file.Slice(at, size), cancellation);
            at += size;
        }
        while (at < file.Length);
        return await writer.CompleteAsync(cancellation);
    }

    /// <summary>The root CID of a file whose leaves' SHA-256 digests are known, 32 bytes each and in order.</summary>
    /// <param name="leafDigests">At least one.</param>
    /// <param name="size">Bytes of the file.</param>
    public static Cid RootOf(ReadOnlySpan<byte> leafDigests, long size)
    {
        if (leafDigests.Length == SHA256.HashSizeInBytes) return Cid.FromDigest(leafDigests);
        var tree = new UnixFsBuilder(_ => { });
        for (; leafDigests.Length > 0; leafDigests = leafDigests[SHA256.HashSizeInBytes..], size -= UnixFsBuilder.LeafSize)
            tree.AddLeaf(Cid.FromDigest(leafDigests[..SHA256.HashSizeInBytes]), (int)Math.Min(size, UnixFsBuilder.LeafSize));
        return tree.Complete();
    }

    /// <summary>The bytes of a whole file, for one that is known to be small.</summary>
    /// <exception cref="BlockCorruptException">A block is missing or is not what its CID names.</exception>
    /// <exception cref="BlockStoreUnavailableException">The store cannot say.</exception>
    public async Task<byte[]> ReadAllAsync(Cid root, CancellationToken cancellation)
    {
        using var all = new MemoryStream();
        await foreach (var leaf in ReadAsync(root, cancellation)) all.Write(leaf.Span);
        return all.ToArray();
    }

    /// <summary>The number of bytes of a file, by its root block alone.</summary>
    /// <exception cref="BlockCorruptException">The block is missing or is not what its CID names.</exception>
    /// <exception cref="BlockStoreUnavailableException">The store cannot say.</exception>
    public async Task<long> SizeAsync(Cid root, CancellationToken cancellation)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(UnixFsBuilder.LeafSize);
        try
        {
            var block = await ReadBlockAsync(root, buffer, cancellation);
            return root.Codec == Cid.Raw ? block.Length : LinksOf(root, block.Span).Sum(l => (long)l.FileSize);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The leaves of a file in order. Each is there only until the next is asked for.</summary>
    /// <exception cref="BlockCorruptException">A block is missing or is not what its CID names.</exception>
    /// <exception cref="BlockStoreUnavailableException">The store cannot say.</exception>
    public IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(Cid root, CancellationToken cancellation) =>
        ReadAsync(root, 0, long.MaxValue, cancellation);

    /// <summary>The leaves that hold the bytes of a range, whole and in order; none of the others is read.</summary>
    /// <param name="root">The file.</param>
    /// <param name="from">Offset of the range's first byte.</param>
    /// <param name="to">Offset behind its last.</param>
    /// <param name="cancellation">Stops the read.</param>
    /// <exception cref="BlockCorruptException">A block is missing or is not what its CID names.</exception>
    /// <exception cref="BlockStoreUnavailableException">The store cannot say.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(
        Cid root, long from, long to, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(UnixFsBuilder.LeafSize);
        try
        {
            var open = new Stack<(Cid Cid, long Start, int Depth)>([(root, 0, 0)]);
            while (open.TryPop(out var next))
            {
                var block = await ReadBlockAsync(next.Cid, buffer, cancellation);
                if (next.Cid.Codec == Cid.Raw)
                {
                    yield return block;
                    continue;
                }
                if (next.Depth == MaxDepth) throw new BlockCorruptException(next.Cid, "nested too deep");
                var links = LinksOf(next.Cid, block.Span);
                var end = next.Start + links.Sum(l => (long)l.FileSize);
                for (var i = links.Count - 1; i >= 0; i--)
                {
                    var start = end - (long)links[i].FileSize;
                    if (start < to && end > from) open.Push((links[i].Cid, start, next.Depth + 1));
                    end = start;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static List<DagLink> LinksOf(Cid cid, ReadOnlySpan<byte> node) =>
        DagPb.DecodeLinks(node) ?? throw new BlockCorruptException(cid, "not a UnixFS file node");

    private async ValueTask<ReadOnlyMemory<byte>> ReadBlockAsync(Cid cid, byte[] buffer, CancellationToken cancellation)
    {
        var length = await store.ReadAsync(cid, buffer.AsMemory(0, UnixFsBuilder.LeafSize), cancellation);
        if (length < 0) throw new BlockCorruptException(cid, "missing");
        var bytes = buffer.AsMemory(0, length);
        return cid.Matches(bytes.Span) ? bytes : throw new BlockCorruptException(cid, "its bytes are not what its CID names");
    }
}
