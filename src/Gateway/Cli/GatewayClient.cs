using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Cli;

/// <summary>An answer of the gateway.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Body">The body's bytes.</param>
/// <param name="Headers">The headers.</param>
internal sealed record Answer(int Status, byte[] Body, HttpResponseMessage Headers)
{
    public string Text => Encoding.UTF8.GetString(Body);

    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    /// <summary>The logical id in Location, for a create.</summary>
    public string Id => Headers.Headers.Location!.ToString().Split('/')[^3];
}

/// <summary>A system client's key pair.</summary>
internal sealed class ClientKey
{
    private readonly ECDsaSecurityKey _key = new(ECDsa.Create(ECCurve.NamedCurves.nistP384)) { KeyId = ResourceId.New() };

    public SigningCredentials Credentials => new(_key, SecurityAlgorithms.EcdsaSha384);

    /// <summary>The public key as a JWK set.</summary>
    public object Jwks
    {
        get
        {
            var jwk = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(_key);
            return new { keys = new[] { new { kty = "EC", crv = jwk.Crv, x = jwk.X, y = jwk.Y, kid = _key.KeyId, use = "sig", alg = "ES384" } } };
        }
    }
}

/// <summary>What an EHR, an insurer's system or an app does over HTTP: gets a token, then speaks FHIR. Used by the demo, the bench and the scenario tests.</summary>
internal sealed partial class GatewayClient(HttpClient http, string baseUrl)
{
    private const string AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

    /// <summary>The access token sent along; null: none.</summary>
    public string? Token { get; set; }

    public string BaseUrl => baseUrl;

    /// <summary>The same gateway with another token.</summary>
    public GatewayClient As(string? token) => new(http, baseUrl) { Token = token };

    /// <summary>Gets a token by private_key_jwt (SMART Backend Services).</summary>
    public async Task<Answer> RequestTokenAsync(string clientId, SigningCredentials credentials, string scope, string? purpose = null, string? audience = null)
    {
        var form = new Dictionary<string, string>
        {
            ["grant_type"] = "client_credentials",
            ["client_id"] = clientId,
            ["client_assertion_type"] = AssertionType,
            ["client_assertion"] = Assertion(clientId, credentials, audience ?? $"{baseUrl}/connect/token"),
            ["scope"] = scope,
        };
        if (purpose is not null) form["purpose_of_use"] = purpose;
        return await SendAsync(new HttpRequestMessage(HttpMethod.Post, $"{baseUrl}/connect/token") { Content = new FormUrlEncodedContent(form) });
    }

    /// <summary>Revokes the token that this client has (RFC 7009).</summary>
    public Task<Answer> RevokeAsync(string clientId, SigningCredentials credentials)
    {
        var form = new Dictionary<string, string>
        {
            ["token"] = Token!,
            ["client_id"] = clientId,
            ["client_assertion_type"] = AssertionType,
            ["client_assertion"] = Assertion(clientId, credentials, $"{baseUrl}/connect/token"),
        };
        return As(null).SendAsync(new HttpRequestMessage(HttpMethod.Post, $"{baseUrl}/connect/revoke") { Content = new FormUrlEncodedContent(form) });
    }

    /// <summary>A client with a token, or an exception with the server's answer.</summary>
    public async Task<GatewayClient> LoginAsync(string clientId, SigningCredentials credentials, string scope, string? purpose = null)
    {
        var answer = await RequestTokenAsync(clientId, credentials, scope, purpose);
        return answer.Status == 200 ? As(answer.Json.GetProperty("access_token").GetString()) : throw new InvalidOperationException($"no token for {clientId}: {answer.Status} {answer.Text}");
    }

    /// <summary>The operator, with the key in the data folder.</summary>
    public Task<GatewayClient> LoginOperatorAsync(string dataFolder)
    {
        var key = new JsonWebKey(File.ReadAllText(Path.Combine(dataFolder, "operator.jwk")));
        return LoginAsync("operator", new SigningCredentials(key, SecurityAlgorithms.EcdsaSha256), "system/*.cruds");
    }

