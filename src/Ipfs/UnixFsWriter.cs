namespace PmrGateway.Ipfs;

/// <summary>
/// Writes one file into a batch leaf by leaf: each leaf is hashed, handed on and forgotten. Nothing is durable before the batch is
/// committed.
/// </summary>
public sealed class UnixFsWriter
{
    private readonly IBlockBatch _batch;
    private readonly Queue<Block> _nodes = new();
    private readonly UnixFsBuilder _tree;

    /// <summary>Begins a file.</summary>
    /// <param name="batch">Where the blocks go; several files may share one.</param>
    public UnixFsWriter(IBlockBatch batch) => (_batch, _tree) = (batch, new UnixFsBuilder(_nodes.Enqueue));

    /// <summary>
    /// Appends a leaf of <see cref="UnixFsBuilder.LeafSize"/> bytes; the last may be shorter. Its bytes are the caller's again when this
    /// returns.
    /// </summary>
    public async ValueTask AddLeafAsync(ReadOnlyMemory<byte> leaf, CancellationToken cancellation)
    {
        var cid = Cid.Of(leaf.Span);
        _tree.AddLeaf(cid, leaf.Length);
        await _batch.PutAsync(new Block(cid, leaf), cancellation);
        await PutNodesAsync(cancellation);
    }

    /// <summary>Ends the file and returns its root.</summary>
    public async ValueTask<Cid> CompleteAsync(CancellationToken cancellation)
    {
        var root = _tree.Complete();
        await PutNodesAsync(cancellation);
        return root;
    }

    private async ValueTask PutNodesAsync(CancellationToken cancellation)
    {
        while (_nodes.TryDequeue(out var node)) await _batch.PutAsync(node, cancellation);
    }
}
