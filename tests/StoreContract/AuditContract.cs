using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

public sealed class SqliteAudit(Sqlite engine) : AuditContract(engine), IClassFixture<Sqlite>;

public sealed class PostgresAudit(Postgres engine) : AuditContract(engine), IClassFixture<Postgres>;

/// <summary>The audit log, on every engine.</summary>
public abstract class AuditContract(Engine engine)
{
    [Fact]
    public async Task An_entry_that_was_changed_or_taken_out_is_found_and_each_patient_reads_their_own()
    {
        var (options, file) = await engine.NewAsync();
        await using var database = await Engine.OpenAsync(options, file);
        var log = new AuditLog(database);
        await Task.WhenAll(
            Enumerable.Range(0, 40).Select(i => log.AppendAsync([Make.Audit($"a{i}", i % 2 == 0 ? "p" : "q", "r")], default)));
        Assert.Null(await log.FirstBrokenAsync(default));

        var page = await log.SearchAsync(new AuditQuery("p", 15), default);
        Assert.Equal((15, 20), (page.Events.Count, page.Total));
        Assert.All(page.Events, e => Assert.Equal(["p"], e.Entry.Patients));
        Assert.Equal(page.Events.OrderByDescending(e => e.Place), page.Events);
        var rest = await log.SearchAsync(new AuditQuery("p", 15) { Behind = page.Events[^1].Place }, default);
        Assert.Equal((5, 20), (rest.Events.Count, rest.Total));
        Assert.Single(await FoundAsync(log, "p", new AuditEventKind(false, page.Events[0].Entry.Id)));
        Assert.Empty(await FoundAsync(log, "nobody", new AuditEventKind(false, page.Events[0].Entry.Id)));

        await ExecuteAsync(options, file, "UPDATE audit SET agent = 'Organization/y' WHERE seq = 30");
        Assert.Equal(30, await log.FirstBrokenAsync(default));
        await ExecuteAsync(options, file, "DELETE FROM audit WHERE seq = 7");
        Assert.Equal(7, await log.FirstBrokenAsync(default));
    }

    [Theory]
    [InlineData(10, 11)]
    [InlineData(1, 40)]
    [InlineData(39, 40)]
    public async Task Two_entries_that_changed_places_are_found_and_put_back_the_log_is_whole(long one, long other)
    {
        var (options, file) = await engine.NewAsync();
        await using var database = await Engine.OpenAsync(options, file);
        var log = new AuditLog(database);
        // Each like the other but for its id: nothing else tells that they were turned round.
        await log.AppendAsync([.. Enumerable.Range(1, 40).Select(i => Make.Audit($"a{i}", "p"))], default);
        Assert.Null(await log.FirstBrokenAsync(default));
        // With the hashes that they have, as if they had been written so; and without them.
        string[][] turned =
        [
            [
                $"UPDATE audit SET seq = -seq WHERE seq IN ({one}, {other})",
                $"UPDATE audit SET seq = CASE seq WHEN -{one} THEN {other} ELSE {one} END WHERE seq < 0",
            ],
            [
                $"UPDATE audit SET id = CASE id WHEN 'a{one}' THEN 'turned a{other}' ELSE 'turned a{one}' END "
                    + $"WHERE seq IN ({one}, {other})",
                "UPDATE audit SET id = substr(id, 8) WHERE id LIKE 'turned %'",
            ],
        ];
        foreach (var turn in turned)
        {
            foreach (var sql in turn) await ExecuteAsync(options, file, sql);
            Assert.Equal(one, await log.FirstBrokenAsync(default));
            foreach (var sql in turn) await ExecuteAsync(options, file, sql);
            Assert.Null(await log.FirstBrokenAsync(default));
        }
    }

