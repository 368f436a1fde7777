// Runs the suites found in a folder: adversarial, examples, fhirpath, packages, balp, validator, patch, synthea, documents.
// usage: conformance DATA [--suite NAME] [--verbose]
// Prints a table a suite, and at the end one line each: SUITE passed/total. Exit 0 when every suite reached its threshold.
using PmrGateway.Tools.Conformance;

var verbose = args.Contains("--verbose");
var rest = args.Where(a => a != "--verbose").ToArray();
if (rest is not ([_] or [_, "--suite", _]))
{
    Console.Error.WriteLine("usage: conformance DATA [--suite NAME] [--verbose]");
    return 2;
}
if (!Directory.Exists(rest[0]))
{
    Console.Error.WriteLine($"conformance: there is no folder {rest[0]}");
    return 2;
}
var only = rest.Length > 1 ? rest[2] : null;
using var data = new SuiteData(rest[0]);
var results = new List<SuiteResult>();
foreach (var (name, needs, run) in new (string, string, Func<SuiteData, IEnumerable<SuiteResult>>)[]
{
    ("adversarial", "adversarial", AdversarialSuite.Run),
    ("examples", "examples", ExamplesSuite.Run),
    ("fhirpath", "fhirpath", FhirPathSuite.Run),
    ("expressions", "packages", ExpressionSuite.Run),
    ("balp", BalpSuite.Package, BalpSuite.Run),
    ("firely", "examples", FirelySuite.Run),
    ("validator", "validator", ValidatorSuite.Run),
    ("second-opinion", "examples", SecondOpinionSuite.Run),
    ("patch", "patch", PatchSuite.Run),
    ("synthea", "synthea", d => ExamplesSuite.RunArchive(d, "synthea")),
    ("documents", "documents", d => ExamplesSuite.RunArchive(d, "documents")),
})
{
    if (only is not null && only != name) continue;
    // The expressions of the core are there always; they join what else is run.
    if (!data.Has(needs) && !(name == "expressions" && results.Count > 0)) continue;
    var before = results.Count;
    try
    {
        foreach (var result in run(data)) results.Add(result);
        if (results.Count == before) results.Add(SuiteResult.Broken(name, "there is nothing in it to run"));
    }
    catch (Exception e) when (e is not OutOfMemoryException)
    {
        // One broken suite does not take the others with it, and does not pass.
        results.Add(SuiteResult.Broken(name, $"it cannot be run: {e.Message.ReplaceLineEndings(" ")}"));
    }
}
if (results.Count == 0)
{
    Console.Error.WriteLine($"conformance: no suite {(only is null ? "" : only + " ")}is in {rest[0]}");
    return 2;
}
foreach (var result in results)
{
    Console.WriteLine($"== {result.Name}: {result.Note}");
    foreach (var line in verbose ? result.Failures : result.Failures.Take(400)) Console.WriteLine("   " + line);
}
Console.WriteLine();
foreach (var result in results) Console.WriteLine($"{result.Name} {result.Passed}/{result.Total}");
var below = results.Where(r => r.Total == 0 || (double)r.Passed / r.Total < r.Threshold).ToList();
foreach (var result in below)
    Console.Error.WriteLine($"conformance: {result.Name}{(result.Total == 0 ? ": " + result.Note : $" is below {result.Threshold:P0}")}");
return below.Count == 0 ? 0 : 1;
