using System.Security.Cryptography;
using System.Text.Json.Nodes;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Attacks;

/// <summary>A system client of an RSA key, whose assertions are made by hand.</summary>
internal sealed class RsaClient(Attempt a, string clientId) : IDisposable
{
    public RSA Key { get; } = RSA.Create(2048);

    /// <summary>Asks for a token by an assertion.</summary>
    /// <param name="alg">What its header says.</param>
    /// <param name="sign">How it is signed.</param>
    /// <param name="kid">What its header says of the key.</param>
    /// <param name="change">What else is done to its payload.</param>
    public Task<Answer> TokenAsync(string alg, Func<byte[], byte[]> sign, string kid = "k", Action<JsonObject>? change = null) =>
        a.Stage.Anyone.RequestTokenAsync(
            clientId, Clients.Assertion(clientId, a.Stage.Url + "/connect/token", alg, sign, kid, change), "system/*.rs");

    public void Dispose() => Key.Dispose();
}

/// <summary>What system clients get tokens with: their registration and their assertions.</summary>
internal static class Clients
{
    public static async Task<RsaClient> RsaClientAsync(Attempt a, string clientId)
    {
        var client = new RsaClient(a, clientId);
        var jwk = Jwt.Jwk(client.Key);
        jwk["kid"] = "k";
        await RegisterAsync(a, clientId, jwk);
        return client;
    }

    /// <summary>An assertion made by hand.</summary>
    public static string Assertion(
        string clientId, string audience, string alg, Func<byte[], byte[]> sign, string kid, Action<JsonObject>? change = null)
    {
        var payload = Jwt.Payload(clientId, audience, 240);
        (payload["sub"], payload["jti"]) = (clientId, Convert.ToHexString(RandomNumberGenerator.GetBytes(16)));
        change?.Invoke(payload);
        return Jwt.Of(new JsonObject { ["alg"] = alg, ["typ"] = "JWT", ["kid"] = kid }, payload, sign);
    }

    [Plays("AT-007")]
    public static async Task Two_keys_under_one_name(Attempt a)
    {
        using var rsa = RSA.Create(2048);
        using var ec = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var (first, second) = (Jwt.Jwk(rsa), Jwt.Jwk(ec));
        (first["kid"], second["kid"]) = ("same", "same");
        (first["alg"], second["alg"]) = ("RS384", "ES384");
        a.Refused(
            await a.Stage.Operator.AdminAsync("clients", Registration(a, "twins", first, second)), "two keys under one kid", 400);
        // So that a kid has one key, and it is the right one or none.
        await RegisterAsync(a, "twins", second);
        var audience = a.Stage.Url + "/connect/token";
        Task<Answer> AskAsync(string alg, Func<byte[], byte[]> sign) =>
            a.Stage.Anyone.RequestTokenAsync("twins", Assertion("twins", audience, alg, sign, "same"), "system/*.rs");

        var byRsa = Jwt.Rsa(rsa, HashAlgorithmName.SHA384, RSASignaturePadding.Pkcs1);
        a.OAuthError(await AskAsync("RS384", byRsa), "the RSA key that was not registered", "invalid_client");
        a.Status(await AskAsync("ES384", Jwt.Ecdsa(ec, HashAlgorithmName.SHA384)), "the EC key that was", 200);
        a.OAuthError(await AskAsync("ES384", byRsa), "a signature by RSA that says ES384", "invalid_client");
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        a.OAuthError(await AskAsync("ES384", Jwt.Ecdsa(stranger, HashAlgorithmName.SHA384)), "a stranger's key", "invalid_client");
    }

    [Plays("AT-012")]
    public static async Task An_assertion_that_is_good_for_an_hour(Attempt a)
    {
        using var client = await RsaClientAsync(a, "long-assertion");
        var sign = Jwt.Rsa(client.Key, HashAlgorithmName.SHA384, RSASignaturePadding.Pkcs1);
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        a.Status(await client.TokenAsync("RS384", sign), "an assertion of 4 minutes", 200);
        a.OAuthError(await client.TokenAsync("RS384", sign, change: p => p["exp"] = now + 3600), "exp in an hour", "invalid_client");
        a.OAuthError(await client.TokenAsync("RS384", sign, change: p => p.Remove("exp")), "no exp", "invalid_client");
    }

