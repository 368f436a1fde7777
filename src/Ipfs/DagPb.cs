using System.Buffers;

namespace PmrGateway.Ipfs;

/// <summary>A link of a DAG-PB node: the child, its cumulative size, and the bytes of the file below it.</summary>
internal readonly record struct DagLink(Cid Cid, ulong CumulativeSize, ulong FileSize);

/// <summary>
/// The two protobuf messages of a UnixFS file, PBNode and UnixFS Data, in the one byte form that Kubo writes. Ten lines of varints
/// against a code generator and a runtime. Source: IPLD DAG-PB specification; UnixFS specification.
/// </summary>
internal static class DagPb
{
    private const ulong FileType = 2;

    /// <summary>An inner node: links first, then the UnixFS data, as DAG-PB fixes it.</summary>
    public static byte[] EncodeNode(ReadOnlySpan<DagLink> links)
    {
        ulong fileSize = 0;
        foreach (var link in links) fileSize += link.FileSize;

        var data = new ArrayBufferWriter<byte>();
        WriteVarintField(data, 1, FileType);
        WriteVarintField(data, 3, fileSize);
        foreach (var link in links) WriteVarintField(data, 4, link.FileSize);

        var node = new ArrayBufferWriter<byte>();
        foreach (var link in links)
        {
            var body = new ArrayBufferWriter<byte>(64);
            WriteBytesField(body, 1, link.Cid.ToBytes());
            WriteBytesField(body, 2, []);
            WriteVarintField(body, 3, link.CumulativeSize);
            WriteBytesField(node, 2, body.WrittenSpan);
        }
        WriteBytesField(node, 1, data.WrittenSpan);
        return node.WrittenSpan.ToArray();
    }

    /// <summary>The links of a node in order, or null where the bytes are not a UnixFS file node of links only.</summary>
    public static List<DagLink>? DecodeLinks(ReadOnlySpan<byte> node)
    {
        var cids = new List<(Cid Cid, ulong Size)>();
        var sizes = new List<ulong>();
        while (node.Length > 0)
        {
            if (!TryReadBytesField(ref node, out var field, out var body)) return null;
            if (field == 2)
            {
                if (!TryReadLink(body, out var cid, out var size)) return null;
                cids.Add((cid!, size));
            }
            else if (field != 1 || !TryReadSizes(body, sizes)) return null;
        }
        if (cids.Count != sizes.Count || cids.Count == 0) return null;
        return [.. cids.Select((c, i) => new DagLink(c.Cid, c.Size, sizes[i]))];
    }

    private static bool TryReadLink(ReadOnlySpan<byte> link, out Cid? cid, out ulong size)
    {
        (cid, size) = (null, 0);
        if (!TryReadBytesField(ref link, out var field, out var hash) || field != 1 || !Cid.TryRead(hash, out cid)) return false;
        if (!TryReadBytesField(ref link, out field, out _) || field != 2) return false;
        return TryReadVarint(ref link, out var key) && key == 3 << 3 && TryReadVarint(ref link, out size) && link.Length == 0;
    }

    private static bool TryReadSizes(ReadOnlySpan<byte> data, List<ulong> sizes)
    {
        while (data.Length > 0)
        {
            if (!TryReadVarint(ref data, out var key) || (key & 7) != 0 || !TryReadVarint(ref data, out var value)) return false;
            if (key >> 3 == 1 && value != FileType) return false;
            if (key >> 3 == 4) sizes.Add(value);
        }
        return true;
    }

    private static bool TryReadBytesField(ref ReadOnlySpan<byte> from, out ulong field, out ReadOnlySpan<byte> body)
    {
        field = 0;
        body = default;
        if (!TryReadVarint(ref from, out var key) || (key & 7) != 2 || !TryReadVarint(ref from, out var length)) return false;
        if (length > (ulong)from.Length) return false;
        field = key >> 3;
        body = from[..(int)length];
        from = from[(int)length..];
        return true;
    }

    private static bool TryReadVarint(ref ReadOnlySpan<byte> from, out ulong value)
    {
        value = 0;
        for (var i = 0; i < from.Length && i < 9; i++)
        {
            value |= (ulong)(from[i] & 0x7f) << (7 * i);
            if ((from[i] & 0x80) != 0) continue;
            from = from[(i + 1)..];
            return true;
        }
        return false;
    }

    private static void WriteVarintField(ArrayBufferWriter<byte> to, uint field, ulong value)
    {
        WriteVarint(to, field << 3);
        WriteVarint(to, value);
    }

    private static void WriteBytesField(ArrayBufferWriter<byte> to, uint field, ReadOnlySpan<byte> value)
    {
        WriteVarint(to, (field << 3) | 2);
        WriteVarint(to, (ulong)value.Length);
        to.Write(value);
    }

    internal static void WriteVarint(IBufferWriter<byte> to, ulong value)
    {
        var span = to.GetSpan(10);
        var n = 0;
        for (; value >= 0x80; value >>= 7) span[n++] = (byte)(value | 0x80);
        span[n++] = (byte)value;
        to.Advance(n);
    }
}