    [Fact]
    public async Task A_patient_finds_entries_that_are_indexed_and_newer_ones_and_an_index_that_was_changed_is_found()
    {
        var (options, file) = await engine.NewAsync();
        await using var database = await Engine.OpenAsync(options, file);
        var log = new AuditLog(database);
        await log.AppendAsync([.. Enumerable.Range(1, 1100).Select(i => Make.Audit($"a{i}", i % 2 == 0 ? "p" : "q"))], default);
        await log.AppendAsync([Make.Audit("last", "p", "q")], default);
        Assert.Null(await log.FirstBrokenAsync(default));
        Assert.Equal(551, (await log.SearchAsync(new AuditQuery("p", 1), default)).Total);
        var all = await log.SearchAsync(new AuditQuery("p", 1000), default);
        Assert.Equal(551, all.Events.Select(e => e.Place).Distinct().Count());
        Assert.Single(await FoundAsync(log, "q", new AuditEventKind(false, "a3")));
        Assert.Empty(await FoundAsync(log, "p", new AuditEventKind(false, "a3")));
        Assert.Single(await FoundAsync(log, "q", new AuditEventKind(false, "last")));

        await ExecuteAsync(options, file, "INSERT INTO audit_by_patient (patient_id, seq) VALUES ('q', 600)");
        Assert.Equal(600, await log.FirstBrokenAsync(default));
        await ExecuteAsync(options, file, "DELETE FROM audit_by_patient WHERE seq = 500");
        Assert.Equal(500, await log.FirstBrokenAsync(default));
    }

    [Fact]
    public async Task Several_processes_make_one_chain_of_entries()
    {
        var (options, file) = await engine.NewAsync();
        // SQLite belongs to one process; here two handles stand for two.
        await using var one = await Engine.OpenAsync(options, file);
        await using var two = await Engine.OpenAsync(options, file);
        await Task.WhenAll(Enumerable.Range(0, 60)
            .Select(i => new AuditLog(i % 2 == 0 ? one : two).AppendAsync([Make.Audit(ResourceId.New(), "p")], default)));
        Assert.Null(await new AuditLog(one).FirstBrokenAsync(default));
        Assert.Equal(60, (await new AuditLog(two).SearchAsync(new AuditQuery("p", 1), default)).Total);
    }

