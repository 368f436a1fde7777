using System.Formats.Tar;
using System.IO.Compression;

namespace PmrGateway.Tools.Conformance;

/// <summary>What a suite came to.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Passed">Cases as they must be.</param>
/// <param name="Total">Cases.</param>
/// <param name="Threshold">Least share that is a success.</param>
/// <param name="Note">What was measured.</param>
/// <param name="Failures">A line for each case that is not as it must be.</param>
internal sealed record SuiteResult(string Name, int Passed, int Total, double Threshold, string Note, IReadOnlyList<string> Failures);

/// <summary>The folder of the suites: a suite is a folder, or an archive of its name under archives/.</summary>
internal sealed class SuiteData(string root)
{
    public string Root => root;

    /// <summary>A suite's folder, or null.</summary>
    public string? Folder(string suite) => Path.Combine(root, suite) is var path && Directory.Exists(path) ? path : null;

    /// <summary>The JSON files of a suite, out of its folder or archive: name and bytes.</summary>
    public IEnumerable<(string Name, byte[] Bytes)> Files(string suite)
    {
        if (Folder(suite) is { } folder)
        {
            foreach (var file in Directory.EnumerateFiles(folder, "*.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal)) yield return (Path.GetRelativePath(folder, file), File.ReadAllBytes(file));
            yield break;
        }
        var archive = Path.Combine(root, "archives", suite + ".tar.gz");
        if (!File.Exists(archive)) yield break;
        using var gzip = new GZipStream(File.OpenRead(archive), CompressionMode.Decompress);
        using var tar = new TarReader(gzip);
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.DataStream is not { } stream || !entry.Name.EndsWith(".json", StringComparison.Ordinal)) continue;
            var bytes = new byte[entry.Length];
            stream.ReadExactly(bytes);
            yield return (entry.Name, bytes);
        }
    }
}
