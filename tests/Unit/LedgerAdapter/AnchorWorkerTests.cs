using System.Globalization;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.Unit.LedgerAdapter;

public sealed class AnchorWorkerTests : IAsyncLifetime
{
    private const string Hospital = "Organization/h";
    private readonly List<AnchorBatch> _batches = [];
    private LedgerFixture _ledger = null!;
    private AnchorWorker _worker = null!;
    private TransactionSender _sender = null!;

    public async Task InitializeAsync()
    {
        _ledger = await LedgerFixture.OpenAsync();
        _ledger.Options.AnchorBatchSize = 2;
        _ledger.Options.AnchorMaxAge = TimeSpan.FromMinutes(1);
        _worker = new AnchorWorker(
            _ledger.Journal, _ledger.Chain, StoreAsync, _ledger.Options, _ledger.Time, _ledger.LogOf<AnchorWorker>());
        _sender = new TransactionSender(
            _ledger.Chain, _ledger.Account, new ContractSet(_ledger.Account.Address), _ledger.Journal, _ledger.Options, _ledger.Time,
            _ledger.LogOf<TransactionSender>());
        await AddHospitalAsync(Hospital, 'a');
    }

    public async Task DisposeAsync() => await _ledger.DisposeAsync();

    [Fact]
    public async Task A_batch_closes_by_size_and_by_age_and_not_before()
    {
        await CommitAsync("r1");
        await _worker.RunOnceAsync(default);
        Assert.Empty(_batches);
        await CommitAsync("r2");
        await CommitAsync("r3");
        await _worker.RunOnceAsync(default);
        Assert.Equal(["r1", "r2"], Assert.Single(_batches).Leaves.Select(l => l.Id));
        await _worker.RunOnceAsync(default);
        Assert.Single(_batches);
        _ledger.Time.Now += TimeSpan.FromMinutes(1);
        await _worker.RunOnceAsync(default);
        Assert.Equal((1L, "r3"), (_batches[1].Sequence, Assert.Single(_batches[1].Leaves).Id));
        Assert.Equal(
            ["anchor", "anchor"], (await _ledger.Journal.QueuedAsync(10, oldestFirst: false, default)).Select(i => i.Command.Action));
    }

    [Fact]
    public async Task All_that_fills_batches_is_closed_in_one_round_for_every_custodian()
    {
        await AddHospitalAsync("Organization/z", 'b');
        for (var i = 0; i < 7; i++)
        {
            await CommitAsync($"r{i}");
            await CommitAsync($"z{i}", "Organization/z");
        }
        await _worker.RunOnceAsync(default);
        foreach (var custodian in (string[])[Hospital, "Organization/z"])
            Assert.Equal([0L, 1L, 2L], _batches.Where(b => b.Custodian == custodian).Select(b => b.Sequence));
        Assert.All(_batches, b => Assert.Equal(2, b.Leaves.Count));
    }

    [Fact]
    public async Task One_whose_organisation_is_no_actor_yet_holds_up_nobody()
    {
        await CommitAsync("x1", "Organization/a-stranger");
        await CommitAsync("x2", "Organization/a-stranger");
        await CommitAsync("r1");
        await CommitAsync("r2");
        await _worker.RunOnceAsync(default);
        Assert.Equal(Hospital, Assert.Single(_batches).Custodian);
    }

    [Fact]
    public async Task A_batch_whose_leaves_were_taken_meanwhile_is_not_closed_twice()
    {
        await CommitAsync("r1");
        await CommitAsync("r2");
        var leaves = await _ledger.Journal.PendingLeavesAsync(Hospital, 2, default);
        await _worker.RunOnceAsync(default);
        Assert.Single(_batches);
        var again = new ClosedBatch(
            Hospital,
            1,
            new byte[32],
            "cid",
            [.. leaves.Select(l => l.Row)],
            AnchorLayout.New(2, null),
            ChainCommands.Anchor(Hospital, new byte[32], 1, new byte[32], 2, [1]));
        Assert.False(await _ledger.Journal.CloseBatchAsync(again, default));
        Assert.Equal(1, await _ledger.Journal.NextSequenceAsync(Hospital, default));
        Assert.Single(await _ledger.Journal.QueuedAsync(10, oldestFirst: false, default));
    }

