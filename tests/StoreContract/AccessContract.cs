using FsCheck.Fluent;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

public sealed class SqliteAccess(Sqlite engine) : AccessContract(engine, worlds: 150), IClassFixture<Sqlite>;

public sealed class PostgresAccess(Postgres engine) : AccessContract(engine, worlds: 60), IClassFixture<Postgres>;

/// <summary>What the query lets through is what the decision permits, on every engine, over random worlds.</summary>
public abstract class AccessContract(Engine engine, int worlds)
{
    private const long Confirmed = 7;
    // Everybody is searched for among what they could see at most; or nobody, and what a search names is found first; or what is less.
    private readonly RecordDatabase _database = engine.Shared(smallReach: 10_000);
    private readonly RecordDatabase _byParameters = engine.Shared(smallReach: 0);
    private readonly RecordDatabase _byCount = engine.Shared(smallReach: 1);
    private LedgerJournal Journal => new(_database);

    [Fact]
    public async Task The_query_lets_through_exactly_what_the_decision_permits()
    {
        var (permitted, byConsent) = (0, 0);
        foreach (var (i, world) in Worlds.Any().Sample(worlds).Index())
        {
            // All that there is grows by each world.
            var permits = await CompareAsync(world, isAllAsked: i % 5 == 0);
            permitted += permits.Count;
            byConsent += permits.Count(p => p.Basis == PermitBasis.Consent);
        }
        // Worlds in which nobody may see anything would show nothing.
        Assert.True(permitted > worlds && byConsent > worlds / 8, $"{permitted} permits, {byConsent} by consent, in {worlds} worlds");
    }

    [Fact]
    public async Task A_label_that_closes_a_document_closes_its_Binary_and_lifting_it_opens_both()
    {
        var (patient, binary, other) = (ResourceId.New(), ResourceId.New(), ResourceId.New());
        var document = Make.Facts("DocumentReference", ResourceId.New(), "Organization/a", patient);
        var restricted = new RecordLabel(LabelKind.Security, "s", "R");
        await CommitAsync(new CommitPlan
        {
            Versions = [Make.Version(Make.Facts("Binary", binary)), Make.Version(document, 1, null, binary)],
            Consents =
            [
                Make.Give(patient, Make.Permit(patient)),
                Make.Give("d" + patient, Make.Permit(patient, permits: false) with
                {
                    Root = Make.Permit(patient).Root with { SecurityLabels = [new TermCode("s", "R")] },
                }),
            ],
            Directory = [new DirectoryChange.AddPatient(patient, "k" + patient, "Organization/a")],
        });
        await GrantAsync(Make.Give(patient, Make.Permit(patient)).Commitment, patient, 1);
        Assert.True(await SeesAsync("Binary", binary));
        await CommitAsync(new CommitPlan { Versions = [Make.Version(document with { Labels = [restricted] }, 2, null, binary)] });
        Assert.False(await SeesAsync("DocumentReference", document.Id));
        Assert.False(await SeesAsync("Binary", binary));
        await CommitAsync(new CommitPlan { Versions = [Make.Version(document, 3, null, binary)] });
        Assert.True(await SeesAsync("Binary", binary));
        // A second record that links to it closes it too, and opens it again by letting go of it.
        var second = Make.Facts("DocumentReference", other, "Organization/a", patient, restricted);
        await CommitAsync(new CommitPlan { Versions = [Make.Version(second, 1, null, binary)] });
        Assert.False(await SeesAsync("Binary", binary));
        await CommitAsync(new CommitPlan { Versions = [Make.Deletion(second, 2)] });
        Assert.True(await SeesAsync("Binary", binary));
        await CommitAsync(new CommitPlan { Versions = [Make.Deletion(document, 4)] });
        await using var snapshot = await _database.SnapshotAsync(Make.Hospital(), searches: false, default);
        Assert.True((await snapshot.ReadAsync("Binary", binary, null, default))!.Version.IsDeleted);
    }

