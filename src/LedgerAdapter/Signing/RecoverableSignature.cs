namespace PmrGateway.LedgerAdapter;

/// <summary>An ECDSA signature over secp256k1 with its recovery id.</summary>
/// <param name="R">32 bytes.</param>
/// <param name="S">32 bytes, in the lower half of the order (EIP-2).</param>
/// <param name="RecoveryId">0 to 3.</param>
public sealed record RecoverableSignature(byte[] R, byte[] S, int RecoveryId)
{
    /// <summary>r || s || v with v = 27 + recovery id, the 65 bytes that contracts and wallets exchange.</summary>
    public byte[] ToBytes() => [.. R, .. S, (byte)(27 + RecoveryId)];

    // Half of the group's order: of the two signatures that say the same, the contracts take the one with s up to here.
    private static readonly byte[] HalfOrder =
        Convert.FromHexString("7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0");

    /// <summary>Reads r || s || v; null where these are not 65 bytes with v 27 or 28 and s in the lower half: one form of each.</summary>
    public static RecoverableSignature? TryRead(byte[] bytes) =>
        bytes is [.., 27 or 28] && bytes.Length == 65 && bytes.AsSpan(32, 32).SequenceCompareTo(HalfOrder) <= 0
            ? new RecoverableSignature(bytes[..32], bytes[32..64], bytes[64] - 27)
            : null;
}
