using System.Security.Cryptography;

namespace PmrGateway.Vault;

/// <summary>Tink's AES256_GCM_HKDF_1MB over bytes in memory (docs/formats/envelope.md, "Body").</summary>
internal static class StreamingBody
{
    public const int SegmentSize = 1 << 20;
    public const int HeaderSize = 1 + Primitives.KeySize + Primitives.PrefixSize;
    private const int FirstText = SegmentSize - HeaderSize - Primitives.TagSize;
    private const int NextText = SegmentSize - Primitives.TagSize;

    public static byte[] Seal(byte[] dataKey, string context, ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> prefix)
    {
        var segments = plaintext.Length <= FirstText ? 1 : 1 + (plaintext.Length - FirstText + NextText - 1) / NextText;
        var body = new byte[HeaderSize + plaintext.Length + segments * Primitives.TagSize];
        body[0] = HeaderSize;
        salt.CopyTo(body.AsSpan(1));
        prefix.CopyTo(body.AsSpan(1 + Primitives.KeySize));
        using var aes = new AesGcm(Primitives.StreamKey(dataKey, salt, context), Primitives.TagSize);
        Span<byte> nonce = stackalloc byte[Primitives.NonceSize];
        var (from, to) = (0, HeaderSize);
        for (var i = 0; i < segments; i++)
        {
            var isLast = i == segments - 1;
            var size = isLast ? plaintext.Length - from : i == 0 ? FirstText : NextText;
            Primitives.SegmentNonce(nonce, prefix, (uint)i, isLast);
            aes.Encrypt(nonce, plaintext.Slice(from, size), body.AsSpan(to, size), body.AsSpan(to + size, Primitives.TagSize));
            from += size;
            to += size + Primitives.TagSize;
        }
        return body;
    }

    public static byte[] Open(byte[] dataKey, string context, ReadOnlySpan<byte> body)
    {
        if (body.Length < HeaderSize + Primitives.TagSize) throw new SealBrokenException("a sealed body is cut off in its header");
        if (body[0] != HeaderSize) throw new SealBrokenException("a sealed body has an unknown header");
        var segments = (body.Length + SegmentSize - 1) / SegmentSize;
        if (body.Length - (segments - 1) * SegmentSize < Primitives.TagSize) throw new SealBrokenException("a sealed body is cut off in a tag");
        var plaintext = new byte[body.Length - HeaderSize - segments * Primitives.TagSize];
        var prefix = body.Slice(1 + Primitives.KeySize, Primitives.PrefixSize);
        using var aes = new AesGcm(Primitives.StreamKey(dataKey, body.Slice(1, Primitives.KeySize), context), Primitives.TagSize);
        Span<byte> nonce = stackalloc byte[Primitives.NonceSize];
        var to = 0;
        for (var i = 0; i < segments; i++)
        {
            var start = i == 0 ? HeaderSize : i * SegmentSize;
            var end = Math.Min((i + 1) * SegmentSize, body.Length);
            var size = end - start - Primitives.TagSize;
            Primitives.SegmentNonce(nonce, prefix, (uint)i, isLast: i == segments - 1);
            try
            {
                aes.Decrypt(nonce, body.Slice(start, size), body.Slice(end - Primitives.TagSize, Primitives.TagSize), plaintext.AsSpan(to, size));
            }
            catch (AuthenticationTagMismatchException e)
            {
                throw new SealBrokenException($"segment {i} of a sealed body is not what was sealed", e);
            }
            to += size;
        }
        return plaintext;
    }
}
