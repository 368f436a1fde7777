using Microsoft.Data.Sqlite;
using PmrGateway.Store;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

/// <summary>Somebody who can write a running gateway's database and has not its keyring.</summary>
[Trait(TestStore.Trait, TestStore.Own)]
public sealed class TamperScenarios : IAsyncLifetime
{
    private readonly RunningGateway _gateway = new(new StoreOptions());

    public Task InitializeAsync() => _gateway.InitializeAsync();

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

    private string? Sql(string sql)
    {
        var file = Path.Combine(_gateway.Options.DataFolder, "gateway.db");
        using var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        using var command = new SqliteCommand(sql, connection);
        return command.ExecuteScalar() as string;
    }
}
