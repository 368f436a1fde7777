using System.Buffers.Binary;
using System.IO.Hashing;

namespace PmrGateway.Ipfs;

/// <summary>
/// What is known to lie whole and durable in a pack, beside it in <c>00000001.index</c>, so that a start need not read the pack again.
/// Parts, appended: the 4 bytes "PMRI", the number of entries (u32), the pack's offset up to which it holds (u64), the entries (the first
/// 16 bytes of the block's digest, the offset of its record as u32), and the CRC-32 of all that (u32); numbers are little-endian. A part
/// is written after the fsync of what it tells of. The file is never needed: where it is torn, missing or wrong, the pack is read and
/// hashed.
/// </summary>
internal static class PackIndex
{
    private const int HeadSize = 16;
    private const int EntrySize = BlockKey.Size + 4;
    private static readonly byte[] Magic = "PMRI"u8.ToArray();

    /// <summary>Reads all whole parts of an index and gives the offset up to which they hold; 0 where there is none.</summary>
    /// <param name="path">The index.</param>
    /// <param name="packLength">Length of the pack: an index that tells of more is of another pack.</param>
    /// <param name="entry">Gets each entry.</param>
    public static long Load(string path, long packLength, Action<BlockKey, uint> entry)
    {
        if (!File.Exists(path)) return 0;
        var bytes = File.ReadAllBytes(path);
        var (at, until) = (0, 0L);
        while (PartAt(bytes.AsSpan(at)) is { Length: > 0 } part)
        {
            var upTo = BinaryPrimitives.ReadInt64LittleEndian(part[8..]);
            if (upTo > packLength) break;
            for (var entries = part[HeadSize..^4]; entries.Length > 0; entries = entries[EntrySize..])
                entry(BlockKey.Read(entries), BinaryPrimitives.ReadUInt32LittleEndian(entries[BlockKey.Size..]));
            (at, until) = (at + part.Length, upTo);
        }
        // What follows the last whole part would hide every later one.
        if (at < bytes.Length) Cut(path, at);
        return until;
    }

    /// <summary>Appends a part.</summary>
    /// <exception cref="IOException">The disk is full or broken: the index may end in a torn part and must not be appended to.</exception>
    public static void Append(string path, IReadOnlyList<(BlockKey Key, uint Offset)> entries, long until)
    {
        var part = new byte[HeadSize + (entries.Count * EntrySize) + 4];
        Magic.CopyTo(part, 0);
        BinaryPrimitives.WriteInt32LittleEndian(part.AsSpan(4), entries.Count);
        BinaryPrimitives.WriteInt64LittleEndian(part.AsSpan(8), until);
        var at = HeadSize;
        foreach (var (key, offset) in entries)
        {
            key.Write(part.AsSpan(at));
            BinaryPrimitives.WriteUInt32LittleEndian(part.AsSpan(at + BlockKey.Size), offset);
            at += EntrySize;
        }
        BinaryPrimitives.WriteUInt32LittleEndian(part.AsSpan(at), Crc32.HashToUInt32(part.AsSpan(0, at)));
        using var file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write);
        RandomAccess.Write(file, part, RandomAccess.GetLength(file));
    }

    private static ReadOnlySpan<byte> PartAt(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeadSize + 4 || !bytes.StartsWith(Magic)) return default;
        var size = HeadSize + (BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]) * (long)EntrySize) + 4;
        if (size > bytes.Length) return default;
        var part = bytes[..(int)size];
        return BinaryPrimitives.ReadUInt32LittleEndian(part[^4..]) == Crc32.HashToUInt32(part[..^4]) ? part : default;
    }

    private static void Cut(string path, long length)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write);
        RandomAccess.SetLength(file, length);
    }
}
