using System.Buffers;
using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Api;

/// <summary>Writes Bundles around resources that stay the bytes they are.</summary>
internal sealed class BundleWriter(string type, long? total)
{
    private readonly ArrayBufferWriter<byte> _entries = new();
    private readonly List<(string Relation, string Url)> _links = [];

    public void Link(string relation, string url) => _links.Add((relation, url));

    public void SearchEntry(string fullUrl, byte[] resource, string mode) =>
        Entry(fullUrl, resource, $"\"search\":{{\"mode\":\"{mode}\"}}");

    public void HistoryEntry(string fullUrl, byte[]? resource, string method, string url, long version, DateTimeOffset when)
    {
        var status = version == 1 ? 201 : 200;
        var response = $"\"status\":\"{status}\",\"etag\":\"W/\\\"{version}\\\"\",\"lastModified\":\"{FhirInstant.Format(when)}\"";
        Entry(fullUrl, resource, $"\"request\":{{\"method\":\"{method}\",\"url\":\"{url}\"}},\"response\":{{{response}}}");
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

    private void Entry(string fullUrl, byte[]? resource, string rest)
    {
        if (_entries.WrittenCount > 0) Write(_entries, ",");
        Write(_entries, $"{{\"fullUrl\":{JsonSerializer.Serialize(fullUrl)},");
        if (resource is not null)
        {
            Write(_entries, "\"resource\":");
            _entries.Write(resource);
            Write(_entries, ",");
        }
        Write(_entries, rest + "}");
    }

    private static void Write(ArrayBufferWriter<byte> to, string text) => Encoding.UTF8.GetBytes(text, to);
}
