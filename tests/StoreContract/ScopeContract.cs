using PmrGateway.Fhir;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

public sealed class SqliteScope(Sqlite engine) : ScopeContract(engine), IClassFixture<Sqlite>;

public sealed class PostgresScope(Postgres engine) : ScopeContract(engine), IClassFixture<Postgres>;

/// <summary>What a token reaches at most: the query and what a version says itself, held against each other, on every engine.</summary>
public abstract class ScopeContract(Engine engine)
{
    private const int Records = 60;
    private readonly Dictionary<(string Id, long Version), IReadOnlyList<IndexEntry>> _contents = [];
    private ulong _rolls = 7;

    [Fact]
    public async Task Whatever_a_scope_names_search_compartment_and_read_reach_the_same()
    {
        foreach (var smallReach in new[] { 10_000, 0 })
        {
            var (database, patient) = (Opened(smallReach), ResourceId.New());
            var index = new Dictionary<string, IReadOnlyList<IndexEntry>>();
            for (var i = 0; i < Records; i++)
                await CommitAsync(database, Observation(index, $"{patient}-{i}", patient));
            for (var round = 0; round < 100; round++)
            {
                var filters = Enumerable.Range(0, Next(1, 4)).Select(_ => Filter(patient)).ToList();
                var reach = Reach(("Observation", filters));
                var expected = index.Where(r => filters.Exists(f => f.Holds(r.Value))).Select(r => r.Key).Order().ToList();
                await using var snapshot = await database.SnapshotAsync(
                    Make.Hospital() with { Reads = reach, Searches = reach }, searches: true, default);
                var query = new SearchQuery(
                    "Observation", [new SearchCriterion("patient", "reference", [new SearchValue("Patient", patient)])], 7, 0);
                var found = new List<string>();
                for (var page = await snapshot.SearchAsync(query, default); ; page = await snapshot.SearchAsync(query, default))
                {
                    Assert.Equal(expected.Count, page.Total);
                    found.AddRange(page.Versions.Select(v => v.Version.Facts.Id));
                    if (page.Next is not { } next) break;
                    query = query with { Cursor = next };
                }
                Assert.Equal(expected, found.Order());
                Assert.Equal(expected.Count, (await snapshot.CompartmentAsync(patient, null, 0, 5, default)).Total);
                foreach (var id in index.Keys.Take(10))
                {
                    var isReached = expected.Contains(id);
                    Assert.Equal(isReached, await snapshot.ReadAsync("Observation", id, null, default) is not null);
                    Assert.Equal(isReached, await snapshot.ReadAsync("Observation", id, 1, default) is not null);
                    Assert.Equal(isReached, await snapshot.ReachesAsync("Observation", id, default));
                    Assert.Equal(isReached, await snapshot.KeptAsync("Observation", id, default) is not null);
                    Assert.Equal(isReached ? 1 : 0, (await snapshot.HistoryAsync(OfRecord(id), default)).Total);
                }
            }
        }
    }

