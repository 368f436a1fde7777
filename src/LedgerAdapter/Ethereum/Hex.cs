using System.Globalization;
using System.Numerics;

namespace PmrGateway.LedgerAdapter;

/// <summary>The hex of JSON-RPC: data is 0x and pairs of digits, a quantity is 0x and digits without leading zeros.</summary>
public static class Hex
{
    /// <summary>Bytes as data.</summary>
    public static string Data(ReadOnlySpan<byte> bytes) => "0x" + Convert.ToHexStringLower(bytes);

    /// <summary>A number as a quantity.</summary>
    public static string Quantity(BigInteger value) => value.IsZero ? "0x0" : "0x" + value.ToString("x", CultureInfo.InvariantCulture).TrimStart('0');

    /// <summary>Data as bytes, with or without 0x.</summary>
    /// <exception cref="FormatException">Not hex.</exception>
    public static byte[] Bytes(string hex) => Convert.FromHexString(hex.StartsWith("0x", StringComparison.Ordinal) ? hex.AsSpan(2) : hex);

    /// <summary>A quantity as a number that fits 63 bits.</summary>
    /// <exception cref="FormatException">Not a quantity.</exception>
    public static long Number(string quantity) => long.Parse(quantity.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    /// <summary>A quantity as a number of any size.</summary>
    public static BigInteger BigNumber(string quantity) => BigInteger.Parse("0" + quantity[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
