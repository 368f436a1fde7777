using System.Formats.Tar;
using System.IO.Compression;

namespace PmrGateway.Fhir;

/// <summary>Reads FHIR NPM packages. https://confluence.hl7.org/display/FHIR/NPM+Package+Specification</summary>
public static class FhirPackage
{
    private const long MaxEntryBytes = 256L << 20;
    private const long MaxBytes = 768L << 20;

    /// <summary>
    /// The JSON resources of a .tgz: those in the folder <c>package</c>; where there is none, in the outermost folder that has any.
    /// Examples and what else lies in folders below is passed over.
    /// </summary>
    /// <param name="tgz">A gzip'd tar archive.</param>
    /// <exception cref="InvalidProfileException">The archive is broken or too large.</exception>
    public static IReadOnlyList<ReadOnlyMemory<byte>> Read(Stream tgz)
    {
        var found = new List<(string Folder, ReadOnlyMemory<byte> Bytes)>();
        try
        {
            using var gzip = new GZipStream(tgz, CompressionMode.Decompress, leaveOpen: true);
            using var tar = new TarReader(gzip);
            long total = 0;
            while (tar.GetNextEntry() is { } entry)
            {
                if (entry.DataStream is not { } data || !IsResource(entry.Name)) continue;
                if (entry.Length > MaxEntryBytes || (total += entry.Length) > MaxBytes)
                    throw new InvalidProfileException("the package is too large");
                var bytes = new byte[entry.Length];
                data.ReadExactly(bytes);
                found.Add((FolderOf(entry.Name), bytes));
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException)
        {
            throw new InvalidProfileException("not a FHIR package (.tgz): " + e.Message, e);
        }
        if (found.Count == 0) throw new InvalidProfileException("the package holds no resources");
        var folder = found.Select(f => f.Folder).Distinct().OrderBy(f => f.Split('/')[^1] != "package").ThenBy(f => f.Length).First();
        return [.. found.Where(f => f.Folder == folder).Select(f => f.Bytes)];
    }

    private static string FolderOf(string name) => name.LastIndexOf('/') is var slash and >= 0 ? name[..slash] : "";

    private static bool IsResource(string name) =>
        name.EndsWith(".json", StringComparison.Ordinal) && name[(name.LastIndexOf('/') + 1)..] is not ("package.json" or ".index.json");
}
