using System.Diagnostics;
using PmrGateway.Gateway.Api;
using PmrGateway.Gateway.Options;

namespace PmrGateway.Tests.Unit.Gateway;

public class RefusalPaceTests
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(5);

    [Theory]
    [InlineData(0, 5)]
    [InlineData(0.01, 5)]
    [InlineData(1.3, 5)]
    [InlineData(4.99, 5)]
    [InlineData(5, 5)]
    [InlineData(5.01, 10)]
    [InlineData(23, 25)]
    public void A_refusal_is_due_at_the_first_whole_number_of_ticks_that_is_not_over(double tookMs, double dueMs)
    {
        var perMs = Stopwatch.Frequency / 1000.0;
        Assert.Equal((long)(dueMs * perMs), RefusalPace.Due(0, (long)(tookMs * perMs), Tick));
    }

    [Fact]
    public async Task However_much_of_the_tick_its_work_took_a_refusal_leaves_no_sooner()
    {
        using var pace = new RefusalPace(new LimitOptions { RefusalTick = Tick });
        await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
        {
            var began = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(began).TotalMilliseconds < i * 0.1) await Task.Yield();
            var due = RefusalPace.Due(began, Stopwatch.GetTimestamp(), Tick);
            await pace.HoldAsync(began, default);
            Assert.True(Stopwatch.GetTimestamp() >= due);
        }));
    }

    [Fact]
    public async Task Without_a_tick_and_without_a_client_nothing_is_held()
    {
        using var none = new RefusalPace(new LimitOptions { RefusalTick = TimeSpan.Zero });
        Assert.True(none.HoldAsync(Stopwatch.GetTimestamp(), default).IsCompletedSuccessfully);
        using var slow = new RefusalPace(new LimitOptions { RefusalTick = TimeSpan.FromDays(1) });
        using var gone = new CancellationTokenSource();
        var held = slow.HoldAsync(Stopwatch.GetTimestamp(), gone.Token);
        Assert.False(held.IsCompleted);
        await gone.CancelAsync();
        await held;
    }

    [Fact]
    public async Task When_the_gateway_stops_nobody_is_held()
    {
        var pace = new RefusalPace(new LimitOptions { RefusalTick = TimeSpan.FromDays(1) });
        var held = pace.HoldAsync(Stopwatch.GetTimestamp(), default);
        pace.Dispose();
        await held;
    }
}
