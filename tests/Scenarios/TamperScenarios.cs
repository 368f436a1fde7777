using Microsoft.Data.Sqlite;
using PmrGateway.Store;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Somebody who can write a running gateway's database and has not its keyring.</summary>
[Trait(TestStore.Trait, TestStore.Own)]
public sealed class TamperScenarios : IAsyncLifetime
{
    private readonly RunningGateway _gateway = new(new StoreOptions());

    public Task InitializeAsync()
    {
        // It is asked often, as one who guesses asks.
        _gateway.Options.Auth.RefusedLogins = 1000;
        return _gateway.InitializeAsync();
    }

    public Task DisposeAsync() => _gateway.DisposeAsync();

    [Fact]
    public async Task Changing_whose_a_record_is_opens_nothing_and_shows_and_heals_when_it_is_put_back()
    {
        var patient = await _gateway.NewPatientAsync();
        var document = await _gateway.NewDocumentAsync(patient, [1, 2, 3]);
        var path = $"DocumentReference/{document}";
        Assert.Equal(200, (await _gateway.Ehr.GetAsync(path)).Status);
        Assert.Equal(404, (await _gateway.OtherEhr.GetAsync(path)).Status);
        var author = Sql($"SELECT author FROM resources WHERE id = '{document}'");
        foreach (var table in new[] { "resources", "versions" })
        {
            var own = table == "resources" ? $"id = '{document}'" : $"rid = (SELECT rid FROM resources WHERE id = '{document}')";
            Sql($"UPDATE {table} SET author = 'client:other-ehr', custodian = '{_gateway.OtherHospital}' WHERE {own}");
            foreach (var client in new[] { _gateway.OtherEhr, _gateway.Ehr, await _gateway.LoginPatientAsync(patient, table) })
            {
                var answer = await client.GetAsync(path);
                Assert.True(answer.Status == 503, answer.Text);
                Assert.DoesNotContain(document, answer.Text);
                // Nor is it written over, or ended.
                Assert.NotInRange((await client.DeleteAsync(path)).Status, 200, 299);
            }
            var health = await _gateway.Anyone.GetAsync($"{_gateway.Options.Url}/health", "*/*");
            Assert.Equal(200, health.Status);
            Assert.Contains($"{table}: 1 not as the gateway wrote", health.Text);
            Assert.DoesNotContain(document, health.Text);
            Assert.StartsWith($"DocumentReference/{document}", Assert.Single(_gateway.Service<RecordDatabase>().BrokenRows.Now).Key);
            // Others' records are read as before.
            Assert.Equal(200, (await _gateway.Ehr.GetAsync($"Patient/{patient}")).Status);

            Sql($"UPDATE {table} SET author = '{author}', custodian = '{_gateway.Hospital}' WHERE {own}");
            Assert.Equal(200, (await _gateway.Ehr.GetAsync(path)).Status);
            Assert.Equal(404, (await _gateway.OtherEhr.GetAsync(path)).Status);
            Assert.DoesNotContain("rows", (await _gateway.Anyone.GetAsync($"{_gateway.Options.Url}/health", "*/*")).Text);
        }
    }