    [Fact]
    public async Task The_root_and_the_count_on_the_chain_are_those_of_the_padded_tree()
    {
        await CommitAsync("r1");
        await CommitAsync("r2");
        await _worker.RunOnceAsync(default);
        var batch = Assert.Single(_batches);
        Assert.Equal(16, batch.Layout.Count);
        var root = MerkleTree.Root(batch.Layout.Tree([.. batch.Leaves.Select(l => l.Leaf.Hash)]));
        Assert.Equal(Convert.ToHexStringLower(root), Assert.Single(await RootsAsync()).Root);
        var command = Assert.Single(await _ledger.Journal.QueuedAsync(10, oldestFirst: false, default)).Command;
        Assert.Equal(ChainCommands.Anchor(Hospital, Convert.FromHexString(new string('a', 64)), 0, root, 16, [1]).Data, command.Data);
    }

    [Fact]
    public async Task A_leaf_carries_the_wrapped_key_of_its_subject()
    {
        await _ledger.Database.CommitAsync(new CommitPlan { SubjectKeys = [new("s", [1, 2, 3])] }, default);
        await CommitAsync("r1");
        Assert.Equal([1, 2, 3], Assert.Single(await _ledger.Journal.PendingLeavesAsync(Hospital, 9, default)).WrappedSubjectKey);
    }

    [Fact]
    public async Task Reverted_batches_are_anchored_again_under_the_numbers_that_the_contract_expects()
    {
        // Another database of the same account has anchored number 0: ours are refused, one behind the other.
        _ledger.Chain.Sequence = 1;
        _ledger.Chain.Reverts = _ => true;
        for (var i = 0; i < 4; i++) await CommitAsync($"r{i}");
        await _worker.RunOnceAsync(default);
        var roots = await RootsAsync();
        await SendAsync();
        Assert.Equal(2, (await _ledger.Journal.CountsAsync(default)).Failed);

        _ledger.Chain.Reverts = _ => false;
        await CommitAsync("r4");
        await CommitAsync("r5");
        await _worker.RunOnceAsync(default);
        Assert.Equal([0L, 1L, 1L, 2L], _batches.Select(b => b.Sequence));
        Assert.Equal(["r0", "r1"], _batches[2].Leaves.Select(l => l.Id));
        Assert.Equal(["r2", "r3"], _batches[3].Leaves.Select(l => l.Id));
        Assert.Equal(_batches[0].Layout.Places, _batches[2].Layout.Places);
        Assert.Equal(_batches[0].Layout.Padding, _batches[2].Layout.Padding);
        await SendAsync();
        Assert.Equal(0, (await _ledger.Journal.CountsAsync(default)).Failed);
        Assert.Equal(roots.Select(r => (r.Sequence + 1, r.Root)), await RootsAsync());
        Assert.Single(_ledger.Log.Lines, l => l.Contains("are sent again from number 1", StringComparison.Ordinal));

        // Those that came meanwhile follow.
        await _worker.RunOnceAsync(default);
        Assert.Equal((3L, "r4"), (_batches[^1].Sequence, _batches[^1].Leaves[0].Id));
    }

    [Fact]
    public async Task A_batch_that_the_chain_has_by_another_transaction_is_anchored()
    {
        _ledger.Chain.Reverts = _ => true;
        await CommitAsync("r1");
        await CommitAsync("r2");
        await _worker.RunOnceAsync(default);
        await SendAsync();
        _ledger.Chain.Sequence = 1;
        _ledger.Chain.Roots["0"] = Convert.FromHexString(Assert.Single(await RootsAsync()).Root);
        await _worker.RunOnceAsync(default);
        Assert.Equal(0, (await _ledger.Journal.CountsAsync(default)).Failed);
        Assert.Single(_batches);
        Assert.Empty(await _ledger.Journal.QueuedAsync(10, oldestFirst: false, default));
    }

    [Fact]
    public async Task An_anchor_that_is_reverted_for_another_reason_is_tried_ever_less_often()
    {
        _ledger.Chain.Reverts = _ => true;
        await CommitAsync("r1");
        await CommitAsync("r2");
        for (var i = 0; i < 600; i++)
        {
            await _worker.RunOnceAsync(default);
            await SendAsync();
            _ledger.Time.Now += TimeSpan.FromSeconds(1);
        }
        Assert.InRange(_batches.Count, 4, 8);
        _ledger.Chain.Reverts = _ => false;
        _ledger.Time.Now += TimeSpan.FromMinutes(15);
        await _worker.RunOnceAsync(default);
        await SendAsync();
        Assert.Equal(0, (await _ledger.Journal.CountsAsync(default)).Failed);
    }