    [Fact]
    public async Task A_search_finds_by_each_criterion_what_an_entry_shows_its_patient_and_nothing_else()
    {
        var (options, file) = await engine.NewAsync();
        await using var database = await Engine.OpenAsync(options, file);
        var log = new AuditLog(database);
        var read = Make.Audit("a", "p") with
        {
            Entities = ["Observation/o"],
            Commitments = ["c1"],
            Organization = "Organization/h",
            Address = "::1",
            Client = "app",
        };
        await log.AppendAsync([read], default);
        var denied = Make.Audit("b", "p") with { Outcome = "deny", Interaction = "delete", Action = "D", Recorded = Make.Epoch.AddDays(2) };
        await log.AppendAsync([denied], default);
        // Of two patients: to neither is told which record is the other's.
        await log.AppendAsync([Make.Audit("c", "p", "q") with { Entities = ["Patient/p", "Patient/q", "Observation/of-q"] }], default);

        Assert.Equal(["c", "b", "a decision", "a"], await IdsAsync());
        Assert.Equal(["a", "a decision", "b", "c"], await FindAsync(true, []));
        Assert.Equal(["a decision"], await IdsAsync(new AuditCriterion.Event([new AuditEventKind(true)])));
        Assert.Equal(["b", "a"], await IdsAsync(new AuditCriterion.Event(
            [new AuditEventKind(false, Action: "D"), new AuditEventKind(false, Id: "a", Interaction: "read")])));
        Assert.Equal(["b"], await IdsAsync(new AuditCriterion.Outcome(["deny"])));
        Assert.Equal([], await IdsAsync(new AuditCriterion.Outcome([])));
        var day = Make.Epoch.AddDays(2).ToUnixTimeMilliseconds();
        Assert.Equal(["b"], await IdsAsync(new AuditCriterion.Recorded([(day, day + 1)])));
        Assert.Equal(
            ["c", "a decision", "a"], await IdsAsync(new AuditCriterion.Recorded([(long.MinValue, day), (day + 1, long.MaxValue)])));
        Assert.Equal(["a decision", "a"], await IdsAsync(new AuditCriterion.Agent(["Organization/h"])));
        Assert.Equal(["c", "b", "a decision", "a"], await IdsAsync(new AuditCriterion.Agent(["Organization/x"])));
        Assert.Equal(["a decision", "a"], await IdsAsync(new AuditCriterion.Client(["app"])));
        Assert.Equal(["a"], await IdsAsync(new AuditCriterion.Entity(["Observation/o"])));
        Assert.Equal(4, (await IdsAsync(new AuditCriterion.Entity(["Patient/p"]))).Count);
        Assert.Equal([], await IdsAsync(new AuditCriterion.Entity(["Patient/q", "Observation/of-q"])));
        Assert.Equal(["a"], await IdsAsync(new AuditCriterion.Client(["app"]), new AuditCriterion.Event([new AuditEventKind(false)])));
        var shared = Assert.Single(await FoundAsync(log, "p", new AuditEventKind(null, "c")));
        Assert.Equal(["Patient/p"], shared.Entry.Entities);

        async Task<List<string>> IdsAsync(params AuditCriterion[] criteria) => await FindAsync(false, criteria);

        async Task<List<string>> FindAsync(bool oldestFirst, AuditCriterion[] criteria)
        {
            var query = new AuditQuery("p", 10) { Criteria = criteria, OldestFirst = oldestFirst };
            var page = await log.SearchAsync(query, default);
            Assert.Equal(page.Total, page.Events.Count);
            // Page by page it is the same.
            var behind = 0L;
            foreach (var found in page.Events)
            {
                var one = await log.SearchAsync(query with { Count = 1, Behind = behind }, default);
                Assert.Equal((page.Total, found.Place), (one.Total, Assert.Single(one.Events).Place));
                behind = found.Place;
            }
            return [.. page.Events.Select(e => e.Entry.Id + (e.IsDecision ? " decision" : ""))];
        }
    }

    [Fact]
    public async Task How_a_request_came_is_kept_and_is_under_the_hash()
    {
        var (options, file) = await engine.NewAsync();
        await using var database = await Engine.OpenAsync(options, file);
        var log = new AuditLog(database);
        var entry = Make.Audit("a", "p") with { Address = "192.0.2.1", Token = "t", Request = "r", Query = "Patient?name=*" };
        await log.AppendAsync([entry], default);
        var kept = Assert.Single((await log.SearchAsync(new AuditQuery("p", 1), default)).Events).Entry;
        Assert.Equal(
            (entry.Address, entry.Token, entry.Request, entry.Query), (kept.Address, kept.Token, kept.Request, kept.Query));
        foreach (var column in (string[])["address", "token", "request", "query"])
        {
            await ExecuteAsync(options, file, $"UPDATE audit SET {column} = {column} || 'x'");
            Assert.Equal(1, await log.FirstBrokenAsync(default));
            await ExecuteAsync(options, file, $"UPDATE audit SET {column} = substr({column}, 1, length({column}) - 1)");
            Assert.Null(await log.FirstBrokenAsync(default));
        }
        // Nor is one the other.
        await ExecuteAsync(options, file, "UPDATE audit SET token = request, request = token");
        Assert.Equal(1, await log.FirstBrokenAsync(default));
    }

    private static async Task<IReadOnlyList<AuditEvidence>> FoundAsync(AuditLog log, string patient, AuditEventKind kind) =>
        (await log.SearchAsync(new AuditQuery(patient, 5) { Criteria = [new AuditCriterion.Event([kind])] }, default)).Events;

    internal static async Task ExecuteAsync(StoreOptions options, string file, string sql)
    {
        await using DbConnection connection = options.Provider == "postgres"
            ? new NpgsqlConnection(options.ConnectionString + ";Pooling=false") : new SqliteConnection($"Data Source={file};Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync();
    }
}
