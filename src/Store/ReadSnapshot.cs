using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>A record version that the viewer of a snapshot may see, with the permit that opens it.</summary>
/// <param name="Version">The version, sealed.</param>
/// <param name="Permit">The leave to open it.</param>
/// <param name="WrappedSubjectKey">The wrapped key of its subject; null where that was destroyed.</param>
public sealed record PermittedVersion(StoredVersion Version, Permit Permit, byte[]? WrappedSubjectKey);

/// <summary>A page of what a viewer may see.</summary>
/// <param name="Versions">The page.</param>
/// <param name="Total">How many there are in all.</param>
/// <param name="Next">Cursor of the next page; null: this is the last.</param>
public sealed record SnapshotPage(IReadOnlyList<PermittedVersion> Versions, long Total, long? Next);

/// <summary>
/// One state of the records under one viewer's eyes: what the viewer may not see does not exist here. Total, page, includes and consents
/// agree. Each record that comes out was decided by <see cref="ConsentDecision"/> on its own. Not thread-safe; dispose of it soon.
/// </summary>
public sealed class ReadSnapshot : IAsyncDisposable
{
    private readonly RecordDatabase _database;
    private readonly Session _session;
    private readonly BoundViewer _viewer;
    private readonly CancellationTokenRegistration _stop;
    private bool _isBroken;

    internal ReadSnapshot(RecordDatabase database, Session session, BoundViewer viewer, ViewCheckpoint chain,
        CancellationToken cancellation)
    {
        (_database, _session, _viewer, Chain) = (database, session, viewer, chain);
        if (cancellation.CanBeCanceled) _stop = cancellation.UnsafeRegister(static s => ((Session)s!).Interrupt(), session);
    }

    /// <summary>How far the chain was followed in this state.</summary>
    public ViewCheckpoint Chain { get; }

    /// <summary>The current version of a record, or an earlier one; null where there is none for this viewer.</summary>
    /// <param name="type">Resource type.</param>
    /// <param name="id">Logical id.</param>
    /// <param name="version">Null: the current one.</param>
    /// <param name="cancellation">Stops the read.</param>
    /// <exception cref="StoreUnavailableException">The database cannot be read.</exception>
    public async ValueTask<PermittedVersion?> ReadAsync(string type, string id, long? version, CancellationToken cancellation)
    {
        var found = await GuardAsync(() => version is { } number
            ? VersionRow.ByKeyAsync(_session, type, id, number, cancellation)
            : VersionRow.CurrentAsync(_session, type, id, cancellation));
        return found is null ? null : (await ReachedAsync(_viewer, [found], await DecideAsync([found], cancellation), cancellation))[0];
    }

    /// <summary>A page of a search with its exact total.</summary>
    /// <param name="query">What is searched.</param>
    /// <param name="cancellation">Stops the search.</param>
    /// <exception cref="StoreUnavailableException">The database cannot be read.</exception>
    public async ValueTask<SnapshotPage> SearchAsync(SearchQuery query, CancellationToken cancellation) =>
        await PageAsync(
            _viewer.Searching, viewer => _database.Search.PageAsync(_session, viewer, query, cancellation), cancellation);

    /// <summary>A page of everything in a patient's compartment.</summary>
    /// <param name="patient">The patient's id.</param>
    /// <param name="types">The resource types wanted; null: all.</param>
    /// <param name="cursor">Where the page begins; 0: the first.</param>
    /// <param name="count">Records a page.</param>
    /// <param name="cancellation">Stops the read.</param>
    public async ValueTask<SnapshotPage> CompartmentAsync(
        string patient, IReadOnlyCollection<string>? types, long cursor, int count, CancellationToken cancellation) =>
        await PageAsync(
            _viewer, viewer => _database.Search.CompartmentAsync(_session, viewer, patient, types, cursor, count, cancellation),
            cancellation);

    /// <summary>A page of a history with its exact total.</summary>
    /// <param name="query">Of what.</param>
    /// <param name="cancellation">Stops the read.</param>
    public async ValueTask<SnapshotPage> HistoryAsync(HistoryQuery query, CancellationToken cancellation)
    {
        var viewer = query.Id is null ? _viewer.Searching : _viewer;
        if (query.Types.Any(viewer.Reach.Restricts)) return await ReachedHistoryAsync(viewer, query, cancellation);
        var (versions, total, next) = await GuardAsync(() => _database.History.PageAsync(_session, viewer, query, true, cancellation));
        if (versions.Count == 0) return new SnapshotPage([], total, null);
        var rows = await GuardAsync(() => VersionRow.BySequenceAsync(_session, versions, cancellation));
        return new SnapshotPage(await PermittedAsync(rows, cancellation), total, next);
    }

