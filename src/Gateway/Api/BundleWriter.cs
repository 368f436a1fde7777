using System.Buffers;
using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>Writes Bundles around resources that stay the bytes they are.</summary>
internal sealed class BundleWriter
{
    private readonly ArrayBufferWriter<byte> _entries = new();
    private readonly List<(string Relation, string Url)> _links = [];
    private readonly string _type;
    private readonly long? _total;

    public BundleWriter(string type, long? total) => (_type, _total) = (type, total);

    public void Link(string relation, string url) => _links.Add((relation, url));

    public void SearchEntry(string fullUrl, byte[] resource, string mode) => Entry(fullUrl, resource, $"\"search\":{{\"mode\":\"{mode}\"}}");

    public void HistoryEntry(string fullUrl, byte[]? resource, string method, string url, long version, DateTimeOffset when) => Entry(
        fullUrl,
        resource,
        $"\"request\":{{\"method\":\"{method}\",\"url\":\"{url}\"}},\"response\":{{\"status\":\"{(version == 1 ? 201 : 200)}\",\"etag\":\"W/\\\"{version}\\\"\",\"lastModified\":\"{FhirInstant.Format(when)}\"}}");

    public void ResponseEntry(FhirResponse response, string fhirBase)
    {
        var text = new StringBuilder($"\"response\":{{\"status\":\"{response.Status}\"");
        if (response.Location is not null) text.Append($",\"location\":{JsonSerializer.Serialize($"{fhirBase}/{response.Location}")}");
        if (response.Version is { } version) text.Append($",\"etag\":\"W/\\\"{version}\\\"\"");
        if (response.LastModified is { } modified) text.Append($",\"lastModified\":\"{FhirInstant.Format(modified)}\"");
        if (response.Status >= 400) text.Append(",\"outcome\":").Append(Encoding.UTF8.GetString(response.Body.Span));
        Entry(null, response.Status < 400 && response.Body.Length > 0 ? response.Body.ToArray() : null, text.Append('}').ToString());
    }

    public byte[] ToJson()
    {
        var bundle = new ArrayBufferWriter<byte>(_entries.WrittenCount + 512);
        Write(bundle, $"{{\"resourceType\":\"Bundle\",\"id\":\"{Mapping.ResourceId.New()}\",\"type\":\"{_type}\"");
        if (_total is { } total) Write(bundle, $",\"total\":{total}");
        if (_links.Count > 0)
            Write(bundle, ",\"link\":[" + string.Join(',', _links.Select(l => $"{{\"relation\":\"{l.Relation}\",\"url\":{JsonSerializer.Serialize(l.Url)}}}")) + "]");
        if (_entries.WrittenCount > 0)
        {
            Write(bundle, ",\"entry\":[");
            bundle.Write(_entries.WrittenSpan);
            Write(bundle, "]");
        }
        Write(bundle, "}");
        return bundle.WrittenSpan.ToArray();
    }

    private void Entry(string? fullUrl, byte[]? resource, string rest)
    {
        if (_entries.WrittenCount > 0) Write(_entries, ",");
        Write(_entries, fullUrl is null ? "{" : $"{{\"fullUrl\":{JsonSerializer.Serialize(fullUrl)},");
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
