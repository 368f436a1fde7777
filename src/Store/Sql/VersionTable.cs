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
        var (from, to) = (facts.Details.From?.ToUnixTimeMilliseconds(), facts.Details.To?.ToUnixTimeMilliseconds());
        var rid = version.Version == 1
            ? await change.NumberAsync(
                """
                INSERT INTO resources (type, id, version, deleted, custodian, last_updated, label_set, patients, own_patients, author,
                  data_from, data_to)
                VALUES ($1, $2, 1, 0, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (type, id) DO NOTHING RETURNING rid
                """,
                facts.Type, facts.Id, facts.Custodian, updated, labels, patients, isBinary ? patients : "", facts.Author, from, to)
            : keepsFacts
            ? await change.NumberAsync(
                "UPDATE resources SET version = $1, deleted = $2, last_updated = $3, author = $4 WHERE type = $5 AND id = $6 "
                    + "AND version = $7 RETURNING rid",
                version.Version, version.IsDeleted ? 1L : 0L, updated, facts.Author, facts.Type, facts.Id, version.Version - 1)
            : await change.NumberAsync(
                """
                UPDATE resources SET version = $1, deleted = 0, last_updated = $2, label_set = $3, patients = $4, author = $5,
                  data_from = $6, data_to = $7
                WHERE type = $8 AND id = $9 AND version = $10 RETURNING rid
                """,
                version.Version, updated, labels, patients, facts.Author, from, to, facts.Type, facts.Id, version.Version - 1);
        if (rid is not { } row) throw new PlanRefusedException(new CommitResult.Conflict(facts.Type, facts.Id));
        await change.ExecuteAsync(
            """
            INSERT INTO versions (rid, version, deleted, last_updated, custodian, subject, body, cid, wrapped_key, key_commitment, salt,
              digest, content_type, author)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            """,
            row, version.Version, version.IsDeleted ? 1L : 0L, updated, facts.Custodian, version.Subject, version.Body, version.Cid,
            version.WrappedKey, version.KeyCommitment, version.Salt, version.Digest, version.ContentType, facts.Author);
        if (version.Version > 1) await ForgetAsync(change, row, keepsFacts);
        if (version.IsDeleted) return row;
        if (!keepsFacts)
        {
            await SetPatientsAsync(change, row, facts.Patients);
            await AddLinksAsync(change, row, facts.Details.Links);
        }
        await IndexAsync(change, row, facts.Type, write.Index);
        return row;
    }

    private static async ValueTask ForgetAsync(Change change, long rid, bool keepsFacts)
    {
        foreach (var table in IndexTables) await change.ExecuteAsync($"DELETE FROM {table} WHERE rid = $1", rid);
        if (keepsFacts) return;
        await change.ExecuteAsync("DELETE FROM compartments WHERE rid = $1", rid);
        await change.ExecuteAsync("DELETE FROM record_links WHERE rid = $1", rid);
    }

    private static readonly string[] IndexTables = ["index_token", "index_reference", "index_date"];

    private static async ValueTask SetPatientsAsync(Change change, long rid, IEnumerable<string> patients)
    {
        foreach (var patient in patients.Distinct())
            await change.ExecuteAsync("INSERT INTO compartments (rid, patient_id) VALUES ($1, $2)", rid, patient);
    }

    private static async ValueTask AddLinksAsync(Change change, long rid, IEnumerable<RecordLink> links)
    {
        foreach (var link in links.Distinct())
            await change.ExecuteAsync(
                "INSERT INTO record_links (rid, kind, reference) VALUES ($1, $2, $3)", rid, (long)link.Kind, IndexText.Of(link.Reference));
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
            "SELECT rid, version, custodian, own_patients, label_set, patients, author, data_from, data_to FROM resources "
                + "WHERE type = 'Binary' AND id = $1 AND deleted = 0",
            static r => new BinaryRow(
                r.GetInt64(0), r.GetInt64(1), r.GetString(2), r.GetString(3), r.GetInt64(4), r.GetString(5), r.GetString(6),
                r.NumberOrNull(7), r.NumberOrNull(8)),
            binary);
        if (row is null) return;
        if (unlinker is not null && unlinker.Facts.Custodian == row.Custodian
            && await change.NumberAsync("SELECT COUNT(*) FROM links WHERE binary_id = $1", binary) == 0)
        {
            var facts = new RecordFacts("Binary", binary, row.Custodian, [], []) { Author = row.Author };
            await WriteAsync(change, new VersionWrite(StoredVersion.Deletion(facts, row.Version + 1, unlinker.LastUpdated), [], []));
            return;
        }
        var linkers = await change.QueryAsync(
            """
            SELECT r.rid, r.type, r.id, r.label_set, r.patients, r.data_from, r.data_to FROM links k JOIN resources r ON r.rid = k.rid
            WHERE k.binary_id = $1 AND r.custodian = $2 AND r.deleted = 0
            """,
            static r => new Linker(
                r.GetInt64(0), $"{r.GetString(1)}/{r.GetString(2)}", r.GetInt64(3), r.GetString(4), r.NumberOrNull(5), r.NumberOrNull(6)),
            binary, row.Custodian);
        var labels = new List<RecordLabel> { Interner.ClassOf("Binary") };
        foreach (var set in linkers.Select(l => l.LabelSet).Distinct())
            labels.AddRange((await interners.LabelSets.ValueAsync(change.Session, set, default)).Labels);
        var labelSet = await interners.LabelSets.InternAsync(change, new LabelSet(labels).Text);
        var patients = Interner.Join([.. Interner.Split(row.OwnPatients), .. linkers.SelectMany(l => Interner.Split(l.Patients))]);
        var (from, to) = (linkers.Min(l => l.From), linkers.Max(l => l.To));
        if (labelSet != row.LabelSet || patients != row.Patients || from != row.From || to != row.To)
            await change.ExecuteAsync(
                "UPDATE resources SET label_set = $1, patients = $2, data_from = $3, data_to = $4 WHERE rid = $5", labelSet, patients,
                from, to, row.Rid);
        await DeriveLinksAsync(change, row.Rid, linkers);
        if (patients == row.Patients) return;
        await change.ExecuteAsync("DELETE FROM compartments WHERE rid = $1", row.Rid);
        await SetPatientsAsync(change, row.Rid, Interner.Split(patients));
    }

    // It is what links to it, and is tied to what that is tied to.
    private static async ValueTask DeriveLinksAsync(Change change, long rid, List<Linker> linkers)
    {
        var links = new HashSet<RecordLink>();
        foreach (var linker in linkers)
        {
            links.Add(new RecordLink(LinkKind.Is, linker.Reference));
            links.UnionWith(await LinksOfAsync(change, linker.Rid));
        }
        if (links.SetEquals(await LinksOfAsync(change, rid))) return;
        await change.ExecuteAsync("DELETE FROM record_links WHERE rid = $1", rid);
        await AddLinksAsync(change, rid, links);
    }

    private static async ValueTask<List<RecordLink>> LinksOfAsync(Change change, long rid) => await change.QueryAsync(
        "SELECT kind, reference FROM record_links WHERE rid = $1",
        static r => new RecordLink((LinkKind)r.GetInt64(0), r.GetString(1)), rid);

    private sealed record BinaryRow(
        long Rid, long Version, string Custodian, string OwnPatients, long LabelSet, string Patients, string Author, long? From, long? To);

    private sealed record Linker(long Rid, string Reference, long LabelSet, string Patients, long? From, long? To);
}
