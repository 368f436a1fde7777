using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

public sealed class SqliteHistory(Sqlite engine) : HistoryContract(engine), IClassFixture<Sqlite>;

public sealed class PostgresHistory(Postgres engine) : HistoryContract(engine), IClassFixture<Postgres>;

/// <summary>
/// Histories of records, types and all, on every engine. That they have what the decision permits, <see cref="AccessContract"/> asks of
/// single records.
/// </summary>
public abstract class HistoryContract(Engine engine)
{
    private readonly RecordDatabase _database = engine.Shared();
    // From what the viewer could see, or from what was made since, and all.
    private readonly RecordDatabase[] _ways = [engine.Shared(smallReach: 10_000), engine.Shared(smallReach: 0)];

    [Fact]
    public async Task A_history_has_the_newest_first_and_of_one_instant_what_was_written_last()
    {
        var (author, first, second) = (Author(), Id(), Id());
        await WriteAsync(author, "Basic", first, 1, 0);
        await WriteAsync(author, "Basic", second, 1, 0);
        await WriteAsync(author, "Basic", first, 2, 7);
        // Of an older instant, though it was written later.
        await WriteAsync(author, "Basic", second, 2, 5);
        await WriteAsync(author, "Basic", first, 3, 9, deletes: true);
        await WriteAsync(author, "Observation", Id(), 1, 8);
        (string, long)[] all = [(first, 3), (first, 2), (second, 2), (second, 1), (first, 1)];
        await EachAsync(author, async snapshot =>
        {
            Assert.Equal(all, await PagesAsync(snapshot, new HistoryQuery(["Basic"], null, 2, 0), 5));
            Assert.Equal(all.Where(v => v.Item1 == first), await PagesAsync(snapshot, new HistoryQuery(["Basic"], first, 1, 0), 3));
            Assert.Equal(6, (await PagesAsync(snapshot, new HistoryQuery(["Basic", "Observation"], null, 4, 0), 6)).Count);
            Assert.Empty(await PagesAsync(snapshot, new HistoryQuery(["Observation"], first, 1, 0), 0));
            Assert.Empty(await PagesAsync(snapshot, new HistoryQuery([], null, 1, 0), 0));
            var number = await snapshot.HistoryAsync(new HistoryQuery(["Basic"], null, 0, 0), default);
            Assert.Equal((0, 5, null), (number.Versions.Count, number.Total, number.Next));
        });
    }

    [Fact]
    public async Task A_history_since_an_instant_has_what_was_made_then_or_later()
    {
        var (author, id) = (Author(), Id());
        for (var version = 1; version <= 4; version++) await WriteAsync(author, "Basic", id, version, version * 10);
        await EachAsync(author, async snapshot =>
        {
            foreach (var (since, count) in new[] { (10, 4), (11, 3), (40, 1), (41, 0) })
            {
                var query = new HistoryQuery(["Basic"], null, 2, 0) { Since = Instant(since) };
                Assert.Equal(count, (await PagesAsync(snapshot, query, count)).Count);
                Assert.Equal(count, (await PagesAsync(snapshot, query with { Id = id }, count)).Count);
            }
        });
    }

    [Theory]
    [InlineData(0, 10, "")]
    [InlineData(0, 11, "1")]
    [InlineData(19, 20, "1")]
    [InlineData(20, 21, "2")]
    [InlineData(10, 21, "21")]
    [InlineData(35, 99, "43")]
    [InlineData(40, 41, "4")]
    [InlineData(0, 99, "4321")]
    public async Task A_history_at_a_time_has_what_was_current_at_some_instant_of_it(int from, int to, string versions)
    {
        var (author, id) = (Author(), Id());
        for (var version = 1; version <= 3; version++) await WriteAsync(author, "Basic", id, version, version * 10);
        // A deletion is what is current from then on.
        await WriteAsync(author, "Basic", id, 4, 40, deletes: true);
        await EachAsync(author, async snapshot =>
        {
            var query = new HistoryQuery(["Basic"], null, 100, 0) { At = (Instant(from), Instant(to)) };
            var found = await PagesAsync(snapshot, query, versions.Length);
            Assert.Equal(versions, string.Concat(found.Select(v => v.Version)));
        });
    }

    [Fact]
    public async Task A_version_that_one_may_not_see_ends_no_version_that_one_may()
    {
        var (author, other, id) = (Author(), Author(), Id());
        await WriteAsync(author, "Basic", id, 1, 10);
        await WriteAsync(other, "Basic", id, 2, 20);
        await WriteAsync(other, "Basic", id, 3, 30, deletes: true);
        var later = new HistoryQuery(["Basic"], id, 10, 0) { At = (Instant(50), Instant(51)) };
        await EachAsync(author, async snapshot => Assert.Equal([(id, 1)], await PagesAsync(snapshot, later, 1)));
        await EachAsync(other, async snapshot => Assert.Equal([(id, 3)], await PagesAsync(snapshot, later, 1)));
        await EachAsync(author, async snapshot => Assert.Equal([(id, 1)], await PagesAsync(snapshot, later with { At = null }, 1)));
        await EachAsync(Author(), async snapshot => Assert.Empty(await PagesAsync(snapshot, later with { At = null }, 0)));
    }

