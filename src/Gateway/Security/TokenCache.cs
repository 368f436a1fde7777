using System.Collections.Concurrent;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;

namespace PmrGateway.Gateway.Security;

/// <summary>
/// Tokens that were validated, until they expire or something is revoked. Verifying a signature costs more than the rest of a read.
/// Keyed by the token's SHA-256, so the cache holds no token.
/// </summary>
public sealed class TokenCache(TimeProvider time)
{
    private const int Capacity = 20_000;
    private readonly ConcurrentDictionary<string, (ClaimsPrincipal Principal, DateTimeOffset Expires)> _tokens = new();

    /// <summary>The principal of a token validated before and still valid, or null.</summary>
    public ClaimsPrincipal? Find(string token)
    {
        var key = Key(token);
        if (!_tokens.TryGetValue(key, out var found)) return null;
        if (found.Expires > time.GetUtcNow()) return found.Principal;
        _tokens.TryRemove(key, out _);
        return null;
    }

    /// <summary>Keeps a validated token.</summary>
    public void Add(string token, ClaimsPrincipal principal, DateTimeOffset expires)
    {
        // Full of tokens that nobody shows any more: starting over costs one verification a client.
        if (_tokens.Count >= Capacity) _tokens.Clear();
        _tokens[Key(token)] = (principal, expires);
    }

    /// <summary>Forgets all: a token was revoked, and every token is asked about once more.</summary>
    public void Clear() => _tokens.Clear();

    private static string Key(string token) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
