using System.Formats.Tar;
using System.IO.Compression;

namespace PmrGateway.Fhir;

/// <summary>Reads FHIR NPM packages. https://confluence.hl7.org/display/FHIR/NPM+Package+Specification</summary>
public static class FhirPackage
{
    private const long MaxEntryBytes = 256L << 20;
    private const long MaxBytes = 2L << 30;

    /// <summary>The JSON resources in the folder <c>package</c> of a .tgz; examples and what is in other folders is passed over.</summary>
    /// <param name="tgz">A gzip'd tar archive.</param>
    /// <exception cref="InvalidProfileException">The archive is broken or too large.</exception>
    public static IReadOnlyList<ReadOnlyMemory<byte>> Read(Stream tgz)
    {
        var resources = new List<ReadOnlyMemory<byte>>();
        try
        {
            using var gzip = new GZipStream(tgz, CompressionMode.Decompress, leaveOpen: true);
            using var tar = new TarReader(gzip);
            long total = 0;
            while (tar.GetNextEntry() is { } entry)
            {
                if (entry.DataStream is not { } data || !IsResource(entry.Name)) continue;
                if (entry.Length > MaxEntryBytes || (total += entry.Length) > MaxBytes) throw new InvalidProfileException("the package is too large");
                var bytes = new byte[entry.Length];
                data.ReadExactly(bytes);
                resources.Add(bytes);
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException)
        {
            throw new InvalidProfileException("not a FHIR package (.tgz): " + e.Message, e);
        }
        return resources.Count > 0 ? resources : throw new InvalidProfileException("the package holds no resources");
    }

    private static bool IsResource(string name)
    {
        var parts = name.Split('/', StringSplitOptions.RemoveEmptyEntries);
        return parts.Length >= 2 && parts[^2] == "package" && parts[^1].EndsWith(".json", StringComparison.Ordinal) && parts[^1] is not ("package.json" or ".index.json");
    }
}
