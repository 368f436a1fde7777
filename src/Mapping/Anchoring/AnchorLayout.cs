using System.Numerics;
using System.Security.Cryptography;

namespace PmrGateway.Mapping;

/// <summary>
/// Where a batch's leaves lie in its tree, and what lies in the places between them. A proof shows its leaf's place and the size of the
/// tree to whoever reads the record: they must not tell how much was written, or what before what. Source: docs/formats/anchor.md.
/// </summary>
/// <param name="Places">The place of each leaf, in the order of the batch.</param>
/// <param name="Padding">The hashes of the other places in their order, 32 bytes each.</param>
public sealed record AnchorLayout(IReadOnlyList<int> Places, byte[] Padding)
{
    private const int HashSize = 32;
    private const int SmallestTree = 16;

    /// <summary>The head of the audit log that is one of the hashes of the padding; null: none is.</summary>
    public AnchoredHead? Head { get; init; }

    /// <summary>How many leaves the tree has, padding among them.</summary>
    public int Count => Places.Count + Padding.Length / HashSize;

    /// <summary>A layout for a new batch: the next power of two of places, the leaves and the head at random ones.</summary>
    /// <param name="leaves">How many leaves there are.</param>
    /// <param name="head">The head of the audit log; null: it has no entry.</param>
    public static AnchorLayout New(int leaves, AuditHead? head)
    {
        var taken = leaves + (head is null ? 0 : 1);
        var places = Enumerable.Range(0, Math.Max(SmallestTree, (int)BitOperations.RoundUpToPowerOf2((uint)taken))).ToArray();
        // Both drawn as keys are: who could guess the order or tell a hash of the padding from a leaf's would count again.
        RandomNumberGenerator.Shuffle(places.AsSpan());
        var layout = new AnchorLayout(places[..leaves], RandomNumberGenerator.GetBytes((places.Length - leaves) * HashSize));
        if (head is null) return layout;
        var anchored = new AnchoredHead(head, RandomNumberGenerator.GetBytes(HashSize), places[leaves]);
        anchored.Leaf.CopyTo(layout.HashAt(anchored.Place));
        return layout with { Head = anchored };
    }

    /// <summary>The hash of the padding at a place that no leaf has.</summary>
    public Span<byte> HashAt(int place) => Padding.AsSpan((place - Places.Count(p => p < place)) * HashSize, HashSize);

    /// <summary>All hashes of the tree in order.</summary>
    /// <param name="leaves">Those of the leaves, in the order of the batch.</param>
    public byte[][] Tree(IReadOnlyList<byte[]> leaves)
    {
        var tree = new byte[Count][];
        for (var i = 0; i < leaves.Count; i++) tree[Places[i]] = leaves[i];
        var padding = Padding.Chunk(HashSize).GetEnumerator();
        for (var place = 0; place < tree.Length; place++)
            if (tree[place] is null && padding.MoveNext()) tree[place] = padding.Current;
        return tree;
    }
}
