using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.Unit.LedgerAdapter;

public sealed class AnchorWorkerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task A_batch_closes_by_size_and_by_age_and_not_before()
    {
        await using var database = await Database.OpenAsync(_folder["t.db"]);
        var journal = new SqliteLedgerJournal(database);
        var clock = new Clock();
        var batches = new List<AnchorBatch>();
        var options = new LedgerOptions { AnchorBatchSize = 2, AnchorMaxAge = TimeSpan.FromMinutes(1) };
        var worker = new AnchorWorker(
            journal,
            (batch, _) =>
            {
                batches.Add(batch);
                return Task.FromResult(("cid", new byte[] { 1 }));
            },
            options,
            clock);
        await database.WriteAsync(connection => DirectoryStore.AddActor(connection, "Organization/h", new string('a', 64), ActorKind.Hospital, null));

        await CommitAsync(database, "r1", clock);
        await worker.RunOnceAsync(default);
        Assert.Empty(batches);
        await CommitAsync(database, "r2", clock);
        await CommitAsync(database, "r3", clock);
        await worker.RunOnceAsync(default);
        Assert.Equal(["r1", "r2"], Assert.Single(batches).Leaves.Select(l => l.Id));
        await worker.RunOnceAsync(default);
        Assert.Single(batches);
        clock.Now += TimeSpan.FromMinutes(1);
        await worker.RunOnceAsync(default);
        Assert.Equal((1L, "r3"), (batches[1].Sequence, Assert.Single(batches[1].Leaves).Id));
        Assert.Equal(["anchor", "anchor"], (await journal.IntentsAsync(IntentStatus.Queued, 10, default)).Select(i => i.Action));
    }

    public void Dispose() => _folder.Dispose();

    private static Task<bool> CommitAsync(Database database, string id, Clock clock) => database.WriteAsync(connection =>
    {
        var facts = new RecordFacts("Basic", id, "Organization/h", [], []);
        var cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
        RecordStore.Commit(connection, [new VersionWrite(new StoredVersion(facts, 1, clock.Now, false, "s", [1], cid, [], new byte[32], new byte[32], new byte[32], null), [], [])]);
        return true;
    });

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch.AddYears(50);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
