using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Attacks;

/// <summary>Access tokens that are forged, confused, out of time or in the wrong place.</summary>
internal static class Tokens
{
    private static readonly ECDsa Stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    [Plays("AT-001")]
    public static async Task A_token_without_a_signature(Attempt a)
    {
        foreach (var alg in new[] { "none", "None", "nOnE" })
        {
            foreach (var (issuer, audience) in new[] { (a.Stage.Issuer.Url, Stage.Audience), (a.Stage.Url, a.Stage.Url) })
                await IsNobodysAsync(a, Jwt.Of(Jwt.Header(alg), Jwt.Payload(issuer, audience), null), $"alg {alg} of {issuer}");
        }
    }

    [Plays("AT-002")]
    public static async Task A_public_key_as_the_secret_of_HS256(Attempt a)
    {
        await IsTakenAsync(a);
        var own = (await a.Stage.Anyone.GetAsync(a.Stage.Url + "/.well-known/jwks", "*/*")).Json.GetProperty("keys")[0];
        using var ownKey = ECDsa.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint
            {
                X = Microsoft.IdentityModel.Tokens.Base64UrlEncoder.DecodeBytes(own.GetProperty("x").GetString()),
                Y = Microsoft.IdentityModel.Tokens.Base64UrlEncoder.DecodeBytes(own.GetProperty("y").GetString()),
            },
        });
        (string Issuer, string Audience, string Kid, AsymmetricAlgorithm Key, string Jwk)[] targets =
        [
            (a.Stage.Url, a.Stage.Url, own.GetProperty("kid").GetString()!, ownKey, own.GetRawText()),
            (a.Stage.Issuer.Url, Stage.Audience, "r1", TokenIssuer.RsaKey, Jwt.Jwk(TokenIssuer.RsaKey).ToJsonString()),
            (a.Stage.Issuer.Url, Stage.Audience, "k1", TokenIssuer.EcKey, Jwt.Jwk(TokenIssuer.EcKey).ToJsonString()),
        ];
        foreach (var (issuer, audience, kid, key, jwk) in targets)
        {
            byte[][] secrets =
            [
                key.ExportSubjectPublicKeyInfo(), Encoding.ASCII.GetBytes(key.ExportSubjectPublicKeyInfoPem()),
                Encoding.ASCII.GetBytes(jwk),
            ];
            foreach (var secret in secrets)
            {
                var token = Jwt.Of(Jwt.Header("HS256", kid), Jwt.Payload(issuer, audience), Jwt.Hmac(secret));
                await IsNobodysAsync(a, token, $"HS256 with the public key {kid} of {issuer}");
            }
        }
    }

    [Plays("AT-003")]
    public static async Task An_algorithm_that_is_not_on_the_list(Attempt a)
    {
        await IsTakenAsync(a);
        var (rsa, pkcs, pss) = (TokenIssuer.RsaKey, RSASignaturePadding.Pkcs1, RSASignaturePadding.Pss);
        using var k256 = ECDsa.Create(ECCurve.CreateFromFriendlyName("secp256k1"));
        (string Alg, string Kid, Func<byte[], byte[]> Sign)[] signers =
        [
            ("ES256K", "k1", Jwt.Ecdsa(k256, HashAlgorithmName.SHA256)),
            ("ES256K", "k1", Jwt.Ecdsa(TokenIssuer.EcKey, HashAlgorithmName.SHA256)),
            ("RS1", "r1", Jwt.Rsa(rsa, HashAlgorithmName.SHA1, pkcs)),
            ("HS256", "r1", Jwt.Hmac(rsa.ExportSubjectPublicKeyInfo())),
            // By the issuer's own key: it is the algorithm alone that is not taken.
            ("PS256", "r1", Jwt.Rsa(rsa, HashAlgorithmName.SHA256, pss)),
            ("PS384", "r1", Jwt.Rsa(rsa, HashAlgorithmName.SHA384, pss)),
            ("RS512", "r1", Jwt.Rsa(rsa, HashAlgorithmName.SHA512, pkcs)),
        ];
        foreach (var (alg, kid, sign) in signers)
            await IsNobodysAsync(a, Jwt.Of(Jwt.Header(alg, kid), Jwt.Payload(a.Stage.Issuer.Url, Stage.Audience), sign), $"alg {alg}");

        using var client = await Clients.RsaClientAsync(a, "alg-list");
        a.Status(await client.TokenAsync("RS384", Jwt.Rsa(client.Key, HashAlgorithmName.SHA384, pkcs)), "an assertion by RS384", 200);
        foreach (var (alg, hash, padding) in new[]
        {
            ("RS1", HashAlgorithmName.SHA1, pkcs), ("PS256", HashAlgorithmName.SHA256, pss), ("RS512", HashAlgorithmName.SHA512, pkcs),
        })
            a.OAuthError(await client.TokenAsync(alg, Jwt.Rsa(client.Key, hash, padding)), $"an assertion by {alg}", "invalid_client");
        a.OAuthError(
            await client.TokenAsync("HS256", Jwt.Hmac(client.Key.ExportSubjectPublicKeyInfo())), "an assertion by HS256", "invalid_client");
    }

    [Plays("AT-004")]
    public static async Task A_key_that_the_token_brings_along(Attempt a)
    {
        using var bait = new Bait();
        foreach (var (name, value) in new (string, JsonNode)[]
        {
            ("jwk", Jwt.Jwk(Stranger)),
            ("jku", $"http://127.0.0.1:{bait.Port}/jwks"),
            ("x5u", $"http://127.0.0.1:{bait.Port}/x5u"),
        })
        {
            foreach (var kid in new[] { null, "k1", "mine" })
            {
                var header = Jwt.Header("ES256", kid);
                header[name] = value.DeepClone();
                var token = Jwt.Of(
                    header, Jwt.Payload(a.Stage.Issuer.Url, Stage.Audience), Jwt.Ecdsa(Stranger, HashAlgorithmName.SHA256));
                await IsNobodysAsync(a, token, $"a token with {name} in its header");
            }
        }
        var hits = await bait.HitsAsync();
        a.Check(hits == 0, "tokens whose headers name a URL of keys", "no connection to it", $"{hits}");
    }

    [Plays("AT-006")]
    public static async Task A_key_id_that_is_a_path_or_a_query(Attempt a)
    {
        var fast = TimeSpan.FromMilliseconds(50);
        foreach (var kid in new[] { "../../../../dev/null", "' OR 1=1--", "\0", "%00", new string('k', 8 << 10), "k1\r\nforged: line" })
        {
            // The other issuer's keys are asked for anew after an unknown kid, once in a while: that one answer may wait for it.
            var best = TimeSpan.MaxValue;
            for (var i = 0; i < 4; i++)
            {
                var token = Jwt.Of(
                    Jwt.Header("ES256", kid), Jwt.Payload(a.Stage.Issuer.Url, Stage.Audience),
                    Jwt.Ecdsa(Stranger, HashAlgorithmName.SHA256));
                var start = TimeProvider.System.GetTimestamp();
                var answer = await IsNobodysAsync(a, token, $"kid {Short(kid)}");
                var elapsed = TimeProvider.System.GetElapsedTime(start);
                if (elapsed < best) best = elapsed;
                a.Check(!answer.Text.Contains(Short(kid), StringComparison.Ordinal), $"kid {Short(kid)}", "nothing reflected", answer);
            }
            a.Check(best < fast, $"kid {Short(kid)}", "an answer in 50 ms", $"{best.TotalMilliseconds:F0} ms");
        }
        // More than a header may have: it is refused before there is a token to look at.
        var huge = Jwt.Of(
            Jwt.Header("ES256", new string('k', 1 << 20)), Jwt.Payload(a.Stage.Issuer.Url, Stage.Audience),
            Jwt.Ecdsa(Stranger, HashAlgorithmName.SHA256));
        var refused = await a.Stage.RawAsync(RawHttp.Request("GET", "/fhir/Patient", huge));
        a.Check(refused.Status is 401 or 431 or 0, "a kid of 1 MiB", "401 (or 431 from below)", refused.Shown);

        using var client = await Clients.RsaClientAsync(a, "kid-paths");
        foreach (var kid in new[] { "../../../../dev/null", "' OR 1=1--", "\0" })
        {
            using var other = RSA.Create(2048);
            var sign = Jwt.Rsa(other, HashAlgorithmName.SHA384, RSASignaturePadding.Pkcs1);
            a.OAuthError(await client.TokenAsync("RS384", sign, kid), $"an assertion with kid {Short(kid)}", "invalid_client");
        }
    }

    [Plays("AT-008")]
    public static async Task A_token_that_is_for_somebody_else(Attempt a)
    {
        await IsTakenAsync(a);
        foreach (var audience in new[] { "another-service", "", a.Stage.Url + "/fhir", "pmr-attacks-2" })
            await IsNobodysAsync(a, OfIssuer(a, p => p["aud"] = audience), $"aud '{audience}'");
        await IsNobodysAsync(a, OfIssuer(a, p => p.Remove("aud")), "no aud");
        // What says how the login went is for the app that logged in, whomever it names as its audience.
        await IsNobodysAsync(a, OfIssuer(a, p => p["at_hash"] = "x"), "an ID token by its at_hash");
        await IsNobodysAsync(a, OfIssuer(a, p => p["nonce"] = "x"), "an ID token by its nonce");
        await IsNobodysAsync(a, OfIssuer(a, _ => { }, h => h["typ"] = "dpop+jwt"), "a token of another type");

        var tokens = await Logins.TokensAsync(a, await a.Stage.NewPatientAsync());
        var id = tokens.Json.GetProperty("id_token").GetString()!;
        await IsNobodysAsync(a, id, "the gateway's own ID token");
    }

    [Plays("AT-011")]
    public static async Task A_token_that_is_over_or_has_not_begun(Attempt a)
    {
        await IsTakenAsync(a);
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        await IsNobodysAsync(a, OfIssuer(a, p => p["exp"] = now - 61), "exp 61 s ago");
        await IsNobodysAsync(a, OfIssuer(a, p => p["nbf"] = now + 61), "nbf in 61 s");
        await IsNobodysAsync(a, OfIssuer(a, p => (p["iat"], p["nbf"]) = (now + 61, null)), "iat in 61 s, without nbf");
        await IsNobodysAsync(a, OfIssuer(a, p => p.Remove("exp")), "no exp");
    }

    [Plays("AT-028")]
    public static async Task A_token_that_was_revoked(Attempt a)
    {
        var key = new ClientKey();
        await a.Stage.Registrar.ClientAsync(new
        {
            clientId = "to-be-revoked",
            jwks = key.Jwks,
            actor = a.Stage.Hospital,
            scopes = new[] { "system/*.rs" },
            purposes = Array.Empty<string>(),
        });
        var client = await a.Stage.Anyone.LoginAsync("to-be-revoked", key.Credentials, "system/*.rs");
        a.Status(await a.Stage.Chain.UntilAsync(() => client.GetAsync("Patient"), x => x.Status == 200), "a token", 200);
        a.Status(await client.RevokeAsync("to-be-revoked", key.Credentials), "its revocation", 200);
        var start = TimeProvider.System.GetTimestamp();
        a.Status(await client.GetAsync("Patient"), "the revoked token", 401);
        a.Check(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(1), "the revoked token", "401 within 1 s", "later");
        await a.Stage.RestartAsync();
        a.Status(await client.GetAsync("Patient"), "the revoked token after a restart", 401);
    }

    [Plays("AT-030")]
    public static async Task A_token_in_the_query(Attempt a)
    {
        var token = a.Stage.Ehr.Token!;
        a.Refused(await a.Stage.Anyone.GetAsync($"Patient?access_token={token}"), "a token in the query", 400, 401);
        a.Refused(await a.Stage.Ehr.GetAsync($"Patient?access_token={token}"), "a token in header and query", 400, 401);
        var patient = await a.Stage.NewPatientAsync();
        a.Refused(await a.Stage.Ehr.GetAsync($"Patient/{patient}?access_token={token}"), "a read with a token in the query", 400, 401);
        var form = Encoding.ASCII.GetBytes($"access_token={token}");
        foreach (var client in new[] { a.Stage.Anyone, a.Stage.Ehr })
        {
            var posted = await client.WriteAsync(HttpMethod.Post, "Patient/_search", form, "application/x-www-form-urlencoded");
            a.Refused(posted, "a token in a form", 400, 401);
        }
        await Task.Delay(200);
        a.Check(!a.Stage.Said.Contains(token, StringComparison.Ordinal), "a token in the query", "no token in the log", "it is there");
    }

    /// <summary>A token of the other issuer by its own key.</summary>
    private static string OfIssuer(Attempt a, Action<JsonObject> change, Action<JsonObject>? head = null)
    {
        var (header, payload) = (Jwt.Header("RS256", "r1"), Jwt.Payload(a.Stage.Issuer.Url, Stage.Audience));
        change(payload);
        head?.Invoke(header);
        foreach (var name in payload.Where(p => p.Value is null).Select(p => p.Key).ToList()) payload.Remove(name);
        return Jwt.Of(header, payload, Jwt.Rsa(TokenIssuer.RsaKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }

    // Whom nobody bound to an actor is known, and may do nothing: without this a 401 would say little.
    private static async Task IsTakenAsync(Attempt a) =>
        a.Status(await a.Stage.Anyone.As(OfIssuer(a, _ => { })).GetAsync("Patient"), "a good token of the other issuer", 403);

    private static async Task<Answer> IsNobodysAsync(Attempt a, string token, string sent)
    {
        var answer = await a.Stage.Anyone.As(token).GetAsync("Patient");
        a.Refused(answer, sent, 401);
        var challenge = answer.Headers.Headers.WwwAuthenticate.ToString();
        a.Check(
            challenge.StartsWith("Bearer", StringComparison.Ordinal)
                && challenge.Contains("error=\"invalid_token\"", StringComparison.Ordinal),
            sent, "WWW-Authenticate: Bearer error=\"invalid_token\"", challenge);
        a.Check(
            answer.Status != 401 || answer.Json.GetProperty("issue")[0].GetProperty("code").GetString() is "login" or "security",
            sent, "issue.code login or security", answer);
        // Whatever is wrong with a token, the answer is one and the same.
        var garbage = await a.Stage.Anyone.As("a.b.c").GetAsync("Patient");
        a.Check(garbage.Body.AsSpan().SequenceEqual(answer.Body), sent, "the answer to any other bad token", answer);
        return answer;
    }

    private static string Short(string kid) => kid.Length > 40 ? kid[..40] : kid;
}
