namespace PmrGateway.Fhir;

/// <summary>
/// What references of one document can name: the entries of a Bundle by fullUrl, contained resources by id. Made once a document.
/// Thread-safe.
/// </summary>
internal sealed class ReferenceIndex
{
    private readonly ResourceDocument _document;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, Entries> _bundles = [];
    private readonly Dictionary<int, Dictionary<string, ElementNode>> _contained = [];

    public ReferenceIndex(ResourceDocument document) => _document = document;

    /// <summary>The contained resource of an id, or null.</summary>
    public ElementNode? Contained(ElementNode holder, string id)
    {
        lock (_lock)
        {
            if (!_contained.TryGetValue(holder.Index, out var known))
            {
                _contained[holder.Index] = known = new Dictionary<string, ElementNode>(StringComparer.Ordinal);
                foreach (var contained in holder.ItemsAt("contained"))
                    if (contained.StringAt("id") is { } own) known.TryAdd(own, contained);
            }
            return known.TryGetValue(id, out var found) ? found : null;
        }
    }

    /// <summary>The entries of the document, where that is a Bundle.</summary>
    public Entries Of(ElementNode bundle)
    {
        lock (_lock) return _bundles.TryGetValue(bundle.Index, out var known) ? known : _bundles[bundle.Index] = new Entries(bundle);
    }

    /// <summary>The entries of a Bundle.</summary>
    internal sealed class Entries
    {
        private readonly Dictionary<string, List<ElementNode>> _byUrl = new(StringComparer.Ordinal);
        private readonly Dictionary<int, string> _urls = [];

        public Entries(ElementNode bundle)
        {
            foreach (var entry in bundle.ItemsAt("entry"))
            {
                if (entry["resource"] is not { Kind: System.Text.Json.JsonTokenType.StartObject } resource
                    || entry.StringAt("fullUrl") is not { } url)
                    continue;
                if (!_byUrl.TryGetValue(url, out var versions)) _byUrl[url] = versions = [];
                versions.Add(resource);
                _urls[resource.Index] = url;
            }
        }

        /// <summary>The resource of a fullUrl, of a version where one is asked for; null: there is none.</summary>
        public ElementNode? Find(string url, string? version)
        {
            if (!_byUrl.TryGetValue(url, out var versions)) return null;
            if (version is null) return versions[0];
            foreach (var resource in versions)
                if (resource["meta"]?.StringAt("versionId") == version) return resource;
            return null;
        }

        /// <summary>The fullUrl of an entry's resource, or null.</summary>
        public string? UrlOf(int resource) => _urls.GetValueOrDefault(resource);
    }
}
