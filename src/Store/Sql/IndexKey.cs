using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace PmrGateway.Store;

/// <summary>
/// The key of index values that name a person: HMAC-SHA256 of which 16 bytes are kept. Who has the database alone can tell that two values
/// of one parameter are equal, and how often each stands there, and not what they are.
/// </summary>
internal sealed class IndexKey
{
    private const int Kept = 16;
    private byte[]? _key;

    /// <summary>What of a value is hashed: no two of these are ever the same.</summary>
    public enum Form
    {
        /// <summary>A token's code.</summary>
        Code,

        /// <summary>The beginning of a text, normalised.</summary>
        Prefix,

        /// <summary>A text as it was written.</summary>
        Exact,

        /// <summary>The span of time that a date lies in, or is.</summary>
        Span,
    }

    /// <summary>Sets the key, once.</summary>
    public void Use(byte[] key) => _key = key;

    /// <summary>A value as the index holds it and as a search asks for it.</summary>
    /// <param name="parameter">The parameter, <c>Type.code</c>: values of two parameters cannot be held against each other.</param>
    /// <param name="form">What of the value it is.</param>
    /// <param name="text">That.</param>
    public string Of(string parameter, Form form, string text)
    {
        var key = _key ?? throw new InvalidOperationException("the database was not given the key of its index yet");
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        // Neither a parameter's name nor the form has a NUL in it.
        HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{parameter}\0{(int)form}\0{text}"), hash);
        return Base64Url.EncodeToString(hash[..Kept]);
    }
}
