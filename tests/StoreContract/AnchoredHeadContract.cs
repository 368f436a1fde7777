using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

public sealed class SqliteAnchoredHeads(Sqlite engine) : AnchoredHeadContract(engine), IClassFixture<Sqlite>;

public sealed class PostgresAnchoredHeads(Postgres engine) : AnchoredHeadContract(engine), IClassFixture<Postgres>;

/// <summary>The audit log held against the heads of it that are in batches, on every engine.</summary>
public abstract class AnchoredHeadContract(Engine engine) : IAsyncLifetime
{
    private const string Hospital = "Organization/a";
    private StoreOptions _options = null!;
    private string _file = "";
    private RecordDatabase _database = null!;
    private AuditLog _log = null!;

    /// <summary>A log of nine entries; the head was anchored at the third, with two records, and at the sixth, with none.</summary>
    public async Task InitializeAsync()
    {
        (_options, _file) = await engine.NewAsync();
        _database = await Engine.OpenAsync(_options, _file);
        _log = new AuditLog(_database);
        await _database.CommitAsync(
            new CommitPlan
            {
                Directory = [new DirectoryChange.AddActor(Hospital, "aa", ActorKind.Hospital, null)],
                SubjectKeys = [new("Patient/", [9])],
                Versions = [.. Enumerable.Range(0, 2).Select(i => Make.Version(Make.Facts("Basic", $"b{i}")))],
            },
            default);
        for (var batch = 0; batch < 3; batch++)
        {
            await _log.AppendAsync([.. Enumerable.Range(0, 3).Select(i => Make.Audit($"{batch}-{i}", "p"))], default);
            if (batch < 2) await CloseAsync(batch);
        }
    }

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [Fact]
    public async Task A_log_that_only_grew_is_the_one_that_was_anchored()
    {
        Assert.Equal([(0L, 3L, null), (1L, 6L, null)], await ChecksAsync());
    }

