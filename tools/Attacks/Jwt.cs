using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.Tokens;

namespace PmrGateway.Tools.Attacks;

/// <summary>JSON Web Tokens made by hand, with whatever header and signature an attack wants.</summary>
internal static class Jwt
{
    /// <summary>A token.</summary>
    /// <param name="header">Its header.</param>
    /// <param name="payload">Its payload.</param>
    /// <param name="sign">Signs; null: the signature is empty.</param>
    public static string Of(JsonObject header, JsonObject payload, Func<byte[], byte[]>? sign)
    {
        var signed = $"{Part(header)}.{Part(payload)}";
        return $"{signed}.{(sign is null ? "" : Base64UrlEncoder.Encode(sign(Encoding.ASCII.GetBytes(signed))))}";
    }

    /// <summary>What a token of an issuer says that the gateway takes, but for its signature.</summary>
    /// <param name="issuer">The issuer.</param>
    /// <param name="audience">For whom.</param>
    /// <param name="life">Seconds that it is good for.</param>
    public static JsonObject Payload(string issuer, string audience, int life = 300)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        return new JsonObject
        {
            ["iss"] = issuer,
            ["aud"] = audience,
            ["sub"] = "ehr",
            ["client_id"] = "ehr",
            ["scope"] = "system/*.cruds",
            ["iat"] = now,
            ["nbf"] = now,
            ["exp"] = now + life,
        };
    }

    /// <summary>A header.</summary>
    public static JsonObject Header(string alg, string? kid = null) => kid is null
        ? new JsonObject { ["alg"] = alg, ["typ"] = "at+jwt" }
        : new JsonObject { ["alg"] = alg, ["typ"] = "at+jwt", ["kid"] = kid };

    /// <summary>A public key as a JWK.</summary>
    public static JsonObject Jwk(ECDsa key)
    {
        var q = key.ExportParameters(false).Q;
        var curve = q.X!.Length switch { 32 => "P-256", 48 => "P-384", _ => "P-521" };
        return new JsonObject
        {
            ["kty"] = "EC",
            ["crv"] = curve,
            ["x"] = Base64UrlEncoder.Encode(q.X),
            ["y"] = Base64UrlEncoder.Encode(q.Y!),
            ["use"] = "sig",
        };
    }

    /// <summary>A public key as a JWK.</summary>
    public static JsonObject Jwk(RSA key)
    {
        var parameters = key.ExportParameters(false);
        return new JsonObject
        {
            ["kty"] = "RSA",
            ["n"] = Base64UrlEncoder.Encode(parameters.Modulus!),
            ["e"] = Base64UrlEncoder.Encode(parameters.Exponent!),
            ["use"] = "sig",
        };
    }

    public static Func<byte[], byte[]> Hmac(byte[] secret) => data => HMACSHA256.HashData(secret, data);

    public static Func<byte[], byte[]> Ecdsa(ECDsa key, HashAlgorithmName hash) => data => key.SignData(data, hash);

    public static Func<byte[], byte[]> Rsa(RSA key, HashAlgorithmName hash, RSASignaturePadding padding) =>
        data => key.SignData(data, hash, padding);

    private static string Part(JsonObject part) => Base64UrlEncoder.Encode(JsonSerializer.SerializeToUtf8Bytes(part));
}
