using System.Security.Cryptography;

namespace PmrGateway.Mapping;

/// <summary>
/// What the chain commits to for one record version. The salt makes the content commitment say nothing to who does not hold it: a
/// bare hash of a short record could be found by trying. Source: docs/formats/anchor.md.
/// </summary>
/// <param name="CidDigest">SHA-256 digest inside the sealed bytes' CID, 32 bytes.</param>
/// <param name="KeyCommitment">Commitment to the data key, 32 bytes.</param>
/// <param name="Salt">32 random bytes.</param>
/// <param name="PlaintextDigest">SHA-256 of the plaintext, 32 bytes.</param>
public sealed record AnchorLeaf(byte[] CidDigest, byte[] KeyCommitment, byte[] Salt, byte[] PlaintextDigest)
{
    /// <summary>keccak256(salt || SHA-256(plaintext)).</summary>
    public byte[] ContentCommitment => Keccak256.Hash(Salt, PlaintextDigest);

    /// <summary>keccak256(0x00 || CidDigest || KeyCommitment || ContentCommitment).</summary>
    public byte[] Hash => Keccak256.Hash([0], CidDigest, KeyCommitment, ContentCommitment);

    /// <summary>Whether these are the bytes that the leaf commits to.</summary>
    public bool CommitsTo(ReadOnlySpan<byte> plaintext) => SHA256.HashData(plaintext).AsSpan().SequenceEqual(PlaintextDigest);
}
