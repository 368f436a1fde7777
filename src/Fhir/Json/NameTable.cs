using System.Text;

namespace PmrGateway.Fhir;

/// <summary>The element names of R4, found by their UTF-8 bytes without making a string.</summary>
internal static class NameTable
{
    private static readonly Dictionary<ulong, string> Names = Build();

    public static bool TryGet(ReadOnlySpan<byte> utf8, out string? name)
    {
        if (!Names.TryGetValue(Hash(utf8), out name)) return false;
        if (name.Length == utf8.Length && Ascii.Equals(utf8, name)) return true;
        name = null;
        return false;
    }

    private static Dictionary<ulong, string> Build()
    {
        var names = new Dictionary<ulong, string>();
        foreach (var name in FhirSchema.R4.PropertyNames) names.TryAdd(Hash(Encoding.UTF8.GetBytes(name)), name);
        return names;
    }

    // FNV-1a, 64 bits.
    private static ulong Hash(ReadOnlySpan<byte> bytes)
    {
        var hash = 14695981039346656037UL;
        foreach (var b in bytes) hash = (hash ^ b) * 1099511628211UL;
        return hash;
    }
}
