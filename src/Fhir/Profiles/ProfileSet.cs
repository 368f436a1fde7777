using System.Collections.Concurrent;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// Profiles, extensions, value sets and code systems of the core and beyond it, as packages of implementation guides hold them. Immutable;
/// a profile is compiled when it is first asked for. Thread-safe.
/// </summary>
public sealed class ProfileSet
{
    private static readonly ConcurrentDictionary<FhirSchema, ProfileSet> Cores = new();
    private readonly FhirSchema _schema;
    private readonly Dictionary<string, JsonElement> _definitions;
    private readonly Dictionary<string, JsonElement> _valueSets;
    private readonly Dictionary<string, JsonElement> _codeSystems;
    private readonly Dictionary<string, ResourceDocument> _questionnaires;
    private readonly ConcurrentDictionary<string, Profile> _compiled = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _broken = new(StringComparer.Ordinal);
    private readonly Lazy<Terminology> _terminology;
    private readonly Lazy<SnapshotBuilder> _snapshots;

    private ProfileSet(
        FhirSchema schema,
        Dictionary<string,
        JsonElement> definitions,
        Dictionary<string,
        JsonElement> valueSets,
        Dictionary<string,
        JsonElement> codeSystems,

        Dictionary<string, ResourceDocument> questionnaires)
    {
        (_schema, _definitions, _valueSets, _codeSystems, _questionnaires) = (schema, definitions, valueSets, codeSystems, questionnaires);
        _terminology = new Lazy<Terminology>(MakeTerminology);
        _snapshots = new Lazy<SnapshotBuilder>(() => new SnapshotBuilder(schema, Definition));
    }

    /// <summary>The profiles and extensions of the core.</summary>
    public static ProfileSet Core(FhirSchema schema) => Cores.GetOrAdd(schema, s => new ProfileSet(s, [], [], [], []));

    /// <summary>The core's terminology and this set's.</summary>
    public Terminology Terminology => _terminology.Value;

    /// <summary>Why the value sets of a package that were asked for and cannot be used cannot be.</summary>
    internal ICollection<string> BrokenValueSets => _broken.Values;

    /// <summary>Canonical URLs of the profiles and extensions.</summary>
    public IEnumerable<string> Urls => _definitions.Keys.Union(_schema.CoreProfiles.Keys);

    /// <summary>
    /// This set with more resources: StructureDefinitions that constrain, ValueSets, CodeSystems, Questionnaires; others are passed over.
    /// Later ones replace earlier ones of the same URL.
    /// </summary>
    /// <param name="resources">JSON resources, UTF-8.</param>
    /// <exception cref="InvalidProfileException">One is not JSON.</exception>
    public ProfileSet With(IEnumerable<ReadOnlyMemory<byte>> resources)
    {
        var (definitions, valueSets, codeSystems, questionnaires) = (
            Copy(_definitions), Copy(_valueSets), Copy(_codeSystems), Copy(_questionnaires));
        foreach (var (i, bytes) in resources.Index())
        {
            JsonElement resource;
            try
            {
                using var json = JsonDocument.Parse(bytes.Span.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes);
                resource = json.RootElement.Clone();
            }
            catch (JsonException e)
            {
                throw new InvalidProfileException(
                    $"resource {i + 1} of the package is not JSON (line {e.LineNumber + 1}, column {e.BytePositionInLine + 1})", e);
            }
            if (resource.ValueKind != JsonValueKind.Object || !resource.TryGetProperty("resourceType", out var type)
                || type.ValueKind != JsonValueKind.String)
                continue;
            if (!resource.TryGetProperty("url", out var url) || url.ValueKind != JsonValueKind.String)
            {
                if (type.GetString() == "StructureDefinition") throw new InvalidProfileException("a StructureDefinition without url");
                continue;
            }
            switch (type.GetString())
            {
                // Some profiles in circulation call themselves specialisations of the type that they constrain.
                case "StructureDefinition" when IsProfile(resource):
                    definitions[url.GetString()!] = resource;
                    foreach (var (inner, valueSet) in Contained(resource, "ValueSet")) valueSets.TryAdd(inner, valueSet);
                    break;
                case "ValueSet":
                    valueSets[url.GetString()!] = resource;
                    break;
                case "Questionnaire" when ResourceDocument.TryParse(bytes, out var questionnaire, out _):
                    questionnaires[url.GetString()!] = questionnaire!;
                    break;
                case "CodeSystem":
                    codeSystems[url.GetString()!] = resource;
                    break;
            }
        }
        return new ProfileSet(_schema, definitions, valueSets, codeSystems, questionnaires);
    }

