using System.Numerics;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

public sealed class SqliteLedger(Sqlite engine) : LedgerContract(engine), IClassFixture<Sqlite>;

public sealed class PostgresLedger(Postgres engine) : LedgerContract(engine), IClassFixture<Postgres>;

/// <summary>The durable side of the ledger adapter, on every engine: outbox, view, batches, leases.</summary>
public abstract class LedgerContract(Engine engine) : IAsyncLifetime
{
    private RecordDatabase _database = null!;
    private LedgerJournal _journal = null!;

    public async Task InitializeAsync()
    {
        var (options, file) = await engine.NewAsync();
        _database = await Engine.OpenAsync(options, file);
        _journal = new LedgerJournal(_database);
    }

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [Fact]
    public async Task Entries_come_by_priority_with_what_they_follow_and_a_key_is_queued_once()
    {
        await _journal.EnqueueAsync(
            [
                Command("anchor", OutboxPriority.Anchor), Command("patient 1", OutboxPriority.Registration),
                Command("patient 2", OutboxPriority.Registration), Command("grant 2", OutboxPriority.Grant, "patient 2"),
                Command("patient 1", OutboxPriority.Registration), Command("revoke", OutboxPriority.Withdrawal),
            ],
            default);
        Assert.Equal(["revoke", "grant 2", "patient 2"], (await _journal.QueuedAsync(2, false, default)).Select(e => e.Command.Key));
        Assert.Equal(["anchor", "patient 1"], (await _journal.QueuedAsync(2, true, default)).Select(e => e.Command.Key));
        Assert.Equal(5, (await _journal.CountsAsync(default)).Queued);
    }

    [Fact]
    public async Task Every_signed_transaction_of_a_nonce_is_kept_and_a_failed_entry_is_queued_again_by_its_key()
    {
        await _journal.EnqueueAsync([Command("a", OutboxPriority.Grant)], default);
        var entry = (await _journal.FindAsync("a", default))!;
        await _journal.RecordSignedAsync([Signed(entry.Id, 5, "h1", 1)], default);
        await _journal.RecordSignedAsync([Signed(entry.Id, 5, "h2", 2)], default);
        entry = Assert.Single(await _journal.EntriesAsync(OutboxStatus.Sent, 10, default));
        Assert.Equal((5L, "h2"), (entry.Nonce, entry.Hash));
        Assert.Equal([("h1", BigInteger.One), ("h2", new BigInteger(2))], entry.Transactions.Select(t => (t.Hash, t.Tip)));
        Assert.Equal([5], await _journal.NoncesAsync(0, default));

        await _journal.ChangeAsync([new OutboxChange(entry.Id, OutboxStatus.Failed, "h1", 9, "reverted")], default);
        var counts = await _journal.CountsAsync(default);
        Assert.Equal((1, "a", "reverted"), (counts.Failed, counts.FailedKey, counts.FailedError));
        await _journal.EnqueueAsync([Command("a", OutboxPriority.Grant)], default);
        var again = (await _journal.FindAsync("a", default))!;
        Assert.Equal((OutboxStatus.Queued, null, null, 2), (again.Status, again.Nonce, again.Error, again.Transactions.Count));
    }

    [Fact]
    public async Task Failed_entries_come_page_by_page_and_failed_anchors_are_not_among_them()
    {
        await _journal.EnqueueAsync(
            [
                new ChainCommand("anchor", ContractSet.Anchors, "anchor", [1], OutboxPriority.Anchor), Command("a", OutboxPriority.Grant),
                Command("b", OutboxPriority.Grant), Command("c", OutboxPriority.Grant),
            ],
            default);
        var queued = await _journal.QueuedAsync(9, true, default);
        await _journal.ChangeAsync([.. queued.Take(3).Select(e => new OutboxChange(e.Id, OutboxStatus.Failed))], default);
        var first = Assert.Single(await _journal.FailedAsync(0, 1, default));
        Assert.Equal("a", first.Command.Key);
        Assert.Equal("b", Assert.Single(await _journal.FailedAsync(first.Id, 9, default)).Command.Key);
    }

    [Fact]
    public async Task What_the_chain_lost_counts_as_sent_again()
    {
        await _journal.EnqueueAsync([Command("a", OutboxPriority.Grant), Command("b", OutboxPriority.Grant)], default);
        var ids = (await _journal.QueuedAsync(5, false, default)).Select(e => e.Id).ToList();
        await _journal.RecordSignedAsync([Signed(ids[0], 0, "h0", 1), Signed(ids[1], 1, "h1", 1)], default);
        await _journal.ChangeAsync([new(ids[0], OutboxStatus.Confirmed, "h0", 3), new(ids[1], OutboxStatus.Mined, "h1", 4)], default);
        Assert.Equal(0, await _journal.SetLostAsync(2, default));
        Assert.Equal(1, await _journal.SetLostAsync(1, default));
        Assert.Equal("b", Assert.Single(await _journal.EntriesAsync(OutboxStatus.Sent, 5, default)).Command.Key);
    }

