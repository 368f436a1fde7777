using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Hosting;

/// <summary>R4 with the profiles of fhir-profiles/generated.</summary>
internal static class Profiles
{
    private static readonly Lazy<FhirSchema> Loaded = new(Load);

    /// <summary>The schema. Read once, on first use.</summary>
    public static FhirSchema Schema => Loaded.Value;

    private static FhirSchema Load()
    {
        var assembly = typeof(Profiles).Assembly;
        var schema = FhirSchema.R4;
        foreach (var name in assembly.GetManifestResourceNames().Where(n => n.StartsWith("PmrGateway.Profiles.", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var stream = assembly.GetManifestResourceStream(name)!;
            using var bytes = new MemoryStream();
            stream.CopyTo(bytes);
            schema = schema.WithProfile(bytes.ToArray());
        }
        return schema;
    }
}
