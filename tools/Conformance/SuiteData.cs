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
internal sealed record SuiteResult(string Name, int Passed, int Total, double Threshold, string Note, IReadOnlyList<string> Failures)
{
    /// <summary>A suite that is there and cannot be run, which is no success.</summary>
    public static SuiteResult Broken(string name, string why) => new(name, 0, 0, 1, why, [why]);
}

/// <summary>The folder of the suites: a suite is a folder, or an archive of its name under archives/.</summary>
internal sealed class SuiteData(string root) : IDisposable
{
    private readonly Dictionary<string, string> _unpacked = [];

    /// <summary>Whether a suite is there, or a file of one.</summary>
    public bool Has(string suite) => Path.Exists(Path.Combine(root, suite)) || File.Exists(Archive(suite));

    /// <summary>A suite's folder, unpacked where only its archive is there; null where neither is.</summary>
    public string? Folder(string suite)
    {
        if (Path.Combine(root, suite) is var path && Directory.Exists(path)) return path;
        if (!File.Exists(Archive(suite))) return null;
        if (_unpacked.TryGetValue(suite, out var known)) return known;
        var folder = _unpacked[suite] = Directory.CreateTempSubdirectory("pmr-conformance-").FullName;
        using var gzip = new GZipStream(File.OpenRead(Archive(suite)), CompressionMode.Decompress);
        TarFile.ExtractToDirectory(gzip, folder, overwriteFiles: false);
        // An archive may hold the suite's folder or what is in it.
        return _unpacked[suite] = Path.Combine(folder, suite) is var inner && Directory.Exists(inner) ? inner : folder;
    }

    /// <summary>The JSON files of a suite: name and bytes.</summary>
    public IEnumerable<(string Name, byte[] Bytes)> Files(string suite)
    {
        if (Folder(suite) is not { } folder) yield break;
        foreach (var file in Directory.EnumerateFiles(folder, "*.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            yield return (Path.GetRelativePath(folder, file), File.ReadAllBytes(file));
    }

    /// <summary>Takes away what was unpacked.</summary>
    public void Dispose()
    {
        foreach (var folder in _unpacked.Values) Directory.Delete(folder, recursive: true);
    }

    private string Archive(string suite) => Path.Combine(root, "archives", suite + ".tar.gz");
}
