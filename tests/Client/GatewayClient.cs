using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using System.Web;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace PmrGateway.Tests.Client;

/// <summary>
/// What an EHR, an insurer's system or an app does over HTTP: gets a token, then speaks FHIR. Used by the demo, the bench and the scenario
/// tests; it knows nothing of the gateway but its API.
/// </summary>
public sealed partial class GatewayClient(HttpClient http, string baseUrl)
{
    private const string FhirJson = "application/fhir+json";
    private const string AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

    /// <summary>The access token sent along; null: none.</summary>
    public string? Token { get; set; }

    public string BaseUrl => baseUrl;

    /// <summary>The same gateway with another token.</summary>
    public GatewayClient As(string? token) => new(http, baseUrl) { Token = token };

    /// <summary>Gets a token by private_key_jwt (SMART Backend Services).</summary>
    public async Task<Answer> RequestTokenAsync(
        string clientId, SigningCredentials credentials, string scope, string? purpose = null, string? audience = null)
    {
        var assertion = Assertion(clientId, credentials, audience ?? $"{baseUrl}/connect/token");
        return await RequestTokenAsync(clientId, assertion, scope, purpose);
    }

    /// <summary>Gets a token by an assertion that there is already.</summary>
    public async Task<Answer> RequestTokenAsync(string clientId, string assertion, string scope, string? purpose = null)
    {
        var form = new Dictionary<string, string>
        {
            ["grant_type"] = "client_credentials",
            ["client_id"] = clientId,
            ["client_assertion_type"] = AssertionType,
            ["client_assertion"] = assertion,
            ["scope"] = scope,
        };
        if (purpose is not null) form["purpose_of_use"] = purpose;
        return await PostFormAsync("connect/token", form);
    }

    /// <summary>Revokes the token that this client has (RFC 7009).</summary>
    public Task<Answer> RevokeAsync(string clientId, SigningCredentials credentials, string? audience = null)
    {
        var form = new Dictionary<string, string>
        {
            ["token"] = Token!,
            ["client_id"] = clientId,
            ["client_assertion_type"] = AssertionType,
            ["client_assertion"] = Assertion(clientId, credentials, audience ?? $"{baseUrl}/connect/token"),
        };
        return As(null).PostFormAsync("connect/revoke", form);
    }

    /// <summary>A client with a token, or an exception with the server's answer.</summary>
    public async Task<GatewayClient> LoginAsync(string clientId, SigningCredentials credentials, string scope, string? purpose = null)
    {
        var answer = await RequestTokenAsync(clientId, credentials, scope, purpose);
        return WithTokenOf(answer, clientId);
    }

    /// <summary>The operator, with the key in the data folder.</summary>
    public Task<GatewayClient> LoginOperatorAsync(string dataFolder)
    {
        var key = new JsonWebKey(File.ReadAllText(Path.Combine(dataFolder, "operator.jwk")));
        return LoginAsync("operator", new SigningCredentials(key, SecurityAlgorithms.EcdsaSha256), "system/*.cruds");
    }

    /// <summary>Logs a person in as a browser does: authorization code with PKCE through the login form.</summary>
    /// <param name="app">OAuth client id of the app.</param>
    /// <param name="redirectUri">Its redirect URI.</param>
    /// <param name="username">Who.</param>
    /// <param name="password">The password.</param>
    /// <param name="scope">The scopes asked for.</param>
    /// <param name="more">Further parameters of the authorization request.</param>
    public async Task<GatewayClient> LoginUserAsync(
        string app, string redirectUri, string username, string password, string scope, params (string Name, string Value)[] more)
    {
        var login = NewLogin(app, redirectUri, scope, more);
        var redirect = await AuthorizeAsync(login, username, password);
        if (CodeOf(redirect) is not { } code) throw new InvalidOperationException($"{username} could not log in: {redirect.Status}");
        return WithTokenOf(await PostFormAsync("connect/token", login.Exchange(code)), username);
    }

    /// <summary>A login to be: what the app asks for, and what it keeps to prove later that it was it.</summary>
    public static Login NewLogin(string app, string redirectUri, string scope, params (string Name, string Value)[] more)
    {
        var verifier = Base64UrlEncoder.Encode(RandomNumberGenerator.GetBytes(32));
        var parameters = new Dictionary<string, string>
        {
            ["response_type"] = "code",
            ["client_id"] = app,
            ["redirect_uri"] = redirectUri,
            ["scope"] = scope,
            ["state"] = NewId(),
            ["code_challenge"] = Base64UrlEncoder.Encode(SHA256.HashData(Encoding.ASCII.GetBytes(verifier))),
            ["code_challenge_method"] = "S256",
        };
        foreach (var (name, value) in more) parameters[name] = value;
        return new Login(parameters, verifier);
    }

    /// <summary>Asks for the login page, as a browser does.</summary>
    public Task<Answer> LoginPageAsync(Login login) => SendAsync(new HttpRequestMessage(
        HttpMethod.Get,
        $"{baseUrl}/connect/authorize?" + string.Join('&', login.Parameters.Select(p => $"{p.Key}={Uri.EscapeDataString(p.Value)}"))));

    /// <summary>Fills in the login page and sends it; the answer leads to the app.</summary>
    public async Task<Answer> AuthorizeAsync(Login login, string username, string password)
    {
        var page = await LoginPageAsync(login);
        var form = HiddenField().Matches(page.Text)
            .ToDictionary(m => WebUtility.HtmlDecode(m.Groups[1].Value), m => WebUtility.HtmlDecode(m.Groups[2].Value));
        (form["username"], form["password"]) = (username, password);
        return await PostFormAsync("connect/authorize", form);
    }

