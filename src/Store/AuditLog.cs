using System.Data;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Dapper;

namespace PmrGateway.Store;

/// <summary>One entry of the audit log. References and codes only: no name, no content.</summary>
/// <param name="Id">Id of the AuditEvent.</param>
/// <param name="Recorded">When.</param>
/// <param name="Action">C, R, U, D or E.</param>
/// <param name="Interaction">FHIR interaction, e.g. read, search-type.</param>
/// <param name="Outcome">permit or deny.</param>
/// <param name="Agent">Who asked, <c>Type/id</c>.</param>
/// <param name="Client">The OAuth client.</param>
/// <param name="Organization">For whom, or null.</param>
/// <param name="Purposes">Purpose-of-use codes.</param>
/// <param name="Entities">What was asked for or released, <c>Type/id</c>.</param>
/// <param name="Patients">Ids of the patients concerned.</param>
/// <param name="Commitments">The consents that permitted.</param>
/// <param name="Block">Block at which the decision was taken.</param>
public sealed record AuditEntry(
    string Id, DateTimeOffset Recorded, string Action, string Interaction, string Outcome, string Agent, string Client, string? Organization,
    IReadOnlyList<string> Purposes, IReadOnlyList<string> Entities, IReadOnlyList<string> Patients, IReadOnlyList<string> Commitments, long Block);

/// <summary>
/// The audit log: append only, each entry holding the hash of itself and the one before, so that an entry taken out or changed is seen.
/// </summary>
public sealed class AuditLog(Database database)
{
    private sealed record Row(
        long Seq, string Id, long Recorded, string Action, string Interaction, string Outcome, string Agent, string Client, string? Organization,
        string Purposes, string Entities, string Commitments, long Block, byte[] Hash);

    private const string Columns =
        "seq Seq, id Id, recorded Recorded, action Action, interaction Interaction, outcome Outcome, agent Agent, client Client, organization Organization, " +
        "purposes Purposes, entities Entities, commitments Commitments, block Block, hash Hash";

    /// <summary>Appends entries on their own, durably, all or none.</summary>
    public Task AppendAsync(params IReadOnlyList<AuditEntry> entries) => database.WriteAsync(connection =>
    {
        foreach (var entry in entries) Append(connection, entry);
        return true;
    });

    /// <summary>Appends an entry in the same change as what it tells of.</summary>
    public static void Append(IDbConnection connection, AuditEntry entry)
    {
        var last = connection.QueryFirstOrDefault<(long Seq, byte[] Hash)?>("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1");
        var seq = (last?.Seq ?? 0) + 1;
        connection.Execute(
            """
            INSERT INTO audit (seq, id, recorded, action, interaction, outcome, agent, client, organization, purposes, entities, commitments, block, hash)
            VALUES (@seq, @Id, @recorded, @Action, @Interaction, @Outcome, @Agent, @Client, @Organization, @purposes, @entities, @commitments, @Block, @hash)
            """,
            new
            {
                seq,
                entry.Id,
                recorded = entry.Recorded.ToUnixTimeMilliseconds(),
                entry.Action,
                entry.Interaction,
                entry.Outcome,
                entry.Agent,
                entry.Client,
                entry.Organization,
                purposes = JsonSerializer.Serialize(entry.Purposes),
                entities = JsonSerializer.Serialize(entry.Entities),
                commitments = JsonSerializer.Serialize(entry.Commitments),
                entry.Block,
                hash = Hash(last?.Hash ?? [], seq, entry),
            });
        foreach (var patient in entry.Patients.Distinct()) connection.Execute("INSERT INTO audit_patients VALUES (@patient, @seq)", new { patient, seq });
    }

    /// <summary>The entries that concern patients, newest first, and how many there are.</summary>
    /// <param name="patient">The patient.</param>
    /// <param name="id">One entry's id, or null for all.</param>
    /// <param name="before">Cursor: entries before this number; <see cref="long.MaxValue"/> for the first page.</param>
    /// <param name="count">Entries a page.</param>
    public (IReadOnlyList<(long Seq, AuditEntry Entry)> Page, long Total) Of(string patient, string? id, long before, int count)
    {
        using var connection = database.OpenReader();
        using var transaction = Database.BeginSnapshot(connection);
        const string From = "FROM audit WHERE seq IN (SELECT p.seq FROM audit_patients p WHERE p.patient_id = @patient) AND (@id IS NULL OR id = @id)";
        var total = connection.ExecuteScalar<long>($"SELECT COUNT(*) {From}", new { patient, id }, transaction);
        var rows = connection.Query<Row>($"SELECT {Columns} {From} AND seq < @before ORDER BY seq DESC LIMIT @count", new { patient, id, before, count }, transaction).AsList();
        // Other patients of the same search are not told.
        return ([.. rows.Select(r => (r.Seq, ToEntry(r, [patient])))], total);
    }

    /// <summary>The number of the first entry whose hash does not follow from the one before; null: the log is whole.</summary>
    public long? FirstBroken()
    {
        using var connection = database.OpenReader();
        var patients = connection.Query<(long Seq, string Patient)>("SELECT seq, patient_id FROM audit_patients").ToLookup(p => p.Seq, p => p.Patient);
        byte[] previous = [];
        var expected = 1L;
        foreach (var row in connection.Query<Row>($"SELECT {Columns} FROM audit ORDER BY seq", buffered: false))
        {
            if (row.Seq != expected || !Hash(previous, row.Seq, ToEntry(row, [.. patients[row.Seq]])).AsSpan().SequenceEqual(row.Hash)) return expected;
            (previous, expected) = (row.Hash, expected + 1);
        }
        return null;
    }

    private static AuditEntry ToEntry(Row r, IReadOnlyList<string> patients) => new(
        r.Id, DateTimeOffset.FromUnixTimeMilliseconds(r.Recorded), r.Action, r.Interaction, r.Outcome, r.Agent, r.Client, r.Organization,
        Words(r.Purposes), Words(r.Entities), patients, Words(r.Commitments), r.Block);

    private static string[] Words(string json) => JsonSerializer.Deserialize<string[]>(json)!;

    private static byte[] Hash(byte[] previous, long seq, AuditEntry e)
    {
        var content = JsonSerializer.Serialize(new object?[]
        {
            seq, e.Id, e.Recorded.ToUnixTimeMilliseconds(), e.Action, e.Interaction, e.Outcome, e.Agent, e.Client, e.Organization, e.Purposes, e.Entities,
            e.Patients.Distinct().Order(StringComparer.Ordinal), e.Commitments, e.Block,
        });
        return SHA256.HashData([.. previous, .. Encoding.UTF8.GetBytes(content)]);
    }
}
