using System.Text.Json;
using System.Text.Unicode;

namespace PmrGateway.Fhir;

/// <summary>How large and deep a document may be.</summary>
/// <param name="MaxDepth">Objects inside objects, at most. Arrays do not count: an element in JSON is an object in an array in an
/// object.</param>
/// <param name="MaxNodes">Values of any kind, at most.</param>
/// <param name="MaxBytes">Bytes that a patch makes of it, at most: how much comes in is limited while it does.</param>
public sealed record ResourceLimits(int MaxDepth = 64, int MaxNodes = 2_000_000, long MaxBytes = 32L << 20)
{
    /// <summary>Depth 64, two million values, 32 MiB.</summary>
    public static ResourceLimits Default { get; } = new();

    /// <summary>How deep the JSON of such a document is nested at most, objects and arrays.</summary>
    internal int JsonDepth => MaxDepth * 2 + 2;
}

/// <summary>
/// A JSON resource as its own bytes plus a table of where each value lies and which element of R4 it is. Nothing is converted: writing
/// the document back is writing the bytes. Refused at parse: what is not UTF-8 JSON (RFC 8259), duplicate names, lone surrogates,
/// comments, more than the limits allow.
/// </summary>
public sealed class ResourceDocument
{
    private readonly NodeRow[] _rows;
    private int[]? _lineStarts;
    private ReferenceIndex? _references;

    internal ResourceDocument(ReadOnlyMemory<byte> bytes, NodeRow[] rows, FhirSchema schema, ResourceLimits limits) =>
        (Bytes, _rows, Schema, Limits) = (bytes, rows, schema, limits);

    /// <summary>The document as it came, UTF-8, without a byte order mark.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>The definitions that its values are typed by.</summary>
    public FhirSchema Schema { get; }

    /// <summary>By which it was parsed: what is made of it is parsed by the same.</summary>
    public ResourceLimits Limits { get; }

    /// <summary>The outermost object.</summary>
    public ElementNode Root => new(this, 0);

    /// <summary>The resource type that the document says it has; "" where it says none.</summary>
    public string ResourceType => Root.StringAt("resourceType") ?? "";

    /// <summary>The resource's id, or null.</summary>
    public string? Id => Root.StringAt("id");

    internal ReadOnlySpan<NodeRow> Rows => _rows;

    /// <summary>What references can name here. Made when first asked for.</summary>
    internal ReferenceIndex References => LazyInitializer.EnsureInitialized(ref _references, () => new ReferenceIndex(this));

    /// <summary>Parses a document whose outermost value is an object.</summary>
    /// <param name="bytes">UTF-8; a byte order mark is skipped. Kept, not copied: the caller must not change it.</param>
    /// <param name="document">The document, or null.</param>
    /// <param name="issue">Why not, with the line and column, when null.</param>
    /// <param name="limits">Sizes; <see cref="ResourceLimits.Default"/> when null.</param>
    public static bool TryParse(
        ReadOnlyMemory<byte> bytes, out ResourceDocument? document, out ValidationIssue? issue, ResourceLimits? limits = null) =>
        TryParse(bytes, isResource: true, out document, out issue, limits);

    /// <summary>Parses JSON that need not be an object by the same rules.</summary>
    internal static bool TryParseJson(
        ReadOnlyMemory<byte> bytes, out ResourceDocument? document, out ValidationIssue? issue, ResourceLimits limits) =>
        TryParse(bytes, isResource: false, out document, out issue, limits);

    private static bool TryParse(
        ReadOnlyMemory<byte> bytes, bool isResource, out ResourceDocument? document, out ValidationIssue? issue, ResourceLimits? limits)
    {
        (document, issue) = (null, null);
        // RFC 8259, section 8.1: a byte order mark may be ignored; it is no part of the document.
        if (bytes.Span.StartsWith("\uFEFF"u8)) bytes = bytes[3..];
        if (bytes.IsEmpty) return Refuse("the body is empty", 1, 1, out issue);
        if (!Utf8.IsValid(bytes.Span)) return Refuse("the body is not valid UTF-8", 0, 0, out issue);
        try
        {
            var scanner = new JsonScanner(bytes, limits ?? ResourceLimits.Default, FhirSchema.R4, isResource);
            document = scanner.Run(out var error, out var offset);
            if (document is not null) return true;
            var (line, column) = LineOf(bytes.Span, offset);
            return Refuse(error, line, column, out issue);
        }
        catch (JsonException e)
        {
            return Refuse("the body is not JSON", (int)(e.LineNumber ?? 0) + 1, (int)(e.BytePositionInLine ?? 0) + 1, out issue);
        }
    }

