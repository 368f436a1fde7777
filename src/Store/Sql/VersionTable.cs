using PmrGateway.Fhir;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>Versions of records, their search values and links, and the facts that are derived from these.</summary>
internal sealed class VersionTable(Interners interners)
{
    /// <summary>Writes versions, then derives what the Binaries that they touch belong to.</summary>
    public async ValueTask WriteAsync(Change change, IReadOnlyList<VersionWrite> writes)
    {
        var binaries = new Dictionary<string, StoredVersion?>(StringComparer.Ordinal);
        foreach (var write in writes)
        {
            var rid = await WriteAsync(change, write);
            // A Binary that nothing links to and that was just made has the facts it came with.
            if (write.Version.Facts.Type != "Binary") await LinkAsync(change, rid, write, binaries);
        }
        foreach (var (id, unlinker) in binaries) await DeriveAsync(change, id, unlinker);
    }

    private async ValueTask<long> WriteAsync(Change change, VersionWrite write)
    {
        var (version, facts) = (write.Version, write.Version.Facts);
        var updated = version.LastUpdated.ToUnixTimeMilliseconds();
        var isBinary = facts.Type == "Binary";
        var patients = Interner.Join(facts.Patients);
        // A deleted resource keeps its patients and labels: its history is still decided by them. A Binary's follow from its linkers.
        var keepsFacts = version.IsDeleted || (isBinary && version.Version > 1);
        var labels = keepsFacts ? 0 : await interners.LabelSets.InternAsync(change, new LabelSet(facts.Labels).Text);
        var rid = version.Version == 1
            ? await change.NumberAsync(
                """
                INSERT INTO resources (type, id, version, deleted, custodian, last_updated, label_set, patients, own_patients)
                VALUES ($1, $2, 1, 0, $3, $4, $5, $6, $7) ON CONFLICT (type, id) DO NOTHING RETURNING rid
                """,
                facts.Type, facts.Id, facts.Custodian, updated, labels, patients, isBinary ? patients : "")
            : keepsFacts
            ? await change.NumberAsync(
                "UPDATE resources SET version = $1, deleted = $2, last_updated = $3 WHERE type = $4 AND id = $5 AND version = $6 "
                    + "RETURNING rid",
                version.Version, version.IsDeleted ? 1L : 0L, updated, facts.Type, facts.Id, version.Version - 1)
            : await change.NumberAsync(
                """
                UPDATE resources SET version = $1, deleted = 0, last_updated = $2, label_set = $3, patients = $4
                WHERE type = $5 AND id = $6 AND version = $7 RETURNING rid
                """,
                version.Version, updated, labels, patients, facts.Type, facts.Id, version.Version - 1);
        if (rid is not { } row) throw new PlanRefusedException(new CommitResult.Conflict(facts.Type, facts.Id));
        await change.ExecuteAsync(
            """
            INSERT INTO versions (rid, version, deleted, last_updated, custodian, subject, body, cid, wrapped_key, key_commitment, salt,
              digest, content_type)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            """,
            row, version.Version, version.IsDeleted ? 1L : 0L, updated, facts.Custodian, version.Subject, version.Body, version.Cid,
            version.WrappedKey, version.KeyCommitment, version.Salt, version.Digest, version.ContentType);
        if (version.Version > 1) await ForgetAsync(change, row, keepsFacts);
        if (version.IsDeleted) return row;
        if (!keepsFacts) await SetPatientsAsync(change, row, facts.Patients);
        await IndexAsync(change, row, facts.Type, write.Index);
        return row;
    }

    private static async ValueTask ForgetAsync(Change change, long rid, bool keepsFacts)
    {
        foreach (var table in IndexTables) await change.ExecuteAsync($"DELETE FROM {table} WHERE rid = $1", rid);
        if (!keepsFacts) await change.ExecuteAsync("DELETE FROM compartments WHERE rid = $1", rid);
    }

    private static readonly string[] IndexTables = ["index_token", "index_reference", "index_date"];

    private static async ValueTask SetPatientsAsync(Change change, long rid, IEnumerable<string> patients)
    {
        foreach (var patient in patients.Distinct())
            await change.ExecuteAsync("INSERT INTO compartments (rid, patient_id) VALUES ($1, $2)", rid, patient);
    }

