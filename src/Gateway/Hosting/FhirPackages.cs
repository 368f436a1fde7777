using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Hosting;

/// <summary>FHIR packages on this machine. Nothing is downloaded.</summary>
internal static partial class FhirPackages
{
    /// <summary>The gateway's own profiles and those of packages: .tgz files, folders, single resources.</summary>
    /// <exception cref="InvalidProfileException">A package is broken; the text names it.</exception>
    /// <exception cref="IOException">A package cannot be read.</exception>
    public static ProfileSet Load(IEnumerable<string> packages)
    {
        var profiles = Profiles.Own;
        foreach (var package in packages) profiles = With(profiles, package);
        return profiles;
    }

    /// <summary>The default of validation, with what an operator may want to know in the log.</summary>
    public static ValidationOptions Noting(ILogger logger) => new() { Note = note => LogNote(logger, note) };

    [LoggerMessage(Level = LogLevel.Information, Message = "Validation: {Note}")]
    private static partial void LogNote(ILogger logger, string note);

    private static ProfileSet With(ProfileSet profiles, string package)
    {
        try
        {
            return profiles.With(Resources(package));
        }
        catch (Exception e) when (e is InvalidProfileException or IOException)
        {
            throw new InvalidProfileException($"{package}: {e.Message}", e);
        }
    }

    private static IReadOnlyList<ReadOnlyMemory<byte>> Resources(string package)
    {
        if (Directory.Exists(package))
        {
            var inner = Path.Combine(package, "package");
            var files = Directory.GetFiles(Directory.Exists(inner) ? inner : package, "*.json");
            if (files.Length == 0) throw new InvalidProfileException("the folder holds no JSON resources");
            return [.. files.Order(StringComparer.Ordinal).Select(f => (ReadOnlyMemory<byte>)File.ReadAllBytes(f))];
        }
        if (!File.Exists(package)) throw new InvalidProfileException("there is no such file or folder");
        if (package.EndsWith(".json", StringComparison.Ordinal)) return [File.ReadAllBytes(package)];
        using var stream = File.OpenRead(package);
        return FhirPackage.Read(stream);
    }
}
