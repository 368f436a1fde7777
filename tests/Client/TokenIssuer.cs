using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace PmrGateway.Tests.Client;

/// <summary>An OpenID issuer other than the gateway's own, which says of anybody what it is told to.</summary>
public sealed class TokenIssuer : IAsyncDisposable
{
    private static readonly ECDsaSecurityKey Key = new(ECDsa.Create(ECCurve.NamedCurves.nistP256)) { KeyId = "k1" };
    private static readonly RsaSecurityKey Rsa = new(RSA.Create(2048)) { KeyId = "r1" };
    private readonly WebApplication _app;

    private TokenIssuer(WebApplication app) => _app = app;

    /// <summary>Its issuer identifier.</summary>
    public string Url => _app.Urls.Single();

    /// <summary>Starts one at a port of its own.</summary>
    public static async Task<TokenIssuer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var jwk = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(Key);
        app.MapGet(
            "/.well-known/openid-configuration",
            (HttpRequest r) => Results.Json(new { issuer = $"http://{r.Host}", jwks_uri = $"http://{r.Host}/jwks" }));
        var rsa = JsonWebKeyConverter.ConvertFromRSASecurityKey(Rsa);
        object[] keys =
        [
            new { kty = "EC", crv = jwk.Crv, x = jwk.X, y = jwk.Y, kid = Key.KeyId, use = "sig", alg = "ES256" },
            new { kty = "RSA", n = rsa.N, e = rsa.E, kid = Rsa.KeyId, use = "sig" },
        ];
        app.MapGet("/jwks", () => Results.Json(new { keys }));
        await app.StartAsync();
        return new TokenIssuer(app);
    }

    /// <summary>A token.</summary>
    /// <param name="audience">For whom.</param>
    /// <param name="claims">What it says.</param>
    /// <param name="life">From when and to when; null: five minutes from now.</param>
    public string Token(
        string audience, IDictionary<string, object> claims, (DateTimeOffset From, DateTimeOffset To)? life = null)
    {
        var now = TimeProvider.System.GetUtcNow();
        var (from, to) = life ?? (now, now.AddMinutes(5));
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = Url,
            Audience = audience,
            IssuedAt = from.UtcDateTime,
            NotBefore = from.UtcDateTime,
            Expires = to.UtcDateTime,
            Claims = claims,
            SigningCredentials = new SigningCredentials(Key, SecurityAlgorithms.EcdsaSha256),
        });
    }

    /// <summary>Its key of kid <c>k1</c>, on P-256.</summary>
    public static ECDsa EcKey => Key.ECDsa;

    /// <summary>Its key of kid <c>r1</c>, RSA.</summary>
    public static RSA RsaKey => Rsa.Rsa;

    /// <summary>Ends it.</summary>
    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
