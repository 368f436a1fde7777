using System.Data.Common;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace PmrGateway.Store;

/// <summary>The rows of the audit log: append only, each holding the hash of itself and the one before.</summary>
internal static class AuditTable
{
    public const string Columns =
        "a.seq, a.id, a.recorded, a.action, a.interaction, a.outcome, a.agent, a.client, a.organization, a.purposes, a.entities, "
            + "a.commitments, a.block, a.hash";

    public static async ValueTask AppendAsync(Change change, AuditEntry entry)
    {
        // Read once a group: nobody else appends while this transaction has the database.
        var head = change.State.AuditHead ?? await change.FirstAsync(
            "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1", static r => ((long Seq, byte[] Hash)?)(r.GetInt64(0), r.Bytes(1)))
                ?? (0, []);
        var seq = head.Seq + 1;
        var hash = Hash(head.Hash, seq, entry);
        await change.ExecuteAsync(
            """
            INSERT INTO audit (seq, id, recorded, action, interaction, outcome, agent, client, organization, purposes, entities,
              commitments, block, hash)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            """,
            seq, entry.Id, entry.Recorded.ToUnixTimeMilliseconds(), entry.Action, entry.Interaction, entry.Outcome, entry.Agent,
            entry.Client, entry.Organization, Text(entry.Purposes), Text(entry.Entities), Text(entry.Commitments), entry.Block, hash);
        foreach (var patient in entry.Patients.Distinct())
            await change.ExecuteAsync("INSERT INTO audit_patients (patient_id, seq) VALUES ($1, $2)", patient, seq);
        change.State.AuditHead = (seq, hash);
    }

    /// <summary>A row; its patients are in a table of their own.</summary>
    public static (long Seq, AuditEntry Entry, byte[] Hash) Read(DbDataReader r) => (
        r.GetInt64(0),
        new AuditEntry(
            r.GetString(1), DateTimeOffset.FromUnixTimeMilliseconds(r.GetInt64(2)), r.GetString(3), r.GetString(4), r.GetString(5),
            r.GetString(6), r.GetString(7), r.TextOrNull(8), Words(r.GetString(9)), Words(r.GetString(10)), [],
            Words(r.GetString(11)), r.GetInt64(12)),
        r.Bytes(13));

    public static byte[] Hash(byte[] previous, long seq, AuditEntry e)
    {
        var content = JsonSerializer.Serialize(new object?[]
        {
            seq, e.Id, e.Recorded.ToUnixTimeMilliseconds(), e.Action, e.Interaction, e.Outcome, e.Agent, e.Client, e.Organization,
            e.Purposes, e.Entities,
            e.Patients.Distinct().Order(StringComparer.Ordinal), e.Commitments, e.Block,
        });
        return SHA256.HashData([.. previous, .. Encoding.UTF8.GetBytes(content)]);
    }

    private static string Text(IReadOnlyList<string> words) => JsonSerializer.Serialize(words);

    private static string[] Words(string json) => JsonSerializer.Deserialize<string[]>(json)!;
}
