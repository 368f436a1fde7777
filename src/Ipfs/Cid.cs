using System.Security.Cryptography;
using SimpleBase;

namespace PmrGateway.Ipfs;

/// <summary>
/// A content identifier over a SHA-256 multihash: CIDv1 (raw or dag-pb, written in base32) or CIDv0 (dag-pb, base58btc).
/// Each value has one text and one byte form; parsing refuses every other. Source: multiformats CID specification.
/// </summary>
public sealed record Cid
{
    /// <summary>Multicodec of an uninterpreted block.</summary>
    public const byte Raw = 0x55;

    /// <summary>Multicodec of a DAG-PB node.</summary>
    public const byte DagPb = 0x70;

    private const byte Sha256Code = 0x12;
    private readonly byte[] _digest;

    private Cid(int version, byte codec, byte[] digest) => (Version, Codec, _digest) = (version, codec, digest);

    /// <summary>0 or 1.</summary>
    public int Version { get; }

    /// <summary><see cref="Raw"/> or <see cref="DagPb"/>.</summary>
    public byte Codec { get; }

    /// <summary>The SHA-256 digest of the block, 32 bytes.</summary>
    public ReadOnlySpan<byte> Digest => _digest;

    /// <summary>The CIDv1 of a block's bytes.</summary>
    public static Cid Of(ReadOnlySpan<byte> block, byte codec = Raw, int version = 1) => FromDigest(SHA256.HashData(block), codec, version);

    /// <summary>The CID with a known SHA-256 digest of 32 bytes.</summary>
    /// <exception cref="ArgumentException">The digest is not 32 bytes, or a CIDv0 is asked for a codec other than dag-pb.</exception>
    public static Cid FromDigest(ReadOnlySpan<byte> digest, byte codec = Raw, int version = 1)
    {
        if (digest.Length != 32) throw new ArgumentException($"a SHA-256 digest has 32 bytes, not {digest.Length}", nameof(digest));
        if (version == 0 && codec != DagPb) throw new ArgumentException("a CIDv0 is always dag-pb", nameof(version));
        return new Cid(version, codec, digest.ToArray());
    }

    /// <summary>Whether the bytes are the block that this CID names.</summary>
    public bool Matches(ReadOnlySpan<byte> block)
    {
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(block, digest);
        return digest.SequenceEqual(_digest);
    }

    /// <summary>The binary form: 36 bytes for CIDv1, the bare multihash of 34 bytes for CIDv0.</summary>
    public byte[] ToBytes() => Version == 0 ? [Sha256Code, 32, .. _digest] : [1, Codec, Sha256Code, 32, .. _digest];

    /// <summary>Reads the binary form; false for anything but a SHA-256 CID in its one form.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out Cid? cid)
    {
        cid = null;
        if (bytes.Length == 34 && bytes[0] == Sha256Code && bytes[1] == 32) cid = new Cid(0, DagPb, bytes[2..].ToArray());
        else if (bytes.Length == 36 && bytes[0] == 1 && bytes[1] is Raw or DagPb && bytes[2] == Sha256Code && bytes[3] == 32)
            cid = new Cid(1, bytes[1], bytes[4..].ToArray());
        return cid is not null;
    }

    /// <summary>Reads the text form; false for any other base, hash or codec.</summary>
    public static bool TryParse(string? text, out Cid? cid)
    {
        cid = null;
        if (text is null || text.Length is < 46 or > 64) return false;
        try
        {
            var bytes = text[0] == 'b' ? Base32.Rfc4648.Decode(text.AsSpan(1)) : Base58.Bitcoin.Decode(text);
            // One text for one value: upper case, padding and trailing bits would decode to the same bytes.
            return TryRead(bytes, out cid) && cid!.ToString() == text;
        }
        catch (Exception e) when (e is ArgumentException or FormatException or InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>The text form: base32 lower case with the multibase prefix 'b', or base58btc for CIDv0.</summary>
    public override string ToString() => Version == 0
        ? Base58.Bitcoin.Encode(ToBytes())
        : "b" + Base32.Rfc4648.Encode(ToBytes(), padding: false).ToLowerInvariant();

    /// <summary>Equal when version, codec and digest are.</summary>
    public bool Equals(Cid? other) => other is not null && Version == other.Version && Codec == other.Codec && _digest.AsSpan().SequenceEqual(other._digest);

    /// <inheritdoc/>
    public override int GetHashCode() => BitConverter.ToInt32(_digest, 0);
}

/// <summary>A block and its name.</summary>
/// <param name="Cid">The CID of <paramref name="Bytes"/>.</param>
/// <param name="Bytes">The block, at most 2 MiB.</param>
public readonly record struct Block(Cid Cid, ReadOnlyMemory<byte> Bytes);
