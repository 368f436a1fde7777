using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// Versions of records, their search values and links, and the facts that are derived from these. What a change goes on from is held
/// against its seal first: a broken row does not become a whole one by being written.
/// </summary>
internal sealed class VersionTable(Interners interners, RecordRows records, RowSeals seals, IndexRows index)
{
    private static readonly RecordTies NoTies = new([], []);

    /// <summary>Writes versions, then derives what the Binaries that they touch belong to.</summary>
    public async ValueTask WriteAsync(Change change, IReadOnlyList<VersionWrite> writes)
    {
        var binaries = new Dictionary<string, StoredVersion?>(StringComparer.Ordinal);
        // Those of the same commit of which nothing is known but what links to them.
        var made = writes.Select(w => w.Version).Where(v => v is { Facts: { Type: "Binary", Details.Links.Count: 0 }, Version: 1 })
            .Select(v => v.Facts.Id).ToHashSet(StringComparer.Ordinal);
        // Binaries first: what links to them takes over what is known of their content.
        foreach (var write in writes.OrderByDescending(w => w.Version.Facts.Type == "Binary"))
        {
            var (rid, before) = await WriteAsync(change, write, write.LinkedBinaries.Where(b => !made.Contains(b)));
            if (write.Version.Facts.Type != "Binary") await LinkAsync(change, rid, before.Binaries, write, binaries);
            else binaries.TryAdd(write.Version.Facts.Id, null);
        }
        foreach (var (id, unlinker) in binaries) await DeriveAsync(change, id, unlinker);
    }

    // known: the Binaries that were there before and that it links to.
    private async ValueTask<(long Rid, RecordTies Before)> WriteAsync(Change change, VersionWrite write, IEnumerable<string> known)
    {
        var facts = write.Version.Facts;
        var old = write.Version.Version == 1 ? null : await records.FindAsync(change.Session, facts.Type, facts.Id, default);
        if (write.Version.Version > 1 && old?.Version != write.Version.Version - 1) throw Conflict(facts);
        var before = old is null ? NoTies : await records.TiesAsync(change.Session, old, default);
        if (!write.Version.IsDeleted)
            foreach (var binary in known) facts = await WithPartsAsync(change, facts, before, binary);
        var version = write.Version with { Facts = facts };
        // A deleted resource keeps its patients and labels: its history is still decided by them. A Binary's follow from its linkers.
        var keepsFacts = version.IsDeleted || (facts.Type == "Binary" && old is not null);
        var links = keepsFacts ? before.Links : Stored(facts.Details.Links);
        var row = Row(version, old, keepsFacts) with { LinksDigest = RowSeals.Ties(links, [.. write.LinkedBinaries.Distinct()]) };
        var rid = await WriteAsync(change, row, version.LastUpdated.ToUnixTimeMilliseconds());
        await AddVersionAsync(change, rid, version);
        if (old is not null) await ForgetAsync(change, rid, keepsFacts);
        if (version.IsDeleted) return (rid, before);
        if (!keepsFacts)
        {
            await SetPatientsAsync(change, rid, row.Patients);
            await AddLinksAsync(change, rid, links);
        }
        await index.AddAsync(change, rid, facts.Type, write.Index);
        return (rid, before);
    }

    // A document was read when it came: what is known of its parts stands with the Binary that keeps it, and counts for every record of
    // the same hospital that links to that. Each has taken it over, so a label that only some of them have is their own, and stays theirs.
    private async ValueTask<RecordFacts> WithPartsAsync(Change change, RecordFacts facts, RecordTies before, string binary)
    {
        var row = await records.FindAsync(change.Session, "Binary", binary, default);
        if (row is null || row.Custodian != facts.Custodian) return facts;
        var ties = await records.TiesAsync(change.Session, row, default);
        if (!Encloses(ties, binary)) return facts;
        // Of a Consent: its patient must see and end it, whomever the Binary tells of. An entry of the directory is everybody's. What it
        // was created with has been read for that.
        if ((facts.Type == "Consent" || DirectoryTypes.Contains(facts.Type)) && !before.Binaries.Contains(binary))
            throw new PlanRefusedException(new CommitResult.Encloses(facts.Type, binary));
        var linkers = (await LinkersAsync(change, binary, ties)).Where(l => l.Row.Custodian == row.Custodian && l.Row.Deleted == 0)
            .Select(l => l.Row.Labels.Labels.Select(o => o with { IsInner = true }).ToHashSet()).ToList();
        return facts with
        {
            Labels = [.. facts.Labels.Union(row.Labels.Labels.Where(l => l.IsInner && linkers.TrueForAll(k => k.Contains(l))))],
            Others = [.. facts.Others.Union(Interner.OthersOf(row.Patients)).Except(facts.Patients)],
            Details = new RecordDetails(
                Earliest(facts.Details.From, row.From), Latest(facts.Details.To, row.To),
                [.. facts.Details.Links.Union(ties.Links.Where(IsOfContent))]),
        };
    }

