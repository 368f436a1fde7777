using System.Globalization;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Tests.Unit.LedgerAdapter;

public sealed class ConsentViewTests : IAsyncLifetime
{
    private static readonly string Hospital = new('a', 64);
    private static readonly string Patient = new('b', 64);
    private static readonly string Client = new('c', 64);
    private static readonly string Commitment = new('d', 64);
    private LedgerFixture _ledger = null!;
    private ConsentView _view = null!;

    public async Task InitializeAsync()
    {
        _ledger = await LedgerFixture.OpenAsync();
        _view = NewView();
        var terms = new ConsentTerms("p", true, new Provision(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue, [], [], [], [], []), []);
        await _ledger.Database.CommitAsync(
            new CommitPlan
            {
                Directory =
                [
                    new DirectoryChange.AddActor("Organization/h", Hospital, ActorKind.Hospital, null),
                    new DirectoryChange.AddPatient("p", Patient, "Organization/h"),
                ],
                Consents = [new ConsentChange.Give(Commitment, "k", [0], terms) { Giver = "Patient/p" }],
            },
            default);
    }

    public async Task DisposeAsync() => await _ledger.DisposeAsync();

    [Fact]
    public async Task What_the_contracts_say_is_in_the_view_when_it_is_level()
    {
        Assert.Equal(TimeSpan.MaxValue, _view.Staleness);
        _ledger.Chain.Say(Registered, Bound, PatientKnown, Granted);
        _ledger.Chain.Mine(3);
        await _view.RunOnceAsync(default);
        Assert.Equal((3L, TimeSpan.Zero), (_view.Block, _view.Staleness));
        Assert.Equal(("1", Hospital, "e", "1", "0"), await StateAsync());
        _ledger.Time.Now += TimeSpan.FromSeconds(5);
        Assert.Equal(TimeSpan.FromSeconds(5), _view.Staleness);
    }

    [Fact]
    public async Task A_reorganisation_of_one_block_undoes_that_block_alone_and_asks_for_no_block_below_it()
    {
        _ledger.Chain.Say(Registered, PatientKnown);
        _ledger.Chain.Mine(10);
        await _view.RunOnceAsync(default);
        _ledger.Chain.Say(Bound, Granted, Suspended);
        _ledger.Chain.Mine();
        await _view.RunOnceAsync(default);
        Assert.Equal(("0", Hospital, "e", "11", "0"), await StateAsync());
        _ledger.Chain.Asked.Clear();

        _ledger.Chain.RollBack(1);
        _ledger.Chain.Mine(2);
        await _view.RunOnceAsync(default);
        Assert.Equal(("1", null, "e", null, "0"), await StateAsync());
        Assert.Equal([(11L, 12L)], _ledger.Chain.Asked);
        Assert.Equal(12, _view.Block);
    }

    [Fact]
    public async Task What_was_changed_twice_is_undone_to_what_it_was_before_both()
    {
        _ledger.Chain.Say(Registered, PatientKnown, Bound);
        _ledger.Chain.Mine(2);
        await _view.RunOnceAsync(default);
        _ledger.Chain.Say(Suspended, Unbound, b => new ControllerChangedEvent(b, "t", Patient, "f"));
        _ledger.Chain.Mine();
        _ledger.Chain.Say(b => new ControllerChangedEvent(b, "t", Patient, "9"), b => new ClientBindingEvent(b, "t", Client, "other"));
        _ledger.Chain.Mine();
        await _view.RunOnceAsync(default);
        Assert.Equal(("0", "other", "9", null, "0"), await StateAsync());
        _ledger.Chain.RollBack(2);
        _ledger.Chain.Mine(3);
        await _view.RunOnceAsync(default);
        Assert.Equal(("1", Hospital, "e", null, "0"), await StateAsync());
    }

    [Fact]
    public async Task A_reorganisation_takes_access_away_and_never_gives_it()
    {
        _ledger.Chain.Say(Registered, PatientKnown, Granted);
        _ledger.Chain.Mine();
        await _view.RunOnceAsync(default);
        _ledger.Chain.Say(Revoked);
        _ledger.Chain.Mine();
        await _view.RunOnceAsync(default);
        _ledger.Chain.RollBack(1);
        _ledger.Chain.Mine(2);
        await _view.RunOnceAsync(default);
        Assert.Equal(("1", null, "e", "1", "1"), await StateAsync());
    }

