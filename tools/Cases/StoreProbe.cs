using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace PmrGateway.Tools.Cases;

/// <summary>What the audit log says that somebody did.</summary>
/// <param name="Outcome">permit or deny.</param>
/// <param name="Agent">Who, <c>Type/id</c>.</param>
/// <param name="Purposes">Purpose-of-use codes.</param>
/// <param name="Id">Id of the AuditEvent.</param>
internal sealed record AuditedAct(string Outcome, string Agent, IReadOnlyList<string> Purposes, string Id);

/// <summary>A look into a gateway's store beside the gateway: the audit log, and what waits for the chain.</summary>
internal sealed class StoreProbe(string file)
{
    /// <summary>The number of the last entry of the audit log.</summary>
    public async Task<long> LastAsync() => await NumberAsync("SELECT COALESCE(MAX(seq), 0) FROM audit");

    /// <summary>How many grants and revocations were ever meant for the chain.</summary>
    public async Task<long> TransactionsAsync() =>
        await NumberAsync("SELECT COUNT(*) FROM outbox WHERE key LIKE 'grant %' OR key LIKE 'revoke %'");

    /// <summary>How many of one kind, grant or revoke, were ever meant for the chain.</summary>
    public async Task<long> TransactionsAsync(string kind) =>
        (long)(await ScalarAsync("SELECT COUNT(*) FROM outbox WHERE key LIKE $kind || ' %'", ("$kind", kind)))!;

    /// <summary>How many versions of resources there are.</summary>
    /// <param name="type">Of which type; %: of any.</param>
    public async Task<long> VersionsAsync(string type) => (long)(await ScalarAsync(
        "SELECT COUNT(*) FROM versions v JOIN resources r ON r.rid = v.rid WHERE r.type LIKE $type", ("$type", type)))!;

    /// <summary>The entries of the audit log after a number.</summary>
    public async Task<List<AuditedAct>> AfterAsync(long number)
    {
        await using var connection = await OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT outcome, agent, purposes, id FROM audit WHERE seq > $after ORDER BY seq";
        command.Parameters.AddWithValue("$after", number);
        var acts = new List<AuditedAct>();
        await using var rows = await command.ExecuteReaderAsync();
        while (await rows.ReadAsync())
        {
            var purposes = JsonSerializer.Deserialize<string[]>(rows.GetString(2))!;
            acts.Add(new AuditedAct(rows.GetString(0), rows.GetString(1), purposes, rows.GetString(3)));
        }
        return acts;
    }

    /// <summary>What a Consent last agreed to, as the gateway keeps it; null: there is none.</summary>
    public async Task<string?> TermsAsync(string consent) => await ScalarAsync(
        "SELECT terms FROM consents WHERE consent_id = $consent ORDER BY place DESC LIMIT 1", ("$consent", consent)) as string;

    /// <summary>Writes other terms over those of a Consent, as only somebody with the database can.</summary>
    public async Task SetTermsAsync(string consent, string terms) => await ScalarAsync(
        """
        UPDATE consents SET terms = $terms
        WHERE consent_id = $consent AND place = (SELECT MAX(place) FROM consents WHERE consent_id = $consent)
        """,
        ("$consent", consent), ("$terms", terms));

    /// <summary>Whether the log of audited acts takes an entry.</summary>
    public async Task SetAuditWritableAsync(bool isWritable) => await ScalarAsync(isWritable
        ? "DROP TRIGGER IF EXISTS cases_no_audit"
        : "CREATE TRIGGER cases_no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the disk of the log is full'); END");

    private async Task<long> NumberAsync(string sql) => (long)(await ScalarAsync(sql))!;

    private async Task<object?> ScalarAsync(string sql, params (string Name, string Value)[] values)
    {
        await using var connection = await OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in values) command.Parameters.AddWithValue(name, value);
        return await command.ExecuteScalarAsync();
    }

    private async Task<SqliteConnection> OpenAsync()
    {
        var connection = new SqliteConnection($"Data Source={file};Pooling=False;Mode=ReadWrite");
        await connection.OpenAsync();
        return connection;
    }
}
