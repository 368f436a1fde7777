// Runs a file of consent cases (schema consent-cases/1) against a gateway of its own: pmr-cases FILE [--case ID]... [--verbose]
// Prints a line a failing case, one a case that passes with something not looked for, and at the end CASES passed/total.
// Exit 0 when all passed, else 1; 2: nothing was run.
using System.Text.Json;
using PmrGateway.Tests.Client;
using PmrGateway.Tools.Cases;

if (SuiteArguments.Read("pmr-cases", "--case", args) is not { } asked) return 2;
Suite suite;
try
{
    suite = Suite.Read(asked.File);
}
catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException)
{
    Console.Error.WriteLine($"pmr-cases: {asked.File}: {e.Message}");
    return 2;
}
// What the gateways log is not what this says.
var output = Console.Out;
Console.SetOut(Console.Error);
var cases = suite.Cases.Where(c => asked.Takes(c.Id)).ToList();
var passed = 0;
await using (var issuer = await Issuer.StartAsync())
{
    await using var runner = new CaseRunner(suite, issuer);
    foreach (var spec in cases)
    {
        var start = TimeProvider.System.GetTimestamp();
        var result = await runner.RunAsync(spec);
        if (result.Difference is null) passed++;
        if (result.Difference is { } difference) output.WriteLine($"{spec.Id}: {difference.ReplaceLineEndings(" ")}");
        else if (result.Note is { } note) output.WriteLine($"{spec.Id}: passes, but: {note.ReplaceLineEndings(" ")}");
        if (asked.IsVerbose) Console.Error.WriteLine($"{spec.Id} {TimeProvider.System.GetElapsedTime(start).TotalSeconds:F1} s");
    }
}
output.WriteLine($"CASES {passed}/{cases.Count}");
return passed == cases.Count && cases.Count > 0 ? 0 : 1;
