using System.Security.Cryptography;

namespace PmrGateway.Store;

/// <summary>
/// The key under which rows that decide access are sealed: HMAC-SHA256. Who can write the database and has not this key cannot make a row
/// that is believed.
/// </summary>
/// <param name="key">32 bytes that the database does not hold.</param>
public sealed class RowSeal(ReadOnlySpan<byte> key)
{
    // Begun under the key once a thread: to begin anew for each row costs more than the row.
    [ThreadStatic]
    private static (RowSeal? Of, IncrementalHash? Hash) _ofThread;

    private readonly byte[] _key = key.ToArray();

    /// <summary>The seal of a row.</summary>
    internal byte[] Of(RowBytes row)
    {
        var seal = new byte[HMACSHA256.HashSizeInBytes];
        Write(row, seal);
        return seal;
    }

    /// <summary>Whether a row is the one that was sealed. A row without a seal is not.</summary>
    internal bool Holds(RowBytes row, byte[]? seal)
    {
        Span<byte> own = stackalloc byte[HMACSHA256.HashSizeInBytes];
        Write(row, own);
        return CryptographicOperations.FixedTimeEquals(own, seal);
    }

    private void Write(RowBytes row, Span<byte> seal)
    {
        if (_ofThread.Of != this) _ofThread = (this, IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _key));
        var hash = _ofThread.Hash!;
        hash.AppendData(row.Span);
        hash.GetHashAndReset(seal);
    }
}