    // Which versions the token reaches each version's own content says: all are opened, also those of other pages, for the total.
    private async ValueTask<SnapshotPage> ReachedHistoryAsync(BoundViewer viewer, HistoryQuery query, CancellationToken cancellation)
    {
        var (page, total, hasMore) = (new List<(long Sequence, PermittedVersion Version)>(), 0L, false);
        // What the page before ended with may not be among them any more.
        var last = query.Cursor == 0 ? null : await GuardAsync(() => _session.NumberAsync(
            "SELECT last_updated FROM versions WHERE seq = $1", cancellation, query.Cursor));
        var current = new CurrentAt(query.At);
        for (long? cursor = 0; cursor is not null;)
        {
            var some = query with { At = null, Count = 100, Cursor = cursor.Value };
            var (versions, _, next) = await GuardAsync(() => _database.History.PageAsync(_session, viewer, some, false, cancellation));
            var rows = await GuardAsync(() => VersionRow.BySequenceAsync(_session, versions, cancellation));
            var permitted = (await PermittedAsync(rows, cancellation)).ToList<PermittedVersion?>();
            var reached = await ReachedAsync(viewer, rows, permitted, cancellation);
            for (var i = 0; i < rows.Count; i++)
            {
                var made = rows[i].LastUpdated;
                if (reached[i] is not { } version || !current.Takes(rows[i].Rid, made)) continue;
                total++;
                if (last is not null && (made > last || (made == last && versions[i] >= query.Cursor))) continue;
                if (page.Count < query.Count) page.Add((versions[i], version));
                else hasMore = true;
            }
            cursor = next;
        }
        return new SnapshotPage([.. page.Select(p => p.Version)], total, hasMore && page.Count > 0 ? page[^1].Sequence : null);
    }

    /// <summary>The local targets of a reference parameter of records that the viewer has been given.</summary>
    /// <param name="records">The records.</param>
    /// <param name="parameter">Code of the search parameter; null: of all that they have.</param>
    /// <param name="cancellation">Stops the read.</param>
    public async ValueTask<IReadOnlyList<(string Type, string Id)>> ReferencesOfAsync(
        IReadOnlyList<PermittedVersion> records, string? parameter, CancellationToken cancellation)
    {
        var targets = new List<(string, string)>();
        foreach (var type in records.Select(p => p.Version.Facts).GroupBy(f => f.Type, f => f.Id))
        {
            // None has this number.
            var number = parameter is null ? 0 : await GuardAsync(
                () => _database.Interners.Parameters.FindAsync(_session, $"{type.Key}.{parameter}", cancellation)) ?? -1;
            targets.AddRange(await GuardAsync(() => _session.QueryAsync(
                $"""
                SELECT t.type, t.id FROM resources r JOIN index_reference x ON x.rid = r.rid AND (x.param = $3 OR $3 = 0)
                  JOIN resources t ON t.type = x.target_type AND t.id = x.target
                WHERE r.type = $1 AND r.id {_session.Engine.IsOneOf("$2")} ORDER BY r.rid, t.rid
                """,
                static r => (r.GetString(0), r.GetString(1)), cancellation, type.Key, _session.Engine.List([.. type]), number)));
        }
        return targets;
    }

