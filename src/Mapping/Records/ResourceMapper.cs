using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;

namespace PmrGateway.Mapping;

/// <summary>An attachment that was inside a resource and becomes a Binary of its own.</summary>
/// <param name="Id">The Binary's id.</param>
/// <param name="ContentType">MIME type.</param>
/// <param name="Content">The bytes.</param>
public sealed record AttachmentDraft(string Id, string ContentType, byte[] Content);

/// <summary>A resource ready to be sealed, with everything that the gateway knows of it in clear.</summary>
/// <param name="Json">The resource with id and meta, attachments replaced by Binary URLs.</param>
/// <param name="Facts">What the consent decision will know of it.</param>
/// <param name="Index">Its search values.</param>
/// <param name="Attachments">The Binaries split off.</param>
/// <param name="LinkedBinaries">Ids of Binaries already on the server that its attachments point to.</param>
public sealed record ResourceDraft(
    byte[] Json, RecordFacts Facts, IReadOnlyList<IndexEntry> Index, IReadOnlyList<AttachmentDraft> Attachments, IReadOnlyList<string> LinkedBinaries);

/// <summary>What a validated resource means to the gateway: patients, labels, search values, attachments. Pure: same input, same draft.</summary>
public sealed class ResourceMapper(FhirSchema schema)
{
    private const string ResourceTypes = "http://hl7.org/fhir/resource-types";
    private static readonly HashSet<string> Offered = ["identifier", "patient", "subject", "type", "category", "date", "status", "code"];

    private readonly SearchIndexer _indexer = new(schema, p => p.Type is "token" or "reference" or "date" && Offered.Contains(p.Code));
    private readonly CompartmentResolver _compartments = new(schema);

    /// <summary>The search values that resources have.</summary>
    public SearchIndexer Indexer => _indexer;

    /// <summary>Who a resource belongs to.</summary>
    public CompartmentResolver Compartments => _compartments;

    /// <summary>Maps a validated resource.</summary>
    /// <param name="document">The resource as it came.</param>
    /// <param name="id">Its logical id.</param>
    /// <param name="version">Its version, from 1.</param>
    /// <param name="lastUpdated">The instant for meta.lastUpdated.</param>
    /// <param name="custodian">The hospital that writes it, as <c>Organization/id</c>.</param>
    /// <param name="newId">Makes the ids of the Binaries split off.</param>
    /// <param name="issues">What is wrong with its attachments, when the result is null.</param>
    public ResourceDraft? Map(
        ResourceDocument document, string id, long version, DateTimeOffset lastUpdated, string custodian, Func<string> newId, out List<ValidationIssue> issues)
    {
        issues = [];
        var edits = new JsonEdits(document);
        var attachments = new List<AttachmentDraft>();
        var linked = new List<string>();
        // A document Bundle is signed as a whole: it stays as it is. A Binary is its own content.
        if (document.ResourceType is not ("Binary" or "Bundle"))
            SplitAttachments(document.Root, document.ResourceType, document.ResourceType, edits, attachments, linked, newId, issues);
        if (issues.Count > 0) return null;

        var split = edits.IsEmpty ? document : Reparse(edits.Apply());
        var json = JsonEdits.WithIdAndMeta(split, id, version.ToString(System.Globalization.CultureInfo.InvariantCulture), lastUpdated);
        var final = Reparse(json);
        var index = _indexer.Index(final);
        var facts = new RecordFacts(document.ResourceType, id, custodian, _compartments.PatientsOf(final), LabelsOf(final, index));
        return new ResourceDraft(json, facts, index, attachments, linked);
    }

    private static List<RecordLabel> LabelsOf(ResourceDocument document, List<IndexEntry> index)
    {
        var labels = new List<RecordLabel> { new(LabelKind.Class, ResourceTypes, document.ResourceType) };
        foreach (var parameter in (ReadOnlySpan<string>)["type", "category"])
            foreach (var (system, code) in SearchIndexer.Tokens(index, parameter)) Add(labels, LabelKind.Class, system, code);
        foreach (var (system, code) in SearchIndexer.Tokens(index, "code")) Add(labels, LabelKind.Code, system, code);
        if (document.Root["meta"] is { } meta)
            foreach (var coding in meta.ItemsAt("security"))
                if (coding.StringAt("code") is { } code) Add(labels, LabelKind.Security, coding.StringAt("system"), code);
        return labels;
    }

