using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using PmrGateway.Gateway.Options;
using PmrGateway.Gateway.Smart;
using PmrGateway.LedgerAdapter;
using PmrGateway.Store;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

public class IssuerScenarios
{
    private static async Task BindAsync(RunningGateway gateway, string bindingKey)
    {
        var hospital = (await gateway.Service<DirectoryStore>().ActorAsync(gateway.Hospital, default))!;
        var command = ChainCommands.BindClient(hospital.Reference, Convert.FromHexString(hospital.ActorId), bindingKey);
        await gateway.Service<ILedgerJournal>().EnqueueAsync([command], default);
    }

    [Fact]
    public async Task A_client_of_a_configured_issuer_is_whom_the_chain_says_and_nobody_before_that()
    {
        await using var issuer = await TokenIssuer.StartAsync();
        var url = issuer.Url;
        var gateway = new RunningGateway();
        gateway.Options.Auth.Issuers.Add(new IssuerOptions { Authority = url, Audience = "pmr" });
        await gateway.InitializeAsync();
        try
        {
            var client = gateway.Anyone.As(Token(issuer, "pmr", "foreign-client"));
            Assert.Equal(403, (await client.GetAsync("Patient")).Status);
            await BindAsync(gateway, CallerResolver.BindingKey(url, "foreign-client"));
            Assert.Equal(200, (await GatewayClient.UntilAsync(() => client.GetAsync("Patient"), a => a.Status == 200)).Status);
            // What such a token says of its user counts for nothing.
            var patient = await gateway.NewPatientAsync();
            Assert.Equal(403, (await gateway.Anyone.As(Token(issuer, "pmr", "other-client", ("fhirUser", "Patient/" + patient)))
                .GetAsync($"Patient/{patient}")).Status);
            Assert.Equal(401, (await gateway.Anyone.As(Token(issuer, "other audience", "foreign-client")).GetAsync("Patient")).Status);
            Assert.Equal(403, (await gateway.Anyone.As(Token(issuer, "pmr", "operator")).PostAsync("Organization", "{}")).Status);
        }
        finally
        {
            await gateway.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_scope_with_search_parameters_of_another_issuer_is_held_or_grants_nothing()
    {
        await using var issuer = await TokenIssuer.StartAsync();
        var gateway = new RunningGateway();
        gateway.Options.Auth.Issuers.Add(new IssuerOptions { Authority = issuer.Url, Audience = "pmr" });
        await gateway.InitializeAsync();
        try
        {
            await BindAsync(gateway, CallerResolver.BindingKey(issuer.Url, "foreign-client"));
            GatewayClient With(string scope) => gateway.Anyone.As(Token(issuer, "pmr", "foreign-client", ("scope", scope)));
            var held = With("system/Organization.rs?type=ins");
            var found = await GatewayClient.UntilAsync(() => held.GetAsync(gateway.InsurerOrganization), a => a.Status == 200);
            Assert.Equal(200, found.Status);
            Assert.Equal(404, (await held.GetAsync(gateway.Hospital)).Status);
            foreach (var scope in new[] { "type:not=ins", "name=x", "type", "partof.type=ins" })
                Assert.Equal(403, (await With($"system/Organization.rs?{scope}").GetAsync(gateway.InsurerOrganization)).Status);
            // The rest of the token counts.
            Assert.Equal(404, (await With("system/Organization.rs?name=x system/Patient.r").GetAsync("Patient/x")).Status);
            // Of more values than can be asked none counts.
            var values = string.Join(',', Enumerable.Range(0, 48));
            var scopes = Enumerable.Range(0, 5).Select(i => $"system/Organization.r?type=ins,x{i},{values}").ToList();
            Assert.Equal(200, (await With(string.Join(' ', scopes[1..])).GetAsync(gateway.InsurerOrganization)).Status);
            var many = string.Join(' ', scopes);
            Assert.Equal(403, (await With(many).GetAsync(gateway.InsurerOrganization)).Status);
            Assert.Equal(404, (await With($"{many} system/Patient.r").GetAsync("Patient/x")).Status);
        }
        finally
        {
            await gateway.DisposeAsync();
        }
    }

    [Theory]
    [InlineData("scope")]
    [InlineData("scp")]
    public async Task Scopes_of_another_issuer_are_a_text_with_spaces_or_an_array_of_single_ones(string claim)
    {
        await using var issuer = await TokenIssuer.StartAsync();
        var gateway = new RunningGateway();
        gateway.Options.Auth.Issuers.Add(new IssuerOptions { Authority = issuer.Url, Audience = "pmr" });
        await gateway.InitializeAsync();
        try
        {
            await BindAsync(gateway, CallerResolver.BindingKey(issuer.Url, "foreign-client"));
            GatewayClient With(object scopes) => gateway.Anyone.As(issuer.Token(
                "pmr", new Dictionary<string, object> { ["sub"] = "foreign-client", ["client_id"] = "foreign-client", [claim] = scopes }));
            Task<Answer> ReadAsync(object scopes) => With(scopes).GetAsync(gateway.InsurerOrganization);
            const string Read = "system/Organization.rs";
            await GatewayClient.UntilAsync(() => ReadAsync(Read), a => a.Status == 200);
            Assert.Equal(200, (await ReadAsync($"system/Patient.r {Read}")).Status);
            Assert.Equal(200, (await ReadAsync(new[] { Read })).Status);
            Assert.Equal(200, (await ReadAsync(new[] { "system/Patient.r", $"{Read}?type=ins" })).Status);
            // One that is cut would be others.
            Assert.Equal(403, (await ReadAsync(new[] { $"system/Patient.r {Read}" })).Status);
            Assert.Equal(403, (await ReadAsync(new[] { "system/Patient.r", $"system/Organization.rs?type=x {Read}" })).Status);
            Assert.Equal(403, (await ReadAsync(new object[] { 1, "system/Patient.r" })).Status);
        }
        finally
        {
            await gateway.DisposeAsync();
        }
    }

    // A stand-in with Entra's discovery, key and token shapes (v2.0 endpoint), since no tenant can be had in a test.
    [Fact]
    public async Task Tokens_of_Entra_ID_are_taken_with_its_app_roles_and_dotted_scopes_and_no_others()
    {
        const string Tenant = "5f2c1b7e-0c55-4ad1-9f0e-3a1c6a9b7d10";
        const string Application = "9d2f7a64-1d7b-4a8e-8a0b-6f3f5a1c2e33";
        await using var entra = await StartEntraAsync(Tenant);
        var instance = entra.Urls.Single() + "/";
        var issuer = $"{instance}{Tenant}/v2.0";
        var gateway = new RunningGateway();
        gateway.Options.Auth.Entra = new EntraOptions { Instance = instance, TenantId = Tenant, ClientId = Application };
        await gateway.InitializeAsync();
        try
        {
            Task BindAsync(string subject) => IssuerScenarios.BindAsync(gateway, CallerResolver.BindingKey(issuer, subject));
            GatewayClient With(string audience, string client, string tokenIssuer, SecurityKey key,
                params (string Name, object Value)[] claims) =>
                gateway.Anyone.As(EntraToken(tokenIssuer, audience, client, Tenant, key, claims));
            (string, object) daemon = ("roles", new[] { "system.Patient.read" });

            // An application on its own (client credentials): app roles.
            Assert.Equal(403, (await With(Application, "ehr-app", issuer, EntraKey, daemon).GetAsync("Patient?_count=1")).Status);
            await BindAsync("ehr-app");
            var app = With(Application, "ehr-app", issuer, EntraKey, daemon);
            var answer = await GatewayClient.UntilAsync(() => app.GetAsync("Patient?_count=1"), a => a.Status == 200);
            Assert.True(answer.Status == 200, answer.Text);
            Assert.Equal(403, (await app.GetAsync("Observation")).Status);
            Assert.Equal(403, (await app.PostAsync("Patient", """{"resourceType":"Patient"}""")).Status);
            // An application without a role has no token for us, by the rules of Microsoft.Identity.Web.
            Assert.Equal(401, (await With(Application, "ehr-app", issuer, EntraKey).GetAsync("Patient?_count=1")).Status);
            // A person in the application (delegated): scp, and the person is another subject than the application.
            Assert.Equal(403, (await With(Application, "ehr-app", issuer, EntraKey, ("scp", "user.all.read"), ("sub", "somebody"))
                .GetAsync("Patient?_count=1")).Status);

            Assert.Equal(401, (await With("another application", "ehr-app", issuer, EntraKey, daemon).GetAsync("Patient?_count=1")).Status);
            Assert.Equal(401, (await With(Application, "ehr-app", $"{instance}another-tenant/v2.0", EntraKey, daemon)
                .GetAsync("Patient?_count=1")).Status);
            Assert.Equal(401, (await With(
                Application,
                "ehr-app",
                issuer,
                new RsaSecurityKey(RSA.Create(2048)) { KeyId = EntraKey.KeyId },
                daemon).GetAsync("Patient?_count=1")).Status);
        }
        finally
        {
            await gateway.DisposeAsync();
        }
    }

    private static readonly RsaSecurityKey EntraKey = new(RSA.Create(2048)) { KeyId = "entra-1" };

    private static string EntraToken(string issuer, string audience, string client, string tenant, SecurityKey key,
        (string Name, object Value)[] more)
    {
        var claims = new Dictionary<string, object>
        {
            ["azp"] = client,
            ["azpacr"] = "2",
            ["oid"] = client,
            ["sub"] = client,
            ["tid"] = tenant,
            ["ver"] = "2.0",
        };
        foreach (var (name, value) in more) claims[name] = value;
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer,
            Audience = audience,
            Expires = TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(60),
            Claims = claims,
            SigningCredentials = new SigningCredentials(key, SecurityAlgorithms.RsaSha256),
        });
    }

