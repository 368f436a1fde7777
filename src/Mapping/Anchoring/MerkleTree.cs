namespace PmrGateway.Mapping;

/// <summary>
/// The Merkle tree of RFC 9162, section 2.1, with keccak256 over leaf hashes. Same bytes as contracts/src/MerkleTree.sol.
/// </summary>
public static class MerkleTree
{
    /// <summary>The root over leaf hashes of 32 bytes, in order.</summary>
    /// <exception cref="ArgumentException">There is no leaf.</exception>
    public static byte[] Root(IReadOnlyList<byte[]> leaves)
    {
        if (leaves.Count == 0) throw new ArgumentException("a tree has at least one leaf", nameof(leaves));
        return Root(leaves, 0, leaves.Count);
    }

    /// <summary>The sibling hashes from leaf <paramref name="index"/> up to the root.</summary>
    public static List<byte[]> Path(IReadOnlyList<byte[]> leaves, int index)
    {
        var path = new List<byte[]>();
        var (from, to) = (0, leaves.Count);
        while (to - from > 1)
        {
            var middle = from + Split(to - from);
            if (index < middle)
            {
                path.Add(Root(leaves, middle, to));
                to = middle;
            }
            else
            {
                path.Add(Root(leaves, from, middle));
                from = middle;
            }
        }
        path.Reverse();
        return path;
    }

    /// <summary>
    /// Whether <paramref name="leaf"/> is at <paramref name="index"/> of the tree of <paramref name="count"/> leaves under
    /// <paramref name="root"/> (RFC 9162, section 2.1.3.2).
    /// </summary>
    public static bool Verify(byte[] root, uint count, byte[] leaf, uint index, IReadOnlyList<byte[]> path)
    {
        if (index >= count) return false;
        var (fn, sn, hash) = (index, count - 1, leaf);
        foreach (var sibling in path)
        {
            if (sn == 0) return false;
            if ((fn & 1) == 1 || fn == sn)
            {
                hash = Node(sibling, hash);
                while ((fn & 1) == 0 && fn != 0) (fn, sn) = (fn >> 1, sn >> 1);
            }
            else
            {
                hash = Node(hash, sibling);
            }
            (fn, sn) = (fn >> 1, sn >> 1);
        }
        return sn == 0 && hash.AsSpan().SequenceEqual(root);
    }

    private static byte[] Root(IReadOnlyList<byte[]> leaves, int from, int to)
    {
        if (to - from == 1) return leaves[from];
        var middle = from + Split(to - from);
        return Node(Root(leaves, from, middle), Root(leaves, middle, to));
    }

    private static byte[] Node(byte[] left, byte[] right) => Keccak256.Hash([1], left, right);

    // The largest power of two below the count.
    private static int Split(int count) => 1 << System.Numerics.BitOperations.Log2((uint)count - 1);
}
