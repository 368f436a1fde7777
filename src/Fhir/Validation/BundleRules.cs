using System.Text.Json;

namespace PmrGateway.Fhir;

/// <summary>What holds of a Bundle as a whole, beside its invariants. https://hl7.org/fhir/R4/bundle.html</summary>
internal sealed class BundleRules(ValidationRun run, ElementNode bundle)
{
    public void Check()
    {
        var type = bundle.StringAt("type");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var i = 0;
        foreach (var entry in bundle.ItemsAt("entry"))
        {
            var path = $"entry[{i++}]";
            if (entry.Kind != JsonTokenType.StartObject) continue;
            var resource = entry["resource"] is { Kind: JsonTokenType.StartObject } r ? r : (ElementNode?)null;
            if (entry["fullUrl"] is { Kind: JsonTokenType.String } url)
            {
                FullUrl(url, resource, path);
                // bdl-7: an entry is told by its fullUrl and version, save in a history.
                if (type != "history" && !seen.Add(url.Text + " " + resource?["meta"]?.StringAt("versionId")))
                    run.Sink.Error(IssueCode.Invariant, url, "two entries have the same fullUrl and version (bdl-7)", path + ".fullUrl");
            }
            else if (resource is not null && NeedsUrl(type, entry))
            {
                run.Sink.Error(IssueCode.Required, entry, $"an entry of a {type} has a fullUrl", path + ".fullUrl");
            }
        }
        var relations = new HashSet<string>(StringComparer.Ordinal);
        foreach (var link in bundle.ItemsAt("link"))
        {
            if (link.StringAt("relation") is { } relation and ("self" or "first" or "last" or "next" or "previous" or "prev")
                && !relations.Add(relation))
                run.Sink.Error(IssueCode.Structure, link, $"the link relation '{relation}' occurs twice", "link");
        }
        if (type == "document") new DocumentRules(run, bundle).Check(First());
        if (type == "message" && First() is { } header && header.Type?.Name != "MessageHeader")
            run.Sink.Error(IssueCode.Structure, header, "the first entry of a message is its MessageHeader", "entry[0].resource");
    }

    private ElementNode? First()
    {
        foreach (var entry in bundle.ItemsAt("entry"))
            return entry["resource"] is { Kind: JsonTokenType.StartObject } resource ? resource : null;
        return null;
    }

    // https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.fullUrl
    private static bool NeedsUrl(string? type, ElementNode entry) =>
        type is "document" or "message" or "collection" or "searchset" && entry["search"]?.StringAt("mode") != "outcome";

    private void FullUrl(ElementNode url, ElementNode? resource, string path)
    {
        var text = url.Text;
        if (text.Contains("/_history/", StringComparison.Ordinal)) return;
        if (!Uri.TryCreate(text, UriKind.Absolute, out _))
        {
            run.Sink.Error(IssueCode.Value, url, "a fullUrl is an absolute URL", path + ".fullUrl");
            return;
        }
        if (resource is not { } r || r.Type is not { } type) return;
        if (text.StartsWith("urn:uuid:", StringComparison.Ordinal))
        {
            if (text != text.ToLowerInvariant())
                run.Sink.Warning(IssueCode.Value, url, "a UUID is in lower case", path + ".fullUrl");
            return;
        }
        // A RESTful URL says type and id; they are the resource's.
        var parts = text.Split('/');
        if (parts.Length < 5 || parts[0] is not ("http:" or "https:") || !run.Document.Schema.IsResourceType(parts[^2])) return;
        if (parts[^2] != type.Name)
        {
            run.Sink.Error(
                IssueCode.Structure, url, $"the fullUrl is one of a {parts[^2]}, the resource is a {type.Name}", path + ".fullUrl");
            return;
        }
        if (r.StringAt("id") is not { } id)
            run.Sink.Error(IssueCode.Structure, url, "the fullUrl is of a server, and the resource has no id", path + ".fullUrl");
        else if (id != parts[^1])
            run.Sink.Error(IssueCode.Structure, url, "the fullUrl says another id than the resource", path + ".fullUrl");
    }
}