    /// <summary>
    /// A profile by canonical URL, with or without a version, or a part of one by element id behind a '#'; null: it is not known.
    /// </summary>
    /// <exception cref="InvalidProfileException">It is known and cannot be compiled.</exception>
    internal Profile? Find(string canonical)
    {
        var hash = canonical.IndexOf('#', StringComparison.Ordinal);
        if (hash >= 0) return Find(canonical[..hash])?.Part(canonical[(hash + 1)..]);
        var url = canonical.Split('|')[0];
        if (_compiled.TryGetValue(url, out var known)) return known;
        return Definition(url) is { } definition ? _compiled.GetOrAdd(url, _ => Compile(url, definition)) : null;
    }

    /// <summary>Why a profile cannot be checked, or null when it can.</summary>
    public string? Explain(string canonical)
    {
        try
        {
            return _schema.TypeOfCanonical(canonical) is not null || Find(canonical) is not null
                ? null
                : $"the profile {canonical} is not known: name its package with --package";
        }
        catch (InvalidProfileException e)
        {
            return e.Message;
        }
    }

    /// <summary>A Questionnaire by canonical URL, with or without a version; null: it is not known.</summary>
    internal ResourceDocument? Questionnaire(string canonical) => _questionnaires.GetValueOrDefault(canonical.Split('|')[0]);

    /// <summary>A resource of this set beyond the core by canonical URL, as it came; null: there is none.</summary>
    internal JsonElement? Resource(string url)
    {
        foreach (var resources in new[] { _definitions, _valueSets, _codeSystems })
            if (resources.TryGetValue(url, out var found)) return found;
        return null;
    }

    /// <summary>Compiles every profile, and tells of those that cannot be.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        foreach (var url in Urls)
        {
            try
            {
                Find(url);
            }
            catch (InvalidProfileException e)
            {
                problems.Add(e.Message);
            }
        }
        return problems;
    }

    private Profile Compile(string url, JsonElement definition)
    {
        if (definition.TryGetProperty("snapshot", out var snapshot) && snapshot.TryGetProperty("element", out var elements)
            && elements.ValueKind == JsonValueKind.Array && elements.GetArrayLength() > 0)
            return ProfileCompiler.Compile(_schema, definition, "snapshot");
        // What the differential itself gets wrong is told by its element; the generator of snapshots would not say where.
        ProfileCompiler.Compile(_schema, definition, "differential");
        return ProfileCompiler.Compile(_schema, _snapshots.Value.Build(url), "snapshot");
    }

    private JsonElement? Definition(string url)
    {
        if (_definitions.TryGetValue(url, out var own)) return own;
        if (!_schema.CoreProfiles.TryGetValue(url, out var core)) return null;
        using var document = JsonDocument.Parse(core);
        return document.RootElement.Clone();
    }

    // A profile may bring the value sets along that it binds.
    private static IEnumerable<(string Url, JsonElement Resource)> Contained(JsonElement resource, string type)
    {
        if (!resource.TryGetProperty("contained", out var contained) || contained.ValueKind != JsonValueKind.Array) yield break;
        foreach (var inner in contained.EnumerateArray())
            if (inner.ValueKind == JsonValueKind.Object && Text(inner, "resourceType") == type && Text(inner, "url") is { } url)
                yield return (url, inner);
    }

    private static bool IsProfile(JsonElement definition) =>
        Text(definition, "derivation") != "specialization"
            || Text(definition, "baseDefinition") == SchemaCompiler.CoreTypes + Text(definition, "type");

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    private static Dictionary<string, T> Copy<T>(Dictionary<string, T> from) => new(from, StringComparer.Ordinal);

    private IReadOnlySet<string>? Codes(string url, JsonElement codeSystem)
    {
        try
        {
            return ValueSetExpander.CodesOf(codeSystem);
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException)
        {
            _broken[url] = $"{url}: a concept of the code system is malformed";
            return null;
        }
    }

    private Terminology MakeTerminology()
    {
        if (_valueSets.Count == 0 && _codeSystems.Count == 0) return _schema.Terminology;
        var expander = new ValueSetExpander(_valueSets, _codeSystems, _schema.Terminology);
        return new Terminology(
            _codeSystems.Where(s => ValueSetExpander.IsComplete(s.Value))
                .Select(s => (s.Key, new Func<IReadOnlySet<string>?>(() => Codes(s.Key, s.Value)))),
            _valueSets.Keys.Select(url => (url, new Func<ValueSetDefinition>(() =>
            {
                try
                {
                    lock (expander) return expander.Expand(url)!;
                }
                catch (InvalidProfileException e)
                {
                    // Asked for in the middle of a validation, which says so; until then the set tells nothing.
                    _broken[url] = e.Message;
                    return new ValueSetDefinition(url, [], true);
                }
            }))),
            Displays,
            _schema.Terminology);
    }

    // A code system that is malformed has no names; that it is, is said where its codes are asked for.
    private Dictionary<string, Displays> Displays()
    {
        var readable = _codeSystems.Where(s => ValueSetExpander.IsComplete(s.Value) && Codes(s.Key, s.Value) is not null);
        return ValueSetExpander.DisplaysOf(readable.ToDictionary(StringComparer.Ordinal), _valueSets.Values);
    }
}