    [Fact]
    public async Task A_reorganisation_is_undone_to_the_last_common_block_and_a_revocation_stays()
    {
        await _database.CommitAsync(
            new CommitPlan
            {
                Directory = [
                    new DirectoryChange.AddActor("Organization/h", "aa", ActorKind.Hospital, null),
                    new DirectoryChange.AddPatient("p", "kp", "Organization/h")
                ],
                Consents = [
                    Make.Give("C1", Make.Permit("p")), Make.Give("C2", Make.Permit("p")),
                ],
            },
            default);
        await _journal.ApplyAsync(
            Update(
                null,
                [new ActorRegisteredEvent(1, "t", "aa", ActorKind.Hospital, null), new PatientRegisteredEvent(1, "t", "kp", "c0", "aa")],
                1), default);
        await _journal.ApplyAsync(
            Update(
                null,
                [
                    new ActorStatusEvent(2, "t", "aa", false), new ClientBindingEvent(2, "t", "x", "aa"),
                    new ControllerChangedEvent(2, "t", "kp", "c1"), new ConsentGrantedEvent(2, "t", "kp", Commitment("C1"), 0, 0, 0),
                    new ConsentRevokedEvent(2, "t", "kp", Commitment("C2")),
                ],
                2),
            default);
        var directory = new DirectoryStore(_database);
        Assert.False((await directory.ActorAsync("Organization/h", default))!.IsActive);
        Assert.Equal(2, (await directory.LatestConsentAsync("C1", default))!.GrantedBlock);

        await _journal.ApplyAsync(Update(1, [], 2), default);
        Assert.True((await directory.ActorAsync("Organization/h", default))!.IsActive);
        Assert.Null(await directory.ActorOfClientAsync("x", default));
        Assert.Equal("c0", (await directory.PatientAsync("p", default))!.Controller);
        Assert.Null((await directory.LatestConsentAsync("C1", default))!.GrantedBlock);
        Assert.True((await directory.LatestConsentAsync("C2", default))!.IsRevoked);
        Assert.Equal(2, (await _journal.CheckpointAsync(default)).Block);
    }

    [Fact]
    public async Task Another_patients_event_does_not_touch_a_consent()
    {
        await _database.CommitAsync(
            new CommitPlan
            {
                Directory = [new DirectoryChange.AddPatient("p", "kp", "h"), new DirectoryChange.AddPatient("q", "kq", "h")],
                Consents = [Make.Give("C1", Make.Permit("p"))],
            },
            default);
        await _journal.ApplyAsync(
            Update(
                null,
                [
                    new ConsentGrantedEvent(1, "t", "kq", Commitment("C1"), 0, 0, 0),
                    new ConsentRevokedEvent(1, "t", "kq", Commitment("C1")),
                ],
                1),
            default);
        var consent = (await new DirectoryStore(_database).LatestConsentAsync("C1", default))!;
        Assert.Equal((null, false), (consent.GrantedBlock, consent.IsRevoked));
    }

    [Fact]
    public async Task The_age_of_the_last_look_at_the_chain_is_told()
    {
        Assert.Equal(ViewCheckpoint.None, await _journal.CheckpointAsync(default));
        await _journal.ApplyAsync(new ViewUpdate(null, [], [new BlockReference(4, "h")], TimeSpan.FromSeconds(100)), default);
        Assert.InRange((await _journal.CheckpointAsync(default)).Observed.TotalSeconds, 99, 160);
        await _journal.ObservedAsync(TimeSpan.Zero, default);
        Assert.InRange((await _journal.CheckpointAsync(default)).Observed.TotalSeconds, 0, 60);
        await _journal.ObservedAsync(TimeSpan.MaxValue, default);
        Assert.Equal(TimeSpan.MaxValue, (await _journal.CheckpointAsync(default)).Observed);
    }

