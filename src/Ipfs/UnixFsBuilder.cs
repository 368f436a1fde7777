namespace PmrGateway.Ipfs;

/// <summary>How bytes are cut and linked; two nodes with the same profile compute the same CID.</summary>
/// <param name="CidVersion">0 or 1.</param>
/// <param name="RawLeaves">Whether a leaf is the bare chunk (raw) or a UnixFS node around it (dag-pb).</param>
/// <param name="ChunkSize">Bytes a leaf, at most.</param>
/// <param name="MaxLinks">Links a node, at most.</param>
public sealed record UnixFsProfile(int CidVersion, bool RawLeaves, int ChunkSize, int MaxLinks)
{
    /// <summary>Kubo's <c>unixfs-v1-2025</c> (IPIP-499), which the gateway writes: CIDv1, raw leaves of 1 MiB, 1024 links.</summary>
    public static UnixFsProfile V1_2025 { get; } = new(1, true, 1 << 20, 1024);

    /// <summary>Kubo's <c>unixfs-v0-2015</c>: CIDv0, dag-pb leaves of 256 KiB, 174 links.</summary>
    public static UnixFsProfile V0_2015 { get; } = new(0, false, 1 << 18, 174);

    /// <summary>What <c>ipfs add --cid-version=1 --raw-leaves</c> does: CIDv1, raw leaves of 256 KiB, 174 links.</summary>
    public static UnixFsProfile KuboCidV1RawLeaves { get; } = new(1, true, 1 << 18, 174);
}

/// <summary>
/// Cuts a byte stream into leaves and builds the balanced DAG above them, giving each block to a sink as soon as it is complete, so
/// memory is one chunk and one row of links a level. Write, then <see cref="Complete"/> once.
/// </summary>
public sealed class UnixFsBuilder(UnixFsProfile profile, Action<Block> sink)
{
    private readonly byte[] _chunk = new byte[profile.ChunkSize];
    private readonly List<List<DagLink>> _levels = [[]];
    private int _filled;
    private bool _anyLeaf;

    /// <summary>Appends bytes to the file.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            // A full chunk is cut only when more follows, so that the last one is cut by Complete, whatever its length.
            if (_filled == _chunk.Length) CutLeaf();
            var n = Math.Min(bytes.Length, _chunk.Length - _filled);
            bytes[..n].CopyTo(_chunk.AsSpan(_filled));
            _filled += n;
            bytes = bytes[n..];
        }
    }

    /// <summary>Ends the file and returns its root CID and the cumulative size of all its blocks.</summary>
    public (Cid Root, ulong CumulativeSize) Complete()
    {
        if (_filled > 0 || !_anyLeaf) CutLeaf();
        for (var level = 0; ; level++)
        {
            var links = _levels[level];
            var isTop = level == _levels.Count - 1;
            if (isTop && links.Count == 1) return (links[0].Cid, links[0].CumulativeSize);
            if (links.Count > 0) CutNode(level);
        }
    }

    private void CutLeaf()
    {
        var chunk = _chunk.AsSpan(0, _filled);
        var bytes = profile.RawLeaves ? chunk.ToArray() : DagPb.EncodeLeaf(chunk);
        var cid = Cid.Of(bytes, profile.RawLeaves ? Cid.Raw : Cid.DagPb, profile.CidVersion);
        sink(new Block(cid, bytes));
        Link(0, new DagLink(cid, (ulong)bytes.Length, (ulong)_filled));
        (_filled, _anyLeaf) = (0, true);
    }

    private void Link(int level, DagLink link)
    {
        if (level == _levels.Count) _levels.Add([]);
        // As with leaves: a full row becomes a node only when one more link comes.
        if (_levels[level].Count == profile.MaxLinks) CutNode(level);
        _levels[level].Add(link);
    }

    private void CutNode(int level)
    {
        var links = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_levels[level]);
        var bytes = DagPb.EncodeNode(links);
        var cid = Cid.Of(bytes, Cid.DagPb, profile.CidVersion);
        var (cumulative, fileSize) = ((ulong)bytes.Length, 0UL);
        foreach (var link in links) (cumulative, fileSize) = (cumulative + link.CumulativeSize, fileSize + link.FileSize);
        _levels[level].Clear();
        sink(new Block(cid, bytes));
        Link(level + 1, new DagLink(cid, cumulative, fileSize));
    }
}
