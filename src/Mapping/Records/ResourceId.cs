using System.Security.Cryptography;

namespace PmrGateway.Mapping;

/// <summary>Logical ids that nobody can guess: 128 random bits from the operating system, written as a version 4 UUID.</summary>
public static class ResourceId
{
    /// <summary>A new id of 36 characters.</summary>
    public static string New()
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return new Guid(bytes, bigEndian: true).ToString("D");
    }

    /// <summary>Whether a text can be a logical id. https://hl7.org/fhir/R4/datatypes.html#id</summary>
    public static bool IsId(string text)
    {
        if (text.Length is 0 or > 64) return false;
        foreach (var c in text)
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '.')) return false;
        return true;
    }
}
