using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

/// <summary>
/// Records, consents and actors of every kind that something could be opened by, under the eyes of an insurer that may see one of them.
/// </summary>
internal sealed class TamperWorld
{
    private const long Head = 7;
    private static readonly RecordLabel Restricted = new(LabelKind.Security, "s", "R");
    private readonly Func<Task<RecordDatabase>> _again;
    private readonly HashSet<string> _may;
    private readonly Dictionary<string, Actor?> _actors = [];
    private readonly Dictionary<string, RegisteredPatient?> _patients = [];
    private readonly Dictionary<string, RegisteredPatient?> _older = [];

    private TamperWorld(RecordDatabase database, Func<Task<RecordDatabase>> again) =>
        (Database, _again, _may) = (database, again, ["Observation/" + Open]);

    public RecordDatabase Database { get; }

    public string Patient { get; } = "p";

    public string Open { get; } = "open";

    public string Closed { get; } = "closed";

    public string Denial { get; } = "denial";

    // Closed by a label that it did not have in its first version; by having no consent, a revoked one, one that the chain has not; by
    // being an attachment; by being a Consent of others; by what refers to it.
    private static readonly (string Type, string Id)[] Records =
    [
        ("Observation", "open"), ("Observation", "closed"), ("Observation", "other"), ("DocumentReference", "doc"), ("Binary", "bin"),
        ("Consent", "denial"), ("Condition", "related"), ("Condition", "unrelated"), ("Observation", "gone"),
    ];

    private static readonly Viewer Insurer = Make.Insurer() with
    {
        Requester = Make.Insurer().Requester with { Author = "client:Organization/i" },
    };

    private static readonly Dictionary<string, string> Sealed = new()
    {
        ["resources"] = "version deleted author custodian patients own_patients data_from data_to links_digest seal",
        ["consents"] = "salt terms giver place granted_block revoked seal",
        ["patient_consents"] = "seal",
        ["actors"] = "actor_id kind hospital suspended chain_active role ends glass_policy seal",
        ["bindings"] = "actor_id seal",
        ["patients"] = "patient_key custodian controller seal",
    };

    private LedgerJournal Journal => new(Database);

    public static async Task<TamperWorld> MakeAsync(Func<Task<RecordDatabase>> again)
    {
        var database = await again();
        var world = new TamperWorld(database, again);
        await world.FillAsync();
        foreach (var reference in new[] { "Organization/a", "Organization/i", "Organization/s", "Practitioner/d" })
            world._actors[reference] = await new DirectoryStore(database).ActorAsync(reference, default);
        foreach (var client in new[] { "client-a", "client-s" })
            world._actors[client] = await new DirectoryStore(database).ActorOfClientAsync(client, default);
        foreach (var patient in new[] { "p", "q" })
            world._patients[patient] = await new DirectoryStore(database).PatientAsync(patient, default);
        return world;
    }

    public Task<RecordDatabase> OpenAgainAsync() => _again();

    /// <summary>Nothing is broken: what may be seen is, and nothing else.</summary>
    public async Task MustBeWholeAsync(RecordDatabase? on = null)
    {
        var database = on ?? Database;
        foreach (var (type, id) in Records)
            Assert.Equal(_may.Contains($"{type}/{id}"), await ReadAsync(database, type, id) is not null);
        database.Actors.Forget();
        foreach (var (name, actor) in _actors) Assert.Equal(actor, await FindAsync(database, name));
        foreach (var (id, patient) in _patients)
        {
            Assert.Equal(patient, await new DirectoryStore(database).PatientAsync(id, default));
            Assert.NotEmpty(await new DirectoryStore(database).ConsentsAsync(id, default));
        }
        Assert.True(_actors["Organization/a"]!.IsActive && !_actors["Organization/s"]!.IsActive);
        Assert.Equal(_may.Count, (await SearchAsync(database)).Count);
    }

