using System.Data.Common;
using System.Text.Json;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>Carries the data of version 0.1.0 over to the tables of 0002: interned, and derived where it was kept by hand.</summary>
internal static class FirstFloorData
{
    private const string Done = "0003 data of the first floor";

    /// <summary>All of it in one transaction, once.</summary>
    public static void CarryOver(DbConnection connection) => MigrationStep.Once(connection, Done, at =>
    {
        Records(at);
        Indexes(at);
        Consents(at);
        Outbox(at);
    });

    private static void Records(MigrationStep at)
    {
        var patients = at.Query("SELECT rid, patient_id FROM compartments").ToLookup(r => MigrationStep.Number(r[0]), r => (string)r[1]!);
        var labels = at.Query("SELECT rid, kind, system, code FROM labels").ToLookup(
            r => MigrationStep.Number(r[0]),
            r => LabelSet.Parse(JsonSerializer.Serialize(new[] { new[] { (string)r[1]!, (string)r[2]!, (string)r[3]! } })).Labels[0]);
        var linkers = at.Query("SELECT b.rid, k.rid FROM links k JOIN resources b ON b.type = 'Binary' AND b.id = k.binary_id")
            .ToLookup(r => MigrationStep.Number(r[0]), r => MigrationStep.Number(r[1]));
        foreach (var row in at.Query("SELECT rid, type FROM resources"))
        {
            var (rid, isBinary) = (MigrationStep.Number(row[0]), (string)row[1]! == "Binary");
            var isLinked = isBinary && linkers[rid].Any();
            // A Binary kept every label that it ever had; from here on it has those of the records that link to it now.
            var set = isLinked
                ? new LabelSet([RecordLabel.OfType("Binary"), .. linkers[rid].SelectMany(l => labels[l])])
                : new LabelSet(labels[rid]);
            var text = Interner.Join(isLinked ? linkers[rid].SelectMany(l => patients[l]) : patients[rid]);
            at.Run(
                "UPDATE resources SET label_set = $1, patients = $2, own_patients = $3 WHERE rid = $4",
                at.Intern("label_sets", set.Text), text, isBinary && !isLinked ? text : "", rid);
        }
    }

    private static void Indexes(MigrationStep at)
    {
        foreach (var (table, from) in new[]
        {
            ("index_token", "idx_token"),
            ("index_reference", "idx_reference"),
            ("index_date", "idx_date")
        })
        {
            foreach (var row in at.Query($"SELECT DISTINCT r.type, x.param FROM {from} x JOIN resources r ON r.rid = x.rid"))
                at.Intern("parameters", $"{row[0]}.{row[1]}");
            var columns = table switch
            {
                "index_token" => "x.code, COALESCE(x.system, '')",
                "index_reference" => "x.target, COALESCE(x.target_type, '')",
                _ => "x.lo, x.hi",
            };
            at.Run(
                $"""
                INSERT INTO {table} SELECT DISTINCT p.id, {columns}, x.rid
                FROM {from} x JOIN resources r ON r.rid = x.rid JOIN parameters p ON p.text = r.type || '.' || x.param
                """);
        }
    }

    private static void Consents(MigrationStep at)
    {
        var place = 0L;
        // In the order in which they were written: the table has no other.
        foreach (var row in at.Query("SELECT commitment, terms FROM consents"))
        {
            at.Run("UPDATE consents SET place = $1 WHERE commitment = $2", ++place, row[0]);
            var terms = JsonSerializer.Deserialize<ConsentTerms>((string)row[1]!)!;
            foreach (var span in ConsentSpan.Of(terms))
                at.Run(
                    "INSERT INTO consent_spans (patient_id, shape, commitment, valid_from, valid_to) VALUES ($1, $2, $3, $4, $5)",
                    terms.Patient, at.Intern("shapes", span.Shape.Text), row[0], span.From, span.To);
        }
    }

    private static void Outbox(MigrationStep at)
    {
        var roots = at.Query("SELECT custodian, sequence, root, batch FROM batches").ToDictionary(
            r => $"anchor {r[0]} {MigrationStep.Number(r[1])}", r => (Key: $"anchor {r[0]} {r[2]}", Batch: MigrationStep.Number(r[3])));
        foreach (var row in at.Query(
            "SELECT id, key, contract, action, data, status, nonce, raw, hash, block, error FROM intents ORDER BY id"))
        {
            var (id, key) = (MigrationStep.Number(row[0]), (string)row[1]!);
            if (roots.TryGetValue(key, out var batch))
            {
                key = batch.Key;
                at.Run("UPDATE batches SET entry = $1 WHERE batch = $2", id, batch.Batch);
            }
            at.Run(
                """
                INSERT INTO outbox (id, key, contract, action, data, priority, follows, status, nonce, hash, block, error)
                VALUES ($1, $2, $3, $4, $5, $6, NULL, $7, $8, $9, $10, $11)
                """,
                id, key, row[2], row[3], row[4], (long)PriorityOf((string)row[3]!, (string)row[2]!), row[5], row[6], row[8],
                row[9], row[10]);
            // The fees of what was signed then are not known; a replacement pays more than any.
            if (row[7] is byte[] raw)
                at.Run(
                    "INSERT INTO outbox_transactions (entry, nonce, hash, raw, tip, max_fee) VALUES ($1, $2, $3, $4, '0', '0')",
                    id,
                    row[6],
                    row[8],
                    raw);
        }
    }

    private static OutboxPriority PriorityOf(string action, string contract) =>
        contract.Length == 0 ? OutboxPriority.Foundation : action switch
        {
            "anchor" => OutboxPriority.Anchor,
            "grantBySig" => OutboxPriority.Grant,
            "revokeBySig" or "setStatus" => OutboxPriority.Withdrawal,
            _ => OutboxPriority.Registration,
        };

}