    [Fact]
    public void A_viewer_whom_no_scope_restricts_pays_nothing_for_scopes()
    {
        var who = Make.Hospital();
        bool AskedInVain() => ScopeSql.ParametersAsync(null!, null!, who, default) is { IsCompletedSuccessfully: true };
        Assert.True(AskedInVain());
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) AskedInVain();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1000);
    }

    [Fact]
    public async Task A_history_has_the_versions_that_are_reached_page_by_page_and_what_is_not_ends_none()
    {
        var (database, id) = (Opened(500), ResourceId.New());
        string[] codes = ["yes", "no", "yes", "yes", "no"];
        for (var i = 0; i < codes.Length; i++)
        {
            _contents[(id, i + 1)] = [Make.Token("code", "s", codes[i])];
            var write = Make.Version(Make.Facts("Account", id), i + 1, _contents[(id, i + 1)]);
            await CommitAsync(database, write with { Version = write.Version with { LastUpdated = Make.Epoch.AddDays(i) } });
        }
        var reach = Reach(("Account", [new ScopeFilter([new ScopeTerm("code", "token", [new ScopeValue("s", "yes")])])]));
        await using var snapshot = await database.SnapshotAsync(
            Make.Hospital() with { Reads = reach, Searches = reach }, searches: true, default);
        var (query, seen) = (new HistoryQuery(["Account"], null, 2, 0), new List<long>());
        for (var page = await snapshot.HistoryAsync(query, default); ; page = await snapshot.HistoryAsync(query, default))
        {
            Assert.Equal(3, page.Total);
            seen.AddRange(page.Versions.Select(v => v.Version.Version));
            if (page.Next is not { } next) break;
            query = query with { Cursor = next };
        }
        Assert.Equal([4, 3, 1], seen);
        Assert.Equal(3, (await snapshot.HistoryAsync(query with { Count = 0, Cursor = 0 }, default)).Total);
        // On the second day the first version is current to who does not see the second.
        foreach (var (day, version) in new[] { (0, 1), (1, 1), (2, 3), (3, 4), (4, 4) })
        {
            var from = Make.Epoch.AddDays(day);
            var hour = (from.ToUnixTimeMilliseconds(), from.AddHours(1).ToUnixTimeMilliseconds());
            var at = await snapshot.HistoryAsync(new HistoryQuery(["Account"], null, 10, 0) { At = hour }, default);
            Assert.Equal([version], at.Versions.Select(v => v.Version.Version));
        }
    }

    [Fact]
    public async Task What_names_a_person_restricts_by_its_hash()
    {
        var (database, id) = (Opened(500), ResourceId.New());
        foreach (var name in new[] { "a", "b" })
        {
            IndexEntry[] entries = [Make.Token("identifier", "urn:id", name) with { IsPersonal = true }];
            _contents[(name + id, 1)] = entries;
            await CommitAsync(database, Make.Version(Make.Facts("Specimen", name + id), 1, entries));
        }
        var reach = Reach(
            ("Specimen", [new ScopeFilter([new ScopeTerm("identifier", "token", [new ScopeValue("urn:id", "a")]) { IsPersonal = true }])]));
        await using var snapshot = await database.SnapshotAsync(
            Make.Hospital() with { Reads = reach, Searches = reach }, searches: true, default);
        Assert.Equal(1, await TotalAsync(snapshot, "Specimen", "a" + id, "b" + id));
    }

    [Fact]
    public async Task Of_a_Binary_all_of_its_hospital_that_link_to_it_are_reached()
    {
        var (database, patient) = (Opened(500), ResourceId.New());
        var (seen, hidden, alone, foreign) = ("s" + patient, "h" + patient, "a" + patient, "f" + patient);
        var code = Make.Token("type", "s", "yes");
        foreach (var binary in new[] { seen, hidden, alone, foreign })
            await CommitAsync(database, Make.Version(Make.Facts("Binary", binary, "Organization/a")));
        await CommitAsync(database, Document("1", [code], seen, hidden, foreign));
        await CommitAsync(database, Document("2", [Make.Token("type", "s", "no")], hidden));
        // Another hospital's closes nothing.
        await CommitAsync(database, Make.Version(
            Make.Facts("DocumentReference", "3" + patient, "Organization/b", patient), 1, [], foreign));
        var reach = new ScopeReach(
            new Dictionary<string, IReadOnlyList<ScopeFilter>>(),
            new Dictionary<string, IReadOnlyList<ScopeFilter>>
            {
                ["DocumentReference"] = [new ScopeFilter([new ScopeTerm("type", "token", [new ScopeValue("s", "yes")])])],
            });
        var viewer = Make.Hospital() with { Reads = reach, Searches = reach };
        await using var snapshot = await database.SnapshotAsync(viewer, searches: true, default);
        foreach (var binary in new[] { seen, alone, foreign, hidden })
            Assert.Equal(binary != hidden, await snapshot.ReadAsync("Binary", binary, null, default) is not null);
        Assert.Equal(3, await TotalAsync(snapshot, "Binary", seen, hidden, alone, foreign));

        VersionWrite Document(string id, IReadOnlyList<IndexEntry> index, params string[] links)
        {
            _contents[(id + patient, 1)] = index;
            return Make.Version(Make.Facts("DocumentReference", id + patient, "Organization/a", patient), 1, index, links);
        }
    }

    [Fact]
    public async Task An_index_that_was_changed_lets_nothing_through_that_the_content_does_not()
    {
        var (options, file) = await engine.NewAsync();
        await using var database = await Engine.OpenAsync(options, file);
        database.ContentIndex = IndexAsync;
        foreach (var (id, code) in new[] { ("r1", "yes"), ("r2", "no") })
        {
            _contents[(id, 1)] = [Make.Token("code", "s", code)];
            await CommitAsync(database, Make.Version(Make.Facts("Observation", id), 1, _contents[(id, 1)]));
        }
        await using (var raw = await RawDatabase.OpenAsync(options, file))
            Assert.Equal(1, await raw.RunAsync("UPDATE index_token SET code = 'yes' WHERE code = 'no'"));
        var reach = Reach(("Observation", [new ScopeFilter([new ScopeTerm("code", "token", [new ScopeValue(null, "yes")])])]));
        await using var snapshot = await database.SnapshotAsync(
            Make.Hospital() with { Reads = reach, Searches = reach }, searches: true, default);
        Assert.NotNull(await snapshot.ReadAsync("Observation", "r1", null, default));
        Assert.Null(await snapshot.ReadAsync("Observation", "r2", null, default));
        await Assert.ThrowsAsync<DecisionDiffersException>(
            async () => await snapshot.SearchAsync(new SearchQuery("Observation", [], 10, 0), default));
    }

    [Fact]
    public async Task As_many_scopes_as_fit_into_a_token_are_asked()
    {
        var database = Opened(500);
        var (id, entries) = (ResourceId.New(), new[] { Make.Token("code", "s", "c699"), Make.Token("category", "s", "x") });
        _contents[(id, 1)] = entries;
        await CommitAsync(database, Make.Version(Make.Facts("Task", id), 1, entries));
        var category = new ScopeTerm("category", "token", [new ScopeValue("s", "x")]);
        var filters = Enumerable.Range(0, 700)
            .Select(i => new ScopeFilter([new ScopeTerm("code", "token", [new ScopeValue(null, $"c{i}")]), category]));
        var reach = Reach(("Task", [.. filters]));
        await using var snapshot = await database.SnapshotAsync(
            Make.Hospital() with { Reads = reach, Searches = reach }, searches: true, default);
        Assert.Equal(1, await TotalAsync(snapshot, "Task", id));
    }

    private static HistoryQuery OfRecord(string id) => new(["Observation"], id, 10, 0);

    private RecordDatabase Opened(int smallReach)
    {
        var database = engine.Open(smallReach);
        database.ContentIndex = IndexAsync;
        return database;
    }

    private ValueTask<IReadOnlyList<IndexEntry>> IndexAsync(PermittedVersion version, CancellationToken cancellation) =>
        ValueTask.FromResult(_contents[(version.Version.Facts.Id, version.Version.Version)]);

    private VersionWrite Observation(Dictionary<string, IReadOnlyList<IndexEntry>> index, string id, string patient)
    {
        var entries = new List<IndexEntry> { Make.Reference("patient", "Patient", patient) };
        for (var i = Next(4); i > 0; i--)
            entries.Add(Make.Token(Pick("code", "category")!, Pick("s", "t", null), Pick("a", "b", "c")!));
        if (Next(2) == 0) entries.Add(Make.Reference("subject", Pick("Patient", "Group")!, Pick(patient, "g")!));
        index[id] = _contents[(id, 1)] = entries;
        return Make.Version(Make.Facts("Observation", id, "Organization/a", patient), 1, entries);
    }

    private ScopeFilter Filter(string patient) => new([.. Enumerable.Range(0, Next(1, 3)).Select(_ => Next(5) == 0
        ? new ScopeTerm("subject", "reference", [new ScopeValue(Pick("Patient", "Group", null), Pick(patient, "g"))])
        : new ScopeTerm(Pick("code", "category", "never")!, "token", [.. Enumerable.Range(0, Next(1, 3)).Select(_ => Value())]))]);

    private ScopeValue Value() => Next(4) == 0
        ? new ScopeValue(Pick("s", "t"), null)
        : new ScopeValue(Pick("s", "t", "", null), Pick("a", "b", "c"));

    private int Next(int from, int below) => from + Next(below - from);

    // The same on every machine.
    private int Next(int below)
    {
        _rolls = unchecked((_rolls * 6364136223846793005) + 1442695040888963407);
        return (int)((_rolls >> 33) % (ulong)below);
    }

    private string? Pick(params string?[] from) => from[Next(from.Length)];

    private static ScopeReach Reach(params (string Type, IReadOnlyList<ScopeFilter> Filters)[] types)
    {
        var filters = types.ToDictionary(t => t.Type, t => t.Filters);
        return new ScopeReach(filters, filters);
    }

    private static async Task<long> TotalAsync(ReadSnapshot snapshot, string type, params string[] ids)
    {
        var criterion = new SearchCriterion("_id", "id", [.. ids.Select(i => new SearchValue(null, i))]);
        return (await snapshot.SearchAsync(new SearchQuery(type, [criterion], 10, 0), default)).Total;
    }

    private static async Task CommitAsync(RecordDatabase database, params VersionWrite[] versions) =>
        Assert.IsType<CommitResult.Committed>(await database.CommitAsync(new CommitPlan { Versions = versions }, default));
}
