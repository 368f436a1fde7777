using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using Microsoft.Win32.SafeHandles;

namespace PmrGateway.Ipfs;

/// <summary>
/// One append-only file of <see cref="EmbeddedBlockStore"/>. A record is the 4 bytes "PMRB", the CID (36 bytes), the payload length (u32
/// little-endian), the CRC-32 of those 44 bytes (u32 little-endian), then the payload.
/// </summary>
internal sealed class Pack(int number, string path, SafeFileHandle file) : IDisposable
{
    public const int HeaderSize = 48;
    public const int MaxBlock = 2 << 20;
    private static readonly byte[] Magic = "PMRB"u8.ToArray();

    /// <summary>Its place in the order of the packs, from 1.</summary>
    public int Number { get; } = number;

    /// <summary>The pack file.</summary>
    public string Path { get; } = path;

    /// <summary>The open file.</summary>
    public SafeFileHandle File { get; } = file;

    /// <summary>Who syncs it now: the others wait, and mostly find themselves served.</summary>
    public SemaphoreSlim Turn { get; } = new(1, 1);

    /// <summary>Bytes appended.</summary>
    public long Length { get; set; }

    /// <summary>Bytes known to be durable, at the end of a record.</summary>
    public long Synced { get; set; }

    /// <summary>Whether an fsync failed: what was appended behind <see cref="Synced"/> is lost, and its writers are told so.</summary>
    public bool IsFailed { get; set; }

    /// <summary>Records that no part of the index tells of yet, in order.</summary>
    public List<(BlockKey Key, uint Offset)> Unindexed { get; } = [];

    /// <summary>Bytes that the index tells of.</summary>
    public long Indexed { get; set; }

    /// <summary>Whether the index may be appended to: it ends in a whole part.</summary>
    public bool IsIndexable { get; set; } = true;

    /// <summary>The index beside the pack.</summary>
    public string IndexPath => System.IO.Path.ChangeExtension(Path, ".index");

    /// <summary>Writes a record's header.</summary>
    public static void WriteHeader(Span<byte> header, Block block)
    {
        Magic.CopyTo(header);
        block.Cid.WriteTo(header[4..]);
        BinaryPrimitives.WriteInt32LittleEndian(header[40..], block.Bytes.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[44..], Crc32.HashToUInt32(header[..44]));
    }

    /// <summary>Reads the record at an offset; -1 where it is not that block's.</summary>
    /// <exception cref="BlockCorruptException">The block is longer than the buffer.</exception>
    public int Read(Cid cid, long offset, Span<byte> into)
    {
        Span<byte> header = stackalloc byte[HeaderSize];
        if (ReadFully(header, offset) < HeaderSize || !TryReadHeader(header, out var found, out var size)) return -1;
        if (!found!.Digest.SequenceEqual(cid.Digest)) return -1;
        if (size > into.Length) throw new BlockCorruptException(cid, $"longer than {into.Length} bytes");
        return ReadFully(into[..size], offset + HeaderSize);
    }

    /// <summary>Reads and hashes every record from an offset on, notes the whole ones, and tells whether there was nothing else.</summary>
    public bool Scan(long from)
    {
        var isWhole = true;
        var buffer = ArrayPool<byte>.Shared.Rent(MaxBlock);
        Span<byte> header = stackalloc byte[HeaderSize];
        var at = from;
        while (at + HeaderSize <= Length)
        {
            ReadFully(header, at);
            if (TryReadHeader(header, out var cid, out var size) && at + HeaderSize + size <= Length
                && ReadFully(buffer.AsSpan(0, size), at + HeaderSize) == size && cid!.Matches(buffer.AsSpan(0, size)))
            {
                Unindexed.Add((BlockKey.Of(cid!), (uint)at));
                at += HeaderSize + size;
            }
            else
            {
                isWhole = false;
                at = NextMagic(at + 1, buffer.AsSpan(0, 64 << 10));
            }
        }
        ArrayPool<byte>.Shared.Return(buffer);
        return isWhole && at == Length;
    }

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        File.Dispose();
        Turn.Dispose();
    }

    private static bool TryReadHeader(ReadOnlySpan<byte> header, out Cid? cid, out int size)
    {
        (cid, size) = (null, BinaryPrimitives.ReadInt32LittleEndian(header[40..]));
        return header.StartsWith(Magic)
            && BinaryPrimitives.ReadUInt32LittleEndian(header[44..]) == Crc32.HashToUInt32(header[..44])
            && Cid.TryRead(header[4..40], out cid)
            && size is >= 0 and <= MaxBlock;
    }

    private long NextMagic(long from, Span<byte> window)
    {
        while (from + HeaderSize <= Length)
        {
            var n = ReadFully(window, from);
            var found = window[..n].IndexOf(Magic);
            if (found >= 0) return from + found;
            if (n < window.Length) break;
            from += n - Magic.Length + 1;
        }
        return Length;
    }

    private int ReadFully(Span<byte> into, long offset)
    {
        var read = 0;
        while (read < into.Length)
        {
            var n = RandomAccess.Read(File, into[read..], offset + read);
            if (n == 0) break;
            read += n;
        }
        return read;
    }
}

/// <summary>
/// A block's name in memory and in an index: half of its digest. Two blocks with one key take 2^64 hashes to find, for someone who could
/// choose the bytes; what is stored here is sealed under keys that nobody outside knows.
/// </summary>
internal readonly record struct BlockKey(ulong First, ulong Second)
{
    public const int Size = 16;

    public static BlockKey Of(Cid cid) => Read(cid.Digest);

    public static BlockKey Read(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt64LittleEndian(bytes), BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]));

    public void Write(Span<byte> to)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(to, First);
        BinaryPrimitives.WriteUInt64LittleEndian(to[8..], Second);
    }

    // A digest is as good a hash as there is.
    public override int GetHashCode() => (int)First;
}
