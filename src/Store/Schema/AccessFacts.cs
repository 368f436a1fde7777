using System.Data.Common;
using System.Text.Json;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// Fills what 0006 added of records that were there before: who wrote a version, from the audit log; whom a Consent names as grantee,
/// from its terms; the time that a record is about, from its index. Labels of parts and references are read when it is next written.
/// </summary>
internal static class AccessFacts
{
    private const string Done = "0007 authors, grantees, times";

    /// <summary>All of it in one transaction, once.</summary>
    public static void CarryOver(DbConnection connection) => MigrationStep.Once(connection, Done, at =>
    {
        Authors(at);
        Grantees(at);
        // Given by the patient's login, be it by an update, or filed by the hospital.
        at.Run("UPDATE consents SET giver = COALESCE((SELECT v.author FROM resources r JOIN versions v ON v.rid = r.rid "
            + "WHERE r.type = 'Consent' AND r.id = consents.consent_id "
            + "ORDER BY CASE WHEN v.author LIKE 'Patient/%' THEN 0 ELSE 1 END, v.version LIMIT 1), '')");
        at.Run("UPDATE resources SET data_from = (SELECT MIN(lo) FROM index_date x WHERE x.rid = resources.rid), "
            + "data_to = (SELECT MAX(hi) FROM index_date x WHERE x.rid = resources.rid)");
        Ties(at);
    });

    private static void Authors(MigrationStep at)
    {
        var records = at.Query("SELECT rid, type, id FROM resources").ToDictionary(
            r => $"{r[1]}/{r[2]}", r => MigrationStep.Number(r[0]), StringComparer.Ordinal);
        // The nth write of a record made its nth version.
        var writes = new Dictionary<long, List<string>>();
        (object?, object?, object?, object?) last = default;
        foreach (var row in at.Query(
            "SELECT recorded, interaction, entities, agent, client FROM audit WHERE outcome = 'permit' AND action IN ('C', 'U', 'D') "
                + "ORDER BY seq"))
        {
            // One entry a patient: a write of two patients' record is one write.
            var write = (row[0], row[1], row[2], row[4]);
            if (write.Equals(last)) continue;
            last = write;
            var (agent, client) = ((string)row[3]!, (string)row[4]!);
            var author = agent.StartsWith("Organization/", StringComparison.Ordinal) ? $"client:{client} {agent}" : agent;
            foreach (var entity in JsonSerializer.Deserialize<string[]>((string)row[2]!)!)
            {
                if (!records.TryGetValue(entity, out var rid)) continue;
                if (!writes.TryGetValue(rid, out var authors)) writes[rid] = authors = [];
                authors.Add(author);
            }
        }
        foreach (var (rid, authors) in writes)
            for (var i = 0; i < authors.Count; i++)
                at.Run("UPDATE versions SET author = $1 WHERE rid = $2 AND version = $3 AND author = ''", authors[i], rid, i + 1L);
        // A Binary that ended with its last record has no entry of its own.
        at.Run("UPDATE versions SET author = COALESCE((SELECT v.author FROM versions v WHERE v.rid = versions.rid AND v.author <> '' "
            + "AND v.version < versions.version ORDER BY v.version DESC LIMIT 1), '') WHERE author = ''");
        at.Run("UPDATE resources SET author = COALESCE((SELECT v.author FROM versions v WHERE v.rid = resources.rid "
            + "AND v.version = resources.version), '')");
    }

    // As far as the index tells: the hospital wrote what it keeps, a record refers to what it is found by, and a Binary is what links to it
    // and is tied to what that is tied to.
    private static void Ties(MigrationStep at)
    {
        const string Into = "INSERT INTO record_links (rid, kind, reference) SELECT DISTINCT";
        const string Linked = "FROM links k JOIN resources r ON r.rid = k.rid AND r.deleted = 0 "
            + "JOIN resources b ON b.type = 'Binary' AND b.id = k.binary_id AND b.custodian = r.custodian";
        at.Run($"{Into} rid, {(int)LinkKind.WrittenBy}, custodian FROM resources WHERE custodian LIKE 'Organization/%'");
        at.Run($"{Into} rid, {(int)LinkKind.RefersTo}, target_type || '/' || target FROM index_reference WHERE target_type <> ''");
        at.Run($"{Into} b.rid, {(int)LinkKind.Is}, r.type || '/' || r.id {Linked}");
        at.Run($"{Into} b.rid, l.kind, l.reference {Linked} JOIN record_links l ON l.rid = r.rid WHERE 1 = 1 ON CONFLICT DO NOTHING");
        at.Run($"UPDATE resources SET data_from = (SELECT CASE WHEN COUNT(*) = COUNT(r.data_from) THEN MIN(r.data_from) END {Linked} "
            + $"WHERE b.rid = resources.rid), data_to = (SELECT CASE WHEN COUNT(*) = COUNT(r.data_to) THEN MAX(r.data_to) END {Linked} "
            + "WHERE b.rid = resources.rid) WHERE type = 'Binary'");
    }

    private static void Grantees(MigrationStep at)
    {
        var grants = new Dictionary<long, ConsentTerms>();
        foreach (var row in at.Query(
            "SELECT r.rid, k.terms FROM consents k JOIN resources r ON r.type = 'Consent' AND r.id = k.consent_id ORDER BY k.place"))
            grants[MigrationStep.Number(row[0])] = JsonSerializer.Deserialize<ConsentTerms>((string)row[1]!)!;
        foreach (var (rid, terms) in grants.Where(g => g.Value.Permits))
            foreach (var grantee in terms.Root.Actors.Distinct())
                at.Run(
                    "INSERT INTO record_links (rid, kind, reference) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", rid,
                    (long)LinkKind.Grants, grantee);
    }
}
