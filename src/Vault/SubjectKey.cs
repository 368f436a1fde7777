namespace PmrGateway.Vault;

/// <summary>
/// The key of one patient's records, or of a custodian's records of no patient, unwrapped once for as long as it is held. Opaque.
/// </summary>
public sealed class SubjectKey
{
    internal SubjectKey(string subject, ReadOnlySpan<byte> key) => (Subject, Box) = (subject, new KeyBox(key));

    /// <summary>Whose key it is: <c>Patient/id</c> or <c>Organization/id</c>.</summary>
    public string Subject { get; }

    internal KeyBox Box { get; }
}

/// <summary>What it takes, besides the subject's key, to open and to anchor sealed bytes (docs/formats/envelope.md).</summary>
/// <param name="WrappedKey">The data key under the subject key, 60 bytes.</param>
/// <param name="KeyCommitment">32 bytes.</param>
/// <param name="Salt">Salt of the content commitment, 32 random bytes.</param>
/// <param name="PlaintextDigest">SHA-256 of the plaintext.</param>
public sealed record SealedKey(byte[] WrappedKey, byte[] KeyCommitment, byte[] Salt, byte[] PlaintextDigest);

/// <summary>A record version's bytes sealed in memory.</summary>
/// <param name="Body">The sealed bytes.</param>
/// <param name="Key">What opens them.</param>
/// <param name="LeafDigests">SHA-256 of each segment, 32 bytes each: the CIDs of the leaves of its IPFS file.</param>
public sealed record SealedBody(byte[] Body, SealedKey Key, byte[] LeafDigests);