    /// <summary>Whatever was done: what may not be seen is not, and no answer is a wrong one.</summary>
    public async Task MustStayClosedAsync(string what, bool isFresh)
    {
        var database = isFresh ? await _again() : Database;
        // A record that is taken out whole, or is not under its name any more, is as if it had never been; so a denial that names it as
        // related does not reach what it referred to (docs/decisions/0024).
        var isReferred = await database.ReadAsync(
            (session, stop) => session.NumberAsync("SELECT 1 FROM resources WHERE type = 'Condition' AND id = 'referring'", stop),
            default) is not null;
        foreach (var (type, id) in Records)
            await TryAsync(async () =>
            {
                if (await ReadAsync(database, type, id) is { } found) MayBe(found);
            });
        await TryAsync(async () => (await SearchAsync(database)).ForEach(MayBe));
        database.Actors.Forget();
        foreach (var (name, actor) in _actors)
            await TryAsync(async () =>
            {
                if (await FindAsync(database, name) is { } found) Assert.True(actor == found, what);
            });
        foreach (var (id, patient) in _patients)
        {
            await TryAsync(async () =>
            {
                // An older one names who kept or controlled the record then, and opens nothing (docs/decisions/0024).
                if (await new DirectoryStore(database).PatientAsync(id, default) is { } found)
                    Assert.True(patient == found || _older.GetValueOrDefault(id) == found, what);
            });
            await TryAsync(async () => await new DirectoryStore(database).ConsentsAsync(id, default));
        }
        if (isFresh) await database.DisposeAsync();

        void MayBe(PermittedVersion found)
        {
            var facts = found.Version.Facts;
            if (facts.Id == "related" && !isReferred) return;
            Assert.True(_may.Contains($"{facts.Type}/{facts.Id}"), $"{facts.Type}/{facts.Id} was opened by {what}");
            Assert.True((facts.Patients.Single(), found.Permit.Basis) == ("p", PermitBasis.Consent), what);
        }
    }

    /// <summary>
    /// As what an operator must be told that a column was changed, where it is under the seal of a row that was asked about; null: it need
    /// not be told. What is not under a seal decides nothing, and a row of another name is not found.
    /// </summary>
    public BrokenRow[]? MustTell(string table, string column, IReadOnlyDictionary<string, object?> row)
    {
        if (!Sealed.TryGetValue(table, out var columns) || !columns.Split(' ').Contains(column)) return null;
        string Text(string name) => (string)row[name]!;
        return table switch
        {
            "resources" => Records.Contains((Text("type"), Text("id"))) ? [new(table, $"{Text("type")}/{Text("id")}")] : null,
            "consents" => [new(table, Text("commitment")), new("patient_consents", Text("patient_id"))],
            "patient_consents" => [new(table, Text("patient_id"))],
            "actors" => _actors.ContainsKey(Text("reference")) ? [new(table, Text("reference"))] : null,
            "bindings" => [new(table, Text("client"))],
            _ => [new(table, Text("id"))],
        };
    }

    public async Task<PermittedVersion?> ReadAsync(RecordDatabase database, string type, string id)
    {
        database.Consents.Forget();
        await using var snapshot = await database.SnapshotAsync(Insurer, searches: false, default);
        return await snapshot.ReadAsync(type, id, null, default);
    }

    /// <summary>The record that was open gets a label that closes it, and then its consent ends.</summary>
    public async Task CloseAllAsync()
    {
        await CommitAsync(new CommitPlan
        {
            Versions = [Make.Version(Make.Facts("Observation", Open, "Organization/a", "p", Restricted), 2, Index("p"))],
            Consents = [new ConsentChange.Withdraw("permit")],
        });
        await ApplyAsync(new ControllerChangedEvent(Head, "t", "kp", "c1"));
        (_older["p"], _patients["p"]) = (_patients["p"], await new DirectoryStore(Database).PatientAsync("p", default));
        Assert.NotEqual(_older["p"], _patients["p"]);
        _may.Clear();
    }

    /// <summary>The document is written once more, with the same attachment.</summary>
    public Task RelinkAsync() => CommitAsync(new CommitPlan { Versions = [Make.Version(Document, 2, Index("p"), "bin")] });

    public Task GrantAsync(string commitment, string patient, long block) =>
        ApplyAsync(new ConsentGrantedEvent(block, "t", "k" + patient, commitment, 0, 0, 0));

    public Task SetActiveAsync(string actorId, bool isActive) => ApplyAsync(new ActorStatusEvent(Head, "t", actorId, isActive));

    private static RecordFacts Document => Make.Facts("DocumentReference", "doc", "Organization/a", "p", Restricted);

