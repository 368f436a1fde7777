using System.Diagnostics;

namespace PmrGateway.Bench.Rest;

/// <summary>What was measured of a leg in one round.</summary>
/// <param name="Cpu">CPU-seconds of the server's process tree per 1000 requests.</param>
/// <param name="PerSecond">Requests a second.</param>
/// <param name="P50">Median latency, ms.</param>
/// <param name="P99">99th percentile of the latency, ms.</param>
/// <param name="Written">Bytes that the server's process wrote to disk per request.</param>
internal sealed record Figures(double Cpu, double PerSecond, double P50, double P99, double Written)
{
    public static Figures Median(IReadOnlyList<Figures> rounds)
    {
        double Middle(Func<Figures, double> of) => rounds.Select(of).Order().ElementAt(rounds.Count / 2);
        return new Figures(Middle(r => r.Cpu), Middle(r => r.PerSecond), Middle(r => r.P50), Middle(r => r.P99), Middle(r => r.Written));
    }
}

/// <summary>How a leg is loaded.</summary>
/// <param name="Users">Concurrent users, each with a connection of its own, in a closed loop.</param>
/// <param name="Seconds">Length.</param>
/// <param name="MaxRequests">Requests at most, all users together.</param>
internal sealed record LoadShape(int Users, double Seconds, int MaxRequests = int.MaxValue);

/// <summary>Loads a server and says what that cost it.</summary>
internal static class LoadRun
{
    private const int IdleSamples = 4;
    private const double QuietShare = 0.05;
    private static readonly TimeSpan IdleSample = TimeSpan.FromSeconds(0.5);

    /// <summary>One round.</summary>
    /// <exception cref="BenchException">An answer is not what it must be: errors are not measured.</exception>
    public static async Task<Figures> MeasureAsync(Leg leg, LoadShape shape)
    {
        var server = leg.Target.Process.Id;
        var idle = await IdleShareAsync(server);
        var (cpu, written, start) = (ProcessTree.CpuSeconds(server), ProcessTree.WrittenBytes(server), Stopwatch.GetTimestamp());
        var issued = 0;
        bool More() =>
            Stopwatch.GetElapsedTime(start).TotalSeconds < shape.Seconds && Interlocked.Increment(ref issued) <= shape.MaxRequests;
        var users = await Task.WhenAll(Enumerable.Range(0, shape.Users)
            .Select(user => Task.Run(() => UseAsync(leg, leg.Requests(user, shape.Users), More))));
        var elapsed = Stopwatch.GetElapsedTime(start).TotalSeconds;
        // What a request leaves to be done later is part of its cost.
        await Task.Delay(leg.Deferred);
        var cost = ProcessTree.CpuSeconds(server) - cpu - (idle * Stopwatch.GetElapsedTime(start).TotalSeconds);
        var times = users.SelectMany(t => t).Order().ToArray();
        if (times.Length == 0 || cost <= 0)
            throw new BenchException($"{leg.Name}: {times.Length} requests for {cost:F2} CPU-s are no measure");
        return new Figures(
            cost / times.Length * 1000,
            times.Length / elapsed,
            times[times.Length / 2],
            times[times.Length * 99 / 100],
            (ProcessTree.WrittenBytes(server) - written) / (double)times.Length);
    }

    private static async Task<List<double>> UseAsync(Leg leg, Func<ReadOnlyMemory<byte>> next, Func<bool> more)
    {
        using var connection = await HttpConnection.OpenAsync(leg.Target.Process.Port);
        var times = new List<double>();
        while (more())
        {
            var request = next();
            var start = Stopwatch.GetTimestamp();
            var answer = await connection.SendAsync(request);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            if (leg.Check(answer) is { } wrong) throw new BenchException($"{leg.Name}: {wrong}");
        }
        return times;
    }

    // What earlier requests left behind is not of this round: it is waited for, and what does not end is taken off. A quiet server's own
    // beat (polling, the development chain) stays in.
    private static async Task<double> IdleShareAsync(int server)
    {
        var least = double.MaxValue;
        for (var sample = 0; sample < IdleSamples; sample++)
        {
            var (cpu, start) = (ProcessTree.CpuSeconds(server), Stopwatch.GetTimestamp());
            await Task.Delay(IdleSample);
            least = Math.Min(least, (ProcessTree.CpuSeconds(server) - cpu) / Stopwatch.GetElapsedTime(start).TotalSeconds);
            if (least < QuietShare) return 0;
        }
        return least;
    }
}
