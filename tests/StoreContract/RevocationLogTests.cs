using Microsoft.Data.Sqlite;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

/// <summary>Revocations beside a database.</summary>
public sealed class RevocationLogTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("pmr-revocations-").FullName;

    private string Database => Path.Combine(_folder, "gateway.db");

    private string Log => Path.Combine(_folder, "gateway.revocations");

    [Fact]
    public async Task Whatever_opened_something_is_known_to_be_revoked_on_an_older_database()
    {
        var (permit, denial) = (Make.Permit("p"), Make.Permit("p", permits: false));
        (string Id, ConsentTerms Terms)[] consents =
        [
            ("permits", permit), ("permits-but", permit with { Exceptions = [permit.Root] }),
            ("denies-but", denial with { Exceptions = [permit.Root] }), ("denies", denial),
        ];
        await WithAsync(d => d.CommitAsync(new CommitPlan { Consents = [.. consents.Select(c => Make.Give(c.Id, c.Terms))] }, default));
        File.Copy(Database, Database + ".backup");
        var withdrawals = consents.Select(c => new ConsentChange.Withdraw(c.Id)).ToList();
        await WithAsync(d => d.CommitAsync(new CommitPlan { Consents = withdrawals }, default));
        await WithAsync(async d => Assert.Empty(await d.ForgottenRevocationsAsync(default)));

        File.Copy(Database + ".backup", Database, overwrite: true);
        await WithAsync(async d => Assert.Equal(
            ["denies-but", "permits", "permits-but"], (await d.ForgottenRevocationsAsync(default)).Order(StringComparer.Ordinal)));
    }

    [Fact]
    public async Task What_was_refused_was_not_revoked() => await WithAsync(async database =>
    {
        var given = Make.Give("c", Make.Permit("p"));
        await database.CommitAsync(new CommitPlan { Consents = [given] }, default);
        var again = new CommitPlan { Consents = [new ConsentChange.Withdraw("c"), given] };
        Assert.IsType<CommitResult.Conflict>(await database.CommitAsync(again, default));
        Assert.Empty(await database.ForgottenRevocationsAsync(default));
        Assert.False(File.Exists(Log));
    });

    [Fact]
    public async Task One_that_cannot_be_kept_is_not_acknowledged_and_is_kept_as_soon_as_it_can_be() => await WithAsync(async database =>
    {
        await database.CommitAsync(new CommitPlan { Consents = [Make.Give("c", Make.Permit("p"))] }, default);
        Assert.Null(database.Failure);
        Directory.CreateDirectory(Log);
        var withdraw = new CommitPlan { Consents = [new ConsentChange.Withdraw("c")] };
        await Assert.ThrowsAsync<StoreUnavailableException>(() => database.CommitAsync(withdraw, default));
        // Asked again, it is done already, and nevertheless not acknowledged.
        await Assert.ThrowsAsync<StoreUnavailableException>(() => database.CommitAsync(withdraw, default));
        Assert.NotNull(database.Failure);
        Directory.Delete(Log);
        Assert.Null(database.Failure);
        Assert.Single(await File.ReadAllLinesAsync(Log));
    });

    [Fact]
    public async Task What_the_process_did_not_come_to_write_is_written_at_the_next_start_and_no_denial_is() => await WithAsync(
        async database =>
        {
            await database.CommitAsync(new CommitPlan { Consents = [Make.Give("c", Make.Permit("p"))] }, default);
            await database.CommitAsync(new CommitPlan { Consents = [Make.Give("d", Make.Permit("p") with { Permits = false })] }, default);
            foreach (var consent in new[] { "c", "d" })
                await database.CommitAsync(new CommitPlan { Consents = [new ConsentChange.Withdraw(consent)] }, default);
            var kept = await File.ReadAllLinesAsync(Log);
            File.Delete(Log);
            Assert.Empty(await database.ForgottenRevocationsAsync(default));
            Assert.Equal(kept, await File.ReadAllLinesAsync(Log));
            Assert.Single(kept);
        });

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private async Task WithAsync(Func<RecordDatabase, Task> use)
    {
        await using (var database = await Engine.OpenAsync(new StoreOptions(), Database)) await use(database);
        // What lies in the write-ahead log comes into the file.
        SqliteConnection.ClearAllPools();
        Assert.False(File.Exists(Database + "-wal"));
    }
}
