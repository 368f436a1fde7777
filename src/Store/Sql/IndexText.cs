using System.Security.Cryptography;
using System.Text;

namespace PmrGateway.Store;

/// <summary>A text as the index tables hold it and as a search asks for it: equal texts stay equal, and every text fits.</summary>
internal static class IndexText
{
    // PostgreSQL indexes no key of more than 2,704 bytes, and takes no NUL at all.
    private const int Longest = 256;

    public static string Of(string text)
    {
        if (text.Length <= Longest && !text.Contains('\0') && IsWellFormed(text)) return text;
        return "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }

    private static bool IsWellFormed(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (!char.IsHighSurrogate(text[i]) || i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1])) return false;
            i++;
        }
        return true;
    }
}
