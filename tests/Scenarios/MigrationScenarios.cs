using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using PmrGateway.Gateway.Hosting;
using PmrGateway.Store;
using PmrGateway.Tests.Client;
using PmrGateway.Vault;

namespace PmrGateway.Tests.Scenarios;

[Trait(TestStore.Trait, TestStore.Own)]
public class MigrationScenarios
{
    private readonly List<string> _broken = [];

    [Fact]
    public async Task A_data_folder_of_the_first_version_is_opened_and_everything_that_is_claimed_of_it_holds()
    {
        using var first = new FirstFloor();
        await using var app = await GatewayHost.BuildAsync(first.Options, quiet: true, default);
        await app.StartAsync();
        var clients = await first.LoginAsync();
        var claims = first.Claims;
        var hospital = (string)claims["clients"]![0]!["actor"]!;
        var ready = await GatewayClient.UntilAsync(() => clients["ehr"].GetAsync(hospital), a => a.Status == 200);
        Assert.True(ready.Status == 200, ready.Text);
        RowsAreKept(first, claims);
        // First, as the file says: each of the reads that follow adds to it.
        var audit = claims["audit"]!;
        var told = await clients["patient"].GetAsync($"AuditEvent?patient={audit["patient"]}");
        Is("audit", $"{audit["total"]}", $"{told.Json.GetProperty("total")}");

        foreach (var resource in claims["resources"]!.AsArray()) await ResourceAsync(resource!, clients);
        foreach (var search in claims["searches"]!.AsArray())
            foreach (var (client, total) in search!["totals"]!.AsObject())
                Is($"{client} {search["query"]}", $"{total}", await TotalAsync(clients[client], (string)search["query"]!));
        foreach (var everything in claims["everything"]!.AsArray())
        {
            var path = $"{everything!["patient"]}/$everything";
            foreach (var (client, entries) in everything["entries"]!.AsObject())
                Is($"{client} {path}", $"{entries}", await EntriesAsync(clients[client], path));
        }
        foreach (var consent in claims["consents"]!.AsArray()) await ConsentAsync(consent!, clients);
        foreach (var (reference, proof) in claims["anchorProofs"]!.AsObject())
            Is($"proof of {reference}", (string)proof!, (await clients["ehr"].GetAsync(reference + "/$anchor-proof")).Text);
        await UnderwayAsync(claims["underway"]!, clients);
        Assert.Equal(FirstFloor.Since, _broken.Order(StringComparer.Ordinal));
        Assert.Null(await app.Services.GetRequiredService<AuditLog>().FirstBrokenAsync(default));
    }

    [Fact]
    public async Task A_data_folder_whose_keyring_is_missing_is_not_started_on_and_gets_no_new_one()
    {
        using var first = new FirstFloor();
        var keyring = Path.Combine(first.Options.DataFolder, "keyring.json");
        File.Delete(keyring);
        var refused = await Assert.ThrowsAsync<KeyringException>(() => GatewayHost.BuildAsync(first.Options, quiet: true, default));
        Assert.Equal($"the keyring {keyring} is missing: restore it from its backup; without it no record can be read", refused.Message);
        Assert.False(File.Exists(keyring));
    }

    [Fact]
    public async Task A_data_folder_of_the_first_version_is_not_started_on_with_a_foreign_keyring()
    {
        using var first = new FirstFloor();
        var keyring = Path.Combine(first.Options.DataFolder, "keyring.json");
        File.Delete(keyring);
        Keyring.Create(keyring);
        // Twice: the first start must not have made it the keyring of this data.
        for (var i = 0; i < 2; i++)
        {
            var refused = await Assert.ThrowsAsync<KeyringException>(() => GatewayHost.BuildAsync(first.Options, quiet: true, default));
            Assert.Equal(
                $"the keyring {keyring} is of another deployment than the database: restore the one that belongs to it", refused.Message);
        }
    }

