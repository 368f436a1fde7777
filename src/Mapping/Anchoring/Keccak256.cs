using Org.BouncyCastle.Crypto.Digests;

namespace PmrGateway.Mapping;

/// <summary>Keccak-256 as Ethereum uses it (not SHA3-256, whose padding differs), by BouncyCastle.</summary>
public static class Keccak256
{
    /// <summary>The digest of the parts one after the other, 32 bytes.</summary>
    public static byte[] Hash(params ReadOnlySpan<byte[]> parts)
    {
        var digest = new KeccakDigest(256);
        foreach (var part in parts) digest.BlockUpdate(part, 0, part.Length);
        var hash = new byte[32];
        digest.DoFinal(hash, 0);
        return hash;
    }

    /// <summary>The digest of a text in UTF-8.</summary>
    public static byte[] Hash(string text) => Hash([System.Text.Encoding.UTF8.GetBytes(text)]);
}
