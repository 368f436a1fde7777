using System.Text.Json;

namespace PmrGateway.Tools.Attacks;

/// <summary>One attack of a file, in words: what is played is the code that knows its id.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Area">What it is about.</param>
/// <param name="Name">What it is called.</param>
internal sealed record AttackSpec(string Id, string Area, string Name)
{
    private const string Schema = "attacks/1";

    /// <summary>The attacks of a file.</summary>
    /// <exception cref="InvalidOperationException">It is not of the schema.</exception>
    public static IReadOnlyList<AttackSpec> Read(string path)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(path));
        var root = json.RootElement;
        if (root.GetProperty("schema").GetString() != Schema) throw new InvalidOperationException($"it is not of the schema {Schema}");
        var list = root.EnumerateObject().Single(p => p.Value.ValueKind == JsonValueKind.Array).Value;
        return [.. list.EnumerateArray().Select(a => new AttackSpec(Text(a, "id"), Text(a, "area"), Text(a, "attack")))];
    }

    private static string Text(JsonElement attack, string name) => attack.GetProperty(name).GetString()!;
}
