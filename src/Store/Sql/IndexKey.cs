using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using PmrGateway.Fhir;

namespace PmrGateway.Store;

/// <summary>
/// The key of index values that name a person: HMAC-SHA256 of which 16 bytes are kept. Who has the database alone can tell that two values
/// of one parameter are equal, and how often each stands there, and not what they are.
/// </summary>
internal sealed class IndexKey
{
    private const int Kept = 16;

    // 36 bits: where a million beginnings go on with forty letters each, the chance that any two of these are alike is one in a hundred.
    private const int CharactersALetter = 6;
    private byte[]? _key;

    /// <summary>What of a value is hashed: no two of these are ever the same.</summary>
    public enum Form
    {
        /// <summary>A token's code.</summary>
        Code,

        /// <summary>The beginning of a text, normalised.</summary>
        Beginning,

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
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        Hash(parameter, form, text, hash);
        return Base64Url.EncodeToString(hash[..Kept]);
    }

    /// <summary>
    /// The way to a text: for each of its first letters the start of the hash of all up to it. The ways of two texts begin alike for as
    /// long as the texts do, so that one row answers every search for a beginning.
    /// </summary>
    /// <param name="parameter">The parameter, <c>Type.code</c>.</param>
    /// <param name="normalised">The text, normalised; of more than <see cref="SearchText.MaxBeginning"/> letters the first.</param>
    public string Way(string parameter, string normalised)
    {
        var letters = Math.Min(normalised.Length, SearchText.MaxBeginning);
        var way = new StringBuilder(letters * CharactersALetter);
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        Span<char> text = stackalloc char[Base64Url.GetEncodedLength(HMACSHA256.HashSizeInBytes)];
        for (var length = 1; length <= letters; length++)
        {
            Hash(parameter, Form.Beginning, normalised[..length], hash);
            Base64Url.EncodeToChars(hash, text);
            way.Append(text[..CharactersALetter]);
        }
        return way.ToString();
    }

    private void Hash(string parameter, Form form, string text, Span<byte> hash)
    {
        var key = _key ?? throw new InvalidOperationException("the database was not given the key of its index yet");
        // Neither a parameter's name nor the form has a NUL in it.
        HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{parameter}\0{(int)form}\0{text}"), hash);
    }
}