    [Fact]
    public async Task Changing_what_a_patient_agreed_to_opens_nothing_and_shows_and_heals_when_it_is_put_back()
    {
        var patient = await _gateway.NewPatientAsync();
        var document = $"DocumentReference/{await _gateway.NewDocumentAsync(patient, [1])}";
        var consent = await RunningGateway.GrantAsync(_gateway.Ehr, patient, _gateway.OtherHospital, "TREAT");
        Assert.Equal(200, (await _gateway.OtherEhr.GetAsync(document)).Status);
        Assert.Equal(404, (await _gateway.Insurer.GetAsync(document)).Status);
        foreach (var (change, back) in new[]
        {
            ($"terms = replace(terms, '{_gateway.OtherHospital}', '{_gateway.InsurerOrganization}')",
                $"terms = replace(terms, '{_gateway.InsurerOrganization}', '{_gateway.OtherHospital}')"),
            ("granted_block = granted_block - 1", "granted_block = granted_block + 1"),
            ("revoked = 1", "revoked = 0"),
        })
        {
            Sql($"UPDATE consents SET {change} WHERE consent_id = '{consent}'");
            foreach (var client in new[] { _gateway.Insurer, _gateway.OtherEhr })
            {
                // What was read a moment ago is known, and right; then it is read anew.
                var may = client == _gateway.OtherEhr ? 200 : 404;
                var answer = await GatewayClient.UntilAsync(() => client.GetAsync(document), a => a.Status != may);
                Assert.True(answer.Status == 503, answer.Text);
                Assert.Equal(503, (await client.GetAsync($"Patient/{patient}")).Status);
            }
            Assert.Contains("not as the gateway wrote", (await _gateway.Anyone.GetAsync($"{_gateway.Options.Url}/health", "*/*")).Text);
            Sql($"UPDATE consents SET {back} WHERE consent_id = '{consent}'");
            Assert.Equal(200, (await _gateway.OtherEhr.GetAsync(document)).Status);
            Assert.Equal(404, (await _gateway.Insurer.GetAsync(document)).Status);
        }
    }

