using Nethereum.Model;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Tests.Unit.LedgerAdapter;

public sealed class TransactionSenderTests : IAsyncLifetime
{
    private LedgerFixture _ledger = null!;
    private TransactionSender _sender = null!;

    public async Task InitializeAsync()
    {
        _ledger = await LedgerFixture.OpenAsync();
        _sender = NewSender();
    }

    public async Task DisposeAsync() => await _ledger.DisposeAsync();

    [Fact]
    public async Task An_entry_is_sent_then_mined_then_confirmed_at_depth()
    {
        await QueueAsync("a");
        await _sender.RunOnceAsync(default);
        Assert.Equal((OutboxStatus.Sent, 0L), await StandingAsync("a"));
        _ledger.Chain.Mine();
        await _sender.RunOnceAsync(default);
        Assert.Equal((OutboxStatus.Mined, 0L), await StandingAsync("a"));
        _ledger.Chain.Mine(2);
        await _sender.RunOnceAsync(default);
        var entry = await _ledger.Journal.FindAsync("a", default);
        Assert.Equal((OutboxStatus.Confirmed, 1L), (entry!.Status, entry.Block));
        Assert.Empty(_ledger.Log.Lines);
    }

    [Fact]
    public async Task What_takes_access_away_goes_first_and_a_grant_takes_its_patient_and_hospital_along_past_everything_else()
    {
        await QueueAsync("anchor", OutboxPriority.Anchor);
        await QueueAsync("hospital", OutboxPriority.Registration);
        for (var i = 0; i < 3; i++) await QueueAsync($"other {i}", OutboxPriority.Registration);
        await QueueAsync("patient", OutboxPriority.Registration, "hospital");
        await QueueAsync("grant", OutboxPriority.Grant, "patient");
        await QueueAsync("revoke", OutboxPriority.Withdrawal);
        await QueueAsync("deploy", OutboxPriority.Foundation);
        await _sender.RunOnceAsync(default);
        Assert.Equal(["deploy", "revoke", "hospital", "patient", "grant", "other 0", "other 1", "other 2", "anchor"], await ByNonceAsync());
    }

    [Fact]
    public async Task A_grant_does_not_wait_behind_thousands_of_registrations_and_the_oldest_do_not_wait_for_ever()
    {
        await _ledger.Journal.EnqueueAsync(
            [.. Enumerable.Range(0, 3000).Select(i => Command($"registration {i}", OutboxPriority.Registration))], default);
        await QueueAsync("patient", OutboxPriority.Registration);
        await QueueAsync("grant", OutboxPriority.Grant, "patient");
        await _ledger.Journal.EnqueueAsync(
            [.. Enumerable.Range(0, 3000).Select(i => Command($"later grant {i}", OutboxPriority.Grant))], default);
        await _sender.RunOnceAsync(default);
        Assert.Equal((OutboxStatus.Sent, 1L), await StandingAsync("grant"));
        Assert.Equal(OutboxStatus.Sent, (await StandingAsync("registration 0")).Status);
        Assert.Equal(TransactionSender.InFlight, (await _ledger.Journal.NoncesAsync(0, default)).Count);
    }

