using System.Buffers;
using System.Text;
using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>
/// Replacements of byte ranges in a document. All that is not replaced stays byte for byte as it came, so a resource whose meta
/// changes keeps its decimals, its order and its white space.
/// </summary>
public sealed class JsonEdits(ResourceDocument document)
{
    private readonly List<(int Start, int End, byte[] With)> _edits = [];

    /// <summary>Replaces a value by JSON text.</summary>
    public void Replace(ElementNode node, byte[] json) => _edits.Add((node.Start, node.End, json));

    /// <summary>Replaces a value by a JSON string.</summary>
    public void ReplaceString(ElementNode node, string text) => Replace(node, Quote(text));

    /// <summary>
    /// Replaces a property, its name included, by others. <paramref name="properties"/> is JSON text without braces.
    /// </summary>
    public void ReplaceProperty(ElementNode node, string properties) =>
        _edits.Add((node.PropertyStart, node.End, Encoding.UTF8.GetBytes(properties)));

    /// <summary>Takes a property out of its object, with the comma that it leaves over.</summary>
    public void Remove(ElementNode node)
    {
        var bytes = document.Bytes.Span;
        var (start, end) = (node.PropertyStart, node.End);
        var after = SkipSpace(bytes, end, 1);
        if (bytes[after] == (byte)',') end = after + 1;
        else if (bytes[SkipSpace(bytes, start - 1, -1)] == (byte)',') start = SkipSpace(bytes, start - 1, -1);
        _edits.Add((start, end, []));
    }

    /// <summary>The document with all replacements made.</summary>
    /// <exception cref="InvalidOperationException">Two replacements overlap: a bug of the caller.</exception>
    public byte[] Apply()
    {
        _edits.Sort((a, b) => a.Start.CompareTo(b.Start));
        var result = new ArrayBufferWriter<byte>(document.Bytes.Length + 256);
        Copy(0, document.Bytes.Length, result);
        return result.WrittenSpan.ToArray();
    }

    /// <summary>
    /// The resource under an id and version: <c>resourceType</c>, <c>id</c> and <c>meta</c> first, then everything else as it came.
    /// What <c>meta</c> held besides versionId and lastUpdated (profiles, tags, security labels) stays. All replacements are made.
    /// </summary>
    /// <param name="id">The logical id.</param>
    /// <param name="versionId">The version.</param>
    /// <param name="lastUpdated">The instant, written in UTC with milliseconds.</param>
    /// <exception cref="InvalidOperationException">Two replacements overlap: a bug of the caller.</exception>
    public byte[] ApplyUnder(string id, string versionId, DateTimeOffset lastUpdated)
    {
        _edits.Sort((a, b) => a.Start.CompareTo(b.Start));
        var result = new ArrayBufferWriter<byte>(document.Bytes.Length + 256);
        var updated = FhirInstant.Format(lastUpdated);
        result.Write(Encoding.UTF8.GetBytes(
            $"{{\"resourceType\":\"{document.ResourceType}\",\"id\":\"{id}\","
            + $"\"meta\":{{\"versionId\":\"{versionId}\",\"lastUpdated\":\"{updated}\""));
        if (document.Root["meta"] is { Kind: JsonTokenType.StartObject } meta)
            CopyProperties(meta, result, "versionId", "lastUpdated", "_versionId", "_lastUpdated");
        result.Write("}"u8);
        CopyProperties(document.Root, result, "resourceType", "id", "_id", "meta");
        result.Write("}"u8);
        return result.WrittenSpan.ToArray();
    }

    internal static byte[] Quote(string text) => JsonSerializer.SerializeToUtf8Bytes(text);

    private void CopyProperties(ElementNode from, ArrayBufferWriter<byte> to, params ReadOnlySpan<string> except)
    {
        foreach (var property in from)
        {
            if (except.Contains(property.Name!)) continue;
            to.Write(","u8);
            Copy(property.PropertyStart, property.End, to);
        }
    }

    // A part of the document with the replacements that lie in it.
    private void Copy(int from, int to, ArrayBufferWriter<byte> result)
    {
        var bytes = document.Bytes.Span;
        var at = from;
        foreach (var (start, end, with) in _edits)
        {
            if (start < from && end <= from) continue;
            if (start >= to) break;
            if (start < at) throw new InvalidOperationException("two edits of one document overlap");
            result.Write(bytes[at..start]);
            result.Write(with);
            at = end;
        }
        result.Write(bytes[at..to]);
    }

    private static int SkipSpace(ReadOnlySpan<byte> bytes, int at, int step)
    {
        while (bytes[at] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n') at += step;
        return at;
    }
}

/// <summary>The instant as the gateway writes it.</summary>
public static class FhirInstant
{
    /// <summary>UTC with milliseconds, e.g. <c>2026-01-31T12:00:00.000Z</c>.</summary>
    public static string Format(DateTimeOffset instant) =>
        instant.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture);
}
