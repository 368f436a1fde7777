using System.Buffers.Binary;
using System.Text;

namespace PmrGateway.Vault;

/// <summary>
/// Seals small values that are given out and come back within a short time. When it was sealed is inside; every gateway on the keyring
/// opens it.
/// </summary>
/// <param name="keyring">What the keys are derived from.</param>
/// <param name="purpose">What the values are; one purpose's do not open as another's.</param>
/// <param name="life">How long a value opens.</param>
/// <param name="time">The clock.</param>
public sealed class ShortLivedBox(Keyring keyring, string purpose, TimeSpan life, TimeProvider time)
{
    // Another gateway's clock may be ahead of ours.
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(5);

    /// <summary>How many bytes a sealed value of so many bytes has.</summary>
    public static int SealedSize(int size) => Primitives.NonceSize + sizeof(long) + size + Primitives.TagSize;

    /// <summary>Seals a value; twice the same gives different bytes.</summary>
    /// <param name="value">The value.</param>
    /// <param name="context">What it belongs to: it opens with the same only.</param>
    public byte[] Seal(ReadOnlySpan<byte> value, string context)
    {
        var now = time.GetUtcNow();
        var text = new byte[sizeof(long) + value.Length];
        BinaryPrimitives.WriteInt64BigEndian(text, now.ToUnixTimeMilliseconds());
        value.CopyTo(text.AsSpan(sizeof(long)));
        return BoxOf(DayOf(now)).Seal(text, Encoding.UTF8.GetBytes(context));
    }

    /// <summary>Opens a value of the length of <paramref name="value"/>.</summary>
    /// <returns>False, for whatever reason: it is not what was sealed, or for another context, or too old.</returns>
    public bool TryOpen(ReadOnlySpan<byte> box, string context, Span<byte> value)
    {
        var (from, to) = (time.GetUtcNow() - life, time.GetUtcNow() + Skew);
        var text = new byte[sizeof(long) + value.Length];
        for (var day = DayOf(from); day <= DayOf(to); day++)
        {
            try
            {
                BoxOf(day).Open(box, Encoding.UTF8.GetBytes(context), text);
            }
            catch (SealBrokenException)
            {
                continue;
            }
            var isFresh = BinaryPrimitives.ReadInt64BigEndian(text) is var at
                && at >= from.ToUnixTimeMilliseconds() && at <= to.ToUnixTimeMilliseconds();
            if (isFresh) text.AsSpan(sizeof(long)).CopyTo(value);
            return isFresh;
        }
        return false;
    }

    private static long DayOf(DateTimeOffset instant) => instant.ToUnixTimeSeconds() / 86400;

    // A key a day: these are sealed with every answer, and a nonce drawn at random is sound for far below 2^32 values of one key.
    private KeyBox BoxOf(long day) => new(keyring.Derive($"{purpose}|{day}"));
}
