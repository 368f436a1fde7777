using System.Text.Json.Nodes;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Cases;

/// <summary>Resources that hold or name other records.</summary>
internal static class Collections
{
    /// <summary>A FHIR document with a Composition about the parts, and with what that refers to.</summary>
    public static async Task<JsonObject> DocumentAsync(GatewayClient client, IReadOnlyList<JsonObject> parts, string author)
    {
        var subject = (string)parts[0]["subject"]!["reference"]!;
        var composition = Composition(parts, author);
        composition["id"] = "composition";
        var entries = new List<JsonObject> { composition };
        entries.AddRange(parts);
        foreach (var reference in new[] { subject, author })
            entries.Add(JsonNode.Parse((await client.GetAsync(reference)).Body)!.AsObject());
        return new JsonObject
        {
            ["resourceType"] = "Bundle",
            ["type"] = "document",
            ["identifier"] = new JsonObject { ["system"] = "urn:cases", ["value"] = Guid.CreateVersion7().ToString() },
            ["timestamp"] = "2024-07-01T00:00:00Z",
            ["entry"] = Entries(client, entries),
        };
    }

    /// <summary>A Bundle that holds the parts themselves.</summary>
    public static JsonObject Collection(GatewayClient client, IReadOnlyList<JsonObject> parts) => new()
    {
        ["resourceType"] = "Bundle",
        ["type"] = "collection",
        ["entry"] = Entries(client, parts),
    };

    /// <summary>A Composition about the parts.</summary>
    public static JsonObject Composition(IReadOnlyList<JsonObject> parts, string author) => new()
    {
        ["resourceType"] = "Composition",
        ["status"] = "final",
        ["type"] = JsonNode.Parse("""{"coding":[{"system":"http://loinc.org","code":"34133-9"}]}"""),
        ["subject"] = parts[0]["subject"]?.DeepClone(),
        ["date"] = "2024-07-01T00:00:00Z",
        ["author"] = new JsonArray(To(author)),
        ["title"] = "Summary",
        ["section"] = new JsonArray(new JsonObject
        {
            ["title"] = "Documents",
            ["entry"] = new JsonArray([.. parts.Select(p => To(NameOf(p)))]),
        }),
    };

    /// <summary>A document of the same patient that stands in a relation to the parts.</summary>
    /// <param name="parts">Those.</param>
    /// <param name="author">Who wrote it.</param>
    /// <param name="how">The relation's code, or any word where it does not matter.</param>
    public static JsonObject Related(IReadOnlyList<JsonObject> parts, string author, string how) => new()
    {
        ["resourceType"] = "DocumentReference",
        ["status"] = "current",
        ["type"] = JsonNode.Parse("""{"coding":[{"system":"http://loinc.org","code":"34133-9"}]}"""),
        ["subject"] = parts[0]["subject"]?.DeepClone(),
        ["date"] = "2024-07-01T00:00:00Z",
        ["author"] = new JsonArray(To(author)),
        ["content"] = JsonNode.Parse("""[{"attachment":{"contentType":"text/plain","data":"dGV4dA=="}}]"""),
        ["relatesTo"] = new JsonArray([.. parts.Select(p => new JsonObject
        {
            ["code"] = how is "replaces" or "transforms" or "signs" ? how : "appends",
            ["target"] = To(NameOf(p)),
        })]),
    };

    /// <summary>A List of the parts, about the patient of the first.</summary>
    public static JsonObject List(IReadOnlyList<JsonObject> parts) => new()
    {
        ["resourceType"] = "List",
        ["status"] = "current",
        ["mode"] = "working",
        ["subject"] = parts[0]["subject"]?.DeepClone(),
        ["entry"] = new JsonArray([.. parts.Select(p => new JsonObject { ["item"] = To(NameOf(p)) })]),
    };

    /// <summary>A Provenance of the parts.</summary>
    public static JsonObject Provenance(IReadOnlyList<JsonObject> parts, string author) => new()
    {
        ["resourceType"] = "Provenance",
        ["target"] = new JsonArray([.. parts.Select(p => To(NameOf(p)))]),
        ["recorded"] = "2024-07-01T00:00:00Z",
        ["agent"] = new JsonArray(new JsonObject { ["who"] = To(author) }),
    };

    private static JsonArray Entries(GatewayClient client, IEnumerable<JsonObject> resources) =>
    [
        .. resources.Select(r => new JsonObject { ["fullUrl"] = $"{client.BaseUrl}/fhir/{NameOf(r)}", ["resource"] = r }),
    ];

    private static JsonObject To(string reference) => new() { ["reference"] = reference };

    private static string NameOf(JsonObject resource) => $"{resource["resourceType"]}/{resource["id"]}";
}