    private static DateTimeOffset? Earliest(DateTimeOffset? a, long? b) =>
        b is { } other && (a is null || other < a.Value.ToUnixTimeMilliseconds()) ? DateTimeOffset.FromUnixTimeMilliseconds(other) : a;

    private static DateTimeOffset? Latest(DateTimeOffset? a, long? b) =>
        b is { } other && (a is null || other > a.Value.ToUnixTimeMilliseconds()) ? DateTimeOffset.FromUnixTimeMilliseconds(other) : a;

    private static bool Encloses(RecordTies ties, string binary) =>
        ties.Links.Contains(new RecordLink(LinkKind.Encloses, "Binary/" + binary));

    private static bool IsOfContent(RecordLink link) =>
        link.Kind is LinkKind.PartWrittenBy or LinkKind.PartRefersTo or LinkKind.Encloses;

    private static PlanRefusedException Conflict(RecordFacts facts) => new(new CommitResult.Conflict(facts.Type, facts.Id));

    private static ResourceRow Row(StoredVersion version, ResourceRow? old, bool keepsFacts)
    {
        var facts = version.Facts;
        var written = old ?? new ResourceRow(
            0, facts.Type, facts.Id, 1, 0, facts.Author, facts.Custodian, "",
            facts.Type == "Binary" ? Interner.Patients(facts) : "", new LabelSet([]), null, null, null);
        written = written with { Version = version.Version, Deleted = version.IsDeleted ? 1 : 0, Author = facts.Author };
        return keepsFacts ? written : written with
        {
            Labels = new LabelSet(facts.Labels),
            Patients = Interner.WithFormer(Interner.Patients(facts), written.Patients),
            From = facts.Details.From?.ToUnixTimeMilliseconds(),
            To = facts.Details.To?.ToUnixTimeMilliseconds(),
        };
    }

    private async ValueTask<long> WriteAsync(Change change, ResourceRow row, long updated)
    {
        var labels = await interners.LabelSets.InternAsync(change, row.Labels.Text);
        var seal = seals.Of(row.Content);
        var rid = row.Version == 1
            ? await change.NumberAsync(
                """
                INSERT INTO resources (type, id, version, deleted, custodian, last_updated, label_set, patients, own_patients, author,
                  data_from, data_to, links_digest, seal, indexed)
                VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (type, id) DO NOTHING RETURNING rid
                """,
                row.Type, row.Id, row.Deleted, row.Custodian, updated, labels, row.Patients, row.OwnPatients, row.Author, row.From, row.To,
                row.LinksDigest, seal, IndexRows.Definitions)
            : await change.NumberAsync(
                """
                UPDATE resources SET version = $1, deleted = $2, last_updated = $3, label_set = $4, patients = $5, author = $6,
                  data_from = $7, data_to = $8, links_digest = $9, seal = $10, indexed = $11
                WHERE rid = $12 RETURNING rid
                """,
                row.Version, row.Deleted, updated, labels, row.Patients, row.Author, row.From, row.To, row.LinksDigest, seal,
                IndexRows.Definitions, row.Rid);
        return rid ?? throw new PlanRefusedException(new CommitResult.Conflict(row.Type, row.Id));
    }

    private async ValueTask AddVersionAsync(Change change, long rid, StoredVersion version)
    {
        var (facts, deleted) = (version.Facts, version.IsDeleted ? 1L : 0L);
        var seal = seals.Of(RowSeals.Version(
            facts.Type, facts.Id, version.Version, facts.Author, facts.Custodian, deleted, version.Subject));
        await change.ExecuteAsync(
            """
            INSERT INTO versions (rid, version, deleted, last_updated, custodian, subject, body, cid, wrapped_key, key_commitment, salt,
              digest, content_type, author, seal)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
            """,
            rid, version.Version, deleted, version.LastUpdated.ToUnixTimeMilliseconds(), facts.Custodian, version.Subject, version.Body,
            version.Cid, version.WrappedKey, version.KeyCommitment, version.Salt, version.Digest, version.ContentType, facts.Author, seal);
    }

