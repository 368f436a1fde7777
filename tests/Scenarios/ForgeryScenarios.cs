using System.Security.Cryptography;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using PmrGateway.Gateway.Options;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Tokens of another issuer that are good in all but one thing.</summary>
public sealed class ForeignTokenScenarios : IAsyncLifetime
{
    private readonly RunningGateway _gateway = new();
    private TokenIssuer _issuer = null!;

    public async Task InitializeAsync()
    {
        _issuer = await TokenIssuer.StartAsync();
        _gateway.Options.Auth.Issuers.Add(new IssuerOptions { Authority = _issuer.Url, Audience = "pmr" });
        await _gateway.InitializeAsync();
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _issuer.DisposeAsync();
    }

    [Fact]
    public async Task A_signature_by_an_algorithm_off_the_list_is_nobodys_though_the_key_is_the_issuers()
    {
        Assert.Equal(403, (await AskAsync(SecurityAlgorithms.RsaSha256)).Status);
        foreach (var alg in new[] { SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSha512 })
            await IsRefusedAsync(AskAsync(alg));
    }

    [Fact]
    public async Task A_token_that_tells_of_a_login_is_no_access_token()
    {
        foreach (var claim in new[] { "nonce", "at_hash", "c_hash" })
            await IsRefusedAsync(AskAsync(SecurityAlgorithms.RsaSha256, d => d.Claims[claim] = "x"));
        await IsRefusedAsync(AskAsync(SecurityAlgorithms.RsaSha256, d => d.TokenType = "dpop+jwt"));
        Assert.Equal(403, (await AskAsync(SecurityAlgorithms.RsaSha256, d => d.TokenType = "at+jwt")).Status);
    }

    [Fact]
    public async Task A_token_that_will_be_issued_in_the_future_is_none()
    {
        var now = TimeProvider.System.GetUtcNow();
        void From(SecurityTokenDescriptor descriptor, TimeSpan ahead) =>
            (descriptor.IssuedAt, descriptor.NotBefore) = ((now + ahead).UtcDateTime, now.UtcDateTime);
        Assert.Equal(403, (await AskAsync(SecurityAlgorithms.RsaSha256, d => From(d, TimeSpan.FromSeconds(10)))).Status);
        await IsRefusedAsync(AskAsync(SecurityAlgorithms.RsaSha256, d => From(d, TimeSpan.FromSeconds(61))));
    }

    [Fact]
    public async Task A_header_with_crit_is_of_no_token_whatever_it_lists()
    {
        foreach (var crit in new object[] { new[] { "exp" }, new[] { "b64" }, Array.Empty<string>(), "exp" })
        {
            await IsRefusedAsync(AskAsync(
                SecurityAlgorithms.RsaSha256, d => d.AdditionalHeaderClaims = new Dictionary<string, object> { ["crit"] = crit }));
        }
    }

    [Fact]
    public async Task A_key_is_chosen_by_its_name_and_no_other_is_tried()
    {
        foreach (var kid in new[] { "r2", "k1", null })
        {
            await IsRefusedAsync(AskAsync(SecurityAlgorithms.RsaSha256, d => d.SigningCredentials = new SigningCredentials(
                new RsaSecurityKey(TokenIssuer.RsaKey) { KeyId = kid }, SecurityAlgorithms.RsaSha256)));
        }
    }

    // Whom nobody bound to an actor is known and may do nothing: 403. Who is not known is told that the token is none.
    private static async Task IsRefusedAsync(Task<Answer> asked)
    {
        var answer = await asked;
        Assert.Equal(401, answer.Status);
        Assert.Equal("Bearer error=\"invalid_token\"", answer.Headers.Headers.WwwAuthenticate.ToString());
    }

    private Task<Answer> AskAsync(string alg, Action<SecurityTokenDescriptor>? change = null)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var descriptor = new SecurityTokenDescriptor
        {
            Issuer = _issuer.Url,
            Audience = "pmr",
            IssuedAt = now,
            NotBefore = now,
            Expires = now.AddMinutes(5),
            Claims = new Dictionary<string, object> { ["sub"] = "x", ["client_id"] = "x", ["scope"] = "system/*.rs" },
            SigningCredentials = new SigningCredentials(new RsaSecurityKey(TokenIssuer.RsaKey) { KeyId = "r1" }, alg),
        };
        change?.Invoke(descriptor);
        return _gateway.Anyone.As(new JsonWebTokenHandler().CreateToken(descriptor)).GetAsync("Patient");
    }
}

