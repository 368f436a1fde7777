using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.Unit.LedgerAdapter;

public sealed class ViewRebuildTests : IAsyncLifetime
{
    private static readonly string Hospital = new('a', 64);
    private static readonly string Patient = new('b', 64);
    private static readonly ConsentTerms Terms =
        new("p", true, new Provision(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue, [], [], [], [], []), []);

    private static readonly (byte[] Salt, string Commitment) Kept = CommitmentOf(1);
    private static readonly (byte[] Salt, string Commitment) Withdrawn = CommitmentOf(2);
    private LedgerFixture _ledger = null!;

    public async Task InitializeAsync()
    {
        _ledger = await LedgerFixture.OpenAsync();
        await _ledger.Database.CommitAsync(
            new CommitPlan
            {
                Directory =
                [
                    new DirectoryChange.AddActor("Organization/h", Hospital, ActorKind.Hospital, null),
                    new DirectoryChange.AddPatient("p", Patient, "Organization/h"),
                ],
                Consents =
                [
                    new ConsentChange.Give(Kept.Commitment, "kept", Kept.Salt, Terms) { Giver = "Patient/p" },
                    new ConsentChange.Give(Withdrawn.Commitment, "withdrawn", Withdrawn.Salt, Terms) { Giver = "Patient/p" },
                ],
            },
            default);
        _ledger.Chain.Say(
            b => new ActorRegisteredEvent(b, "t", Hospital, ActorKind.Hospital, null),
            b => new PatientRegisteredEvent(b, "t", Patient, "e", Hospital), b => Granted(b, Kept.Commitment),
            b => Granted(b, Withdrawn.Commitment));
        _ledger.Chain.Mine(5);
        await NewView().RunOnceAsync(default);
    }

    public async Task DisposeAsync() => await _ledger.DisposeAsync();

    [Fact]
    public async Task What_the_view_missed_is_in_it_and_what_was_revoked_here_stays_revoked()
    {
        await _ledger.Database.CommitAsync(new CommitPlan { Consents = [new ConsentChange.Withdraw("withdrawn")] }, default);
        // A block of which the view has nothing: as if it had taken it in and been wrong.
        _ledger.Chain.Say(
            b => new ActorStatusEvent(b, "t", Hospital, false), b => new ConsentRevokedEvent(b, "t", Patient, Kept.Commitment));
        _ledger.Chain.Mine();
        await _ledger.Journal.ApplyAsync(
            new ViewUpdate(null, [], [new BlockReference(6, _ledger.Chain.Head.Hash)], TimeSpan.Zero), default);
        await NewView().RunOnceAsync(default);
        Assert.Equal((1L, "granted granted, revoked"), State());

        var told = new List<(long, long)>();
        await NewView().RebuildAsync((block, head) => told.Add((block, head)), default);
        Assert.Equal((0L, "granted, revoked granted, revoked"), State());
        Assert.Equal((6L, 6L), told[^1]);
        Assert.Equal(6, (await _ledger.Journal.CheckpointAsync(default)).Block);
        // Whoever follows the chain next has the lease at once.
        Assert.True(await new LedgerJournal(_ledger.Database).TryHoldAsync(Leases.View, TimeSpan.FromSeconds(8), default));

        (long, string) State() => ((long)_ledger.Sql("SELECT chain_active FROM actors")!, $"{One("kept")} {One("withdrawn")}");

        string One(string consent) => (string)_ledger.Sql(
            "SELECT CASE WHEN granted_block IS NULL THEN 'not granted' ELSE 'granted' END "
                + $"|| CASE revoked WHEN 1 THEN ', revoked' ELSE '' END FROM consents WHERE consent_id = '{consent}'")!;
    }

    [Fact]
    public async Task A_node_that_is_behind_the_view_or_of_another_chain_makes_it_forget_nothing()
    {
        _ledger.Chain.RollBack(2);
        var behind = await Assert.ThrowsAsync<RpcUnavailableException>(() => NewView().RebuildAsync((_, _) => { }, default));
        Assert.Contains("behind the view at 5", behind.Message);
        _ledger.Chain.BecomeAnother();
        _ledger.Chain.Mine(9);
        await Assert.ThrowsAsync<WrongChainException>(() => NewView().RebuildAsync((_, _) => { }, default));
        Assert.Equal(5, (await _ledger.Journal.CheckpointAsync(default)).Block);
        Assert.Equal(2L, _ledger.Sql("SELECT COUNT(*) FROM consents WHERE granted_block IS NOT NULL"));
        Assert.True(await new LedgerJournal(_ledger.Database).TryHoldAsync(Leases.View, TimeSpan.FromSeconds(8), default));
    }

    [Fact]
    public async Task While_it_is_read_anew_it_is_not_level_and_who_goes_on_after_a_kill_ends_with_the_same()
    {
        await _ledger.Journal.ApplyAsync(ViewUpdate.Forgetting, default);
        Assert.Equal(ViewCheckpoint.None, await _ledger.Journal.CheckpointAsync(default));
        Assert.Equal(0L, _ledger.Sql("SELECT COUNT(*) FROM consents WHERE granted_block IS NOT NULL"));
        Assert.Equal(0L, _ledger.Sql("SELECT COUNT(*) FROM patients WHERE controller IS NOT NULL"));
        Assert.Equal(0L, _ledger.Sql("SELECT chain_active FROM actors"));
        await NewView().RunOnceAsync(default);
        Assert.Equal(2L, _ledger.Sql("SELECT COUNT(*) FROM consents WHERE granted_block IS NOT NULL"));
        Assert.Equal(1L, _ledger.Sql("SELECT chain_active FROM actors"));
    }

    private ConsentView NewView() => new(_ledger.Chain, _ledger.Journal, _ledger.Options, _ledger.Time, _ledger.LogOf<ConsentView>());

    private static (byte[] Salt, string Commitment) CommitmentOf(byte number)
    {
        byte[] salt = [.. Enumerable.Repeat(number, 32)];
        return (salt, Convert.ToHexStringLower(Terms.Commit(salt)));
    }

    private static ConsentGrantedEvent Granted(long block, string commitment) =>
        new(block, "t", Patient, commitment, 0, ulong.MaxValue, 0);
}
