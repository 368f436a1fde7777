using System.Numerics;

namespace PmrGateway.LedgerAdapter;

/// <summary>Recursive length prefix encoding (Ethereum yellow paper, appendix B).</summary>
internal static class Rlp
{
    public static byte[] Number(BigInteger value) => Bytes(value.IsZero ? [] : value.ToByteArray(isUnsigned: true, isBigEndian: true));

    public static byte[] Bytes(ReadOnlySpan<byte> bytes) => bytes.Length == 1 && bytes[0] < 0x80 ? [bytes[0]] : [.. Head(0x80, bytes.Length), .. bytes];

    public static byte[] List(params byte[][] items)
    {
        var length = items.Sum(i => i.Length);
        return [.. Head(0xc0, length), .. items.SelectMany(i => i)];
    }

    private static byte[] Head(byte offset, int length)
    {
        if (length < 56) return [(byte)(offset + length)];
        var size = new BigInteger(length).ToByteArray(isUnsigned: true, isBigEndian: true);
        return [(byte)(offset + 55 + size.Length), .. size];
    }
}
