using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace PmrGateway.Vault;

/// <summary>
/// Every use of a cipher on small values, of a KDF and of randomness in the gateway's own formats, with the labels beside them
/// (docs/formats/envelope.md).
/// </summary>
internal static class Primitives
{
    public const int KeySize = 32;
    public const int TagSize = 16;
    public const int NonceSize = 12;
    public const int PrefixSize = 7;

    /// <summary>
    /// The longest context, in bytes: "pmr/1|" with the longest type and id of FHIR and the largest version is far below.
    /// </summary>
    public const int MaxContext = 256;

    public static byte[] SubjectLabel(string subject) => Encoding.UTF8.GetBytes("pmr/1 subject|" + subject);

    /// <summary>
    /// Writes <c>"pmr/1 data|" || context</c> and gives its length; the context itself is what follows the first
    /// <see cref="DataLabelSize"/> bytes.
    /// </summary>
    public static int WriteDataLabel(Span<byte> label, string type, string id, long version)
    {
        var text = $"pmr/1 data|pmr/1|{type}/{id}|";
        if (text.Length > MaxContext - 20) throw new ArgumentException($"{type}/{id} is no resource's name: it is too long");
        var length = Encoding.UTF8.GetBytes(text, label);
        version.TryFormat(label[length..], out var digits, default, System.Globalization.CultureInfo.InvariantCulture);
        return length + digits;
    }

    public static int DataLabelSize => "pmr/1 data|"u8.Length;

    public static byte[] Random(int size) => RandomNumberGenerator.GetBytes(size);

    // The input key is 32 uniform bytes, so HKDF's extract step is not needed (RFC 5869, section 3.3).
    public static byte[] KeyCommitment(ReadOnlySpan<byte> dataKey)
    {
        var commitment = new byte[KeySize];
        HKDF.Expand(HashAlgorithmName.SHA256, dataKey, commitment, "pmr/1 commit"u8);
        return commitment;
    }

    public static byte[] Derive(byte[] masterKey, string label) =>
        HKDF.Expand(HashAlgorithmName.SHA256, masterKey, KeySize, Encoding.UTF8.GetBytes("pmr/1 derive|" + label));

    /// <summary>HKDF-SHA256(ikm = data key, salt, info = context).</summary>
    public static void StreamKey(Span<byte> key, ReadOnlySpan<byte> dataKey, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> context) =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, dataKey, key, salt, context);

    public static void SegmentNonce(Span<byte> nonce, ReadOnlySpan<byte> prefix, uint index, bool isLast)
    {
        prefix.CopyTo(nonce);
        BinaryPrimitives.WriteUInt32BigEndian(nonce[PrefixSize..], index);
        nonce[11] = isLast ? (byte)1 : (byte)0;
    }
}

/// <summary>Wraps small values, mostly keys, under one key: <c>nonce || AES-256-GCM</c>. Safe to use from several threads.</summary>
internal sealed class KeyBox(ReadOnlySpan<byte> key)
{
    private readonly AesGcm _aes = new AesGcm(key, Primitives.TagSize);
    private readonly Lock _lock = new();

    /// <summary>
    /// Seals under a nonce that was drawn at random. That is sound here: no key of ours seals anywhere near 2^32 values this way.
    /// </summary>
    public byte[] Seal(ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> label)
    {
        var box = new byte[Primitives.NonceSize + plaintext.Length + Primitives.TagSize];
        nonce.CopyTo(box);
        var text = box.AsSpan(Primitives.NonceSize, plaintext.Length);
        // The cipher's context is one native object: two calls at once would mix their keys' streams.
        lock (_lock) _aes.Encrypt(nonce, plaintext, text, box.AsSpan(Primitives.NonceSize + plaintext.Length), label);
        return box;
    }

    /// <summary>Seals under a fresh nonce.</summary>
    public byte[] Seal(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> label)
    {
        Span<byte> nonce = stackalloc byte[Primitives.NonceSize];
        RandomNumberGenerator.Fill(nonce);
        return Seal(nonce, plaintext, label);
    }

    /// <summary>Opens a box whose value has the length of <paramref name="plaintext"/>.</summary>
    public void Open(ReadOnlySpan<byte> box, ReadOnlySpan<byte> label, Span<byte> plaintext)
    {
        if (box.Length != Primitives.NonceSize + plaintext.Length + Primitives.TagSize)
            throw new SealBrokenException("a sealed value has the wrong length");
        try
        {
            var tag = box[^Primitives.TagSize..];
            lock (_lock) _aes.Decrypt(box[..Primitives.NonceSize], box[Primitives.NonceSize..^Primitives.TagSize], tag, plaintext, label);
        }
        catch (AuthenticationTagMismatchException e)
        {
            throw new SealBrokenException("a sealed value is not what was sealed, or not under this key", e);
        }
    }
}

/// <summary>Sealed bytes that were changed, moved or cut, or belong to another key. Nothing of them is given out.</summary>
public sealed class SealBrokenException(string message, Exception? cause = null) : Exception(message, cause);
