using System.Security.Cryptography;

namespace PmrGateway.Store;

/// <summary>
/// The key under which rows that decide access are sealed: HMAC-SHA256. Who can write the database and has not this key cannot make a row
/// that is believed.
/// </summary>
/// <param name="key">32 bytes that the database does not hold.</param>
public sealed class RowSeal(ReadOnlySpan<byte> key)
{
    private readonly byte[] _key = key.ToArray();

    /// <summary>The seal of a row.</summary>
    internal byte[] Of(RowBytes row) => HMACSHA256.HashData(_key, row.Span);

    /// <summary>Whether a row is the one that was sealed. A row without a seal is not.</summary>
    internal bool Holds(RowBytes row, byte[]? seal)
    {
        Span<byte> own = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_key, row.Span, own);
        return CryptographicOperations.FixedTimeEquals(own, seal);
    }
}
