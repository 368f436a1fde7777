using System.Data;
using Dapper;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// Versions of records. Everything that reads takes an <see cref="AccessQuery"/>; what it does not let through does not exist for the
/// caller. The bytes that come out are sealed.
/// </summary>
public sealed class RecordStore(Database database)
{
    private const string Columns =
        "r.rid Rid, r.type Type, r.id Id, v.custodian Custodian, v.version Version, v.last_updated LastUpdated, v.deleted Deleted, v.subject Subject, v.body Body, v.cid Cid, " +
        "v.wrapped_key WrappedKey, v.key_commitment KeyCommitment, v.salt Salt, v.digest Digest, v.content_type ContentType";

    private sealed record Row(
        long Rid, string Type, string Id, string Custodian, long Version, long LastUpdated, long Deleted, string Subject, byte[]? Body, string Cid,
        byte[] WrappedKey, byte[] KeyCommitment, byte[] Salt, byte[] Digest, string? ContentType);

    /// <summary>Writes versions inside a change of <see cref="Database.WriteAsync"/>.</summary>
    /// <exception cref="VersionConflictException">A resource is not at the version before.</exception>
    public static void Commit(IDbConnection connection, IReadOnlyList<VersionWrite> writes)
    {
        foreach (var write in writes) Commit(connection, write);
        foreach (var write in writes)
            foreach (var binary in write.LinkedBinaries) AdoptBinary(connection, binary, write.Version.Facts);
    }

    /// <summary>The current version, or an earlier one.</summary>
    /// <param name="access">Whose eyes.</param>
    /// <param name="type">Resource type.</param>
    /// <param name="id">Logical id.</param>
    /// <param name="version">Null: the current one.</param>
    /// <returns>Null where there is none for this requester.</returns>
    public StoredVersion? Read(AccessQuery access, string type, string id, long? version)
    {
        using var connection = database.OpenReader();
        var parameters = Parameters(access, new { type, id, version });
        var row = connection.QueryFirstOrDefault<Row>(
            $"""
            SELECT {Columns} FROM resources r JOIN versions v ON v.rid = r.rid AND v.version = COALESCE(@version, r.version)
            WHERE r.type = @type AND r.id = @id AND {access.VersionCondition(type)}
            """,
            parameters);
        return row is null ? null : Assemble(connection, [row])[0];
    }

    /// <summary>All versions of a resource, newest first; none where there is none for this requester.</summary>
    public IReadOnlyList<StoredVersion> History(AccessQuery access, string type, string id)
    {
        using var connection = database.OpenReader();
        var rows = connection.Query<Row>(
            $"""
            SELECT {Columns} FROM resources r JOIN versions v ON v.rid = r.rid
            WHERE r.type = @type AND r.id = @id AND {access.VersionCondition(type)} ORDER BY v.version DESC
            """,
            Parameters(access, new { type, id })).AsList();
        return Assemble(connection, rows);
    }

    /// <summary>One page of a search, the exact total, and the cursor of the next page (null: this is the last).</summary>
    /// <param name="access">Whose eyes.</param>
    /// <param name="query">What is searched.</param>
    public (IReadOnlyList<StoredVersion> Page, long Total, long? Next) Search(AccessQuery access, SearchQuery query)
    {
        using var connection = database.OpenReader();
        // One transaction, one snapshot: a total that does not fit its page would tell that something was written between.
        using var transaction = Database.BeginSnapshot(connection);
        var parameters = Parameters(access, new { type = query.Type, cursor = query.Cursor, limit = query.Count + 1 });
        var where = $"r.type = @type AND r.deleted = 0 AND {access.Condition(query.Type)}" + query.Conditions(parameters);
        var total = connection.ExecuteScalar<long>($"SELECT COUNT(*) FROM resources r WHERE {where}", parameters, transaction);
        if (query.Count == 0) return ([], total, null);
        var rows = connection.Query<Row>(
            $"SELECT {Columns} FROM resources r JOIN versions v ON v.rid = r.rid AND v.version = r.version WHERE {where} AND r.rid > @cursor ORDER BY r.rid LIMIT @limit",
            parameters,
            transaction).AsList();
        long? next = rows.Count > query.Count ? rows[query.Count - 1].Rid : null;
        return (Assemble(connection, rows.Take(query.Count).ToList()), total, next);
    }

