// Runs the suites found in a folder: adversarial, examples, fhirpath, packages, validator, patch, synthea, documents.
// usage: conformance DATA [--suite NAME] [--verbose]
// Prints a table a suite, and at the end one line each: SUITE passed/total. Exit 0 when every suite reached its threshold.
using PmrGateway.Tools.Conformance;

if (args.Length < 1 || !Directory.Exists(args[0]))
{
    Console.Error.WriteLine("usage: conformance DATA [--suite NAME] [--verbose]");
    return 2;
}
var data = new SuiteData(args[0]);
var only = Array.IndexOf(args, "--suite") is var at and >= 0 && at + 1 < args.Length ? args[at + 1] : null;
var verbose = args.Contains("--verbose");
var results = new List<SuiteResult>();
foreach (var (name, run) in new (string, Func<SuiteData, IEnumerable<SuiteResult>>)[]
{
    ("adversarial", AdversarialSuite.Run),
    ("examples", ExamplesSuite.Run),
    ("fhirpath", FhirPathSuite.Run),
    ("expressions", ExpressionSuite.Run),
    ("firely", FirelySuite.Run),
    ("validator", ValidatorSuite.Run),
    ("patch", PatchSuite.Run),
    ("synthea", d => ExamplesSuite.RunArchive(d, "synthea")),
    ("documents", d => ExamplesSuite.RunArchive(d, "documents")),
})
{
    if (only is not null && only != name) continue;
    results.AddRange(run(data));
}
if (results.Count == 0)
{
    Console.Error.WriteLine($"conformance: no suite is in {args[0]}");
    return 2;
}
foreach (var result in results)
{
    Console.WriteLine($"== {result.Name}: {result.Note}");
    foreach (var line in verbose ? result.Failures : result.Failures.Take(400)) Console.WriteLine("   " + line);
}
Console.WriteLine();
foreach (var result in results) Console.WriteLine($"{result.Name} {result.Passed}/{result.Total}");
var below = results.Where(r => r.Total > 0 && (double)r.Passed / r.Total < r.Threshold).ToList();
foreach (var result in below) Console.Error.WriteLine($"conformance: {result.Name} is below {result.Threshold:P0}");
return below.Count == 0 ? 0 : 1;
