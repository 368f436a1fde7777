using System.Text.Json;
using System.Text.Json.Serialization;

namespace PmrGateway.Gateway.Cli;

/// <summary>What the operator's commands print.</summary>
internal static class CommandOutput
{
    private static readonly JsonSerializerOptions Document = new(FhirInput.PlainJson)
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>Prints a document, and gives the exit code back.</summary>
    public static int Print<T>(T document, int code = 0)
    {
        Console.WriteLine(JsonSerializer.Serialize(document, Document));
        return code;
    }

    /// <summary>Rows as lines, their cells under each other.</summary>
    public static List<string> Aligned(IEnumerable<string[]> rows)
    {
        var all = rows.ToList();
        var widths = Enumerable.Range(0, all.Count == 0 ? 0 : all[0].Length).Select(i => all.Max(r => r[i].Length)).ToList();
        return all.ConvertAll(r => string.Join("  ", r.Select((cell, i) => cell.PadRight(widths[i]))).TrimEnd());
    }
}