    /// <summary>The current versions of everything in a patient's compartment, the patient first.</summary>
    public IReadOnlyList<StoredVersion> Everything(AccessQuery access, string patient)
    {
        using var connection = database.OpenReader();
        var rows = connection.Query<Row>(
            $"""
            SELECT {Columns} FROM compartments p JOIN resources r ON r.rid = p.rid JOIN versions v ON v.rid = r.rid AND v.version = r.version
            WHERE p.patient_id = @everything AND r.deleted = 0 AND {access.Condition("Patient")} ORDER BY CASE WHEN r.type = 'Patient' THEN 0 ELSE 1 END, r.rid
            """,
            Parameters(access, new { everything = patient })).AsList();
        return Assemble(connection, rows);
    }

    /// <summary>The local targets of a reference parameter of resources that the requester has been given.</summary>
    public IReadOnlyList<(string Type, string Id)> ReferencesOf(IReadOnlyList<StoredVersion> page, string parameter)
    {
        using var connection = database.OpenReader();
        var targets = new List<(string, string)>();
        foreach (var facts in page.Select(p => p.Facts))
        {
            targets.AddRange(connection.Query<(string, string)>(
                """
                SELECT x.target_type, x.target FROM resources r JOIN idx_reference x ON x.rid = r.rid
                WHERE r.type = @Type AND r.id = @Id AND x.param = @parameter AND x.target_type IS NOT NULL
                """,
                new { facts.Type, facts.Id, parameter }));
        }
        return targets;
    }

    /// <summary>The standing consents of patients, for <see cref="ConsentDecision"/>.</summary>
    public IReadOnlyList<StandingConsent> ConsentsOf(IReadOnlyCollection<string> patients, long confirmedBlock)
    {
        using var connection = database.OpenReader();
        return
        [
            .. connection.Query<(string Commitment, string Terms, long? Block)>(
                "SELECT commitment, terms, granted_block FROM consents WHERE revoked = 0 AND patient_id IN @patients ORDER BY commitment", new { patients })
                .Select(c => new StandingConsent(c.Commitment, ConsentStore.Decode(c.Terms), c.Block <= confirmedBlock)),
        ];
    }

    /// <summary>A subject's wrapped key, or null while it has none.</summary>
    public byte[]? SubjectKey(string subject)
    {
        using var connection = database.OpenReader();
        return connection.ExecuteScalar<byte[]?>("SELECT wrapped FROM subject_keys WHERE subject = @subject", new { subject });
    }

    /// <summary>Keeps a subject's key unless it has one, and returns the one kept.</summary>
    public Task<byte[]> KeepSubjectKeyAsync(string subject, byte[] wrapped) => database.WriteAsync(connection =>
    {
        connection.Execute("INSERT INTO subject_keys (subject, wrapped) VALUES (@subject, @wrapped) ON CONFLICT (subject) DO NOTHING", new { subject, wrapped });
        return connection.ExecuteScalar<byte[]>("SELECT wrapped FROM subject_keys WHERE subject = @subject", new { subject })!;
    });

    /// <summary>Where a version is anchored, or null while its batch is not closed.</summary>
    /// <remarks>Called for a version that the requester has been permitted to read.</remarks>
    public AnchorPlace? Anchor(string type, string id, long version)
    {
        using var connection = database.OpenReader();
        var place = connection.QueryFirstOrDefault<(string Custodian, long Sequence, string Root, long Index, long Batch, long? Block, string? Tx)?>(
            """
            SELECT b.custodian, b.sequence, b.root, v.leaf_index, b.batch, b.block, b.tx FROM resources r JOIN versions v ON v.rid = r.rid JOIN batches b ON b.batch = v.batch
            WHERE r.type = @type AND r.id = @id AND v.version = @version
            """,
            new { type, id, version });
        if (place is not { } p) return null;
        var leaves = connection.Query<(string Cid, byte[] KeyCommitment, byte[] Salt, byte[] Digest)>(
            "SELECT cid, key_commitment, salt, digest FROM versions WHERE batch = @batch ORDER BY leaf_index", new { batch = p.Batch });
        return new AnchorPlace(p.Custodian, p.Sequence, p.Root, (int)p.Index, [.. leaves.Select(l => LeafOf(l.Cid, l.KeyCommitment, l.Salt, l.Digest).Hash)], p.Block, p.Tx);
    }

