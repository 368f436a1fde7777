using System.Security.Cryptography;
using System.Text;

namespace PmrGateway.Mapping;

/// <summary>Logical ids.</summary>
public static class ResourceId
{
    /// <summary>A new id that nobody can guess: 128 random bits from the operating system, written as a version 4 UUID.</summary>
    public static string New()
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return new Guid(bytes, bigEndian: true).ToString("D");
    }

    /// <summary>The id of what there can be one of alone: 128 bits of the hash of the words that say what.</summary>
    public static string Of(params IEnumerable<string> words) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', words))))[..32];

    /// <summary>Whether a text can be a logical id. https://hl7.org/fhir/R4/datatypes.html#id</summary>
    public static bool IsId(string text)
    {
        if (text.Length is 0 or > 64) return false;
        foreach (var c in text)
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '.')) return false;
        return true;
    }
}