    [Plays("AT-013")]
    public static async Task An_assertion_that_comes_twice(Attempt a)
    {
        using var client = await RsaClientAsync(a, "replay");
        var sign = Jwt.Rsa(client.Key, HashAlgorithmName.SHA384, RSASignaturePadding.Pkcs1);
        var assertion = Assertion("replay", a.Stage.Url + "/connect/token", "RS384", sign, "k");
        Task<Answer> SendAsync() => a.Stage.Anyone.RequestTokenAsync("replay", assertion, "system/*.rs");
        a.Status(await SendAsync(), "an assertion", 200);
        a.OAuthError(await SendAsync(), "the same assertion again", "invalid_client");
        await a.Stage.RestartAsync();
        a.OAuthError(await SendAsync(), "the same assertion after a restart", "invalid_client");
        // A second gateway has the same database: what a restart finds there it finds too. Two at once: one gets the token.
        var twice = Assertion("replay", a.Stage.Url + "/connect/token", "RS384", sign, "k");
        var both = await Task.WhenAll(
            Enumerable.Range(0, 4).Select(_ => a.Stage.Anyone.RequestTokenAsync("replay", twice, "system/*.rs")));
        var taken = both.Count(b => b.Status == 200);
        a.Check(taken == 1, "one assertion four times at once", "one token", $"{taken} tokens");
    }

    [Plays("AT-015")]
    public static async Task An_assertion_for_the_FHIR_base(Attempt a)
    {
        using var client = await RsaClientAsync(a, "aud-of-fhir");
        var sign = Jwt.Rsa(client.Key, HashAlgorithmName.SHA384, RSASignaturePadding.Pkcs1);
        foreach (var audience in new[] { a.Stage.Url + "/fhir", a.Stage.Url + "/fhir/", "https://other.example/token" })
        {
            a.OAuthError(
                await client.TokenAsync("RS384", sign, change: p => p["aud"] = audience), $"aud {audience}", "invalid_client");
        }
        a.OAuthError(await client.TokenAsync("RS384", sign, change: p => p.Remove("aud")), "no aud", "invalid_client");
    }

    [Plays("AT-016")]
    public static async Task Keys_by_a_URL(Attempt a)
    {
        using var bait = new Bait();
        string[] urls =
        [
            "http://169.254.169.254/", "http://127.0.0.1:5432/", $"http://127.0.0.1:{bait.Port}/jwks", "file:///etc/passwd",
            "gopher://127.0.0.1:70/", "https://example.com/redirects-to-loopback", $"http://localhost:{bait.Port}/jwks",
            $"http://0x7f000001:{bait.Port}/", $"http://[::ffff:127.0.0.1]:{bait.Port}/",
        ];
        var number = 0;
        foreach (var url in urls)
        {
            foreach (var member in new[] { "jwks_uri", "jwksUri" })
            {
                foreach (var withKeys in new[] { false, true })
                {
                    var registration = new Dictionary<string, object>
                    {
                        ["clientId"] = $"by-url-{number++}",
                        ["actor"] = a.Stage.Hospital,
                        ["scopes"] = new[] { "system/*.rs" },
                        [member] = url,
                    };
                    if (withKeys) registration["jwks"] = new ClientKey().Jwks;
                    a.Refused(await a.Stage.Operator.AdminAsync("clients", registration), $"{member} {url}", 400);
                }
            }
        }
        var hits = await bait.HitsAsync();
        a.Check(hits == 0, "registrations of URLs of keys", "no connection to them", $"{hits}");
    }

    private static Task RegisterAsync(Attempt a, string clientId, params JsonObject[] keys) =>
        a.Stage.Registrar.ClientAsync(Registration(a, clientId, keys));

    private static object Registration(Attempt a, string clientId, params JsonObject[] keys) => new
    {
        clientId,
        jwks = new { keys },
        actor = a.Stage.Hospital,
        scopes = new[] { "system/*.rs" },
        purposes = Array.Empty<string>(),
    };
}