    internal static AnchorLeaf LeafOf(string cid, byte[] keyCommitment, byte[] salt, byte[] digest) => new(CidText.Digest(cid), keyCommitment, salt, digest);

    private static void Commit(IDbConnection connection, VersionWrite write)
    {
        var (version, facts) = (write.Version, write.Version.Facts);
        var found = connection.QueryFirstOrDefault<(long Rid, long Version)?>("SELECT rid, version FROM resources WHERE type = @Type AND id = @Id", facts);
        if ((found?.Version ?? 0) != version.Version - 1) throw new VersionConflictException(facts.Type, facts.Id);
        var row = new
        {
            facts.Type,
            facts.Id,
            version.Version,
            Deleted = version.IsDeleted ? 1 : 0,
            facts.Custodian,
            Updated = version.LastUpdated.ToUnixTimeMilliseconds(),
            Rid = found?.Rid ?? 0,
            version.Subject,
            version.Body,
            version.Cid,
            version.WrappedKey,
            version.KeyCommitment,
            version.Salt,
            version.Digest,
            version.ContentType,
        };
        var rid = found?.Rid ?? connection.ExecuteScalar<long>(
            "INSERT INTO resources (type, id, version, deleted, custodian, last_updated) VALUES (@Type, @Id, @Version, @Deleted, @Custodian, @Updated) RETURNING rid", row);
        if (found is not null)
            connection.Execute("UPDATE resources SET version = @Version, deleted = @Deleted, last_updated = @Updated WHERE rid = @Rid", row);
        connection.Execute(
            """
            INSERT INTO versions (rid, version, deleted, last_updated, custodian, subject, body, cid, wrapped_key, key_commitment, salt, digest, content_type)
            VALUES (@rid, @Version, @Deleted, @Updated, @Custodian, @Subject, @Body, @Cid, @WrappedKey, @KeyCommitment, @Salt, @Digest, @ContentType)
            """,
            new
            {
                rid,
                row.Version,
                row.Deleted,
                row.Updated,
                row.Custodian,
                row.Subject,
                row.Body,
                row.Cid,
                row.WrappedKey,
                row.KeyCommitment,
                row.Salt,
                row.Digest,
                row.ContentType,
            });
        foreach (var table in (ReadOnlySpan<string>)["idx_token", "idx_reference", "idx_date"]) connection.Execute($"DELETE FROM {table} WHERE rid = @rid", new { rid });
        SetLinks(connection, rid, version, write.LinkedBinaries);
        // A deleted resource keeps its patients and labels: its history is still decided by them.
        if (version.IsDeleted) return;
        // A Binary's come from the documents that link to it, and may have come after this version was prepared.
        if (facts.Type != "Binary") connection.Execute("DELETE FROM compartments WHERE rid = @rid; DELETE FROM labels WHERE rid = @rid", new { rid });
        SetFacts(connection, rid, facts);
        foreach (var entry in write.Index)
        {
            switch (entry.Type)
            {
                case "token":
                    connection.Execute("INSERT INTO idx_token VALUES (@rid, @Parameter, @System, @Value)", new { rid, entry.Parameter, entry.System, entry.Value });
                    break;
                case "reference":
                    connection.Execute("INSERT INTO idx_reference VALUES (@rid, @Parameter, @System, @Value)", new { rid, entry.Parameter, entry.System, entry.Value });
                    break;
                default:
                    connection.Execute(
                        "INSERT INTO idx_date VALUES (@rid, @Parameter, @lo, @hi)",
                        new { rid, entry.Parameter, lo = entry.From.ToUnixTimeMilliseconds(), hi = entry.To.ToUnixTimeMilliseconds() });
                    break;
            }
        }
    }

    private static void SetFacts(IDbConnection connection, long rid, RecordFacts facts)
    {
        foreach (var patient in facts.Patients)
            connection.Execute("INSERT INTO compartments VALUES (@rid, @patient) ON CONFLICT DO NOTHING", new { rid, patient });
        foreach (var label in facts.Labels)
            connection.Execute("INSERT INTO labels VALUES (@rid, @kind, @System, @Code) ON CONFLICT DO NOTHING", new { rid, kind = KindText(label.Kind), label.System, label.Code });
    }

