using System.Buffers;
using System.Data.Common;
using System.Security.Cryptography;
using System.Text.Json;

namespace PmrGateway.Store;

/// <summary>The rows of the audit log: append only, each holding the hash of itself and the one before.</summary>
internal static class AuditTable
{
    public const string Columns =
        "a.seq, a.id, a.recorded, a.action, a.interaction, a.outcome, a.agent, a.client, a.organization, a.purposes, a.entities, "
            + "a.patients, a.commitments, a.block, a.hash, a.reason, a.address, a.token, a.request, a.query";

    /// <summary>How many <see cref="Columns"/> there are.</summary>
    public const int ColumnCount = 20;

    // How many entries wait for the index by patient: one by one each would rewrite a page somewhere in it; together they share pages.
    private const long IndexedAtOnce = 1024;

    /// <summary>Up to which entry the index goes.</summary>
    public const string Indexed = "SELECT seq FROM audit_indexed WHERE one = 1";

    /// <summary>The numbers of the entries that concern a patient: those indexed, and of the others those that name the patient.</summary>
    /// <param name="engine">The words of the database.</param>
    /// <param name="patient">The parameter that is the patient's id.</param>
    public static string Of(IStoreEngine engine, string patient) =>
        $"""
        SELECT seq FROM audit_by_patient WHERE patient_id = {patient}
        UNION ALL
        SELECT t.seq FROM audit t WHERE t.seq > ({Indexed})
          AND EXISTS (SELECT 1 FROM {engine.Words("t.patients", "w")} WHERE w.value = {patient})
        """;

    /// <summary>The first of the entries $1 to $2 that is not in the index for one of its patients; null: all are.</summary>
    public static string NotIndexed(IStoreEngine engine) =>
        $"""
        SELECT MIN(a.seq) FROM audit a CROSS JOIN {engine.Words("a.patients", "w")} WHERE a.seq >= $1 AND a.seq <= $2
          AND NOT EXISTS (SELECT 1 FROM audit_by_patient b WHERE b.patient_id = w.value AND b.seq = a.seq)
        """;

    /// <summary>How many rows the index has for entries up to $1.</summary>
    public const string IndexRows = "SELECT COUNT(*) FROM audit_by_patient WHERE seq <= $1";

    /// <summary>The first row of the index, up to entry $1, that is for none of the entry's patients. Asks all of them: slow.</summary>
    public static string WronglyIndexed(IStoreEngine engine) =>
        $"""
        SELECT MIN(b.seq) FROM audit_by_patient b WHERE b.seq <= $1 AND NOT EXISTS (
          SELECT 1 FROM audit a CROSS JOIN {engine.Words("a.patients", "w")} WHERE a.seq = b.seq AND w.value = b.patient_id)
        """;

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
              patients, commitments, block, hash, reason, address, token, request, query)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
            """,
            seq, entry.Id, entry.Recorded.ToUnixTimeMilliseconds(), entry.Action, entry.Interaction, entry.Outcome, entry.Agent,
            entry.Client, entry.Organization, Text(entry.Purposes), Text(entry.Entities), Text(entry.Patients), Text(entry.Commitments),
            entry.Block, hash, entry.Reason, entry.Address, entry.Token, entry.Request, entry.Query);
        change.State.AuditHead = (seq, hash);
        if (seq % IndexedAtOnce == 0) await IndexAsync(change, seq);
    }

    private static async ValueTask IndexAsync(Change change, long upTo)
    {
        await change.ExecuteAsync(
            $"""
            INSERT INTO audit_by_patient (patient_id, seq)
            SELECT DISTINCT w.value, a.seq FROM audit a CROSS JOIN {change.Session.Engine.Words("a.patients", "w")}
            WHERE a.seq > ({Indexed}) AND a.seq <= $1 ORDER BY w.value, a.seq
            """,
            upTo);
        await change.ExecuteAsync("UPDATE audit_indexed SET seq = $1 WHERE one = 1", upTo);
    }

    /// <summary>A row.</summary>
    public static (long Seq, AuditEntry Entry, byte[] Hash) Read(DbDataReader r) => (
        r.GetInt64(0),
        new AuditEntry(
            r.GetString(1), DateTimeOffset.FromUnixTimeMilliseconds(r.GetInt64(2)), r.GetString(3), r.GetString(4), r.GetString(5),
            r.GetString(6), r.GetString(7), r.TextOrNull(8), Words(r.GetString(9)), Words(r.GetString(10)), Words(r.GetString(11)),
            Words(r.GetString(12)), r.GetInt64(13))
        {
            Reason = r.TextOrNull(15),
            Address = r.TextOrNull(16),
            Token = r.TextOrNull(17),
            Request = r.TextOrNull(18),
            Query = r.TextOrNull(19),
        },
        r.Bytes(14));

    public static byte[] Hash(byte[] previous, long seq, AuditEntry e)
    {
        var content = new ArrayBufferWriter<byte>(1024);
        content.Write(previous);
        using (var json = new Utf8JsonWriter(content))
        {
            json.WriteStartArray();
            json.WriteNumberValue(seq);
            json.WriteStringValue(e.Id);
            json.WriteNumberValue(e.Recorded.ToUnixTimeMilliseconds());
            json.WriteStringValue(e.Action);
            json.WriteStringValue(e.Interaction);
            json.WriteStringValue(e.Outcome);
            json.WriteStringValue(e.Agent);
            json.WriteStringValue(e.Client);
            json.WriteStringValue(e.Organization);
            Write(e.Purposes);
            Write(e.Entities);
            Write(e.Patients.Distinct().Order(StringComparer.Ordinal));
            Write(e.Commitments);
            json.WriteNumberValue(e.Block);
            // Entries without these have the hash that they always had.
            if (e.Reason is not null) json.WriteStringValue(e.Reason);
            WriteTrace();
            json.WriteEndArray();

            // An object, so that none of them is another, or the reason.
            void WriteTrace()
            {
                if ((e.Address ?? e.Token ?? e.Request ?? e.Query) is null) return;
                json.WriteStartObject();
                if (e.Address is not null) json.WriteString("address", e.Address);
                if (e.Token is not null) json.WriteString("token", e.Token);
                if (e.Request is not null) json.WriteString("request", e.Request);
                if (e.Query is not null) json.WriteString("query", e.Query);
                json.WriteEndObject();
            }

            void Write(IEnumerable<string> words)
            {
                json.WriteStartArray();
                foreach (var word in words) json.WriteStringValue(word);
                json.WriteEndArray();
            }
        }
        return SHA256.HashData(content.WrittenSpan);
    }

    private static string Text(IReadOnlyList<string> words) => JsonSerializer.Serialize(words);

    private static string[] Words(string json) => JsonSerializer.Deserialize<string[]>(json)!;
}