    private static async ValueTask ForgetAsync(Change change, long rid, bool keepsFacts)
    {
        await IndexRows.RemoveAsync(change, rid);
        if (keepsFacts) return;
        await change.ExecuteAsync("DELETE FROM compartments WHERE rid = $1", rid);
        await change.ExecuteAsync("DELETE FROM record_links WHERE rid = $1", rid);
    }

    private static async ValueTask SetPatientsAsync(Change change, long rid, string patients)
    {
        foreach (var patient in Interner.PatientsOf(patients))
            await change.ExecuteAsync("INSERT INTO compartments (rid, patient_id, mentioned) VALUES ($1, $2, 0)", rid, patient);
        foreach (var other in Interner.OthersOf(patients))
            await change.ExecuteAsync("INSERT INTO compartments (rid, patient_id, mentioned) VALUES ($1, $2, 1)", rid, other);
    }

    // What ties a Binary to others without any record that links to it: who sent it, and whose it is.
    private static async ValueTask<HashSet<RecordLink>> OwnTiesAsync(Change change, ResourceRow binary)
    {
        IReadOnlyList<string> authors = binary.Version == 1
            ? [binary.Author]
            : await change.QueryAsync("SELECT DISTINCT author FROM versions WHERE rid = $1", static r => r.GetString(0), binary.Rid);
        var links = Interner.PatientsOf(binary.OwnPatients).Select(p => new RecordLink(LinkKind.RefersTo, $"Patient/{p}")).ToHashSet();
        // A client is no reference: its hospital stands for it.
        foreach (var writer in authors.Append(binary.Custodian))
            if (Fhir.FhirReference.TryParse(writer, out var reference))
                links.Add(new RecordLink(LinkKind.WrittenBy, reference.ToString()));
        return links;
    }

    private static HashSet<RecordLink> Stored(IEnumerable<RecordLink> links) =>
        [.. links.Select(l => l with { Reference = IndexText.Of(l.Reference) })];

    private static async ValueTask AddLinksAsync(Change change, long rid, IEnumerable<RecordLink> links)
    {
        foreach (var link in links)
            await change.ExecuteAsync(
                "INSERT INTO record_links (rid, kind, reference) VALUES ($1, $2, $3)", rid, (long)link.Kind, link.Reference);
    }

    // Into touched: the Binaries linked to before or now, each with the version that lets go of it, or null.
    private static async ValueTask LinkAsync(
        Change change, long rid, IReadOnlySet<string> before, VersionWrite write, Dictionary<string, StoredVersion?> touched)
    {
        if (before.Count > 0) await change.ExecuteAsync("DELETE FROM links WHERE rid = $1", rid);
        foreach (var binary in write.LinkedBinaries.Distinct())
        {
            await change.ExecuteAsync("INSERT INTO links (rid, binary_id) VALUES ($1, $2)", rid, binary);
            touched.TryAdd(binary, null);
        }
        foreach (var binary in before.Except(write.LinkedBinaries)) touched[binary] = write.Version;
    }

