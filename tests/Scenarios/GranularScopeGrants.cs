using System.Text.Json;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Which scopes with search parameters are granted, and how the others are refused.</summary>
[Collection(GatewayCollection.Name)]
public class GranularScopeGrants(RunningGateway gateway)
{
    private const string Categories = "http://terminology.hl7.org/CodeSystem/observation-category";
    private const string Labs = $"patient/Observation.rs?category={Categories}|laboratory";

    [Theory]
    [InlineData("patient/Observation.rs?date=2020", "'date'")]
    [InlineData("patient/Observation.rs?_id=x", "'_id'")]
    [InlineData("patient/Observation.rs?category:not=laboratory", "'category:not'")]
    [InlineData("patient/Observation.rs?patient.identifier=x", "'patient.identifier'")]
    [InlineData("patient/Observation.rs?_has:Observation:patient:code=x", "'_has:Observation:patient:code'")]
    [InlineData("patient/Observation.rs?category", "'category'")]
    [InlineData("patient/Observation.rs?category=", "'category='")]
    [InlineData("patient/Observation.rs?category=a,", "'a,'")]
    [InlineData("patient/Observation.rs?category=|", "'|'")]
    [InlineData("patient/Observation.rs?", "''")]
    [InlineData("patient/Observation.rs?category=%zz", "'category=%zz'")]
    [InlineData("patient/Observation.rs?nothing=x", "'nothing'")]
    [InlineData("patient/Observation.read?category=laboratory", "letters of cruds")]
    [InlineData("patient/Observation.*?category=laboratory", "letters of cruds")]
    [InlineData("patient/Observation.x?category=laboratory", "no scope")]
    [InlineData("patient/*.rs?_security=N", "*")]
    [InlineData("patient/Binary.rs?_security=N", "Binary")]
    [InlineData("patient/AuditEvent.rs?type=rest", "AuditEvent")]
    [InlineData("patient/Nothing.rs?type=x", "Nothing")]
    public async Task A_scope_that_could_not_be_held_is_refused_by_name_wherever_it_is_asked_for(string scope, string named)
    {
        await GranularScopeScenarios.RegisterAppAsync(gateway);
        var system = scope.Replace("patient/", "system/", StringComparison.Ordinal);
        var key = new ClientKey();
        var client = Client(key, system);
        var registered = await gateway.Operator.AdminAsync("clients", client);
        Assert.Equal(422, registered.Status);
        Assert.Contains("invalid_scope", registered.Text);
        Assert.Contains(JsonEncodedText.Encode(system).ToString().Split('?')[0], registered.Text);
        Assert.Contains(named, registered.Json.GetProperty("issue")[0].GetProperty("diagnostics").GetString());

        Assert.Equal(201, (await gateway.Operator.AdminAsync("clients", client with { Scopes = ["system/*.cruds"] })).Status);
        Assert.Equal(422, (await gateway.Operator.AdminAsync(HttpMethod.Put, $"clients/{client.ClientId}", client)).Status);
        var token = await gateway.Anyone.RequestTokenAsync(client.ClientId, key.Credentials, "system/Patient.rs " + system);
        Assert.Equal(400, token.Status);
        Assert.Equal("invalid_scope", token.Json.GetProperty("error").GetString());
        Assert.Contains(named, token.Json.GetProperty("error_description").GetString());

        var login = GatewayClient.NewLogin(
            GranularScopeScenarios.App, RunningGateway.Redirect, "openid fhirUser patient/Patient.rs " + scope);
        var page = await gateway.Anyone.LoginPageAsync(login);
        var told = page.Headers.Headers.Location?.ToString() ?? page.Text;
        Assert.Contains("invalid_scope", told);
    }

    [Fact]
    public async Task Scopes_with_more_values_together_than_can_be_asked_are_refused_wherever_they_are_asked_for()
    {
        await GranularScopeScenarios.RegisterAppAsync(gateway);
        var values = string.Join(',', Enumerable.Range(0, 50));
        string[] parameters = ["category", "code", "status", "subject", "performer"];
        string[] scopes = [.. parameters.Select(p => $"system/Observation.r?{p}={values}")];
        var key = new ClientKey();
        var client = Client(key, "system/Observation.cruds");
        var registered = await gateway.Operator.AdminAsync("clients", client with { Scopes = scopes });
        Assert.Equal(422, registered.Status);
        Assert.Contains("250 values", registered.Text);
        Assert.Equal(201, (await gateway.Operator.AdminAsync("clients", client)).Status);
        var token = await gateway.Anyone.RequestTokenAsync(client.ClientId, key.Credentials, string.Join(' ', scopes));
        Assert.Equal(400, token.Status);
        Assert.Equal("invalid_scope", token.Json.GetProperty("error").GetString());
        Assert.Equal(200, (await gateway.Anyone.RequestTokenAsync(client.ClientId, key.Credentials, string.Join(' ', scopes[1..]))).Status);
        var login = GatewayClient.NewLogin(
            GranularScopeScenarios.App, RunningGateway.Redirect,
            "openid " + string.Join(' ', scopes).Replace("system/", "patient/", StringComparison.Ordinal));
        var page = await gateway.Anyone.LoginPageAsync(login);
        Assert.Contains("invalid_scope", page.Headers.Headers.Location?.ToString() ?? page.Text);
    }