    [Fact]
    public async Task Versions_that_wait_are_batched_once_and_a_failed_batch_gets_a_new_number()
    {
        await _database.CommitAsync(
            new CommitPlan
            {
                Directory = [new DirectoryChange.AddActor("Organization/a", "aa", ActorKind.Hospital, null)],
                SubjectKeys = [new("Patient/", [9])],
                Versions = [.. Enumerable.Range(0, 5).Select(i => Make.Version(Make.Facts("Basic", $"b{i}")))],
            },
            default);
        var waiting = Assert.Single(await _journal.WaitingAsync(5, default));
        Assert.Equal(("Organization/a", "aa", true), (waiting.Custodian, waiting.ActorId, waiting.IsFull));
        Assert.False(Assert.Single(await _journal.WaitingAsync(6, default)).IsFull);
        var leaves = await _journal.PendingLeavesAsync("Organization/a", 3, default);
        Assert.Equal(["b0", "b1", "b2"], leaves.Select(l => l.Id));
        Assert.All(leaves, l => Assert.Equal([9], l.WrappedSubjectKey));

        var layout = AnchorLayout.New(3, null);
        var batch = new ClosedBatch(
            "Organization/a", 0, [1], "cid", [.. leaves.Select(l => l.Row)], layout, Command("anchor 0", OutboxPriority.Anchor));
        Assert.True(await _journal.CloseBatchAsync(batch, default));
        Assert.False(await _journal.CloseBatchAsync(batch, default));
        Assert.False(
            await _journal.CloseBatchAsync(batch with { Sequence = 1, Anchor = Command("anchor 1", OutboxPriority.Anchor) }, default));
        Assert.Null(await _journal.FindAsync("anchor 1", default));
        Assert.Equal(["b3", "b4"], (await _journal.PendingLeavesAsync("Organization/a", 3, default)).Select(l => l.Id));
        Assert.Equal(1, await _journal.NextSequenceAsync("Organization/a", default));

        var entry = (await _journal.FindAsync("anchor 0", default))!;
        await _journal.ChangeAsync([new OutboxChange(entry.Id, OutboxStatus.Failed, null, 3, "reverted")], default);
        var failed = Assert.Single(await _journal.FailedBatchesAsync(default));
        Assert.False(failed.IsBusy);
        var (kept, lie) = await _journal.BatchLeavesAsync(failed.Batch, default);
        Assert.Equal(["b0", "b1", "b2"], kept.Select(l => l.Id));
        Assert.Equal(layout.Places, lie.Places);
        Assert.Equal(layout.Padding, lie.Padding);
        var tree = layout.Tree([.. leaves.Select(l => l.Leaf.Hash)]);
        for (var i = 0; i < 3; i++)
        {
            var place = (await new AnchorPlaces(_database).OfAsync("Basic", $"b{i}", 1, default))!;
            Assert.Equal(layout.Places[i], place.LeafIndex);
            Assert.Equal(tree, place.Leaves);
        }
        await _journal.MoveBatchesAsync([new MovedBatch(failed.Batch, 7, "cid2", failed.Entry, [7])], default);
        Assert.Equal([7], Assert.Single(await _journal.QueuedAsync(5, false, default)).Command.Data);
        Assert.Empty(await _journal.FailedBatchesAsync(default));
        Assert.Equal(8, await _journal.NextSequenceAsync("Organization/a", default));
    }

    [Fact]
    public async Task A_lease_has_one_holder_and_who_has_lost_it_changes_nothing()
    {
        var other = new LedgerJournal(_database);
        Assert.True(await _journal.TryHoldAsync(Leases.Sender, TimeSpan.FromMilliseconds(200), default));
        Assert.True(await _journal.TryHoldAsync(Leases.Sender, TimeSpan.FromMilliseconds(200), default));
        Assert.False(await other.TryHoldAsync(Leases.Sender, TimeSpan.FromSeconds(60), default));
        Assert.True(await other.TryHoldAsync(Leases.View, TimeSpan.FromSeconds(60), default));
        await Task.Delay(400);
        Assert.True(await other.TryHoldAsync(Leases.Sender, TimeSpan.FromSeconds(60), default));
        Assert.False(await _journal.TryHoldAsync(Leases.Sender, TimeSpan.FromSeconds(60), default));
        await _journal.EnqueueAsync([Command("a", OutboxPriority.Grant)], default);
        var id = (await _journal.FindAsync("a", default))!.Id;
        await Assert.ThrowsAsync<LeaseLostException>(() => _journal.RecordSignedAsync([Signed(id, 0, "h", 1)], default));
        Assert.Equal(OutboxStatus.Queued, (await _journal.FindAsync("a", default))!.Status);
        await other.RecordSignedAsync([Signed(id, 0, "h", 1)], default);
    }

    [Fact]
    public async Task A_lease_that_is_given_back_is_the_next_ones_at_once_and_no_longer_its_holders()
    {
        var other = new LedgerJournal(_database);
        Assert.True(await _journal.TryHoldAsync(Leases.Sender, TimeSpan.FromSeconds(60), default));
        await other.ReleaseAsync(Leases.Sender, default);
        Assert.False(await other.TryHoldAsync(Leases.Sender, TimeSpan.FromSeconds(60), default));
        await _journal.ReleaseAsync(Leases.Sender, default);
        Assert.True(await other.TryHoldAsync(Leases.Sender, TimeSpan.FromSeconds(60), default));
        Assert.False(await _journal.TryHoldAsync(Leases.Sender, TimeSpan.FromSeconds(60), default));
        await Assert.ThrowsAsync<LeaseLostException>(() => _journal.ChangeAsync([new OutboxChange(1, OutboxStatus.Queued)], default));
    }

    private static string Commitment(string consentId) => Make.Give(consentId, Make.Permit("p")).Commitment;

    private static ViewUpdate Update(long? rollBackTo, IReadOnlyList<ChainEvent> events, long head) =>
        new(rollBackTo, events, [new BlockReference(head, "h" + head)], TimeSpan.Zero);

    private static ChainCommand Command(string key, OutboxPriority priority, string? after = null) =>
        new(key, "C", "do", [1], priority, after);

    private static SignedTransaction Signed(long entry, long nonce, string hash, int tip) => new(entry, nonce, hash, [1], tip, tip);
}
