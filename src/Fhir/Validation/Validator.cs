namespace PmrGateway.Fhir;

/// <summary>
/// Validates resources: structure, cardinality, types, formats, narrative, contained resources, Bundles, references inside the document,
/// terminology that is here, invariants, extensions, and profiles. Never throws on data. Thread-safe. Source: R4 validation.html.
/// </summary>
/// <param name="schema">The definitions.</param>
/// <param name="profiles">Profiles, extensions and value sets beyond the core; null: none.</param>
/// <param name="options">What to look at; null: the default.</param>
public sealed class Validator(FhirSchema schema, ProfileSet? profiles = null, ValidationOptions? options = null)
{
    private readonly ProfileSet _profiles = profiles ?? ProfileSet.Core(schema);
    private readonly ThreadLocal<FhirPathContext?> _contexts = new();

    /// <summary>The findings.</summary>
    /// <param name="document">The resource. The profiles that its <c>meta.profile</c> claims are checked where they are known, and warned
    /// of where not.</param>
    /// <param name="profile">Canonical URL of a further profile to check; one that is not known is an error. Null: none.</param>
    public ValidationReport Validate(ResourceDocument document, string? profile = null)
    {
        var context =
            _contexts.Value ??= new FhirPathContext(schema, _profiles.Terminology) { ConformsTo = (item, url) => Conforms(item, url) };
        context.Now = TimeProvider.System.GetLocalNow();
        return new ValidationRun(document, schema, _profiles, options ?? ValidationOptions.Default, context).Validate(profile);
    }

    private bool? Conforms(Item item, string url)
    {
        if (!item.IsNode || item.Row < 0) return null;
        // Asked in the middle of an evaluation: the inner run has a stack of its own.
        var run = new ValidationRun(
            item.Document!, schema, _profiles, options ?? ValidationOptions.Default, new FhirPathContext(schema, _profiles.Terminology));
        return run.Profile(url) is { } found ? run.Conforms(item.Node, found) : null;
    }
}