    private static async Task<WebApplication> StartEntraAsync(string tenant)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var jwk = JsonWebKeyConverter.ConvertFromRSASecurityKey(EntraKey);
        app.MapGet($"/{tenant}/v2.0/.well-known/openid-configuration", (HttpRequest r) => Results.Json(new
        {
            issuer = $"http://{r.Host}/{tenant}/v2.0",
            jwks_uri = $"http://{r.Host}/{tenant}/discovery/v2.0/keys",
            token_endpoint = $"http://{r.Host}/{tenant}/oauth2/v2.0/token",
            tenant_region_scope = "EU",
            cloud_instance_name = "microsoftonline.com",
        }));
        app.MapGet($"/{tenant}/discovery/v2.0/keys", (HttpRequest r) => Results.Json(new
        {
            keys = new[]
            {
                new { kty = "RSA", use = "sig", kid = EntraKey.KeyId, n = jwk.N, e = jwk.E, issuer = $"http://{r.Host}/{tenant}/v2.0" }
            },
        }));
        await app.StartAsync();
        return app;
    }

    private static string Token(TokenIssuer issuer, string audience, string client, params (string Name, object Value)[] more)
    {
        var claims = new Dictionary<string, object> { ["sub"] = client, ["client_id"] = client, ["scope"] = "system/*.cruds patient/*.rs" };
        foreach (var (name, value) in more) claims[name] = value;
        return issuer.Token(audience, claims);
    }
}