    // A Binary that no resource of its hospital links to any more ends with the last that did.
    private static void SetLinks(IDbConnection connection, long rid, StoredVersion version, IReadOnlyList<string> binaries)
    {
        var before = connection.Query<string>("SELECT binary_id FROM links WHERE rid = @rid", new { rid }).AsList();
        connection.Execute("DELETE FROM links WHERE rid = @rid", new { rid });
        foreach (var binary in binaries) connection.Execute("INSERT INTO links VALUES (@rid, @binary) ON CONFLICT DO NOTHING", new { rid, binary });
        foreach (var binary in before.Except(binaries))
        {
            var current = connection.ExecuteScalar<long?>(
                """
                SELECT r.version FROM resources r WHERE r.type = 'Binary' AND r.id = @binary AND r.custodian = @Custodian AND r.deleted = 0
                AND NOT EXISTS (SELECT 1 FROM links k WHERE k.binary_id = r.id)
                """,
                new { binary, version.Facts.Custodian });
            if (current is { } last) Commit(connection, new VersionWrite(StoredVersion.Deletion(version.Facts with { Type = "Binary", Id = binary }, last + 1, version.LastUpdated), [], []));
        }
    }

    // A Binary follows the document that links to it: it gets the document's patients and labels, so that a label that closes the document
    // closes its attachment. Only a Binary of the same hospital, and never one of other patients: a link must not widen who may read.
    private static void AdoptBinary(IDbConnection connection, string binary, RecordFacts parent)
    {
        var rid = connection.ExecuteScalar<long?>(
            """
            SELECT r.rid FROM resources r WHERE r.type = 'Binary' AND r.id = @binary AND r.custodian = @Custodian
            AND NOT EXISTS (SELECT 1 FROM compartments c WHERE c.rid = r.rid AND c.patient_id NOT IN @Patients)
            """,
            new { binary, parent.Custodian, parent.Patients });
        if (rid is { } found) SetFacts(connection, found, parent);
    }

    private static List<StoredVersion> Assemble(IDbConnection connection, IReadOnlyList<Row> rows)
    {
        // Far below the number of parameters that a statement may have.
        if (rows.Count > 5000) return [.. rows.Chunk(5000).SelectMany(part => Assemble(connection, part))];
        if (rows.Count == 0) return [];
        var rids = rows.Select(r => r.Rid).Distinct().ToList();
        var patients = connection.Query<(long Rid, string Patient)>("SELECT rid, patient_id FROM compartments WHERE rid IN @rids", new { rids }).ToLookup(p => p.Rid, p => p.Patient);
        var labels = connection.Query<(long Rid, string Kind, string System, string Code)>("SELECT rid, kind, system, code FROM labels WHERE rid IN @rids", new { rids })
            .ToLookup(l => l.Rid, l => new RecordLabel(KindOf(l.Kind), l.System, l.Code));
        return
        [
            .. rows.Select(r => new StoredVersion(
                new RecordFacts(r.Type, r.Id, r.Custodian, [.. patients[r.Rid]], [.. labels[r.Rid]]),
                r.Version, DateTimeOffset.FromUnixTimeMilliseconds(r.LastUpdated), r.Deleted != 0, r.Subject, r.Body, r.Cid, r.WrappedKey, r.KeyCommitment, r.Salt, r.Digest, r.ContentType)),
        ];
    }

    private static DynamicParameters Parameters(AccessQuery access, object own)
    {
        var parameters = new DynamicParameters(own);
        access.AddTo(parameters);
        return parameters;
    }

    internal static string KindText(LabelKind kind) => kind switch { LabelKind.Class => "class", LabelKind.Code => "code", _ => "security" };

    private static LabelKind KindOf(string kind) => kind switch { "class" => LabelKind.Class, "code" => LabelKind.Code, _ => LabelKind.Security };
}

/// <summary>Somebody else changed the resource in between.</summary>
public sealed class VersionConflictException(string type, string id) : Exception($"{type}/{id} is at another version");
