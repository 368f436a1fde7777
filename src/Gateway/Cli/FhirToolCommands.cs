using System.CommandLine;
using System.Text.Json;
using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Cli;

/// <summary>
/// <c>pmr fhirpath</c>, <c>pmr index</c>, <c>pmr convert</c>: the R4 engine on one file. An error is one line on stderr and exit 1.
/// </summary>
internal static class FhirToolCommands
{
    public static Command CreateFhirPath()
    {
        var engine = new Option<string>("--engine")
        {
            Description = "auto (native, Firely where that does not compile), native or firely",
            DefaultValueFactory = _ => "auto"
        };
        engine.AcceptOnlyFromAmong("auto", "native", "firely");
        var expression = new Argument<string>("expression") { Description = "FHIRPath" };
        var file = new Argument<string>("file") { Description = "A FHIR resource, JSON or XML" };
        var command = new Command("fhirpath", "Evaluate a FHIRPath expression; one JSON line an item") { engine, expression, file };
        command.SetAction(parsed => On(
            parsed.GetValue(file)!, document => Evaluate(document, parsed.GetValue(expression)!, parsed.GetValue(engine)!)));
        return command;
    }

    public static Command CreateIndex()
    {
        var file = new Argument<string>("file") { Description = "A FHIR resource, JSON or XML" };
        var command = new Command("index", "Show the values of every search parameter; one JSON line each") { file };
        command.SetAction(parsed => On(parsed.GetValue(file)!, document => new SearchIndexer(FhirSchema.R4).Index(document).Select(Line)));
        return command;
    }

    public static Command CreateConvert()
    {
        var to = new Option<string>("--to") { Description = "xml or json", Required = true };
        to.AcceptOnlyFromAmong("xml", "json");
        var file = new Argument<string>("file") { Description = "A FHIR resource, JSON or XML" };
        var command = new Command("convert", "Convert between FHIR's JSON and XML") { to, file };
        command.SetAction(parsed => On(parsed.GetValue(file)!, document =>
        {
            if (parsed.GetValue(to) == "json") return [System.Text.Encoding.UTF8.GetString(document.Bytes.Span)];
            return FhirXml.ToXml(document, out var issue) is { } xml
                ? [System.Text.Encoding.UTF8.GetString(xml)]
                : throw new InvalidDataException(issue!.Text);
        }));
        return command;
    }

    private static int On(string file, Func<ResourceDocument, IEnumerable<string>> run)
    {
        List<string> lines;
        try
        {
            var document = FhirInput.Parse(FhirInput.Read(file), "auto", out var issues);
            if (document is null) throw new InvalidDataException(issues.Count > 0 ? issues[0].Text : "it is no FHIR resource");
            if (document.Root.Type is null)
                throw new InvalidDataException(document.ResourceType.Length == 0
                        ? "it says no resourceType"
                        : $"'{document.ResourceType}' is not a resource type of R4");
            // All of it or nothing: an error in the middle leaves no half answer on stdout.
            lines = [.. run(document)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException or FhirPathException)
        {
            return CommandError.Say($"{file}: {e.Message}");
        }
        foreach (var line in lines) Console.WriteLine(line);
        return 0;
    }

    private static IEnumerable<string> Evaluate(ResourceDocument document, string expression, string engine)
    {
        if (engine == "firely") return FirelyFhirPath.Evaluate(document, expression).Select(Line);
        FhirPathExpression compiled;
        try
        {
            compiled = FhirPathExpression.Compile(expression);
        }
        catch (FhirPathException e) when (engine == "auto" && e.Fault == FhirPathFault.UnknownFunction)
        {
            var found = FirelyFhirPath.Evaluate(document, expression).Select(Line).ToList();
            CommandError.Say($"evaluated by Firely: {e.Message}");
            return found;
        }
        return compiled.Evaluate(document).Select(Line);
    }

    private static string Line(FhirPathResult result) =>
        JsonSerializer.Serialize(new { type = result.Type, value = Value(result) }, FhirInput.PlainJson);

    private static object? Value(FhirPathResult result)
    {
        if (result.Node is { } node)
        {
            using var json = JsonDocument.Parse(node.RawBytes.ToArray());
            return json.RootElement.Clone();
        }
        return result.Type switch
        {
            "Boolean" => result.Text == "true",
            "Integer" or "Long" => long.Parse(result.Text!, System.Globalization.CultureInfo.InvariantCulture),
            "Decimal" => decimal.Parse(result.Text!, System.Globalization.CultureInfo.InvariantCulture),
            _ => result.Text,
        };
    }

    private static string Line(IndexEntry entry) => JsonSerializer.Serialize(
        new
        {
            param = entry.Parameter,
            type = entry.Type,
            value = entry.Type switch
            {
                "date" => $"{entry.From.UtcDateTime:O}/{entry.To.UtcDateTime:O}",
                "reference" when entry.System is not null => $"{entry.System}/{entry.Value}",
                "token" when entry.System is not null => $"{entry.System}|{entry.Value}",
                "quantity" => $"{entry.Value}|{entry.System}",
                _ => entry.Value,
            },
        },
        FhirInput.PlainJson);
}
