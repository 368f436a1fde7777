using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;

namespace PmrGateway.Fhir;

/// <summary>How large and deep a document may be.</summary>
/// <param name="MaxDepth">Nested objects and arrays, at most.</param>
/// <param name="MaxNodes">Values of any kind, at most.</param>
public sealed record ResourceLimits(int MaxDepth = 64, int MaxNodes = 2_000_000)
{
    /// <summary>Depth 64 and two million values.</summary>
    public static ResourceLimits Default { get; } = new();
}

/// <summary>
/// A JSON resource as its own bytes plus a table of where each value lies. Nothing is converted: writing the document back is
/// writing the bytes. Refused at parse: what is not UTF-8 JSON (RFC 8259), duplicate names, lone surrogates,
/// comments, more than the limits allow.
/// </summary>
public sealed class ResourceDocument
{
    private readonly List<NodeRow> _rows;

    private ResourceDocument(ReadOnlyMemory<byte> bytes, List<NodeRow> rows) => (Bytes, _rows) = (bytes, rows);

    /// <summary>The document as it came, UTF-8.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>The outermost object.</summary>
    public ElementNode Root => new(this, 0);

    /// <summary>The resource type that the document says it has; "" where it says none.</summary>
    public string ResourceType => Root.StringAt("resourceType") ?? "";

    /// <summary>The resource's id, or null.</summary>
    public string? Id => Root.StringAt("id");

    internal ReadOnlySpan<NodeRow> Rows => CollectionsMarshal.AsSpan(_rows);

    /// <summary>Parses a document whose outermost value is an object.</summary>
    /// <param name="bytes">UTF-8. Kept, not copied: the caller must not change it.</param>
    /// <param name="document">The document, or null.</param>
    /// <param name="issue">Why not, with the line and column, when null.</param>
    /// <param name="limits">Sizes; <see cref="ResourceLimits.Default"/> when null.</param>
    public static bool TryParse(ReadOnlyMemory<byte> bytes, out ResourceDocument? document, out ValidationIssue? issue, ResourceLimits? limits = null)
    {
        (document, issue) = (null, null);
        limits ??= ResourceLimits.Default;
        var span = bytes.Span;
        if (span.IsEmpty) return Refuse("the body is empty", out issue);
        // RFC 8259, section 8.1: a byte order mark may be ignored; it is no part of the document.
        if (span.StartsWith("\uFEFF"u8)) return TryParse(bytes[3..], out document, out issue, limits);
        if (!Utf8.IsValid(span)) return Refuse("the body is not valid UTF-8", out issue);
        try
        {
            var rows = new List<NodeRow>(Math.Max(16, span.Length / 24));
            var error = Read(span, rows, limits);
            if (error is not null) return Refuse(error, out issue);
            document = new ResourceDocument(bytes, rows);
            return true;
        }
        catch (JsonException e)
        {
            return Refuse($"the body is not JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}", out issue);
        }
    }

    private static bool Refuse(string text, out ValidationIssue? issue)
    {
        issue = new ValidationIssue(IssueSeverity.Fatal, IssueCode.Structure, "", text);
        return false;
    }

    private static string? Read(ReadOnlySpan<byte> json, List<NodeRow> rows, ResourceLimits limits)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = limits.MaxDepth });
        var parents = new Stack<int>();
        var lastChild = new Stack<int>();
        var names = new Stack<HashSet<string>?>();
        string? name = null;
        var propertyStart = -1;
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    if (!TryText(ref reader, out name)) return "a property name holds a lone surrogate";
                    propertyStart = (int)reader.TokenStartIndex;
                    if (!names.Peek()!.Add(name!)) return $"the property '{name}' occurs twice in one object";
                    continue;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    var closed = parents.Pop();
                    lastChild.Pop();
                    names.Pop();
                    CollectionsMarshal.AsSpan(rows)[closed].End = (int)reader.BytesConsumed;
                    continue;
            }
            if (rows.Count == 0 && reader.TokenType != JsonTokenType.StartObject) return "the body is not a JSON object";
            if (rows.Count >= limits.MaxNodes) return $"the body holds more than {limits.MaxNodes} values";
            // A \uD800 without its pair is legal to the reader until it is decoded, and nothing can be stored under it.
            if (reader is { TokenType: JsonTokenType.String, ValueIsEscaped: true } && !TryText(ref reader, out _)) return "a string holds a lone surrogate";
            Append(ref reader, rows, parents, lastChild, name, propertyStart);
            (name, propertyStart) = (null, -1);
            if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
            {
                parents.Push(rows.Count - 1);
                lastChild.Push(-1);
                names.Push(reader.TokenType == JsonTokenType.StartObject ? new HashSet<string>(StringComparer.Ordinal) : null);
            }
        }
        return null;
    }

    private static void Append(ref Utf8JsonReader reader, List<NodeRow> rows, Stack<int> parents, Stack<int> lastChild, string? name, int propertyStart)
    {
        var start = (int)reader.TokenStartIndex;
        rows.Add(new NodeRow
        {
            Kind = reader.TokenType,
            Escaped = reader.TokenType == JsonTokenType.String && reader.ValueIsEscaped,
            Name = name,
            PropertyStart = propertyStart < 0 ? start : propertyStart,
            Start = start,
            End = (int)reader.BytesConsumed,
            NextSibling = -1,
        });
        if (parents.Count == 0) return;
        var table = CollectionsMarshal.AsSpan(rows);
        table[parents.Peek()].ChildCount++;
        var previous = lastChild.Pop();
        if (previous >= 0) table[previous].NextSibling = rows.Count - 1;
        lastChild.Push(rows.Count - 1);
    }

    private static bool TryText(ref Utf8JsonReader reader, out string? text)
    {
        text = null;
        // FHIR's element names are a small set: the same string object for each spares most of the garbage.
        if (reader is { TokenType: JsonTokenType.PropertyName, ValueIsEscaped: false } && NameTable.TryGet(reader.ValueSpan, out text)) return true;
        try
        {
            text = reader.GetString();
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
