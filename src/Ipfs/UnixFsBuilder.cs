using System.Runtime.InteropServices;

namespace PmrGateway.Ipfs;

/// <summary>
/// The balanced DAG above the leaves of one file, in the profile that the gateway writes: Kubo's <c>unixfs-v1-2025</c> (IPIP-499), CIDv1,
/// raw leaves of 1 MiB, 1024 links a node. Memory is one row of links a level. Add the leaves in order, then <see cref="Complete"/> once.
/// </summary>
/// <param name="sink">Gets each inner node as soon as it is complete.</param>
/// <param name="maxLinks">Links a node, at most.</param>
public sealed class UnixFsBuilder(Action<Block> sink, int maxLinks = UnixFsBuilder.MaxLinks)
{
    /// <summary>Bytes of every leaf but the last.</summary>
    public const int LeafSize = 1 << 20;

    private const int MaxLinks = 1024;
    private readonly List<List<DagLink>> _levels = [[]];

    /// <summary>Appends a leaf: a raw block of the file's next bytes.</summary>
    public void AddLeaf(Cid leaf, int size) => Link(0, new DagLink(leaf, (ulong)size, (ulong)size));

    /// <summary>Ends the file and returns its root: the leaf itself where there is only one.</summary>
    /// <exception cref="InvalidOperationException">No leaf was added; an empty file is one empty leaf.</exception>
    public Cid Complete()
    {
        if (_levels is [[]]) throw new InvalidOperationException("a file has at least one leaf");
        for (var level = 0; ; level++)
        {
            var links = _levels[level];
            if (level == _levels.Count - 1 && links.Count == 1) return links[0].Cid;
            if (links.Count > 0) CutNode(level);
        }
    }

    private void Link(int level, DagLink link)
    {
        if (level == _levels.Count) _levels.Add([]);
        // A full row becomes a node only when one more link comes, so that a single full row is the root and not its child.
        if (_levels[level].Count == maxLinks) CutNode(level);
        _levels[level].Add(link);
    }

    private void CutNode(int level)
    {
        var links = CollectionsMarshal.AsSpan(_levels[level]);
        var bytes = DagPb.EncodeNode(links);
        var cid = Cid.Of(bytes, Cid.DagPb);
        var (cumulative, fileSize) = ((ulong)bytes.Length, 0UL);
        foreach (var link in links) (cumulative, fileSize) = (cumulative + link.CumulativeSize, fileSize + link.FileSize);
        _levels[level].Clear();
        sink(new Block(cid, bytes));
        Link(level + 1, new DagLink(cid, cumulative, fileSize));
    }
}
