using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using PmrGateway.Gateway.Cli;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Hosting;
using PmrGateway.Gateway.Security;
using PmrGateway.Store;

namespace PmrGateway.Tests.Scenarios;

public class IssuerScenarios
{
    [Fact]
    public async Task A_client_of_a_configured_issuer_is_whom_the_chain_says_and_nobody_before_that()
    {
        await using var issuer = await StartIssuerAsync();
        var url = issuer.Urls.Single();
        var gateway = new RunningGateway();
        gateway.Options.Auth.Issuers.Add(new IssuerOptions { Authority = url, Audience = "pmr" });
        await gateway.InitializeAsync();
        try
        {
            var client = gateway.Anyone.As(Token(url, "pmr", "foreign-client"));
            Assert.Equal(403, (await client.GetAsync("Patient")).Status);
            await gateway.Service<Database>().WriteAsync(connection =>
            {
                ActorWrites.Bind(connection, gateway.Hospital, CallerResolver.BindingKey(url, "foreign-client"));
                return true;
            });
            Assert.Equal(200, (await GatewayClient.UntilAsync(() => client.GetAsync("Patient"), a => a.Status == 200)).Status);
            // What such a token says of its user counts for nothing.
            var patient = await gateway.NewPatientAsync();
            Assert.Equal(403, (await gateway.Anyone.As(Token(url, "pmr", "other-client", ("fhirUser", "Patient/" + patient))).GetAsync($"Patient/{patient}")).Status);
            Assert.Equal(401, (await gateway.Anyone.As(Token(url, "other audience", "foreign-client")).GetAsync("Patient")).Status);
            Assert.Equal(403, (await gateway.Anyone.As(Token(url, "pmr", "operator")).PostAsync("Organization", "{}")).Status);
        }
        finally
        {
            await gateway.DisposeAsync();
        }
    }

    private static readonly ECDsaSecurityKey Key = new(ECDsa.Create(ECCurve.NamedCurves.nistP256)) { KeyId = "k1" };

    private static string Token(string issuer, string audience, string client, params (string Name, object Value)[] more)
    {
        var claims = new Dictionary<string, object> { ["sub"] = client, ["client_id"] = client, ["scope"] = "system/*.cruds patient/*.rs" };
        foreach (var (name, value) in more) claims[name] = value;
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer,
            Audience = audience,
            Expires = TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(5),
            Claims = claims,
            SigningCredentials = new SigningCredentials(Key, SecurityAlgorithms.EcdsaSha256),
        });
    }

    private static async Task<WebApplication> StartIssuerAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var jwk = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(Key);
        app.MapGet("/.well-known/openid-configuration", (HttpRequest r) => Results.Json(new { issuer = $"http://{r.Host}", jwks_uri = $"http://{r.Host}/jwks" }));
        app.MapGet("/jwks", () => Results.Json(new { keys = new[] { new { kty = "EC", crv = jwk.Crv, x = jwk.X, y = jwk.Y, kid = "k1", use = "sig", alg = "ES256" } } }));
        await app.StartAsync();
        return app;
    }
}
