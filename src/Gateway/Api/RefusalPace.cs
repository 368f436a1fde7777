using System.Collections.Concurrent;
using System.Diagnostics;
using PmrGateway.Gateway.Options;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Holds what is withheld back until a whole number of <c>Limits:RefusalTick</c> has passed since its request began: a record that is
/// there and denied takes longer to refuse than one that never was, and how long a no takes must not tell which it is. It hides what
/// takes less than a tick; what takes it over into the next can still be told.
/// </summary>
/// <remarks>
/// Held ones are let go by one clock that ticks on for a while by itself. A timer of each one's own would not do: it counts from when the
/// work ended, in whole milliseconds, and so hands on the fraction that it is there to hide.
/// </remarks>
internal sealed class RefusalPace(LimitOptions limits) : IDisposable
{
    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<TaskCompletionSource, long> _held = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _starting = new();
    private long _lastHeld;
    private bool _isTicking;

    /// <summary>Ends when a refusal may leave.</summary>
    /// <param name="began">When its request began, as <see cref="Stopwatch.GetTimestamp"/>.</param>
    /// <param name="cancellation">The client is gone: it is let go.</param>
    public async Task HoldAsync(long began, CancellationToken cancellation)
    {
        if (limits.RefusalTick == TimeSpan.Zero || _stop.IsCancellationRequested) return;
        var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _held[turn] = Due(began, Stopwatch.GetTimestamp(), limits.RefusalTick);
        lock (_starting)
        {
            _lastHeld = Stopwatch.GetTimestamp();
            if (!_isTicking)
            {
                _isTicking = true;
                _ = TickAsync();
            }
        }
        await using (cancellation.UnsafeRegister(static t => ((TaskCompletionSource)t!).TrySetResult(), turn)) await turn.Task;
        _held.TryRemove(turn, out _);
    }

    /// <summary>The first whole number of ticks since it began that is not over; all but the tick in timestamps.</summary>
    internal static long Due(long began, long now, TimeSpan tick)
    {
        var length = (long)(tick.TotalSeconds * Stopwatch.Frequency);
        return began + Math.Max(1, (now - began + length - 1) / length) * length;
    }

    public void Dispose()
    {
        _stop.Cancel();
        foreach (var turn in _held.Keys) turn.TrySetResult();
    }

    private async Task TickAsync()
    {
        using var beat = new PeriodicTimer(Beat);
        try
        {
            while (await beat.WaitForNextTickAsync(_stop.Token))
            {
                var now = Stopwatch.GetTimestamp();
                foreach (var (turn, due) in _held)
                    if (due <= now) turn.TrySetResult();
                lock (_starting)
                {
                    if (!_held.IsEmpty || Stopwatch.GetElapsedTime(_lastHeld, now) < Idle) continue;
                    _isTicking = false;
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The gateway stops: whoever is held was let go.
        }
    }
}
