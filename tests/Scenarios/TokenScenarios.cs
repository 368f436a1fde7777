using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

[Collection(GatewayCollection.Name)]
public class TokenScenarios(RunningGateway gateway)
{
    private static readonly ECDsaSecurityKey Stranger = new(ECDsa.Create(ECCurve.NamedCurves.nistP384)) { KeyId = "stranger" };

    [Fact]
    public async Task Without_a_token_only_the_metadata_is_given()
    {
        Assert.Equal(200, (await gateway.Anyone.GetAsync("metadata")).Status);
        Assert.Equal(200, (await gateway.Anyone.GetAsync($"{gateway.Options.Url}/.well-known/smart-configuration", "*/*")).Status);
        foreach (var path in new[] { "Patient", "Patient/x", "Binary/x", "AuditEvent", "Patient/x/$everything" })
            Assert.Equal(401, (await gateway.Anyone.GetAsync(path)).Status);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("stranger key")]
    [InlineData("other issuer")]
    [InlineData("HS256 with a known text")]
    [InlineData("garbage")]
    public async Task A_token_of_no_issuer_of_ours_is_a_401(string kind)
    {
        var descriptor = new SecurityTokenDescriptor
        {
            Issuer = kind == "other issuer" ? "https://evil.example/" : gateway.Options.Url + "/",
            Claims = new Dictionary<string, object> { ["sub"] = "ehr", ["client_id"] = "ehr", ["scope"] = "system/*.cruds" },
            TokenType = "at+jwt",
            SigningCredentials = new SigningCredentials(Stranger, SecurityAlgorithms.EcdsaSha384),
        };
        if (kind == "HS256 with a known text")
            descriptor.SigningCredentials = new SigningCredentials(
                new SymmetricSecurityKey(Encoding.UTF8.GetBytes(new string('k', 64))), "HS256");
        var token = kind switch
        {
            "none" => Base64UrlEncoder.Encode("{\"alg\":\"none\",\"typ\":\"at+jwt\"}") + "." + Base64UrlEncoder.Encode(
                $"{{\"iss\":\"{gateway.Options.Url}/\",\"sub\":\"ehr\",\"client_id\":\"ehr\",\"exp\":4000000000}}") + ".",
            "garbage" => "a.b.c",
            _ => new JsonWebTokenHandler().CreateToken(descriptor),
        };
        var answer = await gateway.Anyone.As(token).GetAsync("Patient");
        Assert.Equal(401, answer.Status);
        Assert.Equal((await gateway.Anyone.GetAsync("Patient")).Body, answer.Body);
    }

    [Fact]
    public async Task An_assertion_by_another_key_or_for_another_audience_gets_no_token()
    {
        var stranger = await gateway.Anyone.RequestTokenAsync(
            "ehr", new SigningCredentials(Stranger, SecurityAlgorithms.EcdsaSha384), "system/*.cruds");
        Assert.InRange(stranger.Status, 400, 401);
        var key = new ClientKey();
        await gateway.Operator.AdminAsync("clients", new
        {
            clientId = "audience-test",
            jwks = key.Jwks,
            actor = gateway.Hospital,
            scopes = new[] { "system/*.rs" },
            purposes = Array.Empty<string>()
        });
        Assert.Equal(200, (await gateway.Anyone.RequestTokenAsync("audience-test", key.Credentials, "system/*.rs")).Status);
        Assert.InRange((await gateway.Anyone.RequestTokenAsync(
            "audience-test", key.Credentials, "system/*.rs", audience: "https://other.example/token")).Status, 400, 401);
        Assert.Equal(400, (await gateway.Anyone.RequestTokenAsync("audience-test", key.Credentials, "system/*.cruds")).Status);
        Assert.Equal(
            400, (await gateway.Anyone.RequestTokenAsync("audience-test", key.Credentials, "system/*.rs", purpose: "TREAT")).Status);
    }

