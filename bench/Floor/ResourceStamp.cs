using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace PmrGateway.Bench.Floor;

/// <summary>Gives a resource its id and meta.</summary>
internal static class ResourceStamp
{
    public static string NewId() => Guid.CreateVersion7().ToString();

    /// <summary>One pass over the bytes: they are JSON, and whose they are (subject); then id and meta behind the first brace.</summary>
    public static StoredResource Apply(ReadOnlySpan<byte> resource, string type, string id, DateTimeOffset now)
    {
        var patient = PatientOf(resource);
        var inserted = Encoding.UTF8.GetBytes($"\"id\":\"{id}\",\"meta\":{{\"versionId\":\"1\",\"lastUpdated\":\"{now:O}\"}},");
        var start = resource.IndexOf((byte)'{') + 1;
        var json = new byte[resource.Length + inserted.Length];
        resource[..start].CopyTo(json);
        inserted.CopyTo(json, start);
        resource[start..].CopyTo(json.AsSpan(start + inserted.Length));
        return new StoredResource(type, id, patient, json);
    }

    private static string? PatientOf(ReadOnlySpan<byte> resource)
    {
        const string Prefix = "Patient/";
        var reader = new Utf8JsonReader(resource);
        string? patient = null;
        var isSubject = false;
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName) continue;
            if (reader.CurrentDepth == 1) isSubject = reader.ValueTextEquals("subject"u8);
            else if (isSubject && reader.CurrentDepth == 2 && reader.ValueTextEquals("reference"u8))
            {
                reader.Read();
                patient = reader.GetString();
            }
        }
        return patient?.StartsWith(Prefix, StringComparison.Ordinal) == true ? patient[Prefix.Length..] : null;
    }
}

/// <summary>Reads a transaction of creates.</summary>
internal static class TransactionReader
{
    /// <summary>The resources with their new ids; references to entries (<c>urn:uuid:</c>) become references to those.</summary>
    public static List<StoredResource> Read(byte[] body, DateTimeOffset now)
    {
        using var bundle = JsonDocument.Parse(body);
        var entries = bundle.RootElement.GetProperty("entry").EnumerateArray().Select(Entry.Of).ToList();
        var places = entries.Where(entry => entry.Url is not null).ToDictionary(entry => entry.Url!, entry => $"{entry.Type}/{entry.Id}");
        var resources = new List<StoredResource>(entries.Count);
        foreach (var entry in entries)
        {
            var resolved = Resolve(JsonMarshal.GetRawUtf8Value(entry.Resource), places);
            resources.Add(ResourceStamp.Apply(resolved.WrittenSpan, entry.Type, entry.Id, now));
        }
        return resources;
    }

    private readonly record struct Entry(string? Url, string Type, string Id, JsonElement Resource)
    {
        public static Entry Of(JsonElement entry) => new(
            entry.TryGetProperty("fullUrl", out var url) ? url.GetString() : null,
            entry.GetProperty("request").GetProperty("url").GetString()!,
            ResourceStamp.NewId(),
            entry.GetProperty("resource"));
    }

    private static ArrayBufferWriter<byte> Resolve(ReadOnlySpan<byte> json, Dictionary<string, string> places)
    {
        var resolved = new ArrayBufferWriter<byte>(json.Length + 64);
        while (json.IndexOf("\"urn:uuid:"u8) is var at and >= 0)
        {
            resolved.Write(json[..(at + 1)]);
            json = json[(at + 1)..];
            var url = Encoding.UTF8.GetString(json[..json.IndexOf((byte)'"')]);
            Encoding.UTF8.GetBytes(places.GetValueOrDefault(url, url), resolved);
            json = json[url.Length..];
        }
        resolved.Write(json);
        return resolved;
    }
}
