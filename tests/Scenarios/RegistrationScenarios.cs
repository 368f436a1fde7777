using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>What becomes of clients and users after they were registered.</summary>
[Collection(GatewayCollection.Name)]
public class RegistrationScenarios(RunningGateway gateway)
{
    private static readonly string[] Reads = ["system/*.rs"];

    [Fact]
    public async Task A_client_gets_other_keys_and_scopes_and_what_it_had_ends_at_once()
    {
        var (clientId, old, key) = ("rotated-" + Guid.CreateVersion7(), new ClientKey(), new ClientKey());
        var client = await RegisterAsync(clientId, old);
        var changed = await gateway.Operator.AdminAsync(
            HttpMethod.Put, $"clients/{clientId}", new { jwks = key.Jwks, scopes = new[] { "system/Organization.rs" } });
        Assert.True(changed.Status == 200, changed.Text);
        Assert.Equal(401, (await client.GetAsync(gateway.Hospital)).Status);
        Assert.Equal(401, (await gateway.Anyone.RequestTokenAsync(clientId, old.Credentials, "system/Organization.rs")).Status);
        Assert.Equal(400, (await gateway.Anyone.RequestTokenAsync(clientId, key.Credentials, "system/*.rs")).Status);
        // It acts for whom it acted for.
        client = await gateway.Anyone.LoginAsync(clientId, key.Credentials, "system/Organization.rs");
        Assert.Equal(200, (await client.GetAsync(gateway.Hospital)).Status);

        async Task RefusedAsync(int status, string path, object body) =>
            Assert.Equal(status, (await gateway.Operator.AdminAsync(HttpMethod.Put, path, body)).Status);
        await RefusedAsync(404, "clients/nobody", new { jwks = key.Jwks, scopes = Reads });
        await RefusedAsync(400, $"clients/{clientId}", new { clientId = "another", jwks = key.Jwks, scopes = Reads });
        await RefusedAsync(422, $"clients/{clientId}", new { redirectUris = new[] { RunningGateway.Redirect }, scopes = Reads });
        await RefusedAsync(422, $"clients/{clientId}", new { jwks = key.Jwks, actor = gateway.OtherHospital, scopes = Reads });
        Assert.Equal(200, (await client.GetAsync(gateway.Hospital)).Status);
    }

