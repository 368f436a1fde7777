using System.Text.Json;
using Hl7.Fhir.Model;
using Hl7.Fhir.Specification.Snapshot;
using Hl7.Fhir.Specification.Source;

namespace PmrGateway.Fhir;

/// <summary>
/// Gives a profile that has only a differential its snapshot, by the generator of Hl7.Fhir.R4 over the types of the core and the profiles
/// at hand. Thread-safe. https://hl7.org/fhir/R4/profiling.html#snapshot
/// </summary>
/// <param name="schema">The types of the core.</param>
/// <param name="profiles">A StructureDefinition by canonical URL, or null.</param>
internal sealed class SnapshotBuilder(FhirSchema schema, Func<string, JsonElement?> profiles) : IAsyncResourceResolver
{
    private const int MaxBases = 32;
    private readonly Dictionary<string, StructureDefinition> _known = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>The StructureDefinition of a canonical URL with a snapshot.</summary>
    /// <exception cref="InvalidProfileException">None can be made: what it derives from is not known, derives from itself, or is not well
    /// formed.</exception>
    public JsonElement Build(string url)
    {
        lock (_lock)
        {
            try
            {
                var definition = Find(url) ?? throw new InvalidProfileException($"{url} is not known");
                Bases(definition);
                var generator = new SnapshotGenerator(this, SnapshotGeneratorSettings.CreateDefault());
                // Asynchronous in its signature only: the resolver has every answer at hand, so nothing is waited for.
                generator.UpdateAsync(definition).GetAwaiter().GetResult();
                if (definition.Snapshot is null)
                {
                    var why = generator.Outcome?.Issue.FirstOrDefault()?.Details?.Text;
                    throw new InvalidProfileException($"{url} has no snapshot, and none can be made: {why}");
                }
                using var json = JsonDocument.Parse(FhirTyped.ToJson(definition));
                return json.RootElement.Clone();
            }
            catch (Exception e) when (e is not InvalidProfileException)
            {
                // The generator has no contract of what it throws at a malformed profile; whatever it is, the profile cannot be used.
                throw new InvalidProfileException($"{url} has no snapshot, and none can be made: {e.Message}", e);
            }
        }
    }

    /// <inheritdoc/>
    public System.Threading.Tasks.Task<Resource?> ResolveByUriAsync(string uri) => ResolveByCanonicalUriAsync(uri);

    /// <inheritdoc/>
    public System.Threading.Tasks.Task<Resource?> ResolveByCanonicalUriAsync(string uri) =>
        System.Threading.Tasks.Task.FromResult<Resource?>(Find(uri.Split('|')[0]));

    // The generator goes down a cycle without end, and says little of a base that it misses.
    private void Bases(StructureDefinition definition)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var at = definition; at.BaseDefinition is { } above; at = Find(above
            .Split('|')[0]) ?? throw new InvalidProfileException($"{definition.Url} derives from {above}, which is not known"))
            if (seen.Count > MaxBases) throw new InvalidProfileException($"{definition.Url} derives over more than {MaxBases} profiles");
            else if (!seen.Add(above))
                throw new InvalidProfileException($"{definition.Url} derives from itself: {string.Join(" <- ", seen)}");
    }

    private StructureDefinition? Find(string url)
    {
        if (_known.TryGetValue(url, out var known)) return known;
        var made = schema.TypeOfCanonical(url) is { } type
            ? CoreStructureDefinition.Of(type)
            : profiles(url) is { } json
            ? FhirTyped.Parse<StructureDefinition>(json)
            : null;
        if (made is not null) _known[url] = made;
        return made;
    }
}
