// Plays a file of attacks (schema attacks/1) against a gateway of its own: pmr-attacks FILE [--attack ID]... [--verbose]
// Prints a line an attack that is not passed or not applicable, and at the end ATTACKS passed/total. Exit 0 when all passed, else 1; 2:
// nothing was run.
using System.Text.Json;
using PmrGateway.Tools.Attacks;

var verbose = args.Contains("--verbose");
var rest = args.Where(a => a != "--verbose").ToList();
var only = new List<string>();
while (rest.IndexOf("--attack") is >= 0 and var at && at + 1 < rest.Count)
{
    only.Add(rest[at + 1]);
    rest.RemoveRange(at, 2);
}
if (rest.Count != 1)
{
    Console.Error.WriteLine("usage: pmr-attacks FILE [--attack ID]... [--verbose]");
    return 2;
}
IReadOnlyList<AttackSpec> attacks;
try
{
    attacks = AttackSpec.Read(rest[0]);
}
catch (Exception e) when (
    e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException or KeyNotFoundException)
{
    Console.Error.WriteLine($"pmr-attacks: {rest[0]}: {e.Message}");
    return 2;
}
var (passed, total) = (0, 0);
await using (var runner = new AttackRunner(verbose))
{
    foreach (var attack in attacks.Where(a => only.Count == 0 || only.Contains(a.Id)))
    {
        var start = TimeProvider.System.GetTimestamp();
        var result = await runner.RunAsync(attack);
        if (result.Line is { } line) Console.WriteLine($"{attack.Id}{line.ReplaceLineEndings(" ")}");
        if (result.Counts) total++;
        if (result.Passed) passed++;
        if (verbose) Console.Error.WriteLine($"{attack.Id} {TimeProvider.System.GetElapsedTime(start).TotalSeconds:F1} s");
    }
}
Console.WriteLine($"ATTACKS {passed}/{total}");
return total == 0 ? 2 : passed == total ? 0 : 1;