    /// <summary>A resource in this document as a document of its own, e.g. of an entry of a Bundle. It is not parsed again.</summary>
    /// <param name="resource">An object in this document.</param>
    public ResourceDocument Part(ElementNode resource)
    {
        var (first, start) = (resource.Index, resource.Start);
        var end = first + 1;
        while (end < _rows.Length && _rows[end].Start < resource.End) end++;
        var rows = _rows[first..end];
        foreach (ref var row in rows.AsSpan())
        {
            (row.Start, row.End) = (row.Start - start, row.End - start);
            if (row.NameStart >= 0) row.NameStart -= start;
            if (row.Next >= 0) row.Next -= first;
        }
        (rows[0].Next, rows[0].NameStart, rows[0].NameId) = (-1, -1, NameTable.Unknown);
        var part = new ResourceDocument(Bytes[start..resource.End], rows, Schema, Limits);
        rows[0].Property = Schema.Type(part.ResourceType) is { Kind: TypeKind.Resource, IsAbstract: false } type ? type.Root : null;
        return part;
    }

    /// <summary>This document with other texts in the place of some of its strings. It is not parsed again.</summary>
    /// <param name="texts">String values of this document, each once, and what they become.</param>
    public ResourceDocument With(IEnumerable<(ElementNode Node, string Text)> texts)
    {
        var edits = new JsonEdits(this);
        var changed = texts.Select(t => (t.Node, Json: JsonEdits.Quote(t.Text))).OrderBy(c => c.Node.Start).ToList();
        var ends = changed.ConvertAll(c => c.Node.End);
        // How far what lies behind the first n changes has moved.
        var moved = new int[changed.Count + 1];
        for (var i = 0; i < changed.Count; i++)
        {
            var (node, json) = changed[i];
            edits.Replace(node, json);
            moved[i + 1] = moved[i] + json.Length - (node.End - node.Start);
        }

        var rows = (NodeRow[])_rows.Clone();
        foreach (ref var row in rows.AsSpan())
        {
            (row.Start, row.End) = (Moved(row.Start), Moved(row.End));
            if (row.NameStart >= 0) row.NameStart = Moved(row.NameStart);
        }
        foreach (var (node, json) in changed) rows[node.Index].Escaped = json.Contains((byte)'\\');
        return new ResourceDocument(edits.Apply(), rows, Schema, Limits);

        int Moved(int offset)
        {
            var found = ends.BinarySearch(offset);
            return offset + moved[found < 0 ? ~found : found + 1];
        }
    }

    /// <summary>The line and the column (in bytes) of an offset, both from 1.</summary>
    public (int Line, int Column) LineAt(int offset)
    {
        _lineStarts ??= LineStarts(Bytes.Span);
        var line = Array.BinarySearch(_lineStarts, offset);
        if (line < 0) line = ~line - 1;
        return (line + 1, offset - _lineStarts[line] + 1);
    }

    private static (int Line, int Column) LineOf(ReadOnlySpan<byte> bytes, int offset)
    {
        var before = bytes[..offset];
        return (before.Count((byte)'\n') + 1, offset - before.LastIndexOf((byte)'\n'));
    }

    private static int[] LineStarts(ReadOnlySpan<byte> bytes)
    {
        var starts = new int[bytes.Count((byte)'\n') + 1];
        for (var (i, at) = (1, 0); i < starts.Length; i++) starts[i] = at += bytes[at..].IndexOf((byte)'\n') + 1;
        return starts;
    }

    private static bool Refuse(string text, int line, int column, out ValidationIssue? issue)
    {
        var place = line > 0 ? $"{text} (line {line}, column {column})" : text;
        issue = new ValidationIssue(IssueSeverity.Fatal, IssueCode.Structure, "", place) { Line = line, Column = column };
        return false;
    }
}
