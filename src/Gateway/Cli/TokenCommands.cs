using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Cli;

/// <summary><c>pmr keygen</c> and <c>pmr token</c>: what a system client needs to speak to a gateway from a shell.</summary>
internal static class TokenCommands
{
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
        var key = new Option<string>("--key") { Description = "The client's private key", DefaultValueFactory = _ => Path.Combine(Environment.GetEnvironmentVariable("PMR_DataFolder") ?? "data", "operator.jwk") };
        var scope = new Option<string>("--scope") { Description = "Scopes", DefaultValueFactory = _ => "system/*.cruds" };
        var url = new Option<string>("--url") { Description = "The gateway", DefaultValueFactory = _ => Environment.GetEnvironmentVariable("PMR_Url") ?? "http://127.0.0.1:8080" };
        var command = new Command("token", "Get an access token by private_key_jwt; prints it") { client, key, scope, url };
        command.SetAction((parsed, _) => TokenAsync(parsed.GetValue(client)!, parsed.GetValue(key)!, parsed.GetValue(scope)!, parsed.GetValue(url)!));
        return command;
    }

    private static int Keygen(string file)
    {
        try
        {
            using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var made = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(new ECDsaSecurityKey(ecdsa) { KeyId = ResourceId.New() });
            using (var stream = new FileStream(file, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
                JsonSerializer.Serialize(stream, new { kty = made.Kty, crv = made.Crv, x = made.X, y = made.Y, d = made.D, kid = made.KeyId, use = "sig", alg = "ES256" });
            Console.WriteLine(JsonSerializer.Serialize(new { keys = new[] { new { kty = made.Kty, crv = made.Crv, x = made.X, y = made.Y, kid = made.KeyId, use = "sig", alg = "ES256" } } }));
            return 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return CommandError.Say(e.Message);
        }
    }

    private static async Task<int> TokenAsync(string client, string key, string scope, string url)
    {
        try
        {
            using var http = new HttpClient();
            var credentials = new SigningCredentials(new JsonWebKey(await File.ReadAllTextAsync(key)), SecurityAlgorithms.EcdsaSha256);
            var answer = await new GatewayClient(http, url.TrimEnd('/')).RequestTokenAsync(client, credentials, scope);
            if (answer.Status != 200) return CommandError.Say(answer.Text);
            Console.WriteLine(answer.Json.GetProperty("access_token").GetString());
            return 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or HttpRequestException or ArgumentException or JsonException)
        {
            return CommandError.Say(e.Message);
        }
    }
}