    [Theory]
    [InlineData("system/Observation.rs", "system/Observation.rs?category=laboratory", 200)]
    [InlineData("system/*.cruds", "system/Observation.r?category=laboratory", 200)]
    [InlineData("system/Observation.rs?category=laboratory", "system/Observation.r?category=laboratory", 200)]
    [InlineData("system/Observation.rs?category=laboratory", "system/Observation.rs?category=laboratory&status=final", 200)]
    [InlineData("system/Observation.rs?category=laboratory,vital-signs", "system/Observation.rs?category=laboratory", 200)]
    [InlineData("system/Observation.rs?category=laboratory", "system/Observation.rs?category=" + Categories + "|laboratory", 200)]
    [InlineData("system/Observation.rs?category=laboratory", "system/Observation.rs", 400)]
    [InlineData("system/Observation.rs?category=laboratory", "system/Observation.rs?category=laboratory,vital-signs", 400)]
    [InlineData("system/Observation.rs?category=laboratory&status=final", "system/Observation.rs?category=laboratory", 400)]
    [InlineData("system/Observation.rs?category=" + Categories + "|laboratory", "system/Observation.rs?category=laboratory", 400)]
    [InlineData("system/Observation.r?category=laboratory", "system/Observation.rs?category=laboratory", 400)]
    [InlineData("system/Observation.rs?category=laboratory", "system/Condition.rs?category=laboratory", 400)]
    public async Task A_client_is_granted_what_it_is_registered_for_or_less_and_is_told_what(string had, string asked, int status)
    {
        var key = new ClientKey();
        var client = Client(key, had);
        Assert.Equal(201, (await gateway.Operator.AdminAsync("clients", client)).Status);
        var answer = await gateway.Anyone.RequestTokenAsync(client.ClientId, key.Credentials, asked);
        Assert.True(answer.Status == status, answer.Text);
        if (status == 200) Assert.Equal(asked, answer.Json.GetProperty("scope").GetString());
    }

    [Fact]
    public async Task The_login_page_shows_what_is_asked_for_and_the_token_says_what_was_granted()
    {
        var patient = await gateway.NewPatientAsync();
        await GranularScopeScenarios.RegisterAppAsync(gateway);
        var login = GatewayClient.NewLogin(
            GranularScopeScenarios.App, RunningGateway.Redirect, $"openid {Labs} user/Observation.cruds system/Patient.rs");
        var page = System.Net.WebUtility.HtmlDecode((await gateway.Anyone.LoginPageAsync(login)).Text);
        Assert.Contains("observation-category|laboratory", page);
        await gateway.LoginPatientAsync(patient, "granted");
        var redirect = await gateway.Anyone.AuthorizeAsync(login, $"granted-{patient}", RunningGateway.Password);
        var token = await gateway.Anyone.PostFormAsync("connect/token", login.Exchange(GatewayClient.CodeOf(redirect)!));
        var granted = token.Json.GetProperty("scope").GetString()!.Split(' ');
        Assert.Contains(Labs, granted);
        Assert.DoesNotContain("user/Observation.cruds", granted);
        Assert.DoesNotContain("system/Patient.rs", granted);
    }

    [Fact]
    public async Task The_login_page_shows_what_a_scope_says_decoded_and_no_value_as_its_own_words()
    {
        await GranularScopeScenarios.RegisterAppAsync(gateway);
        var encoded = Uri.EscapeDataString($"{Categories}|laboratory,<b>x</b> and all");
        var login = GatewayClient.NewLogin(
            GranularScopeScenarios.App, RunningGateway.Redirect, $"openid patient/Observation.rs?category={encoded}&sta%74us=final");
        var page = (await gateway.Anyone.LoginPageAsync(login)).Text;
        Assert.Contains("<li><code>openid</code></li>", page);
        Assert.Contains(
            $"<li><code>patient/Observation.rs</code> where <code>category</code> is <code>{Categories}|laboratory</code> or "
                + "<code>&lt;b&gt;x&lt;/b&gt; and all</code> and <code>status</code> is <code>final</code></li>", page);
    }

    private Registration Client(ClientKey key, string scope) =>
        new("granular-" + Guid.CreateVersion7(), key.Jwks, gateway.Hospital, [scope]);

    private sealed record Registration(string ClientId, object Jwks, string Actor, string[] Scopes);
}