    private async ValueTask IndexAsync(Change change, long rid, string type, IReadOnlyList<IndexEntry> entries)
    {
        foreach (var entry in entries.Distinct())
        {
            var parameter = await interners.Parameters.InternAsync(change, $"{type}.{entry.Parameter}");
            await (entry.Type switch
            {
                "token" => change.ExecuteAsync(
                    "INSERT INTO index_token (param, code, system, rid) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                    parameter, IndexText.Of(entry.Value!), IndexText.Of(entry.System ?? ""), rid),
                "reference" => change.ExecuteAsync(
                    "INSERT INTO index_reference (param, target, target_type, rid) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                    parameter, IndexText.Of(entry.Value!), IndexText.Of(entry.System ?? ""), rid),
                _ => change.ExecuteAsync(
                    "INSERT INTO index_date (param, lo, hi, rid) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                    parameter, entry.From.ToUnixTimeMilliseconds(), entry.To.ToUnixTimeMilliseconds(), rid),
            });
        }
    }

    // Into touched: the Binaries linked to before or now, each with the version that lets go of it, or null.
    private static async ValueTask LinkAsync(Change change, long rid, VersionWrite write, Dictionary<string, StoredVersion?> touched)
    {
        IReadOnlyList<string> before = write.Version.Version == 1
            ? []
            : await change.QueryAsync("SELECT binary_id FROM links WHERE rid = $1", static r => r.GetString(0), rid);
        if (before.Count > 0) await change.ExecuteAsync("DELETE FROM links WHERE rid = $1", rid);
        foreach (var binary in write.LinkedBinaries.Distinct())
        {
            await change.ExecuteAsync("INSERT INTO links (rid, binary_id) VALUES ($1, $2)", rid, binary);
            touched.TryAdd(binary, null);
        }
        foreach (var binary in before.Except(write.LinkedBinaries)) touched[binary] = write.Version;
    }

    // A Binary has the patients and labels of the records that link to it now, besides its own patients: a label that closes a document
    // closes its attachment, and lifting it opens both. Only records of the same hospital count. It ends with the last that linked to it.
    private async ValueTask DeriveAsync(Change change, string binary, StoredVersion? unlinker)
    {
        var row = await change.FirstAsync(
            "SELECT rid, version, custodian, own_patients, label_set, patients FROM resources "
                + "WHERE type = 'Binary' AND id = $1 AND deleted = 0",
            static r => new BinaryRow(r.GetInt64(0), r.GetInt64(1), r.GetString(2), r.GetString(3), r.GetInt64(4), r.GetString(5)), binary);
        if (row is null) return;
        if (unlinker is not null && unlinker.Facts.Custodian == row.Custodian
            && await change.NumberAsync("SELECT COUNT(*) FROM links WHERE binary_id = $1", binary) == 0)
        {
            var facts = new RecordFacts("Binary", binary, row.Custodian, [], []);
            await WriteAsync(change, new VersionWrite(StoredVersion.Deletion(facts, row.Version + 1, unlinker.LastUpdated), [], []));
            return;
        }
        var linkers = await change.QueryAsync(
            """
            SELECT r.label_set, r.patients FROM links k JOIN resources r ON r.rid = k.rid
            WHERE k.binary_id = $1 AND r.custodian = $2 AND r.deleted = 0
            """,
            static r => (Labels: r.GetInt64(0), Patients: r.GetString(1)), binary, row.Custodian);
        var labels = new List<RecordLabel> { Interner.ClassOf("Binary") };
        foreach (var set in linkers.Select(l => l.Labels).Distinct())
            labels.AddRange((await interners.LabelSets.ValueAsync(change.Session, set, default)).Labels);
        var labelSet = await interners.LabelSets.InternAsync(change, new LabelSet(labels).Text);
        var patients = Interner.Join([.. Interner.Split(row.OwnPatients), .. linkers.SelectMany(l => Interner.Split(l.Patients))]);
        if (labelSet == row.LabelSet && patients == row.Patients) return;
        await change.ExecuteAsync("UPDATE resources SET label_set = $1, patients = $2 WHERE rid = $3", labelSet, patients, row.Rid);
        if (patients == row.Patients) return;
        await change.ExecuteAsync("DELETE FROM compartments WHERE rid = $1", row.Rid);
        await SetPatientsAsync(change, row.Rid, Interner.Split(patients));
    }

    private sealed record BinaryRow(long Rid, long Version, string Custodian, string OwnPatients, long LabelSet, string Patients);
}
