using System.Runtime.CompilerServices;
using System.Text.Json;

namespace PmrGateway.Tests.Unit;

/// <summary>The files under tests/vectors and the folders of the repository.</summary>
internal static class Vectors
{
    public static string Root { get; } = Path.GetFullPath(Path.Combine(Here(), "..", ".."));

    public static JsonElement Read(string name) =>
        JsonDocument.Parse(File.ReadAllText(Path.Combine(Root, "tests", "vectors", name))).RootElement;

    private static string Here([CallerFilePath] string file = "") => Path.GetDirectoryName(file)!;
}