    [Fact]
    public async Task A_log_that_was_written_anew_as_a_whole_follows_from_entry_to_entry_and_is_found_by_its_anchored_head()
    {
        await RewriteAsync("UPDATE audit SET agent = 'Organization/y' WHERE seq = 2");
        Assert.Null(await _log.FirstBrokenAsync(default));
        Assert.Contains("entry 3 of the audit log, or one before,", (await ChecksAsync())[0].Problem, StringComparison.Ordinal);
        Assert.Contains("entry 6", (await ChecksAsync())[1].Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_change_before_the_last_anchored_head_is_found_by_that_one_alone()
    {
        await RewriteAsync("UPDATE audit SET outcome = 'permit', agent = 'Organization/y' WHERE seq = 5");
        Assert.Null(await _log.FirstBrokenAsync(default));
        var checks = await ChecksAsync();
        Assert.Null(checks[0].Problem);
        Assert.Contains("entry 6", checks[1].Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_end_that_was_taken_off_is_found()
    {
        await RunAsync("DELETE FROM audit WHERE seq >= 6");
        Assert.Null(await _log.FirstBrokenAsync(default));
        var checks = await ChecksAsync();
        Assert.Null(checks[0].Problem);
        Assert.Equal("entry 6 of the audit log, which it anchors, is gone", checks[1].Problem);
    }

    [Fact]
    public async Task A_head_that_was_changed_to_fit_is_not_the_one_under_its_root()
    {
        await RewriteAsync("UPDATE audit SET agent = 'Organization/y' WHERE seq = 2");
        await RunAsync("UPDATE audit_heads SET hash = (SELECT hash FROM audit a WHERE a.seq = audit_heads.seq)");
        Assert.All(await ChecksAsync(), c => Assert.Equal("its head of the audit log is not the one under its root", c.Problem));
        await RunAsync("UPDATE audit_heads SET place = -1");
        Assert.All(await ChecksAsync(), c => Assert.Equal("its head of the audit log is not the one under its root", c.Problem));
    }

    [Fact]
    public async Task A_tree_that_was_changed_to_fit_has_another_root()
    {
        await RunAsync("UPDATE batches SET padding = salt FROM audit_heads h WHERE h.batch = batches.batch");
        Assert.All(await ChecksAsync(), c => Assert.Equal("its leaves are not those under its root", c.Problem));
    }

    [Fact]
    public async Task A_head_that_was_taken_out_is_found()
    {
        await RunAsync("DELETE FROM audit_heads WHERE seq = 6");
        Assert.Equal([(0L, 3L, null), (1L, null, "its head of the audit log was taken out")], await ChecksAsync());
    }

    [Fact]
    public async Task A_batch_keeps_its_head_for_the_segment_that_is_made_anew()
    {
        var journal = new LedgerJournal(_database);
        var entry = (await journal.FindAsync("anchor 1", default))!;
        await journal.ChangeAsync([new OutboxChange(entry.Id, OutboxStatus.Failed, null, 3, "reverted")], default);
        var failed = Assert.Single(await journal.FailedBatchesAsync(default));
        var (leaves, layout) = await journal.BatchLeavesAsync(failed.Batch, default);
        Assert.Empty(leaves);
        Assert.Equal(6, layout.Head!.Head.Seq);
        Assert.Equal(layout.Head.Leaf, layout.Tree([])[layout.Head.Place]);
    }

    [Fact]
    public async Task The_log_waits_for_an_anchor_of_its_own_from_the_first_entry_behind_the_last_head_on()
    {
        var journal = new LedgerJournal(_database);
        Assert.Null(await journal.AuditWaitingAsync(Make.Epoch.AddMilliseconds(-1), default));
        Assert.Equal((Hospital, "aa"), await journal.AuditWaitingAsync(Make.Epoch, default));
        await CloseAsync(2);
        Assert.Null(await journal.AuditWaitingAsync(Make.Epoch.AddDays(1), default));
    }

    private async Task CloseAsync(int sequence)
    {
        var journal = new LedgerJournal(_database);
        var leaves = await journal.PendingLeavesAsync(Hospital, 5, default);
        var layout = AnchorLayout.New(leaves.Count, await journal.AuditHeadAsync(default));
        var root = MerkleTree.Root(layout.Tree([.. leaves.Select(l => l.Leaf.Hash)]));
        var anchor = new ChainCommand($"anchor {sequence}", "C", "do", [1], OutboxPriority.Anchor, null);
        Assert.True(await journal.CloseBatchAsync(
            new ClosedBatch(Hospital, sequence, root, "cid", [.. leaves.Select(l => l.Row)], layout, anchor), default));
    }

    private async Task<List<(long Sequence, long? Seq, string? Problem)>> ChecksAsync()
    {
        var checks = new List<(long, long?, string?)>();
        await foreach (var batch in new AnchoredHeads(_database).CheckAsync(default))
            checks.Add((batch.Sequence, batch.Seq, batch.Problem));
        return checks;
    }

    private Task RunAsync(string sql) => AuditContract.ExecuteAsync(_options, _file, sql);

    // Somebody who can write the database and knows how the log is made.
    private async Task RewriteAsync(string change)
    {
        await RunAsync(change);
        var rows = await _database.ReadAsync(
            (session, stop) => session.QueryAsync($"SELECT {AuditTable.Columns} FROM audit a ORDER BY a.seq", AuditTable.Read, stop),
            default);
        byte[] previous = [];
        foreach (var (seq, entry, _) in rows)
        {
            previous = AuditTable.Hash(previous, seq, entry);
            var hex = Convert.ToHexStringLower(previous);
            var blob = _options.Provider == "postgres" ? $"decode('{hex}', 'hex')" : $"X'{hex}'";
            await RunAsync($"UPDATE audit SET hash = {blob} WHERE seq = {seq}");
        }
    }
}
