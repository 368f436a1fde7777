using System.Reflection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Tests.Unit.LedgerAdapter;

public sealed class LedgerLoopTests : IAsyncLifetime
{
    private LedgerFixture _ledger = null!;

    public async Task InitializeAsync()
    {
        _ledger = await LedgerFixture.OpenAsync();
        _ledger.Options.PollInterval = TimeSpan.FromMilliseconds(10);
    }

    public async Task DisposeAsync() => await _ledger.DisposeAsync();

    [Fact]
    public async Task A_step_that_fails_the_same_way_again_and_again_is_told_once_and_so_is_its_end()
    {
        var (rounds, failing) = (0, true);
        using var loop = new Loop(_ledger, _ledger.Journal, () =>
        {
            rounds++;
            return failing ? throw new InvalidOperationException("broken") : Task.CompletedTask;
        });
        await loop.StartAsync(default);
        await UntilAsync(() => rounds > 20);
        Assert.Equal("broken", loop.Problem!.Text);
        failing = false;
        await UntilAsync(() => loop.Problem is null);
        await loop.StopAsync(default);
        Assert.Equal(
            ["Error: A round of the ledger loop 'test' failed; the next one follows", "Information: The ledger loop 'test' works again"],
            _ledger.Log.Lines);
    }

    [Fact]
    public async Task Without_the_lease_a_loop_stands_by_and_with_it_it_runs()
    {
        var journal = DispatchProxy.Create<ILedgerJournal, LeaseOnly>();
        var lease = (LeaseOnly)(object)journal;
        var rounds = 0;
        using var loop = new Loop(_ledger, journal, () =>
        {
            rounds++;
            return Task.CompletedTask;
        });
        await loop.StartAsync(default);
        await UntilAsync(() => loop.StoodBy > 3);
        Assert.Equal(0, rounds);
        lease.IsHeld = true;
        await UntilAsync(() => rounds > 3);
        lease.IsHeld = false;
        var before = loop.StoodBy;
        await UntilAsync(() => loop.StoodBy > before + 3);
        await loop.StopAsync(default);
    }

    [Fact]
    public async Task A_lease_that_passes_on_during_a_round_is_no_failure()
    {
        var rounds = 0;
        using var loop = new Loop(_ledger, _ledger.Journal, () => ++rounds > 0 ? throw new LeaseLostException("test") : Task.CompletedTask);
        await loop.StartAsync(default);
        await UntilAsync(() => rounds > 3);
        await loop.StopAsync(default);
        Assert.Null(loop.Problem);
        Assert.Empty(_ledger.Log.Lines);
    }

    [Fact]
    public async Task Health_tells_what_keeps_from_reading_and_what_keeps_off_the_chain()
    {
        var view = new ConsentView(_ledger.Chain, _ledger.Journal, _ledger.Options, _ledger.Time, _ledger.LogOf<ConsentView>());
        var sender = _ledger.NewSender();
        var isBroken = false;
        using var loop = new Loop(
            _ledger,
            _ledger.Journal,
            () => isBroken ? throw new InvalidOperationException("no segment can be stored") : Task.CompletedTask);
        var health = new LedgerHealth(view, sender, [loop], _ledger.Journal, _ledger.Options);
        async Task<HealthCheckResult> CheckAsync() => await health.CheckHealthAsync(new HealthCheckContext());

        Assert.Equal(HealthStatus.Unhealthy, (await CheckAsync()).Status);
        _ledger.Chain.Mine();
        await view.RunOnceAsync(default);
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync()).Status);

        // Unfunded.
        _ledger.Chain.Refuse = () => new SubmitResult(SubmitOutcome.InsufficientFunds, "insufficient funds");
        await _ledger.Journal.EnqueueAsync([new ChainCommand("a", ContractSet.Actors, "test", [1], OutboxPriority.Grant)], default);
        await sender.RunOnceAsync(default);
        var unfunded = await CheckAsync();
        Assert.Equal(
            (HealthStatus.Degraded, "Unfunded: insufficient funds (since 2020-01-01T00:00:00Z)"),
            (unfunded.Status, unfunded.Data["transactions"]));

        // Reverted.
        _ledger.Chain.Refuse = null;
        _ledger.Chain.Reverts = _ => true;
        _ledger.Chain.Simulates = _ => new Revert("NotAHospital", false);
        _ledger.Time.Now += TimeSpan.FromSeconds(11);
        await sender.RunOnceAsync(default);
        _ledger.Chain.Mine(3);
        await sender.RunOnceAsync(default);
        await view.RunOnceAsync(default);
        var reverted = await CheckAsync();
        Assert.Equal(
            (HealthStatus.Degraded, "1 outbox entries, the first is 'a': NotAHospital"), (reverted.Status, reverted.Data["reverted"]));
        Assert.DoesNotContain("transactions", reverted.Data.Keys);

        // A loop that fails; and all is well when its cause is gone.
        _ledger.Chain.Simulates = _ => null;
        _ledger.Chain.Reverts = _ => false;
        _ledger.Time.Now += FailedEntries.LookAgainAfter;
        await sender.RunOnceAsync(default);
        isBroken = true;
        await loop.StartAsync(default);
        await UntilAsync(() => loop.Problem is not null);
        Assert.Contains("no segment can be stored", (string)(await CheckAsync()).Data["test"]);
        isBroken = false;
        await UntilAsync(() => loop.Problem is null);
        await loop.StopAsync(default);
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync()).Status);

        _ledger.Time.Now += TimeSpan.FromHours(1);
        Assert.Equal(HealthStatus.Unhealthy, (await CheckAsync()).Status);
    }

    private static async Task UntilAsync(Func<bool> isSo)
    {
        for (var i = 0; i < 1000 && !isSo(); i++) await Task.Delay(10);
        Assert.True(isSo());
    }

    private sealed class Loop(LedgerFixture ledger, ILedgerJournal journal, Func<Task> step)
        : LedgerLoop("test", journal, ledger.Options, TimeProvider.System, ledger.LogOf<Loop>())
    {
        public int StoodBy { get; private set; }

        protected override Task RunOnceAsync(CancellationToken cancellation) => step();

        protected override Task StandByAsync(CancellationToken cancellation)
        {
            StoodBy++;
            return Task.CompletedTask;
        }
    }

    /// <summary>A journal of which a loop asks for the lease alone.</summary>
    public class LeaseOnly : DispatchProxy
    {
        public bool IsHeld { get; set; }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
            targetMethod!.Name == nameof(ILedgerJournal.TryHoldAsync)
                ? Task.FromResult(IsHeld)
                : throw new NotSupportedException(targetMethod.Name);
    }
}
