using System.Collections.Frozen;
using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Content;

/// <summary>
/// In which objects of a FHIR JSON text the property <c>data</c> is content that may be cut out while it streams, told by the object's own
/// property name alone: the type of a resource may stand behind everything else in it. In R4 no such name is also that of an object
/// whose <c>data</c> is something else, e.g. the numbers of a SampledData; a test holds that.
/// </summary>
internal static class AttachmentPlaces
{
    private static readonly FrozenSet<string> Names = FhirSchema.R4.Types
        .SelectMany(t => t.Properties)
        .Where(p => p is { IsSibling: false, Type.Name: "Attachment" })
        .Select(p => p.Name)
        .Append("resource")
        .ToFrozenSet(StringComparer.Ordinal);

    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> Lookup = Names.GetAlternateLookup<ReadOnlySpan<char>>();

    private static readonly int Longest = Names.Max(n => n.Length);

    /// <summary>The names: those of elements of type Attachment, and <c>resource</c>, since an entry of a Bundle may be a Binary.</summary>
    public static IEnumerable<string> All => Names;

    /// <summary>Whether an object under this name may hold content.</summary>
    public static bool Contains(ReadOnlySpan<byte> name)
    {
        if (name.Length > Longest) return false;
        Span<char> text = stackalloc char[name.Length];
        for (var i = 0; i < name.Length; i++) text[i] = (char)name[i];
        return Lookup.Contains(text);
    }
}