    [Fact]
    public async Task What_the_chain_has_lost_is_sent_again_as_it_was()
    {
        await QueueAsync("a");
        await QueueAsync("b");
        await _sender.RunOnceAsync(default);
        _ledger.Chain.Mine(3);
        await _sender.RunOnceAsync(default);
        var before = await _ledger.Journal.FindAsync("b", default);
        Assert.Equal(OutboxStatus.Confirmed, before!.Status);
        _ledger.Chain.RollBack(3);
        await _sender.RunOnceAsync(default);
        _ledger.Chain.Mine(3);
        await _sender.RunOnceAsync(default);
        var after = await _ledger.Journal.FindAsync("b", default);
        Assert.Equal((OutboxStatus.Confirmed, before.Hash), (after!.Status, after.Hash));
        Assert.Single(after.Transactions);
        Assert.Single(_ledger.Log.Lines, l => l.Contains("has lost 2 transactions", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_a_node_has_forgotten_is_given_to_it_again()
    {
        await QueueAsync("a");
        await _sender.RunOnceAsync(default);
        _ledger.Chain.Forget();
        for (var i = 0; i < 5; i++) await _sender.RunOnceAsync(default);
        Assert.Single(_ledger.Chain.Given);
        _ledger.Time.Now += TimeSpan.FromSeconds(11);
        await _sender.RunOnceAsync(default);
        _ledger.Chain.Mine();
        await _sender.RunOnceAsync(default);
        Assert.Equal(OutboxStatus.Mined, (await StandingAsync("a")).Status);
    }

    [Fact]
    public async Task After_a_restart_what_was_signed_is_given_to_the_node_again()
    {
        await QueueAsync("a");
        await _sender.RunOnceAsync(default);
        _ledger.Chain.Forget();
        await NewSender().RunOnceAsync(default);
        Assert.Equal(2, _ledger.Chain.Given.Count);
        Assert.Equal(_ledger.Chain.Given[0], _ledger.Chain.Given[1]);
    }

    [Fact]
    public async Task A_nonce_used_by_another_sender_is_found_and_its_entry_signed_anew_with_one_line_in_the_log()
    {
        await QueueAsync("a");
        await QueueAsync("b");
        await _sender.RunOnceAsync(default);
        _ledger.Chain.MineForeign();
        for (var i = 0; i < TransactionSender.ForeignAfter + _ledger.Options.Confirmations; i++)
        {
            await _sender.RunOnceAsync(default);
            Assert.Equal((OutboxStatus.Sent, 0L), await StandingAsync("a"));
            _ledger.Chain.Mine();
        }
        await _sender.RunOnceAsync(default);
        Assert.Equal((OutboxStatus.Sent, 2L), await StandingAsync("a"));
        _ledger.Chain.Mine(3);
        await _sender.RunOnceAsync(default);
        Assert.Equal(
            (OutboxStatus.Confirmed, OutboxStatus.Confirmed), ((await StandingAsync("a")).Status, (await StandingAsync("b")).Status));
        Assert.Single(_ledger.Log.Lines);
        Assert.Contains("used by another sender", _ledger.Log.Lines[0]);
    }

    [Fact]
    public async Task A_reorganisation_that_drops_a_transaction_for_a_while_signs_nothing_anew()
    {
        await QueueAsync("a");
        await _sender.RunOnceAsync(default);
        _ledger.Chain.MineForeign();
        _ledger.Chain.Mine(3);
        await _sender.RunOnceAsync(default);
        _ledger.Chain.RollBack(4);
        _ledger.Time.Now += TimeSpan.FromSeconds(11);
        await _sender.RunOnceAsync(default);
        _ledger.Chain.Mine(TransactionSender.ForeignAfter * 2);
        await _sender.RunOnceAsync(default);
        var entry = await _ledger.Journal.FindAsync("a", default);
        Assert.Equal(OutboxStatus.Confirmed, entry!.Status);
        Assert.Single(entry.Transactions);
    }

    [Fact]
    public async Task A_database_older_than_the_chain_goes_on_above_the_chains_nonce()
    {
        for (var i = 0; i < 5; i++) _ledger.Chain.MineForeign();
        await QueueAsync("a");
        await _sender.RunOnceAsync(default);
        Assert.Equal((OutboxStatus.Sent, 5L), await StandingAsync("a"));
    }

    [Fact]
    public async Task A_gap_in_the_nonces_is_used_up_so_that_what_stands_above_it_is_mined()
    {
        await QueueAsync("a");
        await QueueAsync("b");
        await _sender.RunOnceAsync(default);
        var a = (await _ledger.Journal.FindAsync("a", default))!.Id;
        await _ledger.Journal.ChangeAsync([new OutboxChange(a, OutboxStatus.Confirmed)], default);
        _ledger.Sql("UPDATE outbox SET nonce = NULL WHERE key = 'a'");
        _ledger.Chain.Forget();
        _ledger.Time.Now += TimeSpan.FromSeconds(11);
        await _sender.RunOnceAsync(default);
        _ledger.Chain.Mine();
        await _sender.RunOnceAsync(default);
        Assert.Equal(OutboxStatus.Mined, (await StandingAsync("b")).Status);
    }

    [Fact]
    public async Task When_fees_rise_the_replacement_is_sent_and_the_original_counts_when_it_is_the_one_mined()
    {
        _ledger.Chain.BaseFee = 1_000_000_000;
        _ledger.Chain.Mine();
        await QueueAsync("a");
        await _sender.RunOnceAsync(default);
        var original = _ledger.Chain.Given[0];
        _ledger.Chain.Forget();
        _ledger.Chain.BaseFee = 10_000_000_000;
        _ledger.Chain.Mine();
        _ledger.Time.Now += TimeSpan.FromSeconds(11);
        await _sender.RunOnceAsync(default);
        var replacement = (Transaction1559)TransactionFactory.CreateTransaction(_ledger.Chain.Given[^1]);
        Assert.True(replacement.MaxFeePerGas >= 2 * _ledger.Chain.BaseFee);
        Assert.Equal(2, (await _ledger.Journal.FindAsync("a", default))!.Transactions.Count);
        // The fee falls again, and a block maker that still had the original takes that one.
        _ledger.Chain.Forget();
        _ledger.Chain.BaseFee = 1_000_000_000;
        await _ledger.Chain.SubmitAsync([original], default);
        _ledger.Chain.Mine(3);
        await _sender.RunOnceAsync(default);
        var entry = await _ledger.Journal.FindAsync("a", default);
        Assert.Equal((OutboxStatus.Confirmed, entry!.Transactions[0].Hash), (entry.Status, entry.Hash));
    }

    [Fact]
    public async Task A_chain_without_fees_is_offered_none_and_another_twice_its_base_fee()
    {
        await QueueAsync("a");
        await _sender.RunOnceAsync(default);
        var free = (Transaction1559)TransactionFactory.CreateTransaction(_ledger.Chain.Given[0]);
        Assert.Equal((0, 0), ((int)free.MaxFeePerGas!, (int)free.MaxPriorityFeePerGas!));
    }

    [Fact]
    public async Task An_account_that_cannot_pay_is_told_once_and_heals_by_itself()
    {
        _ledger.Chain.Refuse = () => new SubmitResult(SubmitOutcome.InsufficientFunds, "insufficient funds for gas * price + value");
        await QueueAsync("a");
        for (var i = 0; i < 50; i++)
        {
            await _sender.RunOnceAsync(default);
            _ledger.Time.Now += TimeSpan.FromSeconds(1);
        }
        Assert.Equal(SenderTrouble.Unfunded, _sender.Problem!.Trouble);
        Assert.Single(_ledger.Log.Lines);
        Assert.InRange(_ledger.Chain.Given.Count, 2, 6);
        _ledger.Chain.Refuse = null;
        _ledger.Time.Now += TimeSpan.FromSeconds(11);
        await _sender.RunOnceAsync(default);
        Assert.Null(_sender.Problem);
        _ledger.Chain.Mine();
        await _sender.RunOnceAsync(default);
        Assert.Equal(OutboxStatus.Mined, (await StandingAsync("a")).Status);
        Assert.Equal(2, _ledger.Log.Lines.Count);
    }

    [Fact]
    public async Task A_quiet_time_is_no_trouble()
    {
        _ledger.Chain.Mine();
        await _sender.RunOnceAsync(default);
        _ledger.Time.Now += TimeSpan.FromMinutes(5);
        _ledger.Chain.Mine();
        await _sender.RunOnceAsync(default);
        await QueueAsync("a");
        await _sender.RunOnceAsync(default);
        _ledger.Chain.Mine();
        await _sender.RunOnceAsync(default);
        Assert.Null(_sender.Problem);
        Assert.Empty(_ledger.Log.Lines);
    }

    [Fact]
    public async Task A_chain_that_takes_transactions_and_mines_none_is_told()
    {
        await QueueAsync("a");
        await _sender.RunOnceAsync(default);
        _ledger.Time.Now += TimeSpan.FromMinutes(2);
        await _sender.RunOnceAsync(default);
        Assert.Equal(SenderTrouble.Stuck, _sender.Problem!.Trouble);
        _ledger.Chain.Mine();
        await _sender.RunOnceAsync(default);
        Assert.Null(_sender.Problem);
    }

    [Fact]
    public async Task A_reverted_entry_shows_with_its_reason_and_stops_nothing_that_follows()
    {
        _ledger.Chain.Reverts = t => t.Nonce == 0;
        _ledger.Chain.Simulates = c => c.Key == "a" ? new Revert("CustodianNotActive", false) : null;
        await QueueAsync("a");
        await QueueAsync("b");
        await _sender.RunOnceAsync(default);
        _ledger.Chain.Mine(3);
        await _sender.RunOnceAsync(default);
        Assert.Equal((OutboxStatus.Failed, OutboxStatus.Confirmed), ((await StandingAsync("a")).Status, (await StandingAsync("b")).Status));
        Assert.Equal(new OutboxCounts(0, 0, 1, "a", "CustodianNotActive"), await _ledger.Journal.CountsAsync(default));
    }

    [Fact]
    public async Task A_reverted_registration_is_sent_again_when_its_cause_is_gone()
    {
        _ledger.Chain.Reverts = t => t.Nonce == 0;
        _ledger.Chain.Simulates = _ => new Revert("CustodianNotActive", false);
        await FailAsync("a");
        await WaitAsync();
        Assert.Equal(OutboxStatus.Failed, (await StandingAsync("a")).Status);
        _ledger.Chain.Simulates = _ => null;
        await WaitAsync();
        await _sender.RunOnceAsync(default);
        _ledger.Chain.Mine(3);
        await _sender.RunOnceAsync(default);
        Assert.Equal((OutboxStatus.Confirmed, 1L), await StandingAsync("a"));
    }

    [Fact]
    public async Task A_reverted_registration_is_sent_again_when_it_is_asked_for_again()
    {
        _ledger.Chain.Reverts = t => t.Nonce == 0;
        _ledger.Chain.Simulates = _ => new Revert("NotAHospital", false);
        await FailAsync("a");
        await QueueAsync("a");
        await _sender.RunOnceAsync(default);
        _ledger.Chain.Mine(3);
        await _sender.RunOnceAsync(default);
        Assert.Equal((OutboxStatus.Confirmed, 1L), await StandingAsync("a"));
        // A second wish of what is done is none.
        await QueueAsync("a");
        Assert.Equal(OutboxStatus.Confirmed, (await StandingAsync("a")).Status);
    }

    [Fact]
    public async Task What_is_reverted_because_the_chain_has_it_already_is_done()
    {
        _ledger.Chain.Reverts = _ => true;
        _ledger.Chain.Simulates = _ => new Revert("GrantExists", true);
        await FailAsync("a");
        Assert.Equal(OutboxStatus.Confirmed, (await StandingAsync("a")).Status);
    }

    [Fact]
    public async Task A_grant_whose_time_is_over_is_void_and_what_takes_access_away_is_told_of_until_it_is_done()
    {
        _ledger.Chain.Reverts = _ => true;
        _ledger.Chain.Simulates = _ => new Revert("IntentExpired", false) { IsOver = true };
        await FailAsync(ChainCommands.GrantKey("a"));
        await FailAsync(ChainCommands.RevokeKey("b"));
        await WaitAsync();
        Assert.Equal(OutboxStatus.Void, (await StandingAsync(ChainCommands.GrantKey("a"))).Status);
        Assert.Equal(OutboxStatus.Failed, (await StandingAsync(ChainCommands.RevokeKey("b"))).Status);
        Assert.Equal(
            new OutboxCounts(0, 0, 1, ChainCommands.RevokeKey("b"), "IntentExpired"), await _ledger.Journal.CountsAsync(default));
        // Where the chain loses its end, its nonce is used again: nothing above it waits for ever.
        await _ledger.Journal.SetLostAsync(0, default);
        Assert.Equal((OutboxStatus.Sent, 0L), await StandingAsync(ChainCommands.GrantKey("a")));
    }

    private TransactionSender NewSender() => _ledger.NewSender();

    private async Task FailAsync(string key)
    {
        await QueueAsync(key);
        await _sender.RunOnceAsync(default);
        _ledger.Chain.Mine(3);
        await _sender.RunOnceAsync(default);
    }

    private async Task WaitAsync()
    {
        _ledger.Time.Now += FailedEntries.LookAgainAfter;
        await _sender.RunOnceAsync(default);
    }

    private static ChainCommand Command(string key, OutboxPriority priority, string? after = null) =>
        new(key, ContractSet.Actors, "test", System.Text.Encoding.UTF8.GetBytes(key), priority, after);

    private Task QueueAsync(string key, OutboxPriority priority = OutboxPriority.Registration, string? after = null) =>
        _ledger.Journal.EnqueueAsync([Command(key, priority, after)], default);

    private async Task<(OutboxStatus Status, long? Nonce)> StandingAsync(string key)
    {
        var entry = await _ledger.Journal.FindAsync(key, default);
        return (entry!.Status, entry.Nonce);
    }

    private async Task<IEnumerable<string>> ByNonceAsync() =>
        (await _ledger.Journal.EntriesAsync(OutboxStatus.Sent, 100, default)).Select(e => e.Command.Key);
}
