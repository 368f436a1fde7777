using System.Text.Json;
using Microsoft.IdentityModel.Tokens;
using PmrGateway.Gateway.Smart;

namespace PmrGateway.Gateway.Admin;

/// <summary>The keys that a client registers.</summary>
internal static class KeySet
{
    private const int LeastRsaBits = 2048;

    // RFC 7518, 6.2.2, 6.3.2 and 6.4.1: who has sent them has given them away.
    private static readonly string[] Private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

    /// <summary>
    /// Which member of a set is not what it should be, and what that is; null: it is a JWK set of public keys for signatures.
    /// </summary>
    public static (string Member, string ShouldBe)? Problem(JsonElement jwks)
    {
        const string Set = "a JWK set with a public key for signatures";
        if (jwks.ValueKind != JsonValueKind.Object || !jwks.TryGetProperty("keys", out var keys) || keys.ValueKind != JsonValueKind.Array)
            return ("jwks", Set);
        var (at, names) = (0, new HashSet<string>(StringComparer.Ordinal));
        foreach (var key in keys.EnumerateArray())
        {
            if (KeyProblem(key, $"jwks.keys[{at++}]", names) is { } problem) return problem;
        }
        return IsReadable(jwks) ? null : ("jwks", Set);
    }

    private static (string Member, string ShouldBe)? KeyProblem(JsonElement key, string path, HashSet<string> names)
    {
        if (key.ValueKind != JsonValueKind.Object) return (path, "a JWK");
        if (Private.FirstOrDefault(name => key.TryGetProperty(name, out _)) is { } secret) return ($"{path}.{secret}", "left out: keep it");
        if (Text(key, "kty") is not ("RSA" or "EC")) return (path + ".kty", "RSA or EC");
        if (Text(key, "kid") is { } kid && !names.Add(kid)) return (path + ".kid", "of one key");
        // Others are none that an assertion is taken by.
        if (Text(key, "kty") == "EC" && Text(key, "crv") is not ("P-256" or "P-384")) return (path + ".crv", "P-256 or P-384");
        if (Text(key, "alg") is { } alg && !AlgorithmsOf(key).Contains(alg)) return (path + ".alg", string.Join(", ", AlgorithmsOf(key)));
        return Text(key, "kty") == "RSA" && Bits(Text(key, "n")) < LeastRsaBits ? (path + ".n", $"of {LeastRsaBits} bits or more") : null;
    }

    // RFC 7518, 3.4 and 3.5: an algorithm is of one kind of key.
    private static IEnumerable<string> AlgorithmsOf(JsonElement key) => ClientAssertions.Algorithms.Where(algorithm => algorithm switch
    {
        "ES256" => Text(key, "crv") == "P-256",
        "ES384" => Text(key, "crv") == "P-384",
        _ => Text(key, "kty") == "RSA",
    });

    private static string? Text(JsonElement key, string name) =>
        key.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static long Bits(string? modulus)
    {
        try
        {
            var bytes = Base64UrlEncoder.DecodeBytes(modulus ?? "").AsSpan().TrimStart((byte)0);
            return bytes.IsEmpty ? 0 : (8L * bytes.Length) - byte.LeadingZeroCount(bytes[0]);
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            return 0;
        }
    }

    private static bool IsReadable(JsonElement jwks)
    {
        try
        {
            return new JsonWebKeySet(jwks.GetRawText()).GetSigningKeys().Count > 0;
        }
        catch (Exception e) when (e is ArgumentException or JsonException)
        {
            return false;
        }
    }
}
