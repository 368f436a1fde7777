using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PmrGateway.Fhir;

/// <summary>
/// JSON Patch. Numbers and texts that no operation touches keep their digits and escapes. RFC 6902, RFC 6901; R4 http.html#patch.
/// </summary>
internal sealed class JsonPatch
{
    // As JSON has it: only what must be escaped is.
    internal static readonly JsonSerializerOptions Plain = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = 1000,
    };

    private readonly int _maxDepth;
    private readonly int _maxNodes;
    private JsonNode? _root;
    private int _copied;

    private JsonPatch(JsonNode? root, ResourceLimits limits) => (_root, _maxDepth, _maxNodes) = (root, limits.JsonDepth, limits.MaxNodes);

    /// <summary>A document with the operations of a patch applied, all or none.</summary>
    /// <param name="document">JSON, UTF-8.</param>
    /// <param name="patch">An array of operations, JSON, UTF-8; read by the rules of <see cref="ResourceDocument"/>.</param>
    /// <param name="limits">How deep what comes out may be, and how many values may be copied.</param>
    /// <param name="issue">Why not, when null; fatal where the patch is no JSON to be read.</param>
    public static byte[]? Apply(
        ReadOnlyMemory<byte> document, ReadOnlyMemory<byte> patch, ResourceLimits limits, out ValidationIssue? issue)
    {
        // What a JsonNode says of names that come twice or of lone surrogates it says late, and in words that quote the sender.
        if (!ResourceDocument.TryParseJson(patch, out var read, out issue, limits)) return null;
        try
        {
            var options = new JsonDocumentOptions { MaxDepth = limits.JsonDepth };
            var run = new JsonPatch(JsonNode.Parse(document.Span, documentOptions: options), limits);
            if (JsonNode.Parse(read!.Bytes.Span, documentOptions: options) is not JsonArray operations)
                throw new PatchException("a patch is an array of operations");
            if (operations.Count > ResourcePatch.MaxOperations)
                throw new PatchException($"a patch has at most {ResourcePatch.MaxOperations} operations");
            for (var i = 0; i < operations.Count; i++)
            {
                try
                {
                    run.Run(operations[i] as JsonObject ?? throw new PatchException("an operation is an object"));
                }
                catch (PatchException e)
                {
                    throw new PatchException($"operation {i + 1}: {e.Message}");
                }
            }
            return Encoding.UTF8.GetBytes(run._root?.ToJsonString(Plain) ?? "null");
        }
        catch (PatchException e)
        {
            issue = new ValidationIssue(IssueSeverity.Error, IssueCode.Value, "", e.Message);
            return null;
        }
    }

    private void Run(JsonObject operation)
    {
        var path = Text(operation, "path");
        switch (Text(operation, "op"))
        {
            case "add":
                Add(path, Value(operation));
                break;
            case "remove":
                Remove(path);
                break;
            case "replace" when path.Length == 0:
                Add(path, Value(operation));
                break;
            case "replace":
                Remove(path);
                Add(path, Value(operation));
                break;
            case "move":
                var from = Text(operation, "from");
                if (path.StartsWith(from + "/", StringComparison.Ordinal)) throw new PatchException("a value is not moved into itself");
                Add(path, Remove(from));
                break;
            case "copy":
                Add(path, Copy(Find(Text(operation, "from"))));
                break;
            case "test":
                if (!JsonNode.DeepEquals(Find(path), Value(operation)))
                    throw new PatchException($"the value at {IssueSink.Shown(path)} is not the one that is tested for");
                break;
            default:
                throw new PatchException("there is no such operation");
        }
    }

    private static string Text(JsonObject operation, string name) =>
        operation[name] is JsonValue value && value.TryGetValue<string>(out var text)
            ? text
            : throw new PatchException($"'{name}' is missing");

    private static JsonNode? Value(JsonObject operation) =>
        operation.ContainsKey("value") ? operation["value"]?.DeepClone() : throw new PatchException("'value' is missing");

    private static List<string> Parts(string path)
    {
        if (path.Length > 0 && path[0] != '/') throw new PatchException("a path begins with '/'");
        return [.. path.Split('/').Skip(1)
            .Select(p => p.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal))];
    }

    private static JsonNode? Step(JsonNode? node, string part, string path) => node switch
    {
        JsonObject obj when obj.TryGetPropertyValue(part, out var value) => value,
        JsonArray array when Index(part, array.Count - 1) is { } at => array[at],
        _ => throw new PatchException($"there is nothing at {IssueSink.Shown(path)}"),
    };

    private static int? Index(string part, int max)
    {
        if (!part.All(char.IsAsciiDigit) || (part.Length > 1 && part.StartsWith('0'))) return null;
        return int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var at) && at <= max ? at : null;
    }

    private JsonNode? Find(string path) => Parts(path).Aggregate(_root, (node, part) => Step(node, part, path));

    private JsonNode? Holder(List<string> parts, string path) => parts[..^1].Aggregate(_root, (node, part) => Step(node, part, path));

    private void Add(string path, JsonNode? value)
    {
        var parts = Parts(path);
        // Copies into copies: each operation could double what was there, in breadth or in depth.
        if (parts.Count + Depth(value) > _maxDepth) throw new PatchException("what comes out is nested too deep");
        if (parts.Count == 0)
        {
            _root = value;
            return;
        }
        switch (Holder(parts, path))
        {
            case JsonObject obj:
                obj[parts[^1]] = value;
                break;
            case JsonArray array when parts[^1] == "-":
                array.Add(value);
                break;
            case JsonArray array when Index(parts[^1], array.Count) is { } at:
                array.Insert(at, value);
                break;
            default:
                throw new PatchException($"there is no place at {IssueSink.Shown(path)}");
        }
    }

    private JsonNode? Remove(string path)
    {
        var removed = Find(path);
        var parts = Parts(path);
        if (parts.Count == 0)
        {
            _root = null;
            return removed;
        }
        switch (Holder(parts, path))
        {
            case JsonObject obj:
                obj.Remove(parts[^1]);
                break;
            case JsonArray array:
                array.RemoveAt(Index(parts[^1], array.Count - 1)!.Value);
                break;
        }
        return removed;
    }

    private JsonNode? Copy(JsonNode? node)
    {
        _copied += Size(node);
        return _copied <= _maxNodes ? node?.DeepClone() : throw new PatchException($"more than {_maxNodes} values are copied");
    }

    private static int Size(JsonNode? node) => 1 + Children(node).Sum(Size);

    private static int Depth(JsonNode? node) =>
        node is JsonObject or JsonArray ? 1 + Children(node).Select(Depth).DefaultIfEmpty().Max() : 0;

    private static IEnumerable<JsonNode?> Children(JsonNode? node) => node switch
    {
        JsonObject obj => obj.Select(p => p.Value),
        JsonArray array => array,
        _ => [],
    };
}
