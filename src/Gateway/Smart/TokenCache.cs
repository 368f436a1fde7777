using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace PmrGateway.Gateway.Smart;

/// <summary>
/// Tokens that were validated, until they expire or something is revoked. Verifying a signature costs more than the rest of a read.
/// Keyed by the token's SHA-256, so the cache holds no token.
/// </summary>
internal sealed class TokenCache(TimeProvider time)
{
    /// <summary>Topic under which the processes on a database tell each other that a token was revoked.</summary>
    public const string Revoked = "tokens";

    private const int Capacity = 20_000;
    private int _generation;
    private readonly ConcurrentDictionary<string, (KnownToken Token, DateTimeOffset Expires)> _tokens = new();

    /// <summary>What a token validated before and still valid says, or null.</summary>
    public KnownToken? Find(string token)
    {
        var key = Key(token);
        if (!_tokens.TryGetValue(key, out var found)) return null;
        if (found.Expires > time.GetUtcNow()) return found.Token;
        _tokens.TryRemove(key, out _);
        return null;
    }

    /// <summary>Keeps a validated token.</summary>
    /// <param name="token">The token.</param>
    /// <param name="known">What it says.</param>
    /// <param name="expires">Until when.</param>
    /// <param name="generation"><see cref="Generation"/> as it was before the token was validated.</param>
    public void Add(string token, KnownToken known, DateTimeOffset expires, int generation)
    {
        // Full of tokens that nobody shows any more: starting over costs one verification a client.
        if (_tokens.Count >= Capacity) _tokens.Clear();
        var key = Key(token);
        _tokens[key] = (known, expires);
        // Something was revoked while this token was validated: perhaps this one. Asked after it is in, so that nothing comes in between.
        if (generation != Generation) _tokens.TryRemove(key, out _);
    }

    /// <summary>Forgets all: a token was revoked, and every token is asked about once more.</summary>
    public void Clear()
    {
        Interlocked.Increment(ref _generation);
        _tokens.Clear();
    }

    /// <summary>Changes with each revocation.</summary>
    public int Generation => Volatile.Read(ref _generation);

    private static string Key(string token) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