    [Fact]
    public async Task A_permit_that_one_record_meets_in_part_and_another_in_part_opens_no_Binary_of_both()
    {
        var (patient, binary) = (ResourceId.New(), ResourceId.New());
        RecordFacts Document(string type, string code) => Make.Facts(
            "DocumentReference", ResourceId.New(), "Organization/a", patient,
            new RecordLabel(LabelKind.Class, "s", type), new RecordLabel(LabelKind.Code, "s", code));
        var permit = Make.Permit(patient);
        var given = permit with { Root = permit.Root with { Classes = [new TermCode("s", "A")], Codes = [new TermCode("s", "C")] } };
        var (first, second) = (Document("A", "B"), Document("D", "C"));
        await CommitAsync(new CommitPlan
        {
            Versions =
            [
                Make.Version(Make.Facts("Binary", binary)), Make.Version(first, 1, null, binary), Make.Version(second, 1, null, binary),
            ],
            Consents = [Make.Give(patient, given)],
            Directory = [new DirectoryChange.AddPatient(patient, "k" + patient, "Organization/a")],
        });
        await GrantAsync(Make.Give(patient, given).Commitment, patient, 1);
        foreach (var (type, id) in new[] { ("Binary", binary), ("DocumentReference", first.Id), ("DocumentReference", second.Id) })
            Assert.False(await SeesAsync(type, id), type);
        // A record that meets it whole opens itself, and the Binary where it alone links to it.
        await CommitAsync(new CommitPlan { Versions = [Make.Version(Document("A", "C") with { Id = first.Id }, 2, null, binary)] });
        Assert.True(await SeesAsync("DocumentReference", first.Id));
        await CommitAsync(new CommitPlan { Versions = [Make.Deletion(second, 2)] });
        Assert.True(await SeesAsync("Binary", binary));
    }

    [Fact]
    public async Task Another_hospitals_record_that_links_to_a_Binary_changes_nothing_of_it()
    {
        var (patient, binary) = (ResourceId.New(), ResourceId.New());
        await CommitAsync(new CommitPlan
        {
            Versions =
            [
                Make.Version(Make.Facts("Binary", binary, "Organization/a", patient)),
                Make.Version(Make.Facts("DocumentReference", ResourceId.New(), "Organization/b", "q" + patient), 1, null, binary),
            ],
        });
        await using var snapshot = await _database.SnapshotAsync(Make.Hospital(), searches: false, default);
        Assert.Equal([patient], (await snapshot.ReadAsync("Binary", binary, null, default))!.Version.Facts.Patients);
    }

    [Fact]
    public async Task A_consent_that_begins_or_ends_counts_from_that_millisecond()
    {
        var (patient, record) = (ResourceId.New(), ResourceId.New());
        var (from, to) = (Make.Epoch.AddMilliseconds(1), Make.Epoch.AddMilliseconds(3));
        var terms = Make.Permit(patient);
        var given = terms with { Root = terms.Root with { From = from, To = to } };
        await CommitAsync(new CommitPlan
        {
            Versions = [Make.Version(Make.Facts("Observation", record, "Organization/a", patient))],
            Consents = [Make.Give(patient, given)],
            Directory = [new DirectoryChange.AddPatient(patient, "k" + patient, "Organization/a")],
        });
        await GrantAsync(Make.Give(patient, given).Commitment, patient, 1);
        foreach (var (now, sees) in new[] { (0, false), (1, true), (2, true), (3, false) })
            Assert.Equal(sees, await SeesAsync("Observation", record, Make.Epoch.AddMilliseconds(now)));
    }

    [Fact]
    public async Task A_new_kind_of_record_and_a_new_kind_of_consent_count_for_who_has_looked_before()
    {
        var patient = ResourceId.New();
        await CommitAsync(new CommitPlan
        {
            Consents = [Make.Give(patient, Make.Permit(patient))],
            Directory = [new DirectoryChange.AddPatient(patient, "k" + patient, "Organization/a")],
        });
        await GrantAsync(Make.Give(patient, Make.Permit(patient)).Commitment, patient, 1);
        for (var i = 0; i < 5; i++)
        {
            var label = new RecordLabel(LabelKind.Code, "urn:new", patient + i);
            await CommitAsync(new CommitPlan
            {
                Versions =
                [
                    Make.Version(
                        Make.Facts("Observation", ResourceId.New(), "Organization/a", patient, label),
                        1,
                        [Make.Reference("patient", "Patient", patient)]),
                ],
            });
            Assert.Equal(i + 1, await CountAsync(patient));
        }
        // A denial of one code, given later.
        var denial = Make.Permit(patient, permits: false);
        await CommitAsync(new CommitPlan
        {
            Consents =
            [
                Make.Give(
                    patient + "d",
                    denial with { Root = denial.Root with { Codes = [new TermCode("urn:new", patient + 2)] } }),
            ],
        });
        Assert.Equal(4, await CountAsync(patient));
    }

    [Fact]
    public async Task What_a_viewer_finds_is_what_it_would_find_where_nothing_else_is()
    {
        var found = 0;
        foreach (var world in Worlds.Any().Sample(worlds / 2)) found += await NonInterferenceAsync(world.WithoutRelated());
        Assert.True(found > worlds / 4, $"{found} found in {worlds / 2} worlds");
    }

