using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Hosting;

/// <summary>The profiles of fhir-profiles/generated, which the assembly carries.</summary>
internal static class Profiles
{
    private static readonly Lazy<ProfileSet> Loaded = new(() => ProfileSet.Core(FhirSchema.R4).With(Embedded()));

    /// <summary>The profiles over R4. Read once, on first use.</summary>
    public static ProfileSet Own => Loaded.Value;

    private static IEnumerable<ReadOnlyMemory<byte>> Embedded()
    {
        var assembly = typeof(Profiles).Assembly;
        var names = assembly.GetManifestResourceNames().Where(n => n.StartsWith("PmrGateway.Profiles.", StringComparison.Ordinal));
        foreach (var name in names.Order(StringComparer.Ordinal))
        {
            using var stream = assembly.GetManifestResourceStream(name)!;
            using var bytes = new MemoryStream();
            stream.CopyTo(bytes);
            yield return bytes.ToArray();
        }
    }
}
