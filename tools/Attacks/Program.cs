// Plays a file of attacks (schema attacks/1) against a gateway of its own: pmr-attacks FILE [--attack ID]... [--verbose]
// Prints a line an attack that is not passed or not applicable, and at the end ATTACKS passed/total. Exit 0 when all passed, else 1; 2:
// nothing was run.
using System.Text.Json;
using PmrGateway.Tests.Client;
using PmrGateway.Tools.Attacks;

if (SuiteArguments.Read("pmr-attacks", "--attack", args) is not { } asked) return 2;
IReadOnlyList<AttackSpec> attacks;
try
{
    attacks = AttackSpec.Read(asked.File);
}
catch (Exception e) when (
    e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException or KeyNotFoundException)
{
    Console.Error.WriteLine($"pmr-attacks: {asked.File}: {e.Message}");
    return 2;
}
var (passed, total) = (0, 0);
await using (var runner = new AttackRunner(asked.IsVerbose))
{
    foreach (var attack in attacks.Where(a => asked.Takes(a.Id)))
    {
        var start = TimeProvider.System.GetTimestamp();
        var result = await runner.RunAsync(attack);
        if (result.Line is { } line) Console.WriteLine($"{attack.Id}{line.ReplaceLineEndings(" ")}");
        if (result.Counts) total++;
        if (result.Passed) passed++;
        if (asked.IsVerbose) Console.Error.WriteLine($"{attack.Id} {TimeProvider.System.GetElapsedTime(start).TotalSeconds:F1} s");
    }
}
Console.WriteLine($"ATTACKS {passed}/{total}");
return total == 0 ? 2 : passed == total ? 0 : 1;
