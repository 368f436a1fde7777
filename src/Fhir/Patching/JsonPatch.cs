using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PmrGateway.Fhir;

/// <summary>JSON Patch. Numbers and texts that no operation touches keep their digits and escapes. RFC 6902, RFC 6901; R4 http.html#patch.</summary>
public static class JsonPatch
{
    // As JSON has it: only what must be escaped is.
    internal static readonly JsonSerializerOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A document with the operations of a patch applied, all or none.</summary>
    /// <param name="document">JSON, UTF-8.</param>
    /// <param name="patch">An array of operations, JSON, UTF-8.</param>
    /// <param name="issue">Why not, when null.</param>
    public static byte[]? Apply(ReadOnlyMemory<byte> document, ReadOnlyMemory<byte> patch, out ValidationIssue? issue)
    {
        issue = null;
        try
        {
            var root = JsonNode.Parse(document.Span);
            if (JsonNode.Parse(patch.Span) is not JsonArray operations) throw new PatchException("a patch is an array of operations");
            for (var i = 0; i < operations.Count; i++)
            {
                try
                {
                    root = Run(root, operations[i] as JsonObject ?? throw new PatchException("an operation is an object"));
                }
                catch (PatchException e)
                {
                    throw new PatchException($"operation {i + 1}: {e.Message}");
                }
            }
            return Encoding.UTF8.GetBytes(root?.ToJsonString(Plain) ?? "null");
        }
        catch (Exception e) when (e is PatchException or JsonException or InvalidOperationException or ArgumentException)
        {
            issue = new ValidationIssue(IssueSeverity.Error, IssueCode.Value, "", e.Message);
            return null;
        }
    }

    private static JsonNode? Run(JsonNode? root, JsonObject operation)
    {
        var path = Text(operation, "path");
        switch (Text(operation, "op"))
        {
            case "add":
                return Add(root, path, Value(operation));
            case "remove":
                return Remove(root, path, out _);
            case "replace":
                if (path.Length == 0) return Value(operation);
                Find(root, path);
                return Add(Remove(root, path, out _), path, Value(operation));
            case "move":
                var from = Text(operation, "from");
                if (path.StartsWith(from + "/", StringComparison.Ordinal)) throw new PatchException("a value is not moved into itself");
                return Add(Remove(root, from, out var moved), path, moved);
            case "copy":
                return Add(root, path, Find(root, Text(operation, "from"))?.DeepClone());
            case "test":
                return JsonNode.DeepEquals(Find(root, path), Value(operation)) ? root : throw new PatchException($"the value at {path} is not the one that is tested for");
            default:
                throw new PatchException("there is no such operation");
        }
    }

    private static string Text(JsonObject operation, string name) =>
        operation[name] is JsonValue value && value.TryGetValue<string>(out var text) ? text : throw new PatchException($"'{name}' is missing");

    private static JsonNode? Value(JsonObject operation) => operation.ContainsKey("value") ? operation["value"]?.DeepClone() : throw new PatchException("'value' is missing");

    private static List<string> Parts(string path)
    {
        if (path.Length > 0 && path[0] != '/') throw new PatchException("a path begins with '/'");
        return [.. path.Split('/').Skip(1).Select(p => p.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))];
    }

    private static JsonNode? Find(JsonNode? root, string path) => Parts(path).Aggregate(root, (node, part) => Step(node, part, path));

    private static JsonNode? Step(JsonNode? node, string part, string path) => node switch
    {
        JsonObject obj when obj.TryGetPropertyValue(part, out var value) => value,
        JsonArray array when Index(part, array.Count - 1) is { } at => array[at],
        _ => throw new PatchException($"there is nothing at {path}"),
    };

    private static int? Index(string part, int max) =>
        part.All(char.IsAsciiDigit) && (part.Length == 1 || !part.StartsWith('0')) && int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var at) && at <= max ? at : null;

    private static JsonNode? Add(JsonNode? root, string path, JsonNode? value)
    {
        var parts = Parts(path);
        if (parts.Count == 0) return value;
        switch (parts[..^1].Aggregate(root, (node, part) => Step(node, part, path)))
        {
            case JsonObject obj:
                obj[parts[^1]] = value;
                return root;
            case JsonArray array when parts[^1] == "-":
                array.Add(value);
                return root;
            case JsonArray array when Index(parts[^1], array.Count) is { } at:
                array.Insert(at, value);
                return root;
            default:
                throw new PatchException($"there is no place at {path}");
        }
    }

    private static JsonNode? Remove(JsonNode? root, string path, out JsonNode? removed)
    {
        removed = Find(root, path);
        var parts = Parts(path);
        if (parts.Count == 0) return null;
        switch (parts[..^1].Aggregate(root, (node, part) => Step(node, part, path)))
        {
            case JsonObject obj:
                obj.Remove(parts[^1]);
                break;
            case JsonArray array:
                array.RemoveAt(Index(parts[^1], array.Count - 1)!.Value);
                break;
        }
        return root;
    }
}

/// <summary>Why a patch cannot be applied.</summary>
internal sealed class PatchException(string message) : Exception(message);