    // A Binary has the patients and labels of the records that link to it now, besides its own patients: a label that closes a document
    // closes its attachment, and lifting it opens both. It ends with the last that linked to it. Only records of the same hospital count:
    // another's must neither change what is asked of it nor keep it from its end, which would tell of them.
    private async ValueTask DeriveAsync(Change change, string binary, StoredVersion? unlinker)
    {
        if (await records.FindAsync(change.Session, "Binary", binary, default) is not { Deleted: 0 } row) return;
        var ties = await records.TiesAsync(change.Session, row, default);
        var linked = (await LinkersAsync(change, binary, ties)).Where(l => l.Row.Custodian == row.Custodian).ToList();
        if (unlinker is not null && unlinker.Facts.Custodian == row.Custodian && linked.Count == 0)
        {
            var facts = new RecordFacts("Binary", binary, row.Custodian, [], []) { Author = row.Author };
            await WriteAsync(change, new VersionWrite(StoredVersion.Deletion(facts, row.Version + 1, unlinker.LastUpdated), [], []), []);
            return;
        }
        var linkers = linked.Where(l => l.Row.Deleted == 0).ToList();
        var links = await OwnTiesAsync(change, row);
        // What its content says stays, and decides alone while nothing links to it; from then on the linkers have it.
        var encloses = Encloses(ties, binary);
        var isAlone = encloses && linkers.Count == 0;
        if (encloses) links.UnionWith(ties.Links.Where(IsOfContent));
        foreach (var linker in linkers)
        {
            // It is what links to it, and is tied to what that is tied to.
            links.Add(new RecordLink(LinkKind.Is, $"{linker.Row.Type}/{linker.Row.Id}"));
            links.UnionWith(linker.Ties.Links);
        }
        var derived = row with
        {
            Labels = LabelsOf([.. linkers.Select(l => l.Row.Labels.Labels)], isAlone ? row.Labels.Labels.Where(l => l.IsInner) : []),
            Patients = Interner.WithFormer(
                Interner.Join([.. Interner.Split(row.OwnPatients), .. linkers.SelectMany(l => Interner.Split(l.Row.Patients))]),
                row.Patients),
            // Of no time that is known where one of them is of none.
            From = isAlone ? row.From : linkers.Exists(l => l.Row.From is null) ? null : linkers.Min(l => l.Row.From),
            To = isAlone ? row.To : linkers.Exists(l => l.Row.To is null) ? null : linkers.Max(l => l.Row.To),
            LinksDigest = RowSeals.Ties(links, ties.Binaries),
        };
        var seal = seals.Of(derived.Content);
        if (!seals.Holds(row.Content, seal))
            await change.ExecuteAsync(
                "UPDATE resources SET label_set = $1, patients = $2, data_from = $3, data_to = $4, links_digest = $5, seal = $6 "
                    + "WHERE rid = $7",
                await interners.LabelSets.InternAsync(change, derived.Labels.Text), derived.Patients, derived.From, derived.To,
                derived.LinksDigest, seal, row.Rid);
        if (!links.SetEquals(ties.Links))
        {
            await change.ExecuteAsync("DELETE FROM record_links WHERE rid = $1", row.Rid);
            await AddLinksAsync(change, row.Rid, links);
        }
        if (derived.Patients == row.Patients) return;
        await change.ExecuteAsync("DELETE FROM compartments WHERE rid = $1", row.Rid);
        await SetPatientsAsync(change, row.Rid, derived.Patients);
    }

    // What any linker has closes it. A permit is for a record that has all that it asks for: of several linkers only what each has opens,
    // or the class of one and the code of another would. Classes are alternatives of one another, so those of all count.
    private static LabelSet LabelsOf(IReadOnlyList<IReadOnlyList<RecordLabel>> linkers, IEnumerable<RecordLabel> content) => new(
    [
        RecordLabel.OfType("Binary"),
        .. content,
        .. linkers.SelectMany(l => l).Distinct().Select(
            l => l.Kind == LabelKind.Class || linkers.All(o => o.Contains(l)) ? l : l with { IsInner = true }),
    ]);

    // A row of links that was taken out must not take the linker's labels with it: who linked before is asked too, and its own row knows
    // to which Binaries it links.
    private async ValueTask<List<(ResourceRow Row, RecordTies Ties)>> LinkersAsync(Change change, string binary, RecordTies ties)
    {
        var names = (await change.QueryAsync(
            "SELECT r.type, r.id FROM links k JOIN resources r ON r.rid = k.rid WHERE k.binary_id = $1",
            static r => $"{r.GetString(0)}/{r.GetString(1)}", binary)).ToHashSet(StringComparer.Ordinal);
        names.UnionWith(ties.Links.Where(l => l.Kind == LinkKind.Is).Select(l => l.Reference));
        var linkers = new List<(ResourceRow, RecordTies)>();
        foreach (var name in names)
        {
            var parts = name.Split('/');
            if (await records.FindAsync(change.Session, parts[0], parts[1], default) is not { } row) continue;
            var own = await records.TiesAsync(change.Session, row, default);
            if (own.Binaries.Contains(binary)) linkers.Add((row, own));
        }
        return linkers;
    }
}
