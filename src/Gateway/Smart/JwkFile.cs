using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Smart;

/// <summary>A client's private key in a file of mode 0600, as a JWK for ES256.</summary>
internal static class JwkFile
{
    /// <summary>Makes a key and its file.</summary>
    /// <exception cref="IOException">There is such a file, or it cannot be written.</exception>
    public static JsonWebKey Create(string path)
    {
        using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var key = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(new ECDsaSecurityKey(ecdsa) { KeyId = ResourceId.New() });
        using var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        JsonSerializer.Serialize(
            file, new { kty = key.Kty, crv = key.Crv, x = key.X, y = key.Y, d = key.D, kid = key.KeyId, use = "sig", alg = "ES256" });
        return key;
    }

    /// <summary>The public key, as a JWK set for JSON.</summary>
    public static object PublicSet(JsonWebKey key) =>
        new { keys = new[] { new { kty = key.Kty, crv = key.Crv, x = key.X, y = key.Y, kid = key.KeyId, use = "sig", alg = "ES256" } } };
}
