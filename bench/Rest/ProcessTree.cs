using System.Globalization;

namespace PmrGateway.Bench.Rest;

/// <summary>What the kernel says of a process (/proc): CPU of it and all its descendants, memory and bytes written of it alone.</summary>
internal static class ProcessTree
{
    private const double TicksPerSecond = 100;
    private const int Parent = 1;
    private const int UserTime = 11;
    private const int ReapedSystemTime = 14;

    /// <summary>User and system CPU-seconds of the tree, those of children that have ended included.</summary>
    public static double CpuSeconds(int root)
    {
        var stats = new Dictionary<int, string[]>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var id)) continue;
            if (StatOf(id) is { } stat) stats[id] = stat;
        }
        var children = stats.ToLookup(s => Number(s.Value[Parent]), s => s.Key);
        var ticks = 0L;
        var waiting = new Queue<int>([root]);
        while (waiting.TryDequeue(out var id))
        {
            if (!stats.TryGetValue(id, out var stat)) continue;
            for (var field = UserTime; field <= ReapedSystemTime; field++) ticks += Number(stat[field]);
            foreach (var child in children[id]) waiting.Enqueue(child);
        }
        return ticks / TicksPerSecond;
    }

    /// <summary>Bytes that the process itself has caused to be written to disk.</summary>
    public static long WrittenBytes(int id) => Field($"/proc/{id}/io", "write_bytes:");

    public static double ResidentMegabytes(int id) => Field($"/proc/{id}/status", "VmRSS:") / 1024.0;

    /// <summary>The largest resident set since <see cref="ResetPeak"/>.</summary>
    public static double PeakMegabytes(int id) => Field($"/proc/{id}/status", "VmHWM:") / 1024.0;

    public static void ResetPeak(int id) => File.WriteAllText($"/proc/{id}/clear_refs", "5");

    // Behind the name, which may hold blanks and brackets: state, parent, ...
    private static string[]? StatOf(int id)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{id}/stat");
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static long Field(string file, string name)
    {
        var line = File.ReadLines(file).First(l => l.StartsWith(name, StringComparison.Ordinal));
        return Number(line[name.Length..].Replace("kB", "", StringComparison.Ordinal).Trim());
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