    /// <summary>Logs a person in as a browser does: authorization code with PKCE through the login form.</summary>
    public async Task<GatewayClient> LoginUserAsync(string app, string redirectUri, string username, string password, string scope)
    {
        var verifier = Base64UrlEncoder.Encode(RandomNumberGenerator.GetBytes(32));
        var parameters = new Dictionary<string, string>
        {
            ["response_type"] = "code",
            ["client_id"] = app,
            ["redirect_uri"] = redirectUri,
            ["scope"] = scope,
            ["state"] = ResourceId.New(),
            ["code_challenge"] = Base64UrlEncoder.Encode(SHA256.HashData(Encoding.ASCII.GetBytes(verifier))),
            ["code_challenge_method"] = "S256",
        };
        var url = $"{baseUrl}/connect/authorize?" + string.Join('&', parameters.Select(p => $"{p.Key}={Uri.EscapeDataString(p.Value)}"));
        var page = await SendAsync(new HttpRequestMessage(HttpMethod.Get, url));
        var form = HiddenField().Matches(page.Text).ToDictionary(m => System.Net.WebUtility.HtmlDecode(m.Groups[1].Value), m => System.Net.WebUtility.HtmlDecode(m.Groups[2].Value));
        (form["username"], form["password"]) = (username, password);
        var redirect = await SendAsync(new HttpRequestMessage(HttpMethod.Post, $"{baseUrl}/connect/authorize") { Content = new FormUrlEncodedContent(form) });
        var code = redirect.Headers.Headers.Location is { } location ? System.Web.HttpUtility.ParseQueryString(location.Query)["code"] : null;
        if (code is null) throw new InvalidOperationException($"{username} could not log in: {redirect.Status}");
        var exchange = new Dictionary<string, string> { ["grant_type"] = "authorization_code", ["client_id"] = app, ["redirect_uri"] = redirectUri, ["code"] = code, ["code_verifier"] = verifier };
        var token = await SendAsync(new HttpRequestMessage(HttpMethod.Post, $"{baseUrl}/connect/token") { Content = new FormUrlEncodedContent(exchange) });
        return token.Status == 200 ? As(token.Json.GetProperty("access_token").GetString()) : throw new InvalidOperationException($"no token for {username}: {token.Text}");
    }

    public Task<Answer> GetAsync(string path, string accept = "application/fhir+json")
    {
        var request = new HttpRequestMessage(HttpMethod.Get, Url(path));
        request.Headers.TryAddWithoutValidation("Accept", accept);
        return SendAsync(request);
    }

    public Task<Answer> PostAsync(string path, string json, params (string Name, string Value)[] headers) => WriteAsync(HttpMethod.Post, path, Encoding.UTF8.GetBytes(json), "application/fhir+json", headers);

    public Task<Answer> PutAsync(string path, string json, params (string Name, string Value)[] headers) => WriteAsync(HttpMethod.Put, path, Encoding.UTF8.GetBytes(json), "application/fhir+json", headers);

    public Task<Answer> DeleteAsync(string path) => SendAsync(new HttpRequestMessage(HttpMethod.Delete, Url(path)));

    public Task<Answer> AdminAsync(string path, object body) => SendAsync(new HttpRequestMessage(HttpMethod.Post, $"{baseUrl}/admin/{path}") { Content = JsonContent.Create(body) });

    public Task<Answer> WriteAsync(HttpMethod method, string path, byte[] body, string contentType, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, Url(path)) { Content = new ByteArrayContent(body) };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return SendAsync(request);
    }

    /// <summary>Asks until the answer is as wanted, or the time is over; gives the last answer.</summary>
    public static async Task<Answer> UntilAsync(Func<Task<Answer>> ask, Func<Answer, bool> wanted, int seconds = 30)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var answer = await ask();
            if (wanted(answer) || TimeProvider.System.GetElapsedTime(start) > TimeSpan.FromSeconds(seconds)) return answer;
            await Task.Delay(200);
        }
    }

    private static string Assertion(string clientId, SigningCredentials credentials, string audience)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = clientId,
            Audience = audience,
            IssuedAt = now,
            NotBefore = now,
            Expires = now.AddMinutes(4),
            Claims = new Dictionary<string, object> { ["sub"] = clientId, ["jti"] = ResourceId.New() },
            SigningCredentials = credentials,
        });
    }

    private string Url(string path) => path.StartsWith("http", StringComparison.Ordinal) ? path : path.Length == 0 ? $"{baseUrl}/fhir" : $"{baseUrl}/fhir/{path}";

    private async Task<Answer> SendAsync(HttpRequestMessage request)
    {
        if (Token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        var response = await http.SendAsync(request);
        return new Answer((int)response.StatusCode, await response.Content.ReadAsByteArrayAsync(), response);
    }

    [GeneratedRegex("<input type=\"hidden\" name=\"([^\"]*)\" value=\"([^\"]*)\">")]
    private static partial Regex HiddenField();
}
