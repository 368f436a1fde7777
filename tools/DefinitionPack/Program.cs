// Compiles the official R4 definitions (npm hl7.fhir.r4.examples 4.0.1) to src/Fhir/Definitions/r4.pack.
// usage: definition-pack FOLDER_OF_THE_NPM_PACKAGE OUTPUT [--check]
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
foreach (var resource in Entries("Bundle-searchParams.json"))
{
    var components = resource.TryGetProperty("component", out var list) ? list.EnumerateArray().ToList() : [];
    searchParameters.Add(new SearchParameterSpec(
        resource.GetProperty("code").GetString()!,
        resource.GetProperty("type").GetString()!,
        [.. resource.GetProperty("base").EnumerateArray().Select(b => b.GetString()!)],
        resource.TryGetProperty("expression", out var expression) ? expression.GetString()! : "",
        resource.TryGetProperty("target", out var targets) ? [.. targets.EnumerateArray().Select(t => t.GetString()!)] : [],
        [.. Mended(resource.GetProperty("id").GetString()!, components.ConvertAll(Component))]));
}
searchParameters.Sort((a, b) => string.CompareOrdinal(a.Code + " " + a.Bases[0] + a.Expression, b.Code + " " + b.Bases[0] + b.Expression));

var (sets, systems) = (ByUrl("ValueSet"), ByUrl("CodeSystem"));
var expander = new ValueSetExpander(sets, systems, null);
var terminology = new Terminology(
    systems.Where(s => ValueSetExpander.IsComplete(s.Value))
        .Select(s => (s.Key, new Func<IReadOnlySet<string>?>(() => ValueSetExpander.CodesOf(s.Value)!))),
    sets.Keys.Select(url => (url, new Func<ValueSetDefinition>(() => expander.Expand(url)!))),
    // Of systems that are not here in full no name could be told from another.
    () => ValueSetExpander.DisplaysOf(systems, sets.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => s.Value))
        .Where(d => systems.TryGetValue(d.Key, out var system) && ValueSetExpander.IsComplete(system))
        .ToDictionary(StringComparer.Ordinal));

var profiles = ByUrl("StructureDefinition").Where(d => IsConstraint(d.Value)).ToDictionary(d => d.Key, d => ProfileStripper.Strip(d.Value));

var pack = PackFormat.Write(new FhirSchema(types, searchParameters, compartment, () => terminology, () => profiles));
if (check)
{
    if (File.Exists(output) && File.ReadAllBytes(output).AsSpan().SequenceEqual(pack)) return 0;
    Console.Error.WriteLine($"{output} is not what the definitions compile to: run 'make pack'");
    return 1;
}
File.WriteAllBytes(output, pack);
Console.Error.WriteLine(
    $"{types.Count} types, {terminology.Systems.Count()} code systems, {terminology.ValueSets.Count()} value sets, "
    + $"{profiles.Count} profiles, {searchParameters.Count} search parameters, {pack.Length} bytes");
return 0;

static bool IsConstraint(JsonElement definition) =>
    definition.TryGetProperty("derivation", out var derivation) && derivation.GetString() == "constraint"
        && definition.TryGetProperty("snapshot", out _);

IEnumerable<JsonElement> Entries(string file)
{
    using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, file)));
    foreach (var entry in json.RootElement.GetProperty("entry").EnumerateArray()) yield return entry.GetProperty("resource").Clone();
}

Dictionary<string, JsonElement> ByUrl(string type)
{
    var found = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
    foreach (var file in Directory.GetFiles(folder, type + "-*.json").Order(StringComparer.Ordinal))
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(file));
        var root = json.RootElement;
        if (root.GetProperty("resourceType").GetString() == type && root.TryGetProperty("url", out var url))
            found.TryAdd(url.GetString()!, root.Clone());
    }
    return found;
}

// The official definition gives each of its two components the other's expression.
static List<SearchComponentSpec> Mended(string id, List<SearchComponentSpec> components) => id != "DocumentReference-relationship"
    ? components
    : [components[0] with { Expression = components[1].Expression }, components[1] with { Expression = components[0].Expression }];

SearchComponentSpec Component(JsonElement component)
{
    var url = component.GetProperty("definition").GetString();
    var defined = Entries("Bundle-searchParams.json").First(p => p.GetProperty("url").GetString() == url);
    return new SearchComponentSpec(
        defined.GetProperty("code").GetString()!, defined.GetProperty("type").GetString()!,
        component.GetProperty("expression").GetString()!);
}
