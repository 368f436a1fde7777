using System.Security.Cryptography;
using Microsoft.IdentityModel.Tokens;

namespace PmrGateway.Tests.Client;

/// <summary>A system client's key pair.</summary>
public sealed class ClientKey
{
    private readonly ECDsaSecurityKey _key = new(ECDsa.Create(ECCurve.NamedCurves.nistP384)) { KeyId = GatewayClient.NewId() };

    public SigningCredentials Credentials => new(_key, SecurityAlgorithms.EcdsaSha384);

    /// <summary>The public key as a JWK set.</summary>
    public object Jwks
    {
        get
        {
            var jwk = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(_key);
            var key = new { kty = "EC", crv = jwk.Crv, x = jwk.X, y = jwk.Y, kid = _key.KeyId, use = "sig", alg = "ES384" };
            return new { keys = new[] { key } };
        }
    }
}