    private void RowsAreKept(FirstFloor first, JsonNode claims)
    {
        var file = Path.Combine(first.Options.DataFolder, "gateway.db");
        using var database = new SqliteConnection($"Data Source={file};Mode=ReadOnly;Pooling=False");
        database.Open();
        // The other tables of that version are replaced; what they held shows in what is read.
        foreach (var table in new[] { "resources", "versions", "actors", "bindings", "patients", "consents", "subject_keys" })
            Is(table, $"{claims["rows"]![table]}", Value($"SELECT COUNT(*) FROM {table}"));
        var audit = claims["audit"]!;
        Is("audit head", $"{audit["headSha256"]}", Value($"SELECT lower(hex(hash)) FROM audit WHERE seq = {audit["headSeq"]}"));

        string Value(string sql)
        {
            using var command = new SqliteCommand(sql, database);
            return $"{command.ExecuteScalar()}";
        }
    }

    private async Task ResourceAsync(JsonNode resource, Dictionary<string, GatewayClient> clients)
    {
        var reference = (string)resource["reference"]!;
        var author = clients[(string)resource["author"]!];
        var accept = reference.StartsWith("Binary/", StringComparison.Ordinal) ? "*/*" : "application/fhir+json";
        foreach (var (client, status) in resource["reads"]!.AsObject())
        {
            var read = await clients[client].GetAsync(reference, accept);
            Is($"{client} {reference}", $"{status}", $"{read.Status}");
            if (read.Status == 200) Is($"{client} {reference}", $"{resource["sha256"]}", Hash(read));
        }
        var own = await author.GetAsync(reference, accept);
        Is(reference, $"{resource["status"]}", $"{own.Status}");
        if (own.Status == 200)
        {
            Is($"{reference} ETag", $"{resource["etag"]}", $"{own.Headers.Headers.ETag}");
            Is($"{reference} type", $"{resource["contentType"]}", $"{own.Headers.Content.Headers.ContentType}");
        }
        var version = 0;
        foreach (var hash in resource["versionSha256"]!.AsArray())
        {
            var read = await author.GetAsync($"{reference}/_history/{++version}", accept);
            Is($"{reference} version {version}", $"{hash}", read.Status == 200 ? Hash(read) : $"{read.Status}");
        }
    }

    private async Task ConsentAsync(JsonNode consent, Dictionary<string, GatewayClient> clients)
    {
        var status = $"\"{consent["ledgerStatus"]}\"";
        // Those that were on their way arrive first.
        var answer = await GatewayClient.UntilAsync(
            () => clients[(string)consent["reader"]!].GetAsync($"{consent["reference"]}/$ledger-status"),
            a => a.Text.Contains(status, StringComparison.Ordinal));
        if (!answer.Text.Contains(status, StringComparison.Ordinal))
            _broken.Add($"{consent["reference"]}: {status} claimed, {answer.Text} found");
    }

    private async Task UnderwayAsync(JsonNode underway, Dictionary<string, GatewayClient> clients)
    {
        var resource = (string)underway["resource"]!;
        var read = await GatewayClient.UntilAsync(() => clients["insurer"].GetAsync(resource), a => a.Status == 200);
        Is($"{resource} (underway)", $"{underway["resourceSha256"]}", Hash(read));
        var proof = await GatewayClient.UntilAsync(
            () => clients["other-ehr"].GetAsync(resource + "/$anchor-proof"), a => a.Text.Contains("\"block\"", StringComparison.Ordinal));
        if (!proof.Text.Contains("\"block\"", StringComparison.Ordinal)) _broken.Add($"{resource} is not anchored: {proof.Text}");
    }

    private static async Task<string> TotalAsync(GatewayClient client, string query)
    {
        var answer = await client.GetAsync(query);
        return answer.Status == 200 ? $"{answer.Json.GetProperty("total")}" : $"-{answer.Status}";
    }

    // Over all pages.
    private static async Task<string> EntriesAsync(GatewayClient client, string path)
    {
        var count = 0;
        for (var next = path; next is not null;)
        {
            var page = await client.GetAsync(next);
            if (page.Status != 200) return $"-{page.Status}";
            count += RunningGateway.Entries(page).Count();
            next = page.Json.GetProperty("link").EnumerateArray().Where(l => l.GetProperty("relation").ValueEquals("next"))
                .Select(l => l.GetProperty("url").GetString()).FirstOrDefault();
        }
        return $"{count}";
    }

    private static string Hash(Answer answer) => Convert.ToHexStringLower(SHA256.HashData(answer.Body));

    // All that does not hold is told at once.
    private void Is(string what, string claimed, string found)
    {
        if (claimed != found) _broken.Add($"{what}: {claimed} claimed, {found} found");
    }
}