/// <summary>Assertions of systems, codes and login forms that come from somebody else, or again.</summary>
[Collection(GatewayCollection.Name)]
public class ForgeryScenarios(RunningGateway gateway)
{
    private string TokenUrl => gateway.Options.Url + "/connect/token";

    [Fact]
    public async Task Who_sends_no_token_is_told_of_none_that_is_wrong()
    {
        var answer = await gateway.Anyone.GetAsync("Patient");
        Assert.Equal("Bearer", answer.Headers.Headers.WwwAuthenticate.ToString());
        answer = await gateway.Anyone.As("a.b.c").GetAsync("Patient");
        Assert.Equal("Bearer error=\"invalid_token\"", answer.Headers.Headers.WwwAuthenticate.ToString());
    }

    [Fact]
    public async Task An_assertion_gets_one_token_however_often_and_at_once_it_comes()
    {
        var key = await ClientAsync("once");
        var assertion = GatewayClient.Assertion("once", key.Credentials, TokenUrl);
        var answers = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(_ => gateway.Anyone.RequestTokenAsync("once", assertion, "system/*.rs")));
        Assert.Single(answers, a => a.Status == 200);
        Assert.All(answers.Where(a => a.Status != 200), IsInvalidClient);
        var other = GatewayClient.Assertion("once", key.Credentials, TokenUrl);
        Assert.Equal(200, (await gateway.Anyone.RequestTokenAsync("once", other, "system/*.rs")).Status);
    }

    [Theory]
    [InlineData(4, 200)]
    [InlineData(10, 401)]
    [InlineData(60, 401)]
    public async Task An_assertion_is_good_for_five_minutes_at_most(int minutes, int status)
    {
        var clientId = $"minutes-{minutes}";
        var key = await ClientAsync(clientId);
        var assertion = GatewayClient.Assertion(clientId, key.Credentials, TokenUrl, minutes);
        var answer = await gateway.Anyone.RequestTokenAsync(clientId, assertion, "system/*.rs");
        Assert.True(answer.Status == status, answer.Text);
        if (status != 200) IsInvalidClient(answer);
    }

    [Fact]
    public async Task An_assertion_by_another_algorithm_than_we_say_or_for_another_address_is_an_invalid_client()
    {
        using var rsa = RSA.Create(2048);
        var key = new RsaSecurityKey(rsa) { KeyId = "k" };
        var jwk = JsonWebKeyConverter.ConvertFromRSASecurityKey(key);
        await RegisterAsync("rsa-client", new { keys = new[] { new { kty = "RSA", n = jwk.N, e = jwk.E, kid = "k", use = "sig" } } });
        Task<Answer> AskAsync(string alg, string audience) => gateway.Anyone.RequestTokenAsync(
            "rsa-client", GatewayClient.Assertion("rsa-client", new SigningCredentials(key, alg), audience), "system/*.rs");
        Assert.Equal(200, (await AskAsync(SecurityAlgorithms.RsaSha384, TokenUrl)).Status);
        IsInvalidClient(await AskAsync(SecurityAlgorithms.RsaSsaPssSha384, TokenUrl));
        IsInvalidClient(await AskAsync(SecurityAlgorithms.RsaSha512, TokenUrl));
        IsInvalidClient(await AskAsync(SecurityAlgorithms.RsaSha384, gateway.Options.Url + "/fhir"));
    }

    [Fact]
    public async Task An_assertion_with_crit_in_its_header_is_an_invalid_client()
    {
        var key = await ClientAsync("crit");
        IsInvalidClient(await AskAsync("crit", key, d => d.AdditionalHeaderClaims = new Dictionary<string, object>
        {
            ["crit"] = new[] { "http://example.org/x" },
            ["http://example.org/x"] = true,
        }));
        Assert.Equal(200, (await AskAsync("crit", key)).Status);
    }

    [Fact]
    public async Task An_assertion_that_is_not_good_yet_is_an_invalid_client()
    {
        var key = await ClientAsync("early");
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        Assert.Equal(200, (await AskAsync("early", key, d => d.NotBefore = now.AddSeconds(10))).Status);
        Assert.Equal(200, (await AskAsync("early", key, d => d.IssuedAt = now.AddSeconds(10))).Status);
        IsInvalidClient(await AskAsync("early", key, d => d.NotBefore = now.AddSeconds(90)));
        IsInvalidClient(await AskAsync("early", key, d => d.IssuedAt = now.AddDays(365)));
    }

    [Fact]
    public async Task An_assertion_is_by_the_key_that_its_header_names_and_by_no_other()
    {
        var key = await ClientAsync("named");
        var registered = (ECDsaSecurityKey)key.Credentials.Key;
        foreach (var kid in new[] { "another", null, "" })
        {
            var renamed = new SigningCredentials(
                new ECDsaSecurityKey(registered.ECDsa) { KeyId = kid }, SecurityAlgorithms.EcdsaSha384);
            IsInvalidClient(await AskAsync("named", key, d => d.SigningCredentials = renamed));
        }
        // A key without a name is that of an assertion that names none.
        var jwk = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(registered);
        await RegisterAsync("unnamed", new { keys = new[] { new { kty = "EC", crv = jwk.Crv, x = jwk.X, y = jwk.Y, use = "sig" } } });
        Assert.Equal(200, (await AskAsync("unnamed", key, d => d.SigningCredentials = new SigningCredentials(
            new ECDsaSecurityKey(registered.ECDsa), SecurityAlgorithms.EcdsaSha384))).Status);
        IsInvalidClient(await AskAsync("unnamed", key));
    }

    [Fact]
    public async Task Whatever_is_wrong_with_a_client_is_told_in_the_same_words()
    {
        await ClientAsync("alike-other");
        var unknown = await AskAsync("alike-unknown", new ClientKey());
        IsInvalidClient(unknown);
        // A client each: after ten refusals nothing is looked at.
        var (number, clientId) = (0, "");
        foreach (var change in new Action<SecurityTokenDescriptor>[]
        {
            d => d.Claims["sub"] = "alike-other",
            d => d.Claims.Remove("sub"),
            d => d.Claims["sub"] = new[] { clientId, clientId },
            d => d.Claims["sub"] = 1,
            d => d.Issuer = "alike-other",
            d => (d.Issuer, d.Claims["sub"]) = ("alike-other", "alike-other"),
            d => d.Issuer = null,
            d => d.Audience = "https://other.example/token",
            d => d.Audience = null,
            d => (d.Audience, d.Claims["aud"]) = (null, new[] { TokenUrl, "https://other.example/token" }),
            d => d.Claims.Remove("jti"),
            d => d.Claims["jti"] = 7,
            d => d.SigningCredentials = new ClientKey().Credentials,
            d => d.TokenType = "at+jwt",
        })
        {
            var key = await ClientAsync(clientId = $"alike-{number++}");
            Same(await AskAsync(clientId, key, change));
            Assert.Equal(200, (await AskAsync(clientId, key)).Status);
        }
        foreach (var assertion in new[] { "x", "a.b.c", "e30.e30.", "....", new string('x', 9000) })
            Same(await gateway.Anyone.RequestTokenAsync(clientId, assertion, "system/*.rs"));
        Same(await gateway.Ehr.RevokeAsync(clientId, new ClientKey().Credentials));

        void Same(Answer answer)
        {
            IsInvalidClient(answer);
            Assert.Equal(unknown.Text, answer.Text);
            Assert.Equal(unknown.Headers.Headers.WwwAuthenticate.ToString(), answer.Headers.Headers.WwwAuthenticate.ToString());
            Assert.DoesNotContain("error_uri", answer.Text);
            Assert.DoesNotContain("ID2", answer.Text + answer.Headers.Headers.WwwAuthenticate);
        }
    }

    [Fact]
    public async Task A_registration_with_a_member_that_nobody_knows_is_refused()
    {
        var answer = await gateway.Operator.AdminAsync("clients", new
        {
            clientId = "by-url",
            jwks = new ClientKey().Jwks,
            jwks_uri = "http://127.0.0.1:1/jwks",
            actor = gateway.Hospital,
            scopes = new[] { "system/*.rs" },
        });
        Assert.Equal(400, answer.Status);
        Assert.Contains("jwks_uri", answer.Text);
    }

    [Fact]
    public async Task A_code_that_comes_twice_ends_the_token_that_it_was_given()
    {
        var patient = await gateway.NewPatientAsync();
        await gateway.LoginPatientAsync(patient);
        var login = GatewayClient.NewLogin(RunningGateway.App, RunningGateway.Redirect, "openid fhirUser patient/*.rs");
        var redirect = await gateway.Anyone.AuthorizeAsync(login, "p-" + patient, RunningGateway.Password);
        var exchange = login.Exchange(GatewayClient.CodeOf(redirect)!);
        var self = gateway.Anyone.As(
            (await gateway.Anyone.PostFormAsync("connect/token", exchange)).Json.GetProperty("access_token").GetString());
        Assert.Equal(200, (await self.GetAsync($"Patient/{patient}")).Status);
        var again = await gateway.Anyone.PostFormAsync("connect/token", exchange);
        Assert.Equal(400, again.Status);
        Assert.Contains("invalid_grant", again.Text);
        Assert.Equal(401, (await self.GetAsync($"Patient/{patient}")).Status);
    }

    [Fact]
    public async Task A_login_form_is_taken_of_the_browser_that_it_was_given_to_and_of_no_other()
    {
        var patient = await gateway.NewPatientAsync();
        await gateway.LoginPatientAsync(patient);
        var login = GatewayClient.NewLogin(RunningGateway.App, RunningGateway.Redirect, "openid patient/*.rs");
        Assert.NotNull(GatewayClient.CodeOf(await gateway.Anyone.AuthorizeAsync(login, "p-" + patient, RunningGateway.Password)));

        using var withoutCookies = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
        var stranger = new GatewayClient(withoutCookies, gateway.Options.Url);
        var page = await stranger.LoginPageAsync(login);
        Assert.Equal("DENY", page.Headers.Headers.GetValues("X-Frame-Options").Single());
        var cookie = page.Headers.Headers.GetValues("Set-Cookie").Single();
        Assert.Contains("samesite=strict", cookie);
        Assert.Contains("httponly", cookie);
        Assert.Equal(400, (await stranger.AuthorizeAsync(login, "p-" + patient, RunningGateway.Password)).Status);
        // A form of another site, sent by a browser that has been here: the cookie alone is not enough.
        var form = login.Parameters.Concat([new("username", "p-" + patient), new("password", RunningGateway.Password)]);
        Assert.Equal(400, (await gateway.Anyone.PostFormAsync("connect/authorize", form)).Status);
    }

    [Fact]
    public async Task A_login_that_is_for_another_server_leads_back_with_an_error()
    {
        Task<Answer> AskAsync(string audience) => gateway.Anyone.LoginPageAsync(
            GatewayClient.NewLogin(RunningGateway.App, RunningGateway.Redirect, "openid patient/*.rs", ("aud", audience)));
        Assert.Equal(200, (await AskAsync(gateway.Options.Url + "/fhir")).Status);
        var answer = await AskAsync("https://evil.example/fhir");
        Assert.StartsWith(RunningGateway.Redirect + "?error=invalid_request", answer.Headers.Headers.Location!.ToString());
    }

    private static void IsInvalidClient(Answer answer)
    {
        Assert.Equal(401, answer.Status);
        Assert.Equal("invalid_client", answer.Json.GetProperty("error").GetString());
    }

    // An assertion that is good in all but what is changed of it.
    private Task<Answer> AskAsync(string clientId, ClientKey key, Action<SecurityTokenDescriptor>? change = null)
    {
        var assertion = GatewayClient.Assertion(clientId, key.Credentials, TokenUrl, change: change);
        return gateway.Anyone.RequestTokenAsync(clientId, assertion, "system/*.rs");
    }

    private async Task<ClientKey> ClientAsync(string clientId)
    {
        var key = new ClientKey();
        await RegisterAsync(clientId, key.Jwks);
        return key;
    }

    private async Task RegisterAsync(string clientId, object jwks)
    {
        string[] scopes = ["system/*.rs"];
        var registered = await gateway.Operator.AdminAsync("clients", new { clientId, jwks, actor = gateway.Hospital, scopes });
        Assert.True(registered.Status == 201, registered.Text);
    }
}