    /// <summary>The code that an answer carries to the app; null: none.</summary>
    public static string? CodeOf(Answer redirect) =>
        redirect.Headers.Headers.Location is { } location ? HttpUtility.ParseQueryString(location.Query)["code"] : null;

    public Task<Answer> GetAsync(string path, string accept = FhirJson, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, Url(path));
        request.Headers.TryAddWithoutValidation("Accept", accept);
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        return SendAsync(request);
    }

    public Task<Answer> PostAsync(string path, string json, params (string Name, string Value)[] headers) =>
        WriteAsync(HttpMethod.Post, path, Encoding.UTF8.GetBytes(json), FhirJson, headers);

    public Task<Answer> PutAsync(string path, string json, params (string Name, string Value)[] headers) =>
        WriteAsync(HttpMethod.Put, path, Encoding.UTF8.GetBytes(json), FhirJson, headers);

    public Task<Answer> PatchAsync(string path, string patch, string contentType, params (string Name, string Value)[] headers) =>
        WriteAsync(HttpMethod.Patch, path, Encoding.UTF8.GetBytes(patch), contentType, headers);

    public Task<Answer> DeleteAsync(string path) => SendAsync(new HttpRequestMessage(HttpMethod.Delete, Url(path)));

    public Task<Answer> AskAsync(HttpMethod method, string path) => SendAsync(new HttpRequestMessage(method, Url(path)));

    public Task<Answer> AdminAsync(string path, object body) =>
        SendAsync(new HttpRequestMessage(HttpMethod.Post, $"{baseUrl}/admin/{path}") { Content = JsonContent.Create(body) });

    /// <summary>Changes or ends what the operator has registered.</summary>
    public Task<Answer> AdminAsync(HttpMethod method, string path, object? body = null) => SendAsync(
        new HttpRequestMessage(method, $"{baseUrl}/admin/{path}") { Content = body is null ? null : JsonContent.Create(body) });

    /// <summary>Sends a form to a path below the gateway's root.</summary>
    public Task<Answer> PostFormAsync(string path, IEnumerable<KeyValuePair<string, string>> form) =>
        SendAsync(new HttpRequestMessage(HttpMethod.Post, $"{baseUrl}/{path}") { Content = new FormUrlEncodedContent(form) });

    public Task<Answer> WriteAsync(
        HttpMethod method, string path, byte[] body, string contentType, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(method, Url(path)) { Content = new ByteArrayContent(body) };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        foreach (var (name, value) in headers)
        {
            // Some headers are the content's own.
            if (!request.Headers.TryAddWithoutValidation(name, value)) request.Content.Headers.TryAddWithoutValidation(name, value);
        }
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

    /// <summary>A client's assertion (RFC 7523).</summary>
    /// <param name="clientId">Who.</param>
    /// <param name="credentials">Its key.</param>
    /// <param name="audience">For whom.</param>
    /// <param name="minutes">How long it is good.</param>
    /// <param name="change">What is otherwise about it.</param>
    public static string Assertion(
        string clientId, SigningCredentials credentials, string audience, int minutes = 4, Action<SecurityTokenDescriptor>? change = null)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var descriptor = new SecurityTokenDescriptor
        {
            Issuer = clientId,
            Audience = audience,
            IssuedAt = now,
            NotBefore = now,
            Expires = now.AddMinutes(minutes),
            Claims = new Dictionary<string, object> { ["sub"] = clientId, ["jti"] = NewId() },
            SigningCredentials = credentials,
        };
        change?.Invoke(descriptor);
        return new JsonWebTokenHandler().CreateToken(descriptor);
    }

    internal static string NewId() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    private GatewayClient WithTokenOf(Answer answer, string name) => answer.Status == 200
        ? As(answer.Json.GetProperty("access_token").GetString())
        : throw new InvalidOperationException($"no token for {name}: {answer.Status} {answer.Text}");

    private string Url(string path) => path.StartsWith("http", StringComparison.Ordinal) ? path
        : path.Length == 0 ? $"{baseUrl}/fhir"
        : $"{baseUrl}/fhir/{path}";

    private async Task<Answer> SendAsync(HttpRequestMessage request)
    {
        if (Token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token);
        var response = await http.SendAsync(request);
        return new Answer((int)response.StatusCode, await response.Content.ReadAsByteArrayAsync(), response);
    }

    [GeneratedRegex("<input type=\"hidden\" name=\"([^\"]*)\" value=\"([^\"]*)\">")]
    private static partial Regex HiddenField();
}

/// <summary>A login of a person through an app.</summary>
/// <param name="Parameters">The authorization request.</param>
/// <param name="Verifier">The secret behind its code challenge (RFC 7636).</param>
public sealed record Login(IReadOnlyDictionary<string, string> Parameters, string Verifier)
{
    /// <summary>The form that exchanges a code for tokens.</summary>
    public Dictionary<string, string> Exchange(string code) => new()
    {
        ["grant_type"] = "authorization_code",
        ["client_id"] = Parameters["client_id"],
        ["redirect_uri"] = Parameters["redirect_uri"],
        ["code"] = code,
        ["code_verifier"] = Verifier,
    };
}
