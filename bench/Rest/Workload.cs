using System.Globalization;

namespace PmrGateway.Bench.Rest;

/// <summary>A line of the report.</summary>
/// <param name="Name">Its name, without blanks.</param>
/// <param name="Goal">What it should be at most; with <paramref name="IsAtLeast"/>, at least.</param>
/// <param name="Unit">xF: times the floor.</param>
/// <param name="Of">The value, from the medians of the workload's legs.</param>
/// <param name="IsAtLeast">More is better.</param>
internal sealed record Row(
    string Name, double Goal, string Unit, Func<IReadOnlyDictionary<string, Figures>, double> Of, bool IsAtLeast = false)
{
    /// <summary>CPU of one leg over that of another.</summary>
    public static Row CpuRatio(string name, double goal, string leg, string over, string unit = "x") =>
        new(name, goal, unit, legs => legs[leg].Cpu / legs[over].Cpu);

    /// <summary>Median time of one leg over that of another.</summary>
    public static Row TimeRatio(string name, double goal, string leg, string over) =>
        new(name, goal, "x", legs => legs[leg].P50 / legs[over].P50);
}

/// <summary>Requests that are compared: legs run in turn, round by round, so that a slow minute of the machine meets all of them.</summary>
/// <param name="Name">What is asked.</param>
/// <param name="Shape">How each leg is loaded.</param>
/// <param name="Legs">The servers and users.</param>
/// <param name="Rows">What is reported of it.</param>
internal sealed record Workload(string Name, LoadShape Shape, IReadOnlyList<Leg> Legs, IReadOnlyList<Row> Rows)
{
    // What a leg meets first is compiled on the side for some seconds: up to a third of the CPU of a round.
    private const double WarmUp = 6;

    /// <summary>Runs it, when one of its rows is wanted.</summary>
    public async Task RunAsync(BenchOptions options, Report report)
    {
        var rows = Rows.Where(r => options.Wants(r.Name)).ToList();
        if (rows.Count == 0) return;
        await report.TryAsync([.. rows.Select(r => r.Name)], async () =>
        {
            var medians = await MeasureAsync(options.Rounds, report);
            foreach (var row in rows) report.Row(row.Name, row.Of(medians), row.Goal, row.Unit, row.IsAtLeast);
        });
    }

    private async Task<IReadOnlyDictionary<string, Figures>> MeasureAsync(int rounds, Report report)
    {
        var figures = Legs.ToDictionary(leg => leg.Name, _ => new List<Figures>());
        for (var round = 0; round < rounds; round++)
        {
            foreach (var leg in Legs)
            {
                await leg.Target.RefreshTokensAsync();
                if (round == 0) await LoadRun.MeasureAsync(leg, Shape with { Seconds = WarmUp });
                figures[leg.Name].Add(await LoadRun.MeasureAsync(leg, Shape));
            }
        }
        foreach (var (leg, measured) in figures) report.Detail(Describe(leg, measured));
        return figures.ToDictionary(f => f.Key, f => Figures.Median(f.Value));
    }

    private string Describe(string leg, List<Figures> rounds)
    {
        var median = Figures.Median(rounds);
        var each = string.Join(' ', rounds.Select(r => r.Cpu.ToString("G3", CultureInfo.InvariantCulture)));
        var cpu = string.Create(CultureInfo.InvariantCulture, $"{median.Cpu:G4} CPU-s/1000 ({each})");
        var speed = string.Create(CultureInfo.InvariantCulture, $"{median.PerSecond:F0}/s, p50 {median.P50:F1} ms, p99 {median.P99:F1} ms");
        return string.Create(CultureInfo.InvariantCulture, $"{Name}, {leg}: {cpu}, {speed}, {median.Written / 1000:F1} KB written");
    }
}
