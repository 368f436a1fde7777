using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace PmrGateway.Vault;

/// <summary>Every use of a cipher, a KDF and randomness in the gateway's own formats, with the labels beside them (docs/formats/envelope.md).</summary>
internal static class Primitives
{
    public const int KeySize = 32;
    public const int TagSize = 16;
    public const int NonceSize = 12;
    public const int PrefixSize = 7;
    public const int WrappedKeySize = NonceSize + KeySize + TagSize;

    public static byte[] SubjectLabel(string subject) => Encoding.UTF8.GetBytes("pmr/1 subject|" + subject);

    public static byte[] DataLabel(string context) => Encoding.UTF8.GetBytes("pmr/1 data|" + context);

    public static byte[] Random(int size) => RandomNumberGenerator.GetBytes(size);

    // The input key is 32 uniform bytes, so HKDF's extract step is not needed (RFC 5869, section 3.3).
    public static byte[] KeyCommitment(byte[] dataKey) => HKDF.Expand(HashAlgorithmName.SHA256, dataKey, KeySize, "pmr/1 commit"u8.ToArray());

    public static byte[] Derive(byte[] masterKey, string label) => HKDF.Expand(HashAlgorithmName.SHA256, masterKey, KeySize, Encoding.UTF8.GetBytes("pmr/1 derive|" + label));

    public static byte[] StreamKey(byte[] dataKey, ReadOnlySpan<byte> salt, string context)
    {
        var key = new byte[KeySize];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, dataKey, key, salt, Encoding.UTF8.GetBytes(context));
        return key;
    }

    public static void SegmentNonce(Span<byte> nonce, ReadOnlySpan<byte> prefix, uint index, bool isLast)
    {
        prefix.CopyTo(nonce);
        BinaryPrimitives.WriteUInt32BigEndian(nonce[PrefixSize..], index);
        nonce[11] = isLast ? (byte)1 : (byte)0;
    }

    public static byte[] Seal(byte[] key, ReadOnlySpan<byte> plaintext, byte[] associated)
    {
        var result = new byte[NonceSize + plaintext.Length + TagSize];
        // A random nonce is sound here: no key of ours seals anywhere near 2^32 values this way.
        RandomNumberGenerator.Fill(result.AsSpan(0, NonceSize));
        using var aes = new AesGcm(key, TagSize);
        aes.Encrypt(result.AsSpan(0, NonceSize), plaintext, result.AsSpan(NonceSize, plaintext.Length), result.AsSpan(NonceSize + plaintext.Length), associated);
        return result;
    }

    public static byte[] Open(byte[] key, ReadOnlySpan<byte> box, byte[] associated)
    {
        if (box.Length < NonceSize + TagSize) throw new SealBrokenException("a sealed value is too short");
        var plaintext = new byte[box.Length - NonceSize - TagSize];
        using var aes = new AesGcm(key, TagSize);
        try
        {
            aes.Decrypt(box[..NonceSize], box[NonceSize..^TagSize], box[^TagSize..], plaintext, associated);
        }
        catch (AuthenticationTagMismatchException e)
        {
            throw new SealBrokenException("a sealed value is not what was sealed, or not under this key", e);
        }
        return plaintext;
    }
}

/// <summary>Sealed bytes that were changed, moved or cut, or belong to another key. Nothing of them is given out.</summary>
public sealed class SealBrokenException(string message, Exception? cause = null) : Exception(message, cause);