    private async Task<List<Permit>> CompareAsync(World world, bool isAllAsked)
    {
        var model = new Model(ResourceId.New());
        foreach (var step in world.Steps)
            if (model.Apply(step) is { } plan) await CommitAsync(plan);
        var standing = await GiveAsync(world, model);
        var requester = model.In(world.Requester);
        await using var snapshot = await _database.SnapshotAsync(new Viewer(requester, world.Now, 0), searches: true, default);
        await using var second = await _byParameters.SnapshotAsync(new Viewer(requester, world.Now, 0), searches: true, default);
        await using var third = await _byCount.SnapshotAsync(new Viewer(requester, world.Now, 0), searches: true, default);
        var permitted = new List<Permit>();
        foreach (var (facts, version, isDeleted) in model.Records)
        {
            var expected = ConsentDecision.Decide(requester, facts, version, true, standing, Confirmed);
            var found = await snapshot.ReadAsync(facts.Type, facts.Id, null, default);
            Assert.Equal((facts.Id, expected?.Basis, isDeleted), (facts.Id, found?.Permit.Basis, found?.Version.IsDeleted ?? isDeleted));
            Assert.Equal(expected?.Commitments.Order(), found?.Permit.Commitments.Order());
            if (expected is not null) permitted.Add(expected);
        }
        var versions = await VersionsAsync(snapshot, model);
        foreach (var one in new[] { snapshot, second, third })
        {
            foreach (var (facts, _, _) in model.Records)
            {
                var page = await one.HistoryAsync(new HistoryQuery([facts.Type], facts.Id, 100, 0), default);
                Assert.Equal(versions.Where(v => v.Id == facts.Id), page.Versions.Select(v => (v.Version.Facts.Id, v.Version.Version)));
                Assert.Equal(page.Versions.Count, page.Total);
            }
            if (!isAllAsked) continue;
            var names = model.Records.Select(r => r.Facts.Id).ToHashSet();
            string[] types = [.. model.Records.Select(r => r.Facts.Type).Distinct()];
            foreach (var since in new long?[] { null, 0 })
            {
                var all = await one.HistoryAsync(new HistoryQuery(types, null, 100_000, 0) { Since = since }, default);
                var own = all.Versions.Select(v => (v.Version.Facts.Id, v.Version.Version)).Where(v => names.Contains(v.Id));
                Assert.Equal(versions.Order(), own.Order());
                Assert.Equal(all.Versions.Count, all.Total);
            }
        }
        foreach (var type in model.Records.Select(r => r.Facts.Type).Distinct())
        {
            var expected = model.Records.Where(r => r.Facts.Type == type && !r.IsDeleted
                && ConsentDecision.Decide(requester, r.Facts, r.Version, true, standing, Confirmed) is not null).Select(r => r.Facts.Id);
            foreach (var one in new[] { snapshot, second, third })
            {
                var found = await one.SearchAsync(new SearchQuery(type, [model.Own], 100, 0), default);
                Assert.Equal(expected.Order(), found.Versions.Select(v => v.Version.Facts.Id).Order());
                Assert.Equal(found.Versions.Count, found.Total);
            }
        }
        return permitted;
    }

    // Which versions may be seen, each asked by its number: the newest of a record first.
    private static async Task<List<(string Id, long Version)>> VersionsAsync(ReadSnapshot snapshot, Model model)
    {
        var versions = new List<(string, long)>();
        foreach (var (facts, last, _) in model.Records)
            for (var version = last; version > 0; version--)
                if (await snapshot.ReadAsync(facts.Type, facts.Id, version, default) is not null) versions.Add((facts.Id, version));
        return versions;
    }