    [Fact]
    public async Task Each_batch_has_the_head_of_the_audit_log_of_its_moment_in_it()
    {
        await AuditAsync();
        await AuditAsync();
        await CommitAsync("r1");
        await CommitAsync("r2");
        await _worker.RunOnceAsync(default);
        var layout = Assert.Single(_batches).Layout;
        Assert.Equal(2, layout.Head!.Head.Seq);
        Assert.Equal(layout.Head.Leaf, layout.Tree([.. _batches[0].Leaves.Select(l => l.Leaf.Hash)])[layout.Head.Place]);
    }

    [Fact]
    public async Task The_audit_log_alone_is_anchored_when_an_entry_is_old_enough_and_not_for_each()
    {
        _ledger.Options.AuditAnchorMaxAge = TimeSpan.FromHours(1);
        await AuditAsync();
        await _worker.RunOnceAsync(default);
        _ledger.Time.Now += TimeSpan.FromHours(2);
        await _worker.RunOnceAsync(default);
        // No custodian has a batch yet, under whose number it could go.
        Assert.Empty(_batches);

        await CommitAsync("r1");
        await CommitAsync("r2");
        await _worker.RunOnceAsync(default);
        Assert.Single(_batches);
        for (var i = 0; i < 5; i++) await AuditAsync();
        _ledger.Time.Now += TimeSpan.FromMinutes(59);
        await _worker.RunOnceAsync(default);
        Assert.Single(_batches);
        _ledger.Time.Now += TimeSpan.FromMinutes(1);
        for (var i = 0; i < 3; i++) await _worker.RunOnceAsync(default);
        Assert.Equal(2, _batches.Count);
        Assert.Equal((1L, 0, 6L), (_batches[1].Sequence, _batches[1].Leaves.Count, _batches[1].Layout.Head!.Head.Seq));
        // To who watches it is as any other.
        Assert.Equal(_batches[0].Layout.Count, _batches[1].Layout.Count);
    }

    private Task AuditAsync()
    {
        var entry = new AuditEntry(
            ResourceId.New(), _ledger.Time.Now, "R", "read", "permit", "Organization/x", "c", null, [], [], ["p"], [], 1);
        return new AuditLog(_ledger.Database).AppendAsync([entry], default);
    }

    private Task<(string Cid, byte[] SealedCid)> StoreAsync(AnchorBatch batch, CancellationToken cancellation)
    {
        _batches.Add(batch);
        return Task.FromResult(("cid", new byte[] { 1 }));
    }

    private async Task SendAsync()
    {
        await _sender.RunOnceAsync(default);
        _ledger.Chain.Mine(3);
        await _sender.RunOnceAsync(default);
    }

    private Task<IReadOnlyList<(long Sequence, string Root)>> RootsAsync()
    {
        // One text, since the fixture gives one value.
        var all = (string)_ledger.Sql(
            "SELECT group_concat(line, ' ') FROM (SELECT sequence || ':' || root AS line FROM batches ORDER BY sequence)")!;
        return Task.FromResult<IReadOnlyList<(long, string)>>(
            [.. all.Split(' ').Select(l => (long.Parse(l.Split(':')[0], CultureInfo.InvariantCulture), l.Split(':')[1]))]);
    }

    private async Task AddHospitalAsync(string reference, char id)
    {
        var actor = new DirectoryChange.AddActor(reference, new string(id, 64), ActorKind.Hospital, null);
        await _ledger.Database.CommitAsync(new CommitPlan { Directory = [actor] }, default);
    }

    private async Task CommitAsync(string id, string custodian = Hospital)
    {
        var facts = new RecordFacts("Basic", id, custodian, [], []);
        var cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
        var salt = Keccak256.Hash(id);
        var version = new StoredVersion(facts, 1, _ledger.Time.Now, false, "s", [1], cid, [], new byte[32], salt, new byte[32], null);
        await _ledger.Database.CommitAsync(new CommitPlan { Versions = [new VersionWrite(version, [], [])] }, default);
    }
}