    /// <summary>Ends the snapshot and gives its connection back.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.DisposeAsync();
        await _database.EndAsync(_session, _isBroken);
    }

    private async ValueTask<SnapshotPage> PageAsync(
        BoundViewer viewer, Func<BoundViewer, ValueTask<(IReadOnlyList<long> Rids, long Total, long? Next)>> find,
        CancellationToken cancellation)
    {
        var (rids, total, next) = await GuardAsync(() => find(viewer));
        if (rids.Count == 0) return new SnapshotPage([], total, null);
        var rows = await GuardAsync(() => VersionRow.CurrentAsync(_session, rids, cancellation));
        var places = rids.Index().ToDictionary(r => r.Item, r => r.Index);
        rows.Sort((a, b) => places[a.Rid].CompareTo(places[b.Rid]));
        var permitted = (await PermittedAsync(rows, cancellation)).ToList<PermittedVersion?>();
        var reached = await ReachedAsync(viewer, rows, permitted, cancellation);
        if (reached.Contains(null)) throw new DecisionDiffersException(rows[reached.IndexOf(null)].Facts([], []));
        return new SnapshotPage([.. reached.OfType<PermittedVersion>()], total, next);
    }

    // The query and the decision say the same, or nothing is given out.
    private async ValueTask<IReadOnlyList<PermittedVersion>> PermittedAsync(List<VersionRow> rows, CancellationToken cancellation)
    {
        var decided = await DecideAsync(rows, cancellation);
        if (decided.Contains(null)) throw new DecisionDiffersException(rows[decided.IndexOf(null)].Facts([], []));
        return [.. decided.OfType<PermittedVersion>()];
    }

    /// <summary>
    /// The current version of a record that the viewer's hospital keeps, whether or not the viewer may read it: a custodian answers for
    /// its correction and its end. Null where it keeps none such. There is no permit to it: nothing of it can be opened.
    /// </summary>
    /// <param name="type">Resource type.</param>
    /// <param name="id">Logical id.</param>
    /// <param name="cancellation">Stops the read.</param>
    public async ValueTask<StoredVersion?> KeptAsync(string type, string id, CancellationToken cancellation)
    {
        var row = await GuardAsync(() => VersionRow.CurrentAsync(_session, type, id, cancellation));
        if (row is null || row.Custodian.Length == 0 || row.Custodian != _viewer.Who.Requester.Organization) return null;
        // It is not opened, so that the index has to tell.
        if (!await IsIndexedAsync(row, cancellation)) return null;
        var labels = await LabelsAsync(row, cancellation);
        return row.ToVersion(row.Facts(labels.Labels, []));
    }

    /// <summary>Whether the viewer's token reaches the current version of a record, whoever may see it.</summary>
    /// <param name="type">Resource type.</param>
    /// <param name="id">Logical id.</param>
    /// <param name="cancellation">Stops the read.</param>
    public async ValueTask<bool> ReachesAsync(string type, string id, CancellationToken cancellation) =>
        await GuardAsync(() => VersionRow.CurrentAsync(_session, type, id, cancellation)) is { } row
            && await IsIndexedAsync(row, cancellation);

    private ValueTask<bool> IsIndexedAsync(VersionRow row, CancellationToken cancellation) =>
        GuardAsync(() => new ScopeCheck(_database, _session, _viewer).IsIndexedAsync(row, cancellation));

    /// <summary>The patients that are known here under what a record tells of them, whoever keeps them; a list a mention.</summary>
    /// <param name="mentions">What it tells.</param>
    /// <param name="cancellation">Stops the read.</param>
    public async ValueTask<IReadOnlyList<IReadOnlyList<string>>> PatientsAsync(
        IReadOnlyList<PatientMention> mentions, CancellationToken cancellation)
    {
        if (mentions.Count == 0) return [];
        // Whom it would not find would not be asked.
        if (_database.HasUnindexedPatients && await GuardAsync(
            () => _session.NumberAsync(RecordDatabase.UnindexedPatient, cancellation)) is not null)
            throw new StoreUnavailableException("patients are not indexed yet: nobody is looked up by identifier");
        var found = new List<IReadOnlyList<string>>(mentions.Count);
        var parameter = await GuardAsync(() => _database.Interners.Parameters.FindAsync(_session, "Patient.identifier", cancellation));
        foreach (var mention in mentions)
        {
            found.Add(mention.Id is { } id
                ? await GuardAsync(() => _session.QueryAsync(
                    "SELECT r.id FROM resources r WHERE r.type = 'Patient' AND r.id = $1 AND r.deleted = 0", static r => r.GetString(0),
                    cancellation, id))
                : parameter is not { } number ? []
                : await GuardAsync(() => _session.QueryAsync(
                    "SELECT r.id FROM index_token x JOIN resources r ON r.rid = x.rid "
                        + "WHERE x.param = $1 AND x.code = $2 AND x.system = $3 AND r.deleted = 0",
                    static r => r.GetString(0), cancellation, number,
                    _database.IndexKey.Of("Patient.identifier", IndexKey.Form.Code, mention.Value), IndexText.Of(mention.System))));
        }
        return found;
    }

    /// <summary>Whether there is a patient who does not deny the viewer everything; it takes as long where there is none.</summary>
    /// <param name="patient">Patient id.</param>
    /// <param name="cancellation">Stops the read.</param>
    public async ValueTask<bool> MayOpenAsync(string patient, CancellationToken cancellation)
    {
        var row = await GuardAsync(() => VersionRow.CurrentAsync(_session, "Patient", patient, cancellation));
        var consents = await GuardAsync(() => StandingAsync([patient], cancellation));
        var (who, action) = (_viewer.Who.Requester, _viewer.Who.Action);
        if (row is not { IsDeleted: false }) return false;
        await LabelsAsync(row, cancellation);
        if (!await IsIndexedAsync(row, cancellation)) return false;
        return !consents.Of([patient], null).Any(c => ConsentDecision.DeniesAll(c, who, action));
    }

    /// <summary>Whether the consents of a patient let the viewer write a record about that patient.</summary>
    /// <param name="record">What it would be.</param>
    /// <param name="patient">One of its patients.</param>
    /// <param name="cancellation">Stops the read.</param>
    public async ValueTask<bool> PermitsWriteAsync(RecordFacts record, string patient, CancellationToken cancellation)
    {
        var consents = await GuardAsync(() => StandingAsync([patient], cancellation));
        return ConsentDecision.PermitsWrite(_viewer.Who.Requester, record, patient, consents.Of([patient], null));
    }

    /// <summary>The decision on the current version of a record, and what each consent about this viewer says of it.</summary>
    /// <param name="type">Resource type.</param>
    /// <param name="id">Logical id.</param>
    /// <param name="patient">
    /// The patient whose consents are told: no patient is told another's. Null: those of all whom it concerns, for the operator alone.
    /// </param>
    /// <param name="cancellation">Stops the read.</param>
    /// <returns>Null where there is no such record. There is nothing in it to open the record with.</returns>
    public async ValueTask<Explanation?> ExplainAsync(string type, string id, string? patient, CancellationToken cancellation)
    {
        if (await GuardAsync(() => VersionRow.CurrentAsync(_session, type, id, cancellation)) is not { IsDeleted: false } row) return null;
        var decided = (await DecideAsync([row], cancellation))[0];
        var (facts, consents) = await SaidAsync(row, patient is null ? [.. Interner.AllOf(row.Patients)] : [patient], cancellation);
        return Explained(facts, decided?.Permit, consents);
    }

    /// <summary>
    /// The same as far as one patient's consents decide, as if the record were that patient's alone: whom else it concerns, who keeps it
    /// must not learn by asking about it, and be it that it wrote an identifier into it.
    /// </summary>
    /// <param name="type">Resource type.</param>
    /// <param name="id">Logical id.</param>
    /// <param name="patient">The patient.</param>
    /// <param name="cancellation">Stops the read.</param>
    /// <returns>Null where there is no such record of the patient.</returns>
    public async ValueTask<Explanation?> ExplainAloneAsync(string type, string id, string patient, CancellationToken cancellation)
    {
        var row = await GuardAsync(() => VersionRow.CurrentAsync(_session, type, id, cancellation));
        if (row is not { IsDeleted: false } || !Interner.PatientsOf(row.Patients).Contains(patient)) return null;
        var (facts, consents) = await SaidAsync(row, [patient], cancellation);
        var permit = ConsentDecision.Decide(
            _viewer.Who.Requester, facts with { Patients = [patient], Others = [] }, row.Version, row.IsCurrent,
            [.. consents.Select(c => c.Consent)], Chain.Block);
        return Explained(facts, permit, consents);
    }

    private Explanation Explained(
        RecordFacts facts, Permit? permit, IReadOnlyList<(StandingConsent Consent, ConsentTerms Terms)> consents) => new(
        _viewer.Who.Requester, permit,
        [
            .. consents.Select(c => new ConsentSaid(
                c.Consent, c.Terms, ConsentDecision.Says(c.Consent, _viewer.Who.Requester, facts, DataAction.Read))),
        ],
        Chain.Block, facts);

    private async ValueTask<(RecordFacts Facts, IReadOnlyList<(StandingConsent Consent, ConsentTerms Terms)> Consents)> SaidAsync(
        VersionRow row, List<string> patients, CancellationToken cancellation)
    {
        var labels = await LabelsAsync(row, cancellation);
        var consents = (await GuardAsync(() => StandingAsync(patients, cancellation))).WithTerms(patients);
        var ties = await GuardAsync(() => TiesAsync(consents.Select(c => c.Consent), cancellation));
        return (await FactsAsync(row, labels, ties, cancellation), consents);
    }

    private async ValueTask<List<PermittedVersion?>> DecideAsync(IReadOnlyList<VersionRow> rows, CancellationToken cancellation)
    {
        var requester = _viewer.Who.Requester;
        // Before anything that the rows say is believed, even which patients they are of.
        var labelsOf = new LabelSet[rows.Count];
        for (var i = 0; i < rows.Count; i++) labelsOf[i] = await LabelsAsync(rows[i], cancellation);
        var patients = rows.Where(r => !requester.Authors.Contains(r.Author) && !DirectoryTypes.Contains(r.Type))
            .SelectMany(r => Interner.AllOf(r.Patients)).Distinct().Where(p => p != requester.Patient).ToList();
        var standing = await GuardAsync(() => StandingAsync(patients, cancellation));
        var consentsOf = new IReadOnlyList<StandingConsent>[rows.Count];
        for (var i = 0; i < rows.Count; i++)
        {
            // Who is shown a Consent depends on what it grants, not on what is said of its labels.
            var labels = rows[i].Type == "Consent" ? null : labelsOf[i];
            consentsOf[i] = standing.Of(Interner.AllOf(rows[i].Patients), labels);
        }
        var asked = await GuardAsync(() => TiesAsync(consentsOf.SelectMany(c => c), cancellation));
        var decided = new List<PermittedVersion?>(rows.Count);
        for (var i = 0; i < rows.Count; i++)
        {
            var row = rows[i];
            var facts = await FactsAsync(row, labelsOf[i], asked, cancellation);
            var permit = ConsentDecision.Decide(requester, facts, row.Version, row.IsCurrent, consentsOf[i], Chain.Block);
            decided.Add(permit is null ? null : new PermittedVersion(row.ToVersion(facts), permit, row.WrappedSubjectKey));
        }
        return decided;
    }

    private ValueTask<List<PermittedVersion?>> ReachedAsync(
        BoundViewer viewer, IReadOnlyList<VersionRow> rows, List<PermittedVersion?> decided, CancellationToken cancellation) =>
        GuardAsync(() => new ScopeCheck(_database, _session, viewer).ReachedAsync(rows, decided, cancellation));

    // What the decision knows of a record. Few consents name single data; a Consent's own links say whom it is for.
    private async ValueTask<RecordFacts> FactsAsync(
        VersionRow row, LabelSet labels, IReadOnlyList<(string Named, string RefersTo)>? ties, CancellationToken cancellation) =>
        row.Facts(
            labels.Labels,
            ties is null && row.Type != "Consent" ? [] : await GuardAsync(() => LinksOfAsync(row, ties ?? [], cancellation)));

    // The labels of a record whose rows are what was sealed.
    private async ValueTask<LabelSet> LabelsAsync(VersionRow row, CancellationToken cancellation)
    {
        var labels = await GuardAsync(() => _database.Interners.LabelSets.ValueAsync(_session, row.LabelSet, cancellation));
        row.MustBeWhole(_database.Seals, labels);
        return labels;
    }

    private async ValueTask<IReadOnlyList<RecordLink>> LinksOfAsync(
        VersionRow row, IReadOnlyList<(string Named, string RefersTo)> ties, CancellationToken cancellation)
    {
        var own = await _database.Records.TiesAsync(_session, row.Rid, row.Type, row.Id, row.Seals.LinksDigest, cancellation);
        var links = own.Links.ToList();
        foreach (var (named, refersTo) in ties)
            if (refersTo == $"{row.Type}/{row.Id}" || own.Links.Contains(new RecordLink(LinkKind.Is, refersTo)))
                links.Add(new RecordLink(LinkKind.ReferredBy, named));
        return links;
    }

    // What the records refer to that these consents name as related, asked once for all records; null: they name no data at all.
    private async ValueTask<List<(string Named, string RefersTo)>?> TiesAsync(
        IEnumerable<StandingConsent> consents, CancellationToken cancellation)
    {
        var asked = consents.SelectMany(c => c.Shape.DataNamed).Distinct().ToList();
        if (asked.Count == 0) return null;
        var ties = new List<(string, string)>();
        foreach (var named in asked.Where(d => d.Meaning == DataMeaning.Related).Select(d => d.Reference))
        {
            var parts = named.Split('/');
            if (await _database.Records.FindAsync(_session, parts[0], parts[1], cancellation) is not { } other) continue;
            var own = await _database.Records.TiesAsync(_session, other, cancellation);
            ties.AddRange(own.Links.Where(l => l.Kind is LinkKind.RefersTo or LinkKind.PartRefersTo).Select(l => (named, l.Reference)));
        }
        return ties;
    }

    private async ValueTask<ViewerConsents> StandingAsync(IReadOnlyList<string> patients, CancellationToken cancellation) =>
        new(_viewer, patients.Count == 0 ? [] : await _database.Consents.StandingAsync(_session, patients, cancellation));

    private async ValueTask<T> GuardAsync<T>(Func<ValueTask<T>> read)
    {
        try
        {
            return await read();
        }
        catch (Exception e)
        {
            _isBroken = true;
            if (_database.Engine.Unavailable(e) is { } unavailable) throw unavailable;
            throw;
        }
    }
}

/// <summary>The query let a record through that the decision does not permit: nothing is given out, and it is a bug.</summary>
public sealed class DecisionDiffersException(RecordFacts facts)
    : Exception($"the query and the decision differ on {facts.Type}/{facts.Id}");