    // A second world has the records alone that the viewer may see in the first, as they are now, written in the same order.
    private async Task<int> NonInterferenceAsync(World world)
    {
        var (all, visible) = (new Model(ResourceId.New()), new Model(ResourceId.New()));
        foreach (var step in world.Steps)
            if (all.Apply(step) is { } plan) await CommitAsync(plan);
        var standing = await GiveAsync(world, all);
        foreach (var (facts, version, isDeleted) in all.Records)
        {
            if (isDeleted || ConsentDecision.Decide(all.In(world.Requester), facts, version, true, standing, Confirmed) is null) continue;
            await CommitAsync(new CommitPlan { Versions = [Make.Version(all.Moved(facts, visible), 1, [visible.Mark])] });
        }
        await GiveAsync(world, visible);
        var pages = 0;
        // A Binary has the labels and patients of what links to it; here each would be alone. Over HTTP the second world has its links.
        string[] types = ["Observation", "DocumentReference", "Consent", "Organization"];
        foreach (var type in types)
        {
            Task<List<string>> SearchAsync(Model model) =>
                PagesAsync(model, s => (c, stop) => s.SearchAsync(new SearchQuery(type, [model.Own], 2, c), stop));
            var seen = await SearchAsync(all);
            Assert.Equal(await SearchAsync(visible), seen);
            pages += seen.Count(p => p.Length > 2);
        }
        foreach (var patient in new[] { "p", "q" })
            Assert.Equal(
                await PagesAsync(visible, s => (c, stop) => s.CompartmentAsync(visible.Id(patient), types[..3], c, 2, stop)),
                await PagesAsync(all, s => (c, stop) => s.CompartmentAsync(all.Id(patient), types[..3], c, 2, stop)));
        return pages;

        async Task<List<string>> PagesAsync(
            Model model, Func<ReadSnapshot, Func<long, CancellationToken, ValueTask<SnapshotPage>>> question)
        {
            var viewer = new Viewer(model.In(world.Requester), world.Now, 0);
            await using var snapshot = await _database.SnapshotAsync(viewer, searches: true, default);
            var pages = new List<string>();
            for (long? cursor = 0; cursor is { } at;)
            {
                var page = await question(snapshot)(at, default);
                pages.Add($"{page.Total}:" + string.Join(' ', page.Versions.Select(v => model.Bare(v.Version.Facts.Id))));
                cursor = page.Next;
            }
            return pages;
        }
    }

    private async Task<List<StandingConsent>> GiveAsync(World world, Model model)
    {
        var standing = new List<StandingConsent>();
        var chain = world.ChainAhead == TimeSpan.Zero ? world.Now : Make.Epoch + world.ChainAhead;
        for (var i = 0; i < world.Consents.Count; i++)
        {
            var (terms, block, revoked) = world.Consents[i];
            var own = model.In(terms);
            // Some of them have a Consent record among the world's.
            var given = Make.Give(model.Id($"{i}"), own);
            var (commitment, id) = (given.Commitment, given.ConsentId);
            await CommitAsync(new CommitPlan
            {
                Consents = [given],
                Directory = [new DirectoryChange.AddPatient(own.Patient, "k" + own.Patient, "Organization/a")],
            });
            if (block is { } at) await GrantAsync(commitment, own.Patient, at);
            if (revoked) await CommitAsync(new CommitPlan { Consents = [new ConsentChange.Withdraw(id)] });
            else standing.AddRange(ByBothClocks(own, commitment, block <= Confirmed).Select(c => c with { ConsentId = id }));
        }
        var head = new ViewUpdate(null, [], [new BlockReference(Confirmed, "h")], TimeSpan.Zero);
        await Journal.ApplyAsync(head with { BlockTime = chain.ToUnixTimeSeconds() }, default);
        return standing;

        // What a consent says by one clock alone denies, and permits nothing.
        IEnumerable<StandingConsent> ByBothClocks(ConsentTerms terms, string commitment, bool isConfirmed)
        {
            var all = ConsentSpan.Of(terms);
            var spans = new[] { world.Now, chain }.Select(at => all.FirstOrDefault(
                s => s.From <= at.ToUnixTimeMilliseconds() && at.ToUnixTimeMilliseconds() < s.To)).Distinct().ToList();
            return spans.OfType<ConsentSpan>().Select(
                s => new StandingConsent(commitment, terms.Patient, s.Shape, isConfirmed && spans.Count == 1));
        }
    }

    private async Task CommitAsync(CommitPlan plan) => Assert.IsType<CommitResult.Committed>(await _database.CommitAsync(plan, default));

    private Task GrantAsync(string commitment, string patient, long block) => Journal.ApplyAsync(
        new ViewUpdate(
            null,
            [new ConsentGrantedEvent(block, "t", "k" + patient, commitment, 0, 0, 0)],
            [new BlockReference(Confirmed, "h")],
            TimeSpan.Zero),
        default);

    private async Task<bool> SeesAsync(string type, string id, DateTimeOffset? now = null)
    {
        await using var snapshot = await _database.SnapshotAsync(Make.Insurer(now), searches: false, default);
        return await snapshot.ReadAsync(type, id, null, default) is { Version.IsDeleted: false };
    }

    private async Task<long> CountAsync(string patient)
    {
        await using var snapshot = await _database.SnapshotAsync(Make.Insurer(), searches: true, default);
        var query = new SearchQuery(
            "Observation", [new SearchCriterion("patient", "reference", [new SearchValue("Patient", patient)])], 100, 0);
        var page = await snapshot.SearchAsync(query, default);
        Assert.Equal(page.Total, page.Versions.Count);
        return page.Total;
    }
}
