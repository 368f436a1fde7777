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

        var (page, total) = await log.OfAsync("p", null, long.MaxValue, 15, default);
        Assert.Equal((15, 20), (page.Count, total));
        Assert.All(page, e => Assert.Equal(["p"], e.Entry.Patients));
        Assert.Equal(page.OrderByDescending(e => e.Seq), page);
        var rest = await log.OfAsync("p", null, page[^1].Seq, 15, default);
        Assert.Equal(5, rest.Page.Count);
        Assert.Single((await log.OfAsync("p", page[0].Entry.Id, long.MaxValue, 5, default)).Page);
        Assert.Empty((await log.OfAsync("nobody", page[0].Entry.Id, long.MaxValue, 5, default)).Page);

        await ExecuteAsync(options, file, "UPDATE audit SET agent = 'Organization/y' WHERE seq = 30");
        Assert.Equal(30, await log.FirstBrokenAsync(default));
        await ExecuteAsync(options, file, "DELETE FROM audit WHERE seq = 7");
        Assert.Equal(7, await log.FirstBrokenAsync(default));
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
        Assert.Equal(551, (await log.OfAsync("p", null, long.MaxValue, 1, default)).Total);
        Assert.Equal(551, (await log.OfAsync("p", null, long.MaxValue, 1000, default)).Page.Select(e => e.Seq).Distinct().Count());
        Assert.Single((await log.OfAsync("q", "a3", long.MaxValue, 5, default)).Page);
        Assert.Empty((await log.OfAsync("p", "a3", long.MaxValue, 5, default)).Page);
        Assert.Single((await log.OfAsync("q", "last", long.MaxValue, 5, default)).Page);

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
        Assert.Equal(60, (await new AuditLog(two).OfAsync("p", null, long.MaxValue, 1, default)).Total);
    }

    internal static async Task ExecuteAsync(StoreOptions options, string file, string sql)
    {
        await using DbConnection connection = options.Provider == "postgres"
            ? new NpgsqlConnection(options.ConnectionString) : new SqliteConnection($"Data Source={file};Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        await command.ExecuteNonQueryAsync();
    }
}
