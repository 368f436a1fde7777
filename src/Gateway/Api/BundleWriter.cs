using System.Buffers;
using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>Writes Bundles around resources that stay the bytes they are.</summary>
internal sealed class BundleWriter(string type, long? total)
{
    private readonly ArrayBufferWriter<byte> _entries = new();
    private readonly List<(string Relation, string Url)> _links = [];
    private readonly List<(int At, OpenedRecord Binary)> _binaries = [];

    /// <summary>The total of a page as it is told: to who breaks the glass only of a list that is whole on it, as of those on other pages
    /// nobody has been told.</summary>
    public static long? Total(Caller caller, SnapshotPage page) =>
        caller.Reason is null || page.Total == page.Versions.Count ? page.Total : null;

    public void Link(string relation, string url) => _links.Add((relation, url));

    public void SearchEntry(string fullUrl, byte[] resource, string mode) =>
        Entry(fullUrl, resource, null, $"\"search\":{{\"mode\":\"{mode}\"}}");

    public void SearchEntry(string fullUrl, OpenedRecord record, string mode) =>
        Entry(fullUrl, record.Content, record, $"\"search\":{{\"mode\":\"{mode}\"}}");

    /// <summary>What is to be known of the search itself. https://hl7.org/fhir/R4/search.html#errors</summary>
    public void OutcomeEntry(byte[] outcome) => Entry(null, outcome, null, "\"search\":{\"mode\":\"outcome\"}");

    /// <summary>Adds a version to a history: how it was made, and, unless it is a deletion, what it is.</summary>
    /// <param name="root">The FHIR base.</param>
    /// <param name="record">The version, or a part of it.</param>
    public void HistoryEntry(string root, OpenedRecord record)
    {
        var (version, facts) = (record.Version, record.Version.Facts);
        var (method, url, status) = version.IsDeleted ? ("DELETE", $"{facts.Type}/{facts.Id}", 204)
            : version.Version == 1 ? ("POST", facts.Type, 201)
            : ("PUT", $"{facts.Type}/{facts.Id}", 200);
        var request = $"\"method\":\"{method}\",\"url\":\"{url}\"";
        var response = $"\"status\":\"{status}\",\"etag\":\"W/\\\"{version.Version}\\\"\","
            + $"\"lastModified\":\"{FhirInstant.Format(version.LastUpdated)}\"";
        Entry(
            $"{root}/{facts.Type}/{facts.Id}", version.IsDeleted ? null : record.Content, record,
            $"\"request\":{{{request}}},\"response\":{{{response}}}");
    }

    /// <summary>The Bundle as an answer: the Binaries in it are opened while it is sent.</summary>
    public FhirResponse ToResponse()
    {
        var json = ToJson();
        if (_binaries.Count == 0) return new FhirResponse(200, json);
        // What follows the entries is the end of the array and of the object.
        var start = json.Length - _entries.WrittenCount - 2;
        return new FhirResponse(200, default) { Stream = (to, stop) => WriteAsync(json, start, to, stop) };
    }

    public byte[] ToJson()
    {
        var bundle = new ArrayBufferWriter<byte>(_entries.WrittenCount + 512);
        Write(bundle, $"{{\"resourceType\":\"Bundle\",\"id\":\"{ResourceId.New()}\",\"type\":\"{type}\"");
        if (total is { } number) Write(bundle, $",\"total\":{number}");
        if (_links.Count > 0)
        {
            var links = _links.Select(l => $"{{\"relation\":\"{l.Relation}\",\"url\":{JsonSerializer.Serialize(l.Url)}}}");
            Write(bundle, $",\"link\":[{string.Join(',', links)}]");
        }
        if (_entries.WrittenCount > 0)
        {
            Write(bundle, ",\"entry\":[");
            bundle.Write(_entries.WrittenSpan);
            Write(bundle, "]");
        }
        Write(bundle, "}");
        return bundle.WrittenSpan.ToArray();
    }

    private async Task WriteAsync(ReadOnlyMemory<byte> json, int start, Stream to, CancellationToken cancellation)
    {
        var written = 0;
        foreach (var (at, binary) in _binaries)
        {
            await to.WriteAsync(json[written..(start + at)], cancellation);
            written = start + at;
            await foreach (var piece in BinaryJson.Pieces(binary, cancellation)) await to.WriteAsync(piece, cancellation);
        }
        await to.WriteAsync(json[written..], cancellation);
    }

    private void Entry(string? fullUrl, byte[]? resource, OpenedRecord? record, string rest)
    {
        if (_entries.WrittenCount > 0) Write(_entries, ",");
        Write(_entries, fullUrl is null ? "{" : $"{{\"fullUrl\":{JsonSerializer.Serialize(fullUrl)},");
        if (resource is not null)
        {
            Write(_entries, "\"resource\":");
            if (record is { Binary: not null }) _binaries.Add((_entries.WrittenCount, record));
            _entries.Write(resource);
            Write(_entries, ",");
        }
        Write(_entries, rest + "}");
    }

    private static void Write(ArrayBufferWriter<byte> to, string text) => Encoding.UTF8.GetBytes(text, to);
}