    private static void Add(List<RecordLabel> labels, LabelKind kind, string? system, string code)
    {
        var label = new RecordLabel(kind, system ?? "", code);
        if (!labels.Contains(label)) labels.Add(label);
    }

    private void SplitAttachments(
        ElementNode node, string type, string path, JsonEdits edits, List<AttachmentDraft> attachments, List<string> linked, Func<string> newId, List<ValidationIssue> issues)
    {
        if (type == "Attachment")
        {
            SplitAttachment(node, path, edits, attachments, linked, newId, issues);
            return;
        }
        if (type == "Resource") type = node.StringAt("resourceType") ?? "";
        if (node.Kind != JsonTokenType.StartObject || schema.Type(type) is not { } definition) return;
        foreach (var child in node)
        {
            if (definition.Property(child.Name!) is not { IsSibling: false } property || char.IsAsciiLetterLower(property.Type.Name[0])) continue;
            var at = path + "." + property.Element.Name;
            if (child.Kind != JsonTokenType.StartArray)
            {
                SplitAttachments(child, property.Type.Name, at, edits, attachments, linked, newId, issues);
                continue;
            }
            var i = 0;
            foreach (var item in child) SplitAttachments(item, property.Type.Name, $"{at}[{i++}]", edits, attachments, linked, newId, issues);
        }
    }

    private static void SplitAttachment(
        ElementNode node, string path, JsonEdits edits, List<AttachmentDraft> attachments, List<string> linked, Func<string> newId, List<ValidationIssue> issues)
    {
        if (node["data"] is not { } data)
        {
            // A URL elsewhere is data like any other: kept, and never fetched.
            if (FhirReference.TryParse(node.StringAt("url"), out var target) && target.Type == "Binary") linked.Add(target.Id);
            return;
        }
        if (node["url"] is not null)
        {
            issues.Add(new ValidationIssue(IssueSeverity.Error, IssueCode.NotSupported, path + ".url", "an attachment with data and url at once cannot be kept: send one of them"));
            return;
        }
        var content = Convert.FromBase64String(data.Text);
        var sha1 = SHA1.HashData(content);
        if (node["size"] is { } size && size.Text != content.Length.ToString(System.Globalization.CultureInfo.InvariantCulture))
            issues.Add(new ValidationIssue(IssueSeverity.Error, IssueCode.Value, path + ".size", $"the data has {content.Length} bytes, not what size says"));
        if (node["hash"] is { } hash && !HashIs(hash.Text, sha1))
            issues.Add(new ValidationIssue(IssueSeverity.Error, IssueCode.Value, path + ".hash", "the data's SHA-1 is not what hash says"));
        if (issues.Count > 0) return;

        var attachment = new AttachmentDraft(newId(), node.StringAt("contentType") ?? "application/octet-stream", content);
        attachments.Add(attachment);
        var filled = new StringBuilder($"\"url\":\"Binary/{attachment.Id}\"");
        if (node["size"] is null) filled.Append(System.Globalization.CultureInfo.InvariantCulture, $",\"size\":{content.Length}");
        if (node["hash"] is null) filled.Append($",\"hash\":\"{Convert.ToBase64String(sha1)}\"");
        edits.Replace(node, Rebuild(node, filled.ToString()));
    }

    private static byte[] Rebuild(ElementNode node, string filled)
    {
        var json = new StringBuilder("{").Append(filled);
        foreach (var property in node)
            if (property.Name is not ("data" or "_data")) json.Append(',').Append(Encoding.UTF8.GetString(node.Document.Bytes.Span[property.PropertyStart..property.End]));
        return Encoding.UTF8.GetBytes(json.Append('}').ToString());
    }

    private static bool HashIs(string base64, byte[] sha1)
    {
        Span<byte> given = stackalloc byte[64];
        return Convert.TryFromBase64String(base64, given, out var length) && given[..length].SequenceEqual(sha1);
    }

    private static ResourceDocument Reparse(byte[] json) =>
        ResourceDocument.TryParse(json, out var document, out var issue) ? document! : throw new InvalidOperationException("the gateway wrote a resource that does not parse: " + issue!.Text);
}
