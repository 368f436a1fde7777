using System.CommandLine;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using PmrGateway.Gateway.Smart;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Cli;

/// <summary><c>pmr keygen</c> and <c>pmr token</c>: what a system client needs to speak to a gateway from a shell.</summary>
internal static class TokenCommands
{
    private const string AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

    public static Command CreateKeygen()
    {
        var file = new Argument<string>("file") { Description = "Where the private key goes (JWK, mode 0600)" };
        var command = new Command("keygen", "Make a system client's key; prints the public JWK set") { file };
        command.SetAction(parsed => Keygen(parsed.GetValue(file)!));
        return command;
    }

    public static Command CreateToken()
    {
        var client = new Option<string>("--client") { Description = "OAuth client id", DefaultValueFactory = _ => "operator" };
        var key = new Option<string>("--key") { Description = "The client's private key", DefaultValueFactory = _ => OperatorKey() };
        var scope = new Option<string>("--scope") { Description = "Scopes", DefaultValueFactory = _ => "system/*.cruds" };
        var url = new Option<string>("--url") { Description = "The gateway", DefaultValueFactory = _ => DefaultUrl() };
        var command = new Command("token", "Get an access token by private_key_jwt; prints it") { client, key, scope, url };
        command.SetAction((parsed, cancellation) => TokenAsync(
            parsed.GetValue(client)!, parsed.GetValue(key)!, parsed.GetValue(scope)!, parsed.GetValue(url)!, cancellation));
        return command;
    }

    private static string OperatorKey() => Path.Combine(Environment.GetEnvironmentVariable("PMR_DataFolder") ?? "data", "operator.jwk");

    private static string DefaultUrl() => Environment.GetEnvironmentVariable("PMR_Url") ?? "http://127.0.0.1:8080";

    private static int Keygen(string file)
    {
        try
        {
            Console.WriteLine(JsonSerializer.Serialize(JwkFile.PublicSet(JwkFile.Create(file))));
            return 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return CommandError.Say(e.Message);
        }
    }

    private static async Task<int> TokenAsync(string client, string key, string scope, string url, CancellationToken cancellation)
    {
        try
        {
            using var http = new HttpClient();
            var endpoint = url.TrimEnd('/') + SmartPaths.Token;
            var credentials = new SigningCredentials(
                new JsonWebKey(await File.ReadAllTextAsync(key, cancellation)), SecurityAlgorithms.EcdsaSha256);
            using var form = new FormUrlEncodedContent(new Dictionary<string, string>
            {
                ["grant_type"] = "client_credentials",
                ["client_id"] = client,
                ["client_assertion_type"] = AssertionType,
                ["client_assertion"] = Assertion(client, credentials, endpoint),
                ["scope"] = scope,
            });
            using var response = await http.PostAsync(endpoint, form, cancellation);
            var answer = await response.Content.ReadAsStringAsync(cancellation);
            if (!response.IsSuccessStatusCode) return CommandError.Say(answer);
            using var json = JsonDocument.Parse(answer);
            Console.WriteLine(json.RootElement.GetProperty("access_token").GetString());
            return 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or HttpRequestException or ArgumentException
            or InvalidOperationException or JsonException)
        {
            return CommandError.Say(e.Message);
        }
    }

    // SMART App Launch 2.2, client-confidential-asymmetric.
    private static string Assertion(string client, SigningCredentials credentials, string endpoint)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = client,
            Audience = endpoint,
            IssuedAt = now,
            NotBefore = now,
            Expires = now.AddMinutes(4),
            Claims = new Dictionary<string, object> { ["sub"] = client, ["jti"] = ResourceId.New() },
            SigningCredentials = credentials,
        });
    }
}
