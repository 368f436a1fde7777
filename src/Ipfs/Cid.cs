using System.Security.Cryptography;
using SimpleBase;

namespace PmrGateway.Ipfs;

/// <summary>
/// A content identifier: a CIDv1 over a SHA-256 multihash, raw or dag-pb, written in base32. Each value has one text and one byte form;
/// parsing refuses every other, CIDv0 among them, which nothing here writes. Source: multiformats CID specification.
/// </summary>
public sealed record Cid
{
    /// <summary>Multicodec of an uninterpreted block.</summary>
    public const byte Raw = 0x55;

    /// <summary>Multicodec of a DAG-PB node.</summary>
    public const byte DagPb = 0x70;

    /// <summary>Bytes of the binary form.</summary>
    internal const int Size = 36;

    private const byte Sha256Code = 0x12;
    private readonly byte[] _digest;

    private Cid(byte codec, byte[] digest) => (Codec, _digest) = (codec, digest);

    /// <summary><see cref="Raw"/> or <see cref="DagPb"/>.</summary>
    public byte Codec { get; }

    /// <summary>The SHA-256 digest of the block, 32 bytes.</summary>
    public ReadOnlySpan<byte> Digest => _digest;

    /// <summary>The CID of a block's bytes.</summary>
    public static Cid Of(ReadOnlySpan<byte> block, byte codec = Raw) => new(codec, SHA256.HashData(block));

    /// <summary>The CID with a known SHA-256 digest of 32 bytes.</summary>
    /// <exception cref="ArgumentException">The digest is not 32 bytes.</exception>
    public static Cid FromDigest(ReadOnlySpan<byte> digest, byte codec = Raw) => digest.Length == SHA256.HashSizeInBytes
        ? new Cid(codec, digest.ToArray())
        : throw new ArgumentException($"a SHA-256 digest has 32 bytes, not {digest.Length}", nameof(digest));

    /// <summary>Whether the bytes are the block that this CID names.</summary>
    public bool Matches(ReadOnlySpan<byte> block)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(block, digest);
        return digest.SequenceEqual(_digest);
    }

    /// <summary>The binary form, 36 bytes.</summary>
    public byte[] ToBytes()
    {
        var bytes = new byte[Size];
        WriteTo(bytes);
        return bytes;
    }

    /// <summary>Reads the binary form; false for anything but a SHA-256 CIDv1 in its one form.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out Cid? cid)
    {
        var isCid = bytes.Length == Size && bytes[0] == 1 && bytes[1] is Raw or DagPb && bytes[2] == Sha256Code && bytes[3] == 32;
        cid = isCid ? new Cid(bytes[1], bytes[4..].ToArray()) : null;
        return isCid;
    }

    /// <summary>Reads the text form; false for any other base, version, hash or codec.</summary>
    public static bool TryParse(string? text, out Cid? cid)
    {
        cid = null;
        if (text is not { Length: 59 } || text[0] != 'b') return false;
        try
        {
            // One text for one value: upper case, padding and trailing bits would decode to the same bytes.
            return TryRead(Base32.FileCoin.Decode(text.AsSpan(1)), out cid) && cid!.ToString() == text;
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>The text form: base32 lower case without padding behind the multibase prefix 'b'.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        WriteTo(bytes);
        return "b" + Base32.FileCoin.Encode(bytes, padding: false);
    }

    /// <summary>Equal when codec and digest are.</summary>
    public bool Equals(Cid? other) => other is not null && Codec == other.Codec && _digest.AsSpan().SequenceEqual(other._digest);

    /// <inheritdoc/>
    public override int GetHashCode() => BitConverter.ToInt32(_digest, 0);

    internal void WriteTo(Span<byte> bytes)
    {
        (bytes[0], bytes[1], bytes[2], bytes[3]) = (1, Codec, Sha256Code, SHA256.HashSizeInBytes);
        _digest.CopyTo(bytes[4..]);
    }
}

/// <summary>A block and its name.</summary>
/// <param name="Cid">The CID of <paramref name="Bytes"/>.</param>
/// <param name="Bytes">The block, at most 2 MiB.</param>
public readonly record struct Block(Cid Cid, ReadOnlyMemory<byte> Bytes);