    [Fact]
    public async Task The_operator_gets_another_key_and_stays_the_operator()
    {
        var own = new RunningGateway();
        await own.InitializeAsync();
        try
        {
            var key = new ClientKey();
            var less = await own.Operator.AdminAsync(HttpMethod.Put, "clients/operator", new { jwks = key.Jwks, scopes = Reads });
            Assert.True(less.Status == 400 && less.Text.Contains("scopes", StringComparison.Ordinal), less.Text);
            Assert.Equal(200, (await own.Operator.AdminAsync(HttpMethod.Put, "clients/operator", new { jwks = key.Jwks })).Status);
            Assert.Equal(401, (await own.Operator.GetAsync(own.Hospital)).Status);
            var operators = await own.Anyone.LoginAsync("operator", key.Credentials, "system/*.cruds");
            Assert.Equal(200, (await operators.GetAsync(own.Hospital)).Status);
            Assert.Equal(204, (await operators.AdminAsync(HttpMethod.Delete, "clients/insurer")).Status);
        }
        finally
        {
            await own.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_client_that_is_deleted_is_unknown_and_its_tokens_end_and_the_chain_lets_go_of_it()
    {
        var (clientId, key) = ("deleted-" + Guid.CreateVersion7(), new ClientKey());
        var client = await RegisterAsync(clientId, key);
        Assert.Equal(204, (await gateway.Operator.AdminAsync(HttpMethod.Delete, $"clients/{clientId}")).Status);
        Assert.Equal(401, (await client.GetAsync(gateway.Hospital)).Status);
        Assert.Equal(401, (await gateway.Anyone.RequestTokenAsync(clientId, key.Credentials, "system/*.rs")).Status);
        Assert.Equal(404, (await gateway.Operator.AdminAsync(HttpMethod.Delete, $"clients/{clientId}")).Status);
        // Of the same name for another hospital: not before the chain has let go, and then it is another.
        object Another() => new { clientId, jwks = key.Jwks, actor = gateway.OtherHospital, scopes = Reads };
        var again = await GatewayClient.UntilAsync(() => gateway.Operator.AdminAsync("clients", Another()), a => a.Status != 409);
        Assert.True(again.Status == 201, again.Text);
        client = await gateway.Anyone.LoginAsync(clientId, key.Credentials, "system/*.rs");
        var bound = await GatewayClient.UntilAsync(() => client.GetAsync(gateway.OtherHospital), a => a.Status == 200);
        Assert.True(bound.Status == 200, bound.Text);
        Assert.Equal(422, (await gateway.Operator.AdminAsync(HttpMethod.Delete, "clients/operator")).Status);
    }

    [Fact]
    public async Task A_user_gets_another_password_or_is_deleted_and_is_logged_in_no_more()
    {
        const string Another = "another good password";
        var (username, app) = ("changed-" + Guid.CreateVersion7(), RunningGateway.App);
        var (doctor, client) = await gateway.RegisterDoctorAsync(username, gateway.Hospital);
        Task<Answer> PutAsync(object body) => gateway.Operator.AdminAsync(HttpMethod.Put, $"users/{username}", body);
        Assert.Equal(422, (await PutAsync(new { password = "short" })).Status);
        Assert.Equal(400, (await PutAsync(new { })).Status);
        Assert.Equal(400, (await PutAsync(new { password = Another, fhirUser = "Patient/x" })).Status);
        Assert.Equal(200, (await client.GetAsync(doctor)).Status);
        Assert.Equal(200, (await PutAsync(new { password = Another })).Status);
        Assert.Equal(401, (await client.GetAsync(doctor)).Status);
        async Task<GatewayClient> LoginAsync(string password) =>
            await gateway.Anyone.LoginUserAsync(app, RunningGateway.Redirect, username, password, "openid fhirUser user/*.rs");
        await Assert.ThrowsAsync<InvalidOperationException>(() => LoginAsync(RunningGateway.Password));
        client = await LoginAsync(Another);
        Assert.Equal(200, (await client.GetAsync(doctor)).Status);
        Assert.Equal(204, (await gateway.Operator.AdminAsync(HttpMethod.Delete, $"users/{username}")).Status);
        Assert.Equal(401, (await client.GetAsync(doctor)).Status);
        await Assert.ThrowsAsync<InvalidOperationException>(() => LoginAsync(Another));
        Assert.Equal(404, (await gateway.Operator.AdminAsync(HttpMethod.Delete, $"users/{username}")).Status);
        Assert.Equal(404, (await PutAsync(new { password = Another })).Status);
    }

    [Theory]
    [InlineData("clients/https://app.example/{0}")]
    [InlineData("clients/https%3A%2F%2Fapp.example%2F{0}")]
    public async Task A_client_whose_id_is_a_URL_is_named_by_it_in_the_path(string path)
    {
        var id = Guid.CreateVersion7().ToString();
        var client = new { clientId = "https://app.example/" + id, redirectUris = new[] { RunningGateway.Redirect } };
        Assert.Equal(201, (await gateway.Operator.AdminAsync("clients", client)).Status);
        path = string.Format(System.Globalization.CultureInfo.InvariantCulture, path, id);
        Assert.Equal(200, (await gateway.Operator.AdminAsync(HttpMethod.Put, path, client)).Status);
        Assert.Equal(204, (await gateway.Operator.AdminAsync(HttpMethod.Delete, path)).Status);
        Assert.Equal(404, (await gateway.Operator.AdminAsync(HttpMethod.Delete, path)).Status);
    }

    [Fact]
    public async Task Of_many_who_change_one_client_at_once_some_are_told_so_and_nobody_gets_an_error_of_ours()
    {
        var (clientId, key) = ("raced-" + Guid.CreateVersion7(), new ClientKey());
        await RegisterAsync(clientId, key);
        var answers = await Task.WhenAll(Enumerable.Range(0, 24).Select(i => i % 8 == 7
            ? gateway.Operator.AdminAsync(HttpMethod.Delete, $"clients/{clientId}")
            : gateway.Operator.AdminAsync(HttpMethod.Put, $"clients/{clientId}", new { jwks = key.Jwks, scopes = Reads })));
        Assert.All(answers, a => Assert.True(a.Status is 200 or 204 or 404 or 409, $"{a.Status} {a.Text}"));
        Assert.All(answers.Where(a => a.Status >= 400), a => Assert.Contains("OperationOutcome", a.Text));
        Assert.Single(answers, a => a.Status == 204);
    }

    [Theory]
    [InlineData("clients", "POST")]
    [InlineData("users", "POST")]
    [InlineData("clients/x", "PUT, DELETE")]
    [InlineData("users/x", "PUT, DELETE")]
    public async Task Another_method_is_a_405_that_says_which_there_are_and_only_the_operator_has_them(string path, string allow)
    {
        var answer = await gateway.Operator.AdminAsync(HttpMethod.Get, path);
        Assert.Equal(405, answer.Status);
        Assert.Equal(allow, string.Join(", ", answer.Headers.Content.Headers.Allow));
        Assert.Equal("OperationOutcome", answer.Json.GetProperty("resourceType").GetString());
        foreach (var method in allow.Split(", "))
        {
            Assert.Equal(401, (await gateway.Anyone.AdminAsync(HttpMethod.Parse(method), path, new { })).Status);
            Assert.Equal(403, (await gateway.Ehr.AdminAsync(HttpMethod.Parse(method), path, new { })).Status);
        }
    }

    private async Task<GatewayClient> RegisterAsync(string clientId, ClientKey key)
    {
        var registered = await gateway.Operator.AdminAsync(
            "clients", new { clientId, jwks = key.Jwks, actor = gateway.Hospital, scopes = Reads });
        Assert.True(registered.Status == 201, registered.Text);
        var client = await gateway.Anyone.LoginAsync(clientId, key.Credentials, "system/*.rs");
        var ready = await GatewayClient.UntilAsync(() => client.GetAsync(gateway.Hospital), a => a.Status == 200);
        Assert.True(ready.Status == 200, ready.Text);
        return client;
    }
}
