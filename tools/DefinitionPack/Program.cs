// Compiles the official R4 definitions (npm hl7.fhir.r4.examples 4.0.1) to src/Fhir/Definitions/r4.pack.
// usage: definition-pack FOLDER_OF_THE_NPM_PACKAGE OUTPUT [--check]
using System.Collections.Frozen;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Tools.DefinitionPack;

if (args.Length < 2)
{
    Console.Error.WriteLine("usage: definition-pack FOLDER OUTPUT [--check]");
    return 2;
}
var (folder, output, check) = (args[0], args[1], args.Contains("--check"));

var types = new List<TypeDefinition>();
var searchParameters = new List<SearchParameterSpec>();
var compartment = new SortedDictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
foreach (var resource in Entries("Bundle-types.json").Concat(Entries("Bundle-resources.json")))
{
    switch (resource.GetProperty("resourceType").GetString())
    {
        case "StructureDefinition" when !(resource.TryGetProperty("derivation", out var d) && d.GetString() == "constraint"):
            types.AddRange(SchemaCompiler.Compile(resource));
            break;
        case "CompartmentDefinition" when resource.GetProperty("code").GetString() == "Patient":
            foreach (var member in resource.GetProperty("resource").EnumerateArray())
                if (member.TryGetProperty("param", out var p))
                    compartment[member.GetProperty("code").GetString()!] = [.. p.EnumerateArray().Select(x => x.GetString()!)];
            break;
    }
}
// A profiled quantity (Age, MoneyQuantity, ...) is a Quantity in an instance.
foreach (var resource in Entries("Bundle-searchParams.json"))
{
    if (!resource.TryGetProperty("expression", out var expression)) continue;
    searchParameters.Add(new SearchParameterSpec(
        resource.GetProperty("code").GetString()!,
        resource.GetProperty("type").GetString()!,
        [.. resource.GetProperty("base").EnumerateArray().Select(b => b.GetString()!)],
        expression.GetString()!));
}
searchParameters.Sort((a, b) => string.CompareOrdinal(a.Code + " " + a.Bases[0] + a.Expression, b.Code + " " + b.Bases[0] + b.Expression));

var wanted = types.SelectMany(t => t.Elements).Select(e => e.RequiredValueSet).OfType<string>().ToHashSet();
var expander = new ValueSetExpander(folder);
var valueSets = new Dictionary<string, FrozenSet<string>>();
foreach (var url in wanted.Order(StringComparer.Ordinal))
    if (expander.Expand(url) is { } codes) valueSets[url] = codes.SelectMany(c => new[] { c.Code, c.System + "|" + c.Code }).ToFrozenSet(StringComparer.Ordinal);
    else Console.Error.WriteLine($"not listed: {url}");

var pack = PackFormat.Write(new FhirSchema(types, valueSets, searchParameters, compartment));
if (check)
{
    if (File.Exists(output) && File.ReadAllBytes(output).AsSpan().SequenceEqual(pack)) return 0;
    Console.Error.WriteLine($"{output} is not what the definitions compile to: run 'make pack'");
    return 1;
}
File.WriteAllBytes(output, pack);
Console.Error.WriteLine($"{types.Count} types, {valueSets.Count} value sets, {searchParameters.Count} search parameters, {pack.Length} bytes");
return 0;

IEnumerable<JsonElement> Entries(string file)
{
    using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, file)));
    foreach (var entry in json.RootElement.GetProperty("entry").EnumerateArray()) yield return entry.GetProperty("resource").Clone();
}