    [Fact]
    public async Task Changing_a_client_or_a_user_lets_nobody_in_and_shows_and_heals_when_it_is_put_back()
    {
        var (key, stranger) = (new ClientKey(), new ClientKey());
        object ClientOf(string clientId, ClientKey of) =>
            new { clientId, jwks = of.Jwks, actor = _gateway.Hospital, scopes = new[] { "system/*.rs" }, purposes = new[] { "TREAT" } };
        Assert.Equal(201, (await _gateway.Operator.AdminAsync("clients", ClientOf("tampered", key))).Status);
        Assert.Equal(201, (await _gateway.Operator.AdminAsync("clients", ClientOf("strangers-own", stranger))).Status);
        Task<Answer> AskAsync(ClientKey by, string scope = "system/*.rs") =>
            _gateway.Anyone.RequestTokenAsync("tampered", by.Credentials, scope);
        Assert.Equal(200, (await AskAsync(key)).Status);
        foreach (var change in new[]
        {
            "JsonWebKeySet = (SELECT JsonWebKeySet FROM OpenIddictApplications WHERE ClientId = 'strangers-own')",
            "Properties = replace(Properties, 'system/*.rs', 'system/*.cruds')",
            "Properties = replace(Properties, 'TREAT', 'BTG')",
            "Properties = (SELECT Properties FROM OpenIddictApplications WHERE ClientId = 'strangers-own')",
            "Properties = '{'",
            "Properties = NULL",
            "ClientType = 'public'",
            "RedirectUris = '[\"https://evil.example/cb\"]'",
            "Permissions = replace(Permissions, ']', ',\"gt:authorization_code\"]')",
            "Settings = '{\"tkn_lft:act\":\"3650.00:00:00\"}'",
            "ClientSecret = 'x'",
        })
        {
            var column = change[..change.IndexOf(' ')];
            Auth($"CREATE TABLE kept AS SELECT {column} AS was FROM OpenIddictApplications WHERE ClientId = 'tampered'");
            Auth($"UPDATE OpenIddictApplications SET {change} WHERE ClientId = 'tampered'");
            foreach (var answer in new[] { await AskAsync(stranger), await AskAsync(key), await AskAsync(key, "system/*.cruds") })
            {
                Assert.True(answer.Status == 401, $"{change}: {answer.Text}");
                Assert.Contains("invalid_client", answer.Text);
            }
            Assert.Contains("OpenIddictApplications: 1 not as", await HealthAsync());
            Assert.Equal("tampered", Assert.Single(_gateway.Service<RecordDatabase>().BrokenRows.Now).Key);
            // It is not registered over, either.
            Assert.Equal(409, (await _gateway.Operator.AdminAsync("clients", ClientOf("tampered", stranger))).Status);
            Auth($"UPDATE OpenIddictApplications SET {column} = (SELECT was FROM kept) WHERE ClientId = 'tampered'");
            Auth("DROP TABLE kept");
            Assert.Equal(200, (await AskAsync(key)).Status);
        }

        var patient = await _gateway.NewPatientAsync();
        var other = await _gateway.NewPatientAsync();
        await _gateway.LoginPatientAsync(patient, "tampered");
        var name = $"tampered-{patient}";
        Auth($"UPDATE Users SET FhirUser = 'Patient/{other}' WHERE Id = '{name}'");
        Assert.False(await LogsInAsync(name));
        Assert.Contains("Users: 1 not as", await HealthAsync());
        Auth($"UPDATE Users SET FhirUser = 'Patient/{patient}' WHERE Id = '{name}'");
        Assert.True(await LogsInAsync(name));
        Auth($"INSERT INTO Users (Id, PasswordHash, FhirUser, Seal) SELECT 'made-up', PasswordHash, 'Patient/{other}', Seal FROM Users "
            + $"WHERE Id = '{name}'");
        Auth($"INSERT INTO Users (Id, PasswordHash, FhirUser) SELECT 'made-up-2', PasswordHash, 'Patient/{other}' FROM Users "
            + $"WHERE Id = '{name}'");
        Assert.False(await LogsInAsync("made-up"));
        Assert.False(await LogsInAsync("made-up-2"));
        // What is broken and then deleted is told no longer.
        Assert.Contains("Users: 2 not as", await HealthAsync());
        Assert.Equal(204, (await _gateway.Operator.AdminAsync(HttpMethod.Delete, "users/made-up")).Status);
        Assert.Contains("Users: 1 not as", await HealthAsync());
        Auth("UPDATE OpenIddictApplications SET DisplayName = 'x', Permissions = '[]' WHERE ClientId = 'tampered'");
        Assert.Equal(401, (await AskAsync(key)).Status);
        Assert.Contains("OpenIddictApplications: 1 not as", await HealthAsync());
        Assert.Equal(204, (await _gateway.Operator.AdminAsync(HttpMethod.Delete, "clients/tampered")).Status);
        Assert.DoesNotContain("OpenIddictApplications", await HealthAsync());

        // Nor are they sealed at a start, and who takes the note of the first sealing out gets no start.
        await _gateway.StopAsync();
        await _gateway.StartAsync();
        Assert.False(await LogsInAsync("made-up-2"));
        Assert.True(await LogsInAsync(name));
        await _gateway.StopAsync();
        Sql("DELETE FROM deployment WHERE name = 'clients and users sealed'");
        await RefusedAsync();
        // With all seals taken out it looks as it did before there were any; the keyring knows better.
        Auth("UPDATE Users SET Seal = NULL");
        Auth("UPDATE OpenIddictApplications SET Properties = json_remove(Properties, '$.pmr_seal')");
        await RefusedAsync();
        Sql("DELETE FROM deployment WHERE name = '0009 rows sealed'");
        foreach (var table in new[] { "resources", "versions", "consents", "actors", "bindings", "patients", "patient_consents" })
            Sql($"UPDATE {table} SET seal = NULL");
        await RefusedAsync();

        async Task RefusedAsync()
        {
            var refused = await Assert.ThrowsAsync<StoreStartException>(_gateway.StartAsync);
            Assert.Contains("was changed by others", refused.Message);
        }
    }

    private async Task<string> HealthAsync() => (await _gateway.Anyone.GetAsync($"{_gateway.Options.Url}/health", "*/*")).Text;

    private async Task<bool> LogsInAsync(string name)
    {
        var login = GatewayClient.NewLogin(RunningGateway.App, RunningGateway.Redirect, "openid patient/*.rs");
        return GatewayClient.CodeOf(await _gateway.Anyone.AuthorizeAsync(login, name, RunningGateway.Password)) is not null;
    }

    private string? Sql(string sql) => Execute("gateway.db", sql);

    private void Auth(string sql) => Execute("auth.db", sql);

    private string? Execute(string database, string sql)
    {
        var file = Path.Combine(_gateway.Options.DataFolder, database);
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        using var command = new SqliteCommand(sql, connection);
        return command.ExecuteScalar() as string;
    }
}
