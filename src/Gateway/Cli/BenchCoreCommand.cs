using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Hl7.Fhir.FhirPath;
using Hl7.Fhir.Model;
using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Cli;

/// <summary><c>pmr bench-core</c>: what the R4 engine does in a CPU-second, beside JsonDocument.Parse and Firely in the same run.</summary>
internal static class BenchCoreCommand
{
    private const int Rounds = 5;

    private sealed record Job(string Name, Func<int> Run);

    public static Command Create()
    {
        var what = new Option<string>("--what")
        {
            Description = "parse, validate or index; without it all three",
            DefaultValueFactory = _ => "all"
        };
        what.AcceptOnlyFromAmong("all", "parse", "validate", "index");
        var folder = new Argument<string>("folder") { Description = "A folder of FHIR JSON files" };
        var command = new Command("bench-core", "Measure the R4 engine: warm, median of five, on one core") { what, folder };
        command.SetAction(parsed => Run(parsed.GetValue(folder)!, parsed.GetValue(what)!));
        return command;
    }

    private static int Run(string folder, string what)
    {
        if (!Directory.Exists(folder) || Directory.GetFiles(folder, "*.json", SearchOption.AllDirectories) is not { Length: > 0 } names)
        {
            return CommandError.Say($"{folder}: a folder with FHIR JSON files is needed");
        }
        ColdStart();
        // Resources of the Bundles, each on its own: what a server gets.
        var bodies = names.Order(StringComparer.Ordinal).SelectMany(f => Resources(File.ReadAllBytes(f))).ToList();
        if (bodies.Count == 0) return CommandError.Say($"{folder}: no file in it parses");
        var megabytes = bodies.Sum(b => b.Length) / 1e6;
        Console.WriteLine($"{names.Length} files, {bodies.Count} resources, {megabytes:F1} MB, "
            + $"median of {Rounds}, CPU-seconds of this process");
        Console.WriteLine($"{"",-34}{"MB/CPU-s",12}{"resources/CPU-s",18}{"bytes allocated/byte",22}");
        var validator = new Validator(FhirSchema.R4);
        var indexer = new SearchIndexer(FhirSchema.R4);
        var documents = bodies.Select(Parse).ToList();
        List<Job> jobs = [];
        if (what is "all" or "parse")
        {
            jobs.Add(new(
                "JsonDocument.Parse",
                () => bodies.Sum(b => { using var d = JsonDocument.Parse(b, new JsonDocumentOptions { MaxDepth = 256 }); return 1; })));
            jobs.Add(new("parse (typed)", () => bodies.Sum(b => Parse(b).ResourceType.Length)));
            jobs.Add(new("Firely parse", () => bodies.Sum(b => Typed(b) is null ? 0 : 1)));
        }
        if (what is "all" or "validate")
        {
            jobs.Add(new("validate (typed document)", () => documents.Sum(d => validator.Validate(d).ErrorCount)));
            jobs.Add(new("parse and validate", () => bodies.Sum(b => validator.Validate(Parse(b)).ErrorCount)));
        }
        if (what is "all" or "index")
        {
            jobs.Add(new("index (typed document)", () => documents.Sum(d => indexer.Index(d).Count)));
            jobs.Add(new("Firely extraction", () => FirelyExtraction(bodies)));
        }
        foreach (var job in jobs) Measure(job, megabytes, bodies.Count);
        return 0;
    }

    // This process has done nothing of the kind yet: definitions, compilers and the JIT are all in it.
    private static void ColdStart()
    {
        var body = "{\"resourceType\":\"Patient\",\"name\":[{\"family\":\"x\"}],\"gender\":\"male\"}"u8.ToArray();
        var before = Process.GetCurrentProcess().TotalProcessorTime;
        _ = FhirSchema.R4;
        var schema = Process.GetCurrentProcess().TotalProcessorTime;
        var errors = new Validator(FhirSchema.R4).Validate(Parse(body)).ErrorCount;
        var after = Process.GetCurrentProcess().TotalProcessorTime;
        Console.WriteLine($"cold start: {(schema - before).TotalMilliseconds:F0} ms CPU for the definitions, "
            + $"{(after - before).TotalMilliseconds:F0} ms to the first verdict ({errors} errors)");
    }

    private static void Measure(Job job, double megabytes, int resources)
    {
        job.Run();
        var seconds = new List<double>();
        long allocated = 0;
        for (var i = 0; i < Rounds; i++)
        {
            GC.Collect();
            var (before, bytes) = (Process.GetCurrentProcess().TotalProcessorTime, GC.GetAllocatedBytesForCurrentThread());
            job.Run();
            allocated = GC.GetAllocatedBytesForCurrentThread() - bytes;
            seconds.Add((Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds);
        }
        seconds.Sort();
        var median = seconds[seconds.Count / 2];
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{job.Name,-34}{megabytes / median,12:F1}{resources / median,18:F0}{allocated / 1e6 / megabytes,22:F2}"));
    }

    private static ResourceDocument Parse(byte[] body) =>
        ResourceDocument.TryParse(body, out var document, out _)
            ? document!
            : throw new InvalidDataException("a resource of the set does not parse");

    private static Resource? Typed(byte[] body)
    {
        try
        {
            return FhirTyped.Parse<Resource>(Parse(body));
        }
        catch (InvalidOperationException)
        {
            // What Firely does not take costs it no less.
            return null;
        }
    }

    // The same parameters by Firely's FHIRPath.
    private static int FirelyExtraction(List<byte[]> bodies)
    {
        var count = 0;
        foreach (var body in bodies)
        {
            if (Typed(body) is not { } resource) continue;
            foreach (var parameter in ModelInfo.SearchParameters
                .Where(p => p.Resource == resource.TypeName && !string.IsNullOrEmpty(p.Expression)))
            {
                try
                {
                    count += resource.Select(parameter.Expression!).Count();
                }
                catch (Exception e) when (e is InvalidOperationException or ArgumentException or NotSupportedException or FormatException)
                {
                    // An expression that Firely cannot evaluate here counts as no value.
                    continue;
                }
            }
        }
        return count;
    }

    private static IEnumerable<byte[]> Resources(byte[] file)
    {
        if (!ResourceDocument.TryParse(file, out var document, out _)) yield break;
        if (document!.ResourceType != "Bundle")
        {
            yield return document.Bytes.ToArray();
            yield break;
        }
        foreach (var entry in document.Root.ItemsAt("entry"))
            if (entry["resource"] is { Kind: JsonTokenType.StartObject } resource) yield return resource.RawBytes.ToArray();
    }
}
