using System.Security.Cryptography;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace PmrGateway.Tools.Cases;

/// <summary>An OpenID issuer that says of a person whatever a case wants: any purpose of use, or none, any scope, any lifetime.</summary>
internal sealed class Issuer : IAsyncDisposable
{
    /// <summary>The audience of its tokens.</summary>
    public const string Audience = "pmr-cases";

    private static readonly ECDsaSecurityKey Key = new(ECDsa.Create(ECCurve.NamedCurves.nistP256)) { KeyId = "k1" };
    private readonly WebApplication _app;

    private Issuer(WebApplication app) => _app = app;

    public string Url => _app.Urls.Single();

    public static async Task<Issuer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var jwk = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(Key);
        app.MapGet(
            "/.well-known/openid-configuration",
            (HttpRequest r) => Results.Json(new { issuer = $"http://{r.Host}", jwks_uri = $"http://{r.Host}/jwks" }));
        app.MapGet("/jwks", () => Results.Json(
            new { keys = new[] { new { kty = "EC", crv = jwk.Crv, x = jwk.X, y = jwk.Y, kid = Key.KeyId, use = "sig", alg = "ES256" } } }));
        await app.StartAsync();
        return new Issuer(app);
    }

    /// <summary>A token.</summary>
    /// <param name="subject">Who.</param>
    /// <param name="client">By which app.</param>
    /// <param name="scopes">Its scopes.</param>
    /// <param name="purposes">Its purposes of use; none: no such claim.</param>
    /// <param name="life">From when and to when; null: five minutes from now.</param>
    public string Token(
        string subject, string client, string scopes, IReadOnlyList<string> purposes, (DateTimeOffset From, DateTimeOffset To)? life)
    {
        var now = TimeProvider.System.GetUtcNow();
        var (from, to) = life ?? (now, now.AddMinutes(5));
        var claims = new Dictionary<string, object> { ["sub"] = subject, ["client_id"] = client, ["scope"] = scopes };
        if (purposes.Count > 0) claims["purpose_of_use"] = purposes;
        // Breaking the glass takes a reason.
        if (purposes.Contains("BTG")) claims["purpose_of_use_reason"] = "a case of the suite";
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = Url,
            Audience = Audience,
            IssuedAt = from.UtcDateTime,
            NotBefore = from.UtcDateTime,
            Expires = to.UtcDateTime,
            Claims = claims,
            SigningCredentials = new SigningCredentials(Key, SecurityAlgorithms.EcdsaSha256),
        });
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
