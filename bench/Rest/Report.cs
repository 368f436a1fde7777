using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace PmrGateway.Bench.Rest;

/// <summary>Says what was measured: rows on standard output, what they come from on standard error.</summary>
internal sealed class Report
{
    private readonly HashSet<string> _tried = [];

    /// <summary>Whether a row could not be measured.</summary>
    public bool HasFailures { get; private set; }

    /// <summary>The machine and the build, first line of the report.</summary>
    public static void Header(BenchOptions options)
    {
        var now = TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
        var built = File.GetLastWriteTimeUtc(options.Pmr).ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30;
        var load = File.ReadAllText("/proc/loadavg").Split(' ')[0];
        var machine = $"{Environment.ProcessorCount} cores, {memory} GB, load {load}, {RuntimeInformation.FrameworkDescription}";
        var rounds = string.Create(CultureInfo.InvariantCulture, $"{options.Rounds} rounds of {options.Seconds} s");
        Console.WriteLine($"# {now}Z, {machine}, {rounds}, {options.Pmr} of {built}Z");
    }

    public void Row(string name, double measured, double goal, string unit, bool isAtLeast = false)
    {
        var holds = isAtLeast ? measured >= goal : measured <= goal;
        Console.WriteLine($"{name} {Number(measured)}{unit} {Number(goal)}{unit} {(holds ? "ok" : "short")}");
    }

    /// <summary>Measures rows; where that fails, each is said to have failed, and the next ones are measured all the same.</summary>
    public async Task TryAsync(IReadOnlyList<string> rows, Func<Task> measure)
    {
        _tried.UnionWith(rows);
        try
        {
            await measure();
        }
        catch (Exception e) when (e is BenchException or IOException or SocketException or HttpRequestException)
        {
            foreach (var row in rows) Fail(row, e.Message);
        }
    }

    /// <summary>A row that was asked for by a name that none has is a failure.</summary>
    public void CheckAllTried(IEnumerable<string> wanted)
    {
        foreach (var row in wanted.Where(row => !_tried.Contains(row))) Fail(row, "there is no such row in this part");
    }

    public void Detail(string text) => Console.Error.WriteLine("# " + text);

    private void Fail(string row, string reason)
    {
        HasFailures = true;
        Console.Error.WriteLine($"{row} FAILED: {reason}");
    }

    // Three digits that count, never an exponent.
    private static string Number(double value) => value.ToString(value >= 100 ? "F0" : "G3", CultureInfo.InvariantCulture);
}