    [Theory]
    [InlineData("system/*.cruds", 200, 200, 201)]
    [InlineData("system/*.rs", 200, 200, 403)]
    [InlineData("system/Patient.r", 200, 403, 403)]
    [InlineData("system/*.read", 200, 200, 403)]
    [InlineData("system/*.write", 403, 403, 201)]
    [InlineData("system/Observation.cruds", 403, 403, 403)]
    [InlineData("user/*.cruds", 403, 403, 403)]
    public async Task A_scope_lets_through_what_it_says(string scope, int read, int search, int create)
    {
        var key = new ClientKey();
        var clientId = "scope-" + Guid.CreateVersion7();
        await gateway.Operator.AdminAsync(
            "clients",
            new { clientId, jwks = key.Jwks, actor = gateway.Hospital, scopes = new[] { scope }, purposes = new[] { "TREAT" } });
        var client = await gateway.Anyone.LoginAsync(clientId, key.Credentials, scope);
        var patient = await gateway.NewPatientAsync();
        // Another system of the hospital wrote the record.
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.Hospital, "TREAT");
        var answer = await GatewayClient.UntilAsync(
            () => client.GetAsync($"Patient/{patient}"), a => !a.Text.Contains("not bound", StringComparison.Ordinal));
        Assert.Equal(read, answer.Status);
        Assert.Equal(search, (await client.GetAsync("Patient?_count=1")).Status);
        Assert.Equal(create, (await client.PostAsync("Patient", """{"resourceType":"Patient"}""")).Status);
    }

    [Theory]
    [InlineData("user/*.read", 200, 200, 403)]
    [InlineData("user/*.rs", 200, 200, 403)]
    [InlineData("user/Patient.r", 200, 403, 403)]
    [InlineData("user/Patient.*", 200, 200, 201)]
    [InlineData("user/Patient.write", 403, 403, 201)]
    [InlineData("user/Observation.read", 403, 403, 403)]
    [InlineData("patient/*.cruds", 403, 403, 403)]
    public async Task A_practitioners_scope_lets_through_what_it_says(string scope, int read, int search, int create)
    {
        await RegisterAppAsync();
        var patient = await gateway.NewPatientAsync();
        var username = "dr-" + Guid.CreateVersion7();
        await gateway.RegisterDoctorAsync(username, gateway.Hospital);
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.Hospital, "TREAT");
        var doctor = await gateway.Anyone.LoginUserAsync(
            AppOfAllScopes, RunningGateway.Redirect, username, RunningGateway.Password, "openid fhirUser " + scope);
        Assert.Equal(read, (await doctor.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal(search, (await doctor.GetAsync("Patient?_count=1")).Status);
        Assert.Equal(create, (await doctor.PostAsync("Patient", """{"resourceType":"Patient"}""")).Status);
    }

    [Theory]
    [InlineData("patient/*.read", 200, 200, 403)]
    [InlineData("patient/*.rs", 200, 200, 403)]
    [InlineData("patient/Patient.r", 200, 403, 403)]
    [InlineData("patient/Patient.s", 403, 200, 403)]
    [InlineData("patient/*.*", 200, 200, 201)]
    [InlineData("patient/Consent.write", 403, 403, 201)]
    [InlineData("user/Patient.read user/Consent.c", 200, 200, 201)]
    [InlineData("system/*.cruds", 403, 403, 403)]
    public async Task A_patients_scope_lets_through_what_it_says(string scope, int read, int search, int grant)
    {
        await RegisterAppAsync();
        var patient = await gateway.NewPatientAsync();
        await gateway.LoginPatientAsync(patient);
        var self = await gateway.Anyone.LoginUserAsync(
            AppOfAllScopes, RunningGateway.Redirect, "p-" + patient, RunningGateway.Password, "openid fhirUser " + scope);
        Assert.Equal(read, (await self.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal(search, (await self.GetAsync("Patient?_count=1")).Status);
        Assert.Equal(grant, (await self.PostAsync("Consent", RunningGateway.Consent(patient, gateway.InsurerOrganization))).Status);
    }

    // Registered for every scope of the tests, so that it is the gateway and not the issuer that narrows.
    private const string AppOfAllScopes = "app-of-all-scopes";

    private async Task RegisterAppAsync()
    {
        string[] scopes =
        [
            "user/*.read", "user/*.rs", "user/Patient.r", "user/Patient.*", "user/Patient.write", "user/Observation.read",
            "user/Patient.read", "user/Consent.c", "system/*.cruds", "patient/*.cruds", "patient/*.read", "patient/*.rs",
            "patient/Patient.r", "patient/Patient.s", "patient/*.*", "patient/Consent.write",
        ];
        Assert.Contains((await gateway.Operator.AdminAsync(
            "clients",
            new { clientId = AppOfAllScopes, redirectUris = new[] { RunningGateway.Redirect }, scopes })).Status, new[] { 201, 409 });
    }

    [Fact]
    public async Task A_revoked_token_is_refused_though_it_was_cached()
    {
        var key = new ClientKey();
        await gateway.Operator.AdminAsync("clients", new
        {
            clientId = "revoked",
            jwks = key.Jwks,
            actor = gateway.Hospital,
            scopes = new[] { "system/*.rs" },
            purposes = Array.Empty<string>()
        });
        var client = await gateway.Anyone.LoginAsync("revoked", key.Credentials, "system/*.rs");
        Assert.Equal(200, (await GatewayClient.UntilAsync(() => client.GetAsync("Patient"), a => a.Status == 200)).Status);
        var revoked = await client.RevokeAsync("revoked", key.Credentials);
        Assert.True(revoked.Status == 200, revoked.Text);
        Assert.Equal(401, (await client.GetAsync("Patient")).Status);
    }

    [Fact]
    public async Task A_token_is_ended_by_the_client_that_it_was_issued_to_and_by_no_other()
    {
        var (key, patient) = (new ClientKey(), await gateway.NewPatientAsync());
        await gateway.Operator.AdminAsync(
            "clients", new { clientId = "revoker", jwks = key.Jwks, actor = gateway.Hospital, scopes = new[] { "system/*.rs" } });
        var self = await gateway.LoginPatientAsync(patient, "revoke");
        foreach (var victim in new[] { gateway.Operator, gateway.Ehr, self })
        {
            var refused = await victim.RevokeAsync("revoker", key.Credentials);
            Assert.True(refused.Status == 400, refused.Text);
            Assert.Contains("not issued to this client", refused.Text);
        }
        // An app says who it is and shows nothing.
        foreach (var victim in new[] { gateway.Operator, gateway.Ehr, self })
            Assert.Equal(400, (await RevokeAsync(RunningGateway.EmergencyApp, victim)).Status);
        Assert.Equal(200, (await gateway.Ehr.GetAsync(gateway.Hospital)).Status);
        Assert.Equal(200, (await gateway.Operator.GetAsync(gateway.Hospital)).Status);
        Assert.Equal(200, (await self.GetAsync($"Patient/{patient}")).Status);
        Assert.Equal(200, (await RevokeAsync(RunningGateway.App, self)).Status);
        Assert.Equal(401, (await self.GetAsync($"Patient/{patient}")).Status);
        // What is none, or none any more, needs no ending (RFC 7009, 2.2).
        Assert.Equal(200, (await RevokeAsync(RunningGateway.App, self)).Status);
        Assert.Equal(200, (await RevokeAsync(RunningGateway.App, gateway.Anyone.As("x"))).Status);

        Task<Answer> RevokeAsync(string app, GatewayClient victim) =>
            gateway.Anyone.PostFormAsync("connect/revoke", [new("client_id", app), new("token", victim.Token!)]);
    }

    [Fact]
    public async Task An_access_token_is_for_the_FHIR_base()
    {
        var patient = await gateway.NewPatientAsync();
        foreach (var client in new[] { gateway.Ehr, await gateway.LoginPatientAsync(patient, "audience") })
            Assert.Equal([gateway.Options.Url + "/fhir"], new JsonWebToken(client.Token).Audiences);
    }

    [Theory]
    [InlineData("system/*.rs", 200)]
    [InlineData("system/*.read", 200)]
    [InlineData("system/Patient.r", 200)]
    [InlineData("system/Patient.r system/Consent.c", 200)]
    [InlineData("system/Consent.cu", 200)]
    [InlineData("system/Consent.crs", 200)]
    [InlineData("system/*.crs", 400)]
    [InlineData("system/Patient.c", 400)]
    [InlineData("system/Consent.d", 400)]
    [InlineData("user/Patient.r", 400)]
    [InlineData("system/Patient.rs?_id=x", 400)]
    [InlineData("system/Patient.r other", 400)]
    public async Task A_client_gets_what_it_is_registered_for_and_less_and_no_more(string scope, int status)
    {
        var key = new ClientKey();
        var clientId = "less-" + Guid.CreateVersion7();
        await gateway.Operator.AdminAsync(
            "clients", new { clientId, jwks = key.Jwks, scopes = new[] { "system/*.rs", "system/Consent.cu" } });
        var answer = await gateway.Anyone.RequestTokenAsync(clientId, key.Credentials, scope);
        Assert.True(answer.Status == status, answer.Text);
        if (status == 400) Assert.Equal("invalid_scope", answer.Json.GetProperty("error").GetString());
    }

    [Fact]
    public async Task The_issuer_is_one_text_in_tokens_and_discovery_which_offers_what_works()
    {
        async Task<JsonElement> AtAsync(string path) => (await gateway.Anyone.GetAsync($"{gateway.Options.Url}/{path}", "*/*")).Json;
        var openid = await AtAsync(".well-known/openid-configuration");
        var smart = await AtAsync("fhir/.well-known/smart-configuration");
        var issuer = openid.GetProperty("issuer").GetString();
        Assert.Equal(issuer, smart.GetProperty("issuer").GetString());
        Assert.Equal(issuer, new JsonWebToken(gateway.Ehr.Token).Issuer);
        foreach (var endpoint in new[] { "token", "revocation" })
        {
            var methods = openid.GetProperty(endpoint + "_endpoint_auth_methods_supported").EnumerateArray().Select(m => m.GetString());
            Assert.Contains("private_key_jwt", methods);
            Assert.DoesNotContain("client_secret_basic", methods);
            Assert.DoesNotContain("client_secret_post", methods);
        }
    }

    [Fact]
    public async Task A_wrong_password_logs_nobody_in()
    {
        var patient = await gateway.NewPatientAsync();
        await gateway.LoginPatientAsync(patient);
        await Assert.ThrowsAsync<InvalidOperationException>(() => gateway.Anyone.LoginUserAsync(
            RunningGateway.App, RunningGateway.Redirect, "p-" + patient, "wrong wrong wrong", "openid patient/*.rs"));
    }

    [Fact]
    public async Task Only_the_operator_registers_clients_and_users()
    {
        foreach (var client in new[] { gateway.Ehr, gateway.Insurer, gateway.Anyone })
            Assert.InRange(
                (await client.AdminAsync("clients", new { clientId = "x", redirectUris = new[] { "http://127.0.0.1/x" } })).Status,
                401,
                403);
        Assert.Equal(
            422, (await gateway.Operator.AdminAsync("users", new { username = "x", password = "short", fhirUser = "Patient/x" })).Status);
        Assert.Equal(403, (await gateway.Operator.PostAsync("Patient", """{"resourceType":"Patient"}""")).Status);
        Assert.Equal(404, (await gateway.Operator.GetAsync("Patient/" + await gateway.NewPatientAsync())).Status);
    }
}
