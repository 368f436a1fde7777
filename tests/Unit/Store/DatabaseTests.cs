using Dapper;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.Unit.Store;

public sealed class DatabaseTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task A_change_that_throws_takes_no_other_of_its_group_with_it()
    {
        await using var database = await Database.OpenAsync(_folder["t.db"]);
        var writes = Enumerable.Range(0, 100).Select(i => database.WriteAsync(connection =>
        {
            connection.Execute("INSERT INTO subject_keys VALUES (@s, x'00')", new { s = $"s{i}" });
            return i % 10 == 3 ? throw new InvalidOperationException("one of ten") : i;
        })).ToList();
        for (var i = 0; i < writes.Count; i++)
        {
            if (i % 10 == 3) await Assert.ThrowsAsync<InvalidOperationException>(() => writes[i]);
            else Assert.Equal(i, await writes[i]);
        }
        using var reader = database.OpenReader();
        Assert.Equal(90, reader.ExecuteScalar<long>("SELECT COUNT(*) FROM subject_keys"));
    }

    [Fact]
    public async Task Two_writers_of_one_version_end_in_one_version_and_one_conflict()
    {
        await using var database = await Database.OpenAsync(_folder["t.db"]);
        var write = new VersionWrite(new StoredVersion(new RecordFacts("Basic", "x", "", [], []), 1, DateTimeOffset.UnixEpoch, false, "s", [1], "b", [], [], [], [], null), [], []);
        Task<bool> Commit() => database.WriteAsync(connection =>
        {
            RecordStore.Commit(connection, [write]);
            return true;
        });
        var (first, second) = (Commit(), Commit());
        Assert.True(await first);
        await Assert.ThrowsAsync<VersionConflictException>(() => second);
    }

    [Fact]
    public async Task An_audit_entry_that_was_changed_is_found()
    {
        await using var database = await Database.OpenAsync(_folder["t.db"]);
        var audit = new AuditLog(database);
        for (var i = 0; i < 3; i++)
            await audit.AppendAsync(new AuditEntry($"a{i}", DateTimeOffset.UnixEpoch, "R", "read", "permit", "Organization/x", "c", null, ["TREAT"], ["Patient/p"], ["p"], [], i));
        Assert.Null(audit.FirstBroken());
        await database.WriteAsync(connection => connection.Execute("UPDATE audit SET agent = 'Organization/y' WHERE seq = 2"));
        Assert.Equal(2, audit.FirstBroken());
    }

    public void Dispose() => _folder.Dispose();
}
