using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using PmrGateway.Fhir;

namespace PmrGateway.Mapping;

/// <summary>
/// Finds the attachments of a resource, contained ones too, and puts a Binary's URL, size and hash in the place of their data.
/// </summary>
internal sealed class AttachmentSplitter(FhirSchema schema, ResourceLimits? limits, JsonEdits edits, MappingScene scene)
{
    /// <summary>The Binaries split off.</summary>
    public List<AttachmentDraft> Attachments { get; } = [];

    /// <summary>The resources that they are, by their Binary's id.</summary>
    public List<(string BinaryId, ResourceDocument Resource)> Enclosed { get; } = [];

    /// <summary>Ids of Binaries already on the server.</summary>
    public List<string> Linked { get; } = [];

    /// <summary>Where the values lie that were taken out: nothing inside them is edited.</summary>
    public HashSet<int> Removed { get; } = [];

    /// <summary>What is wrong.</summary>
    public List<ValidationIssue> Issues { get; } = [];

    /// <summary>Walks over an element of a type.</summary>
    public void Split(ElementNode node, string type, string path)
    {
        if (type == "Attachment")
        {
            SplitOne(node, path);
            return;
        }
        if (type == "Resource") type = node.StringAt("resourceType") ?? "";
        if (node.Kind != JsonTokenType.StartObject || schema.Type(type) is not { } definition) return;
        foreach (var child in node)
        {
            if (definition.Property(child.Name!) is not { IsSibling: false } property) continue;
            // A primitive has a name in lower case and holds nothing.
            if (char.IsAsciiLetterLower(property.Type.Name[0])) continue;
            var at = path + "." + property.Element.Name;
            if (child.Kind != JsonTokenType.StartArray)
            {
                Split(child, property.Type.Name, at);
                continue;
            }
            var i = 0;
            foreach (var item in child) Split(item, property.Type.Name, $"{at}[{i++}]");
        }
    }

    private void SplitOne(ElementNode node, string path)
    {
        if (node["data"] is not { } data)
        {
            if (node.StringAt("url") is { } inline && inline.StartsWith("data:", StringComparison.OrdinalIgnoreCase))
            {
                Refuse(path + ".url", IssueCode.NotSupported, "content in a URL would be read by nobody: send it as data");
                return;
            }
            // A URL elsewhere is data like any other: kept, and never fetched.
            if (node.StringAt("url") is { } url && FhirReference.TryParse(scene.Local(url), out var target) && target.Type == "Binary")
                Linked.Add(target.Id);
            return;
        }
        if (node["url"] is not null)
        {
            Refuse(path + ".url", IssueCode.NotSupported, "an attachment with data and url at once cannot be kept: send one of them");
            return;
        }
        var (content, cut) = ContentOf(data);
        if (cut.Problem is { } problem)
        {
            Refuse(path + ".data", IssueCode.Value, problem);
            return;
        }
        var known = Issues.Count;
        if (node["size"] is { } size && size.Text != cut.Size.ToString(CultureInfo.InvariantCulture))
            Refuse(path + ".size", IssueCode.Value, $"the data has {cut.Size} bytes, not what size says");
        if (node["hash"] is { } hash && !HashIs(hash.Text, cut.Sha1))
            Refuse(path + ".hash", IssueCode.Value, "the data's SHA-1 is not what hash says");
        var contentType = node.StringAt("contentType") ?? "application/octet-stream";
        var inside = EnclosedResource.Read(contentType, content is null ? cut.Text : content, limits, out var unread);
        if (unread is not null) Refuse(path + ".data", IssueCode.NotSupported, unread);
        if (Issues.Count > known) return;

        Attachments.Add(new AttachmentDraft(cut.BinaryId, contentType, content));
        if (inside is not null) Enclosed.Add((cut.BinaryId, inside));
        var filled = $"\"url\":\"Binary/{cut.BinaryId}\"";
        if (node["size"] is null) filled += string.Create(CultureInfo.InvariantCulture, $",\"size\":{cut.Size}");
        if (node["hash"] is null) filled += $",\"hash\":\"{Convert.ToBase64String(cut.Sha1)}\"";
        edits.ReplaceProperty(data, filled);
        if (node["_data"] is not { } sibling) return;
        edits.Remove(sibling);
        Removed.Add(sibling.Start);
    }

    // In memory where it was small, else what is known of it since it was cut out on its way in.
    private (byte[]? Content, CutData Cut) ContentOf(ElementNode data)
    {
        if (data.End - data.Start == CutData.TokenSize + 2 && scene.FindCut(data.Text) is { } cut) return (null, cut);
        var content = Convert.FromBase64String(data.Text);
        return (content, new CutData(scene.NewId(), content.Length, SHA1.HashData(content), null));
    }

    private void Refuse(string path, IssueCode code, string text) => Issues.Add(new ValidationIssue(IssueSeverity.Error, code, path, text));

    private static bool HashIs(string base64, byte[] sha1)
    {
        Span<byte> given = stackalloc byte[64];
        return Convert.TryFromBase64String(base64, given, out var length) && given[..length].SequenceEqual(sha1);
    }
}
