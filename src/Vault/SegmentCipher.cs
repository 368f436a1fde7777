using System.Security.Cryptography;

namespace PmrGateway.Vault;

/// <summary>
/// Tink's AES256_GCM_HKDF_1MB, one segment at a time (docs/formats/envelope.md, "Body"). Sealed segment i is leaf i of the body's IPFS
/// file, so what is sealed here needs no second cut.
/// </summary>
internal sealed class SegmentCipher : IDisposable
{
    private readonly AesGcm _aes;
    private readonly byte[] _prefix;

    /// <summary>A cipher for one body, whose header holds salt and prefix.</summary>
    public SegmentCipher(ReadOnlySpan<byte> dataKey, ReadOnlySpan<byte> context, ReadOnlySpan<byte> header)
    {
        if (header.Length < BodyLayout.HeaderSize) throw new SealBrokenException("a sealed body is cut off in its header");
        if (header[0] != BodyLayout.HeaderSize) throw new SealBrokenException("a sealed body has an unknown header");
        Span<byte> key = stackalloc byte[Primitives.KeySize];
        Primitives.StreamKey(key, dataKey, header.Slice(1, Primitives.KeySize), context);
        _aes = new AesGcm(key, Primitives.TagSize);
        _prefix = header.Slice(1 + Primitives.KeySize, Primitives.PrefixSize).ToArray();
        CryptographicOperations.ZeroMemory(key);
    }

    /// <summary>Seals the text of a segment; <paramref name="ciphertext"/> may be the same memory.</summary>
    public void Seal(uint index, bool isLast, ReadOnlySpan<byte> text, Span<byte> ciphertext, Span<byte> tag)
    {
        Span<byte> nonce = stackalloc byte[Primitives.NonceSize];
        Primitives.SegmentNonce(nonce, _prefix, index, isLast);
        _aes.Encrypt(nonce, text, ciphertext, tag);
    }

    /// <summary>Opens a segment into <paramref name="text"/> and gives the length of it.</summary>
    /// <exception cref="SealBrokenException">The segment is not what was sealed in this place.</exception>
    public int Open(uint index, bool isLast, ReadOnlySpan<byte> segment, Span<byte> text)
    {
        var start = BodyLayout.TextStart(index);
        var size = segment.Length - start - Primitives.TagSize;
        if (size < 0) throw new SealBrokenException($"segment {index} of a sealed body is cut off in its tag");
        if (size > text.Length) throw new SealBrokenException($"segment {index} of a sealed body is longer than the body");
        Span<byte> nonce = stackalloc byte[Primitives.NonceSize];
        Primitives.SegmentNonce(nonce, _prefix, index, isLast);
        try
        {
            _aes.Decrypt(nonce, segment.Slice(start, size), segment[^Primitives.TagSize..], text[..size]);
        }
        catch (AuthenticationTagMismatchException e)
        {
            throw new SealBrokenException($"segment {index} of a sealed body is not what was sealed", e);
        }
        return size;
    }

    public void Dispose() => _aes.Dispose();
}
