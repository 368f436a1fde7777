using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PmrGateway.Fhir;

/// <summary>
/// JSON Patch. Numbers and texts that no operation touches keep their digits and escapes. RFC 6902, RFC 6901; R4 http.html#patch.
/// </summary>
internal sealed class JsonPatch
{
    private readonly ResourceLimits _limits;
    private readonly PatchBudget _budget;
    private JsonNode? _root;

    private JsonPatch(JsonNode? root, ResourceLimits limits, PatchBudget budget) => (_root, _limits, _budget) = (root, limits, budget);

    /// <summary>A document with the operations of a patch applied, all or none.</summary>
    /// <param name="document">JSON, UTF-8.</param>
    /// <param name="patch">An array of operations, JSON, UTF-8; read by the rules of <see cref="ResourceDocument"/>.</param>
    /// <param name="limits">How long and deep what comes out may be, and how much may be copied.</param>
    /// <param name="budget">What was copied before.</param>
    /// <param name="issue">Why not, when null; fatal where the patch is no JSON to be read.</param>
    /// <param name="cancellation">Stops it between operations.</param>
    public static byte[]? Apply(
        ReadOnlyMemory<byte> document,
        ReadOnlyMemory<byte> patch,
        ResourceLimits limits,
        PatchBudget budget,
        out ValidationIssue? issue,
        CancellationToken cancellation = default)
    {
        // What a JsonNode says of names that come twice or of lone surrogates it says late, and in words that quote the sender.
        if (!ResourceDocument.TryParseJson(patch, out var read, out issue, limits)) return null;
        try
        {
            var options = new JsonDocumentOptions { MaxDepth = limits.JsonDepth };
            var run = new JsonPatch(JsonNode.Parse(document.Span, documentOptions: options), limits, budget);
            if (JsonNode.Parse(read!.Bytes.Span, documentOptions: options) is not JsonArray operations)
                throw new PatchException("a patch is an array of operations");
            if (operations.Count > ResourcePatch.MaxOperations)
                throw new PatchException($"a patch has at most {ResourcePatch.MaxOperations} operations");
            for (var i = 0; i < operations.Count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                try
                {
                    run.Run(operations[i] as JsonObject ?? throw new PatchException("an operation is an object"));
                }
                catch (PatchException e)
                {
                    throw new PatchException($"operation {i + 1}: {e.Message}", e.Code);
                }
            }
            return PatchedJson.Write(run._root, limits);
        }
        catch (PatchException e)
        {
            issue = new ValidationIssue(IssueSeverity.Error, e.Code, "", e.Message);
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

    // Copies into copies: each operation could double what was there, in length, in breadth or in depth.
    private JsonNode? Copy(JsonNode? node)
    {
        Count(node, _limits.JsonDepth);
        return node?.DeepClone();
    }

    private void Count(JsonNode? node, int depth)
    {
        if ((_budget.Steps += PatchBudget.CopyOfValue) > PatchBudget.MaxSteps)
            throw new PatchException("more values are copied than a patch may", IssueCode.TooCostly);
        switch (node)
        {
            case JsonObject or JsonArray when depth == 0:
                throw PatchException.TooDeep();
            case JsonObject obj:
                foreach (var (name, value) in obj)
                {
                    Copied(name.Length);
                    Count(value, depth - 1);
                }
                break;
            case JsonArray array:
                foreach (var item in array) Count(item, depth - 1);
                break;
            case JsonValue value:
                Copied(JsonMarshal.GetRawUtf8Value(value.GetValue<JsonElement>()).Length);
                break;
        }
    }

    private void Copied(int bytes)
    {
        if ((_budget.CopiedBytes += bytes) > _limits.MaxBytes)
            throw new PatchException($"more than {_limits.MaxBytes} bytes are copied", IssueCode.TooLong);
    }
}