    [Fact]
    public async Task A_reorganisation_right_after_a_long_catch_up_finds_where_to_go_back_to()
    {
        _ledger.Chain.Say(Registered, PatientKnown);
        _ledger.Chain.Mine(5000);
        await _view.RunOnceAsync(default);
        _ledger.Chain.Asked.Clear();
        _ledger.Chain.RollBack(1);
        _ledger.Chain.Mine(2);
        await _view.RunOnceAsync(default);
        Assert.Equal([(5000L, 5001L)], _ledger.Chain.Asked);
    }

    [Fact]
    public async Task A_reorganisation_deeper_than_is_remembered_has_everything_taken_in_anew()
    {
        _ledger.Chain.Say(Registered, Bound, Granted);
        _ledger.Chain.Mine();
        await _view.RunOnceAsync(default);
        for (var i = 0; i < ViewUpdate.BlocksKept + 10; i++)
        {
            _ledger.Chain.Mine();
            await _view.RunOnceAsync(default);
        }
        Assert.Equal(ViewUpdate.BlocksKept, (await _ledger.Journal.RecentBlocksAsync(default)).Count);
        _ledger.Chain.RollBack(ViewUpdate.BlocksKept + 11);
        _ledger.Chain.Say(Registered);
        _ledger.Chain.Mine(ViewUpdate.BlocksKept + 12);
        await _view.RunOnceAsync(default);
        Assert.Equal(("1", null, null, null, "0"), await StateAsync());
        Assert.Single(_ledger.Log.Lines, l => l.Contains("built anew", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_node_that_goes_back_on_the_same_chain_is_told_and_the_view_grows_old()
    {
        _ledger.Chain.Say(Registered);
        _ledger.Chain.Mine(5);
        await _view.RunOnceAsync(default);
        _ledger.Chain.RollBack(2);
        _ledger.Time.Now += TimeSpan.FromSeconds(40);
        for (var i = 0; i < 3; i++) await _view.RunOnceAsync(default);
        Assert.Equal((5L, TimeSpan.FromSeconds(40)), (_view.Block, _view.Staleness));
        Assert.Contains("behind", _view.Problem);
        Assert.Single(_ledger.Log.Lines);
        _ledger.Chain.Mine(4);
        await _view.RunOnceAsync(default);
        Assert.Equal((7L, null), (_view.Block, _view.Problem));
    }

    [Fact]
    public async Task A_node_that_stands_still_is_as_old_as_its_last_block()
    {
        _ledger.Chain.Mine(3);
        _ledger.Time.Now += TimeSpan.FromSeconds(40);
        await _view.RunOnceAsync(default);
        Assert.Equal((3L, TimeSpan.FromSeconds(40), true), (_view.Block, _view.Staleness, _view.IsStale));
        _ledger.Time.Now += TimeSpan.FromSeconds(5);
        await _view.RunOnceAsync(default);
        Assert.Equal(TimeSpan.FromSeconds(45), _view.Staleness);
        _ledger.Chain.Mine();
        await _view.RunOnceAsync(default);
        Assert.Equal((4L, TimeSpan.Zero, false), (_view.Block, _view.Staleness, _view.IsStale));

        // Of a chain that makes a block when there is something to put into it, the last block's age says nothing.
        _ledger.Options.BlocksWhenIdle = false;
        _ledger.Time.Now += TimeSpan.FromDays(1);
        var idle = NewView();
        await idle.RunOnceAsync(default);
        Assert.Equal(TimeSpan.Zero, idle.Staleness);
    }

    [Fact]
    public async Task That_this_machines_clock_is_behind_the_chain_is_told()
    {
        _ledger.Chain.Mine();
        await _view.RunOnceAsync(default);
        Assert.Null(_view.Ahead);
        _ledger.Time.Now -= TimeSpan.FromMinutes(10);
        await _view.RunOnceAsync(default);
        Assert.Contains("600 s", _view.Ahead);
        _ledger.Time.Now += TimeSpan.FromMinutes(10);
        await _view.RunOnceAsync(default);
        Assert.Null(_view.Ahead);
    }

    [Fact]
    public async Task A_node_that_begins_to_follow_the_same_chain_is_behind_and_nothing_is_forgotten()
    {
        _ledger.Chain.Say(Registered, PatientKnown, Granted);
        _ledger.Chain.Mine(400);
        await _view.RunOnceAsync(default);
        // All blocks that are remembered are above what it has.
        _ledger.Chain.RollBack(390);
        await _view.RunOnceAsync(default);
        Assert.Contains("behind", _view.Problem);
        Assert.Equal((400L, ("1", null, "e", "1", "0")), (_view.Block, await StateAsync()));

        // The development chain is the gateway's own, and begun anew where it was lost.
        _ledger.Chain.IsPinned = false;
        await _view.RunOnceAsync(default);
        Assert.Equal(10L, _view.Block);
    }

    [Fact]
    public async Task A_node_that_is_behind_where_the_view_remembers_no_block_is_no_reorganisation()
    {
        _ledger.Chain.Say(Registered);
        _ledger.Chain.Mine(3);
        await _view.RunOnceAsync(default);
        _ledger.Chain.Mine(90);
        _ledger.Chain.Say(Suspended);
        _ledger.Chain.Mine();
        await _view.RunOnceAsync(default);
        var before = await StateAsync();
        // Remembered are 0 to 3 and the last ones: it has block 3 and none of those.
        _ledger.Chain.RollBack(50);
        await _view.RunOnceAsync(default);
        Assert.Contains("behind", _view.Problem);
        Assert.Equal((94L, before), (_view.Block, await StateAsync()));
    }

    [Fact]
    public async Task What_a_long_catch_up_has_read_is_kept_round_by_round_and_is_not_level_before_the_end()
    {
        _ledger.Chain.Say(Registered);
        _ledger.Chain.Mine(3000);
        // Each question takes its time.
        _ledger.Chain.WhenAsked = () => _ledger.Time.Now += TimeSpan.FromSeconds(5);
        await _view.RunOnceAsync(default);
        Assert.InRange(_view.Block, 0, 2999);
        Assert.Equal(TimeSpan.MaxValue, _view.Staleness);
        var kept = (await _ledger.Journal.CheckpointAsync(default)).Block;
        Assert.Equal(_view.Block, kept);
        for (var i = 0; i < 4000 && _view.Block < 3000; i++) await _view.RunOnceAsync(default);
        Assert.Equal(3000, _view.Block);
        Assert.Equal("1", (await StateAsync()).Active);
    }

    [Fact]
    public async Task Another_chain_in_the_place_of_the_one_that_was_followed_takes_nothing_away_and_is_not_followed()
    {
        _ledger.Chain.Say(Registered, PatientKnown, Granted);
        _ledger.Chain.Mine(3);
        await _view.RunOnceAsync(default);
        _ledger.Chain.BecomeAnother();
        _ledger.Chain.Mine(5);
        await Assert.ThrowsAsync<WrongChainException>(() => _view.RunOnceAsync(default));
        Assert.Equal(("1", null, "e", "1", "0"), await StateAsync());
        Assert.Equal(3, _view.Block);
    }

    [Fact]
    public async Task A_chain_that_moves_while_it_is_read_is_read_again_and_nothing_of_two_branches_is_taken_together()
    {
        _ledger.Chain.Mine(5);
        await _view.RunOnceAsync(default);
        var before = await StateAsync();
        _ledger.Chain.Say(Registered);
        _ledger.Chain.Mine(2);
        _ledger.Chain.WhenAsked = () =>
        {
            _ledger.Chain.WhenAsked = null;
            _ledger.Chain.RollBack(2);
            _ledger.Chain.Say(Suspended, PatientKnown, Granted);
            _ledger.Chain.Mine(2);
        };
        await Assert.ThrowsAsync<RpcUnavailableException>(() => _view.RunOnceAsync(default));
        Assert.Equal((5L, before), (_view.Block, await StateAsync()));
        await _view.RunOnceAsync(default);
        Assert.Equal((7L, ("0", null, "e", "6", "0")), (_view.Block, await StateAsync()));
    }

    [Fact]
    public async Task A_node_that_refuses_large_ranges_is_asked_for_smaller_ones()
    {
        _ledger.Chain.MaxRange = 100;
        _ledger.Chain.Say(Registered);
        _ledger.Chain.Mine(3000);
        _ledger.Chain.Say(PatientKnown);
        _ledger.Chain.Mine();
        await _view.RunOnceAsync(default);
        Assert.Equal(("1", null, "e", null, "0"), await StateAsync());
        Assert.Equal(3001, _view.Block);
        Assert.Equal(3002, _ledger.Chain.Asked.Sum(a => a.To - a.From + 1));
    }

    [Fact]
    public async Task The_chain_is_read_from_the_contracts_creation_and_not_at_all_before_it()
    {
        _ledger.Chain.IsDeployed = false;
        _ledger.Chain.Mine(1000);
        await _view.RunOnceAsync(default);
        Assert.Empty(_ledger.Chain.Asked);
        Assert.Equal((1000L, TimeSpan.Zero), (_view.Block, _view.Staleness));

        // Another journal of the same account finds the creation by its transaction.
        await using var other = await LedgerFixture.OpenAsync();
        var contracts = new ContractSet(other.Account.Address);
        await other.Journal.EnqueueAsync(contracts.Deployments(), default);
        var sender = new TransactionSender(
            _ledger.Chain, other.Account, contracts, other.Journal, other.Options, other.Time, other.LogOf<TransactionSender>());
        await sender.RunOnceAsync(default);
        _ledger.Chain.Mine(500);
        _ledger.Chain.IsDeployed = true;
        var view = new ConsentView(_ledger.Chain, other.Journal, other.Options, other.Time, other.LogOf<ConsentView>());
        await view.RunOnceAsync(default);
        Assert.Equal([(1001L, 1500L)], _ledger.Chain.Asked);
    }

    [Fact]
    public async Task A_grant_that_the_contract_knows_nothing_of_does_not_count_whatever_a_log_says()
    {
        _ledger.Chain.Forged.Add(Commitment);
        _ledger.Chain.Say(Registered, PatientKnown, Granted);
        _ledger.Chain.Mine();
        await _view.RunOnceAsync(default);
        Assert.Equal(("1", null, "e", null, "0"), await StateAsync());
        Assert.Single(_ledger.Log.Lines, l => l.StartsWith("Critical", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_process_without_the_lease_knows_block_and_age_of_the_view_from_the_journal()
    {
        var other = NewView();
        await other.ReadJournalAsync(default);
        Assert.Equal((-1L, TimeSpan.MaxValue), (other.Block, other.Staleness));
        _ledger.Chain.Mine(4);
        await _view.RunOnceAsync(default);
        // By the database's clock, which all processes share.
        await _ledger.Journal.ObservedAsync(TimeSpan.FromSeconds(100), default);
        await other.ReadJournalAsync(default);
        Assert.Equal(4L, other.Block);
        Assert.InRange(other.Staleness.TotalSeconds, 100, 160);
        // Where no block comes, a look is still recorded.
        _ledger.Time.Now += TimeSpan.FromSeconds(7);
        await _view.RunOnceAsync(default);
        await other.ReadJournalAsync(default);
        Assert.InRange(other.Staleness.TotalSeconds, 0, 60);
    }

    [Fact]
    public async Task A_node_that_is_down_leaves_the_view_as_it_was_and_growing_old()
    {
        _ledger.Chain.Mine();
        await _view.RunOnceAsync(default);
        _ledger.Chain.IsDown = true;
        _ledger.Time.Now += TimeSpan.FromMinutes(1);
        await Assert.ThrowsAsync<RpcUnavailableException>(() => _view.RunOnceAsync(default));
        Assert.Equal((1L, TimeSpan.FromMinutes(1)), (_view.Block, _view.Staleness));
    }

    private ConsentView NewView() => new(_ledger.Chain, _ledger.Journal, _ledger.Options, _ledger.Time, _ledger.LogOf<ConsentView>());

    private Task<(string? Active, string? Bound, string? Controller, string? Granted, string? Revoked)> StateAsync()
    {
        string? One(string sql) =>
            _ledger.Sql(sql) is { } value and not DBNull ? Convert.ToString(value, CultureInfo.InvariantCulture) : null;
        return Task.FromResult((
            One("SELECT chain_active FROM actors"), One("SELECT actor_id FROM bindings"), One("SELECT controller FROM patients"),
            One("SELECT granted_block FROM consents"), One("SELECT revoked FROM consents")));
    }

    private static ChainEvent Registered(long block) => new ActorRegisteredEvent(block, "t", Hospital, ActorKind.Hospital, null);

    private static ChainEvent Suspended(long block) => new ActorStatusEvent(block, "t", Hospital, false);

    private static ChainEvent Bound(long block) => new ClientBindingEvent(block, "t", Client, Hospital);

    private static ChainEvent Unbound(long block) => new ClientBindingEvent(block, "t", Client, null);

    private static ChainEvent PatientKnown(long block) => new PatientRegisteredEvent(block, "t", Patient, "e", Hospital);

    private static ChainEvent Granted(long block) => new ConsentGrantedEvent(block, "t", Patient, Commitment, 0, ulong.MaxValue, 0);

    private static ChainEvent Revoked(long block) => new ConsentRevokedEvent(block, "t", Patient, Commitment);
}