    [Fact]
    public async Task Pages_go_on_where_they_stopped_whatever_is_written_meanwhile()
    {
        var author = Author();
        List<string> ids = [Id(), Id(), Id(), Id()];
        foreach (var id in ids) await WriteAsync(author, "Basic", id, 1, 10);
        var query = new HistoryQuery(["Basic"], null, 2, 0);
        SnapshotPage page;
        await using (var before = await _database.SnapshotAsync(Viewer(author), searches: true, default))
            page = await before.HistoryAsync(query, default);
        Assert.Equal([ids[3], ids[2]], page.Versions.Select(v => v.Version.Facts.Id));
        await WriteAsync(author, "Basic", Id(), 1, 10);
        await WriteAsync(author, "Basic", ids[0], 2, 11);
        await using var after = await _database.SnapshotAsync(Viewer(author), searches: true, default);
        page = await after.HistoryAsync(query with { Cursor = page.Next!.Value }, default);
        Assert.Equal([ids[1], ids[0]], page.Versions.Select(v => v.Version.Facts.Id));
        Assert.Equal((6, null), (page.Total, page.Next));
    }

    [Fact]
    public async Task A_grantee_has_the_current_version_and_a_deletion_and_nothing_of_what_a_consent_closes()
    {
        var (author, patient, open, closed) = (Author(), Id(), Id(), Id());
        var closing = new RecordLabel(LabelKind.Code, "s", patient);
        foreach (var (id, at) in new[] { (open, 10), (closed, 20) })
        {
            var labels = id == closed ? new[] { closing } : [];
            for (var version = 1; version <= 2; version++)
                await WriteAsync(author, "Observation", id, version, at + version, patient, labels);
        }
        var denial = Make.Permit(patient, permits: false);
        await GiveAsync(patient, Make.Permit(patient));
        await GiveAsync("d" + patient, denial with { Root = denial.Root with { Codes = [new TermCode("s", patient)] } });
        await AssertSeenAsync((open, 2));
        await WriteAsync(author, "Observation", closed, 3, 30, patient, [closing], deletes: true);
        await AssertSeenAsync((open, 2));
        await WriteAsync(author, "Observation", open, 3, 40, patient, deletes: true);
        await AssertSeenAsync((open, 3));

        async Task AssertSeenAsync(params (string, long)[] expected)
        {
            foreach (var database in _ways)
            {
                await using var snapshot = await database.SnapshotAsync(Make.Insurer(), searches: true, default);
                foreach (var id in new[] { open, closed })
                {
                    var query = new HistoryQuery(["Observation"], id, 10, 0);
                    var one = expected.Where(e => e.Item1 == id).ToList();
                    Assert.Equal(one, await PagesAsync(snapshot, query, one.Count));
                }
                var all = await snapshot.HistoryAsync(new HistoryQuery(["Observation", "Patient"], null, 1000, 0), default);
                Assert.Equal(expected, all.Versions.Select(Name).Where(v => v.Id == open || v.Id == closed));
            }
        }
    }

    private async Task GiveAsync(string consent, ConsentTerms terms)
    {
        var given = Make.Give(consent, terms);
        await CommitAsync(new CommitPlan
        {
            Consents = [given],
            Directory = [new DirectoryChange.AddPatient(terms.Patient, "k" + terms.Patient, "Organization/a")],
        });
        await new LedgerJournal(_database).ApplyAsync(
            new ViewUpdate(
                null, [new ConsentGrantedEvent(1, "t", "k" + terms.Patient, given.Commitment, 0, 0, 0)], [new BlockReference(7, "h")],
                TimeSpan.Zero),
            default);
    }

    private async Task EachAsync(string author, Func<ReadSnapshot, Task> ask)
    {
        foreach (var database in _ways)
        {
            await using var snapshot = await database.SnapshotAsync(Viewer(author), searches: true, default);
            await ask(snapshot);
        }
    }

    private static async Task<List<(string Id, long Version)>> PagesAsync(ReadSnapshot snapshot, HistoryQuery query, long total)
    {
        var found = new List<(string, long)>();
        for (long? cursor = 0; cursor is { } at;)
        {
            var page = await snapshot.HistoryAsync(query with { Cursor = at }, default);
            Assert.Equal(total, page.Total);
            found.AddRange(page.Versions.Select(Name));
            cursor = page.Next;
        }
        return found;
    }

    private static (string Id, long Version) Name(PermittedVersion version) => (version.Version.Facts.Id, version.Version.Version);

    private Task WriteAsync(
        string author, string type, string id, long version, int at, string? patient = null, RecordLabel[]? labels = null,
        bool deletes = false)
    {
        var facts = Make.Facts(type, id, "Organization/a", patient, labels ?? []) with { Author = author };
        var write = deletes ? Make.Deletion(facts, version) : Make.Version(facts, version);
        var dated = write with { Version = write.Version with { LastUpdated = Make.Epoch.AddMilliseconds(at) } };
        return CommitAsync(new CommitPlan { Versions = [dated] });
    }

    private async Task CommitAsync(CommitPlan plan) => Assert.IsType<CommitResult.Committed>(await _database.CommitAsync(plan, default));

    private static long Instant(int milliseconds) => Make.Epoch.AddMilliseconds(milliseconds).ToUnixTimeMilliseconds();

    private static Viewer Viewer(string author) =>
        new(new Requester("x", "Organization/x", null, null, true, ["TREAT"]) { Author = author }, Make.Epoch, 0);

    private static string Author() => "client:" + Guid.CreateVersion7();

    private static string Id() => ResourceId.New();
}