    private async Task FillAsync()
    {
        var permit = Make.Give("permit", Make.Permit("p"));
        var denial = Make.Permit("p", permits: false);
        var ofLabel = denial with { Root = denial.Root with { SecurityLabels = [new TermCode("s", "R")] } };
        var ofRelated = denial with
        {
            Root = denial.Root with { Data = [new DataReference(DataMeaning.Related, "Condition/referring")] },
        };
        var revoked = Make.Give("revoked", Make.Permit("q"));
        var unseen = Make.Give("unseen", Make.Permit("q") with { Root = Make.Permit("q").Root with { Purposes = ["HPAYMT"] } });
        await CommitAsync(new CommitPlan
        {
            SubjectKeys = [new("Patient/p", [1]), new("Patient/q", [2])],
            Directory =
            [
                new DirectoryChange.AddActor("Organization/a", "aa", ActorKind.Hospital, null),
                new DirectoryChange.AddActor("Organization/i", "ai", ActorKind.Insurer, null),
                new DirectoryChange.AddActor("Organization/s", "as", ActorKind.Hospital, null),
                new DirectoryChange.AddActor("Practitioner/d", "ad", ActorKind.Practitioner, "Organization/s"),
                new DirectoryChange.AddPatient("p", "kp", "Organization/a"), new DirectoryChange.AddPatient("q", "kq", "Organization/a"),
            ],
            Versions =
            [
                Observation(Open, "p"), Observation(Closed, "p"), Observation("other", "q"), Observation("gone", "p"),
                Make.Version(Make.Facts("Binary", "bin")), Make.Version(Document, 1, Index("p"), "bin"),
                Make.Version(Make.Facts("Consent", "denial", "Organization/a", "p"), 1, Index("p")),
                Make.Version(Make.Facts("Condition", "related", "Organization/a", "p"), 1, Index("p")),
                Make.Version(Make.Facts("Condition", "unrelated", "Organization/a", "q"), 1, Index("q")),
                Make.Version(Referring, 1, Index("q")),
            ],
            Consents = [permit, Make.Give("denial", ofLabel), Make.Give("related", ofRelated), revoked, unseen],
        });
        await CommitAsync(new CommitPlan
        {
            Versions =
            [
                Make.Version(Make.Facts("Observation", Closed, "Organization/a", "p", Restricted), 2, Index("p")),
                Make.Version(Make.Facts("Observation", "gone", "Organization/a", "p", Restricted), 2, Index("p")),
            ],
            Consents = [new ConsentChange.Withdraw("revoked")],
            Directory = [new DirectoryChange.SetSuspended("Organization/s", true)],
        });
        await ApplyAsync(
            [
                .. new[] { "aa", "ai", "as", "ad" }.Select(a => new ActorRegisteredEvent(1, "t", a, ActorKind.Hospital, null)),
                new ClientBindingEvent(1, "t", "client-a", "aa"), new ClientBindingEvent(1, "t", "client-s", "as"),
                new PatientRegisteredEvent(1, "t", "kp", "c0", "aa"),
            ]);
        await GrantAsync(permit.Commitment, "p", 2);
        await GrantAsync(revoked.Commitment, "q", 2);
    }

    private static RecordFacts Referring => Make.Facts("Condition", "referring", "Organization/a", "q") with
    {
        Details = new RecordDetails(null, null, [new RecordLink(LinkKind.RefersTo, "Condition/related")]),
    };

    private static VersionWrite Observation(string id, string patient) =>
        Make.Version(Make.Facts("Observation", id, "Organization/a", patient), 1, Index(patient));

    private static Fhir.IndexEntry[] Index(string patient) => [Make.Reference("patient", "Patient", patient)];

    private static async Task<List<PermittedVersion>> SearchAsync(RecordDatabase database)
    {
        database.Consents.Forget();
        await using var snapshot = await database.SnapshotAsync(Insurer, searches: true, default);
        return [.. (await snapshot.SearchAsync(new SearchQuery("Observation", [], 100, 0), default)).Versions];
    }

    private static async Task<Actor?> FindAsync(RecordDatabase database, string name) => name.StartsWith("client", StringComparison.Ordinal)
        ? await new DirectoryStore(database).ActorOfClientAsync(name, default)
        : await new DirectoryStore(database).ActorAsync(name, default);

    private static async Task TryAsync(Func<Task> ask)
    {
        try
        {
            await ask();
        }
        catch (Exception e) when (e is RowBrokenException or DecisionDiffersException)
        {
            // Nothing was given out.
        }
    }

    private async Task CommitAsync(CommitPlan plan) => Assert.IsType<CommitResult.Committed>(await Database.CommitAsync(plan, default));

    private Task ApplyAsync(params ChainEvent[] events) =>
        Journal.ApplyAsync(new ViewUpdate(null, events, [new BlockReference(Head, "h")], TimeSpan.Zero), default);
}
