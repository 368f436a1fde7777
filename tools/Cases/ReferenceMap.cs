using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace PmrGateway.Tools.Cases;

/// <summary>What the suite's references are called by the server, and the rewriting of whatever names them.</summary>
internal sealed partial class ReferenceMap(ReferenceMap? outer = null)
{
    private readonly Dictionary<string, string> _server = new(StringComparer.Ordinal);

    public void Add(string suite, string server) => _server[suite] = server;

    /// <summary>The server's reference of one of the suite, or null.</summary>
    public string? Find(string suite) => _server.TryGetValue(suite, out var server) ? server : outer?.Find(suite);

    /// <summary>The suite's reference of one of the server, or null: it is none of this case.</summary>
    public string? SuiteOf(string server) => _server.FirstOrDefault(m => m.Value == server).Key ?? outer?.SuiteOf(server);

    /// <summary>The server's references of everything in the suite that has an id, whatever its type.</summary>
    public IEnumerable<string> WithId(string id) =>
        _server.Where(m => m.Key.EndsWith("/" + id, StringComparison.Ordinal)).Select(m => m.Value).Concat(outer?.WithId(id) ?? []);

    /// <summary>The server's references of everything in the case.</summary>
    public IEnumerable<string> Servers => _server.Values.Concat(outer?.Servers ?? []);

    /// <summary>A copy of a body with the server's ids: in references, in ids, and in the URLs of a Bundle's requests.</summary>
    public JsonNode? Body(JsonNode? node) => node switch
    {
        JsonObject o => Members(o),
        JsonArray a => new JsonArray([.. a.Select(Body)]),
        JsonValue v when v.TryGetValue<string>(out var text) => JsonValue.Create(Find(text) ?? Consent(text)),
        _ => node?.DeepClone(),
    };

    /// <summary>A relative URL with the server's ids. A value after a bar is an identifier's, and no id.</summary>
    public string Url(string url) => NamedInUrl().Replace(Filled(url), m =>
    {
        if (m.Groups["type"].Success) return Find(m.Value) ?? m.Value;
        var found = WithId(m.Value).ToList();
        return found.Count > 0 ? found[0].Split('/')[1] : m.Value;
    });

    /// <summary>
    /// What a text that must not occur stands for: the server's ids of a suite's id, or the text with its references rewritten.
    /// </summary>
    public IReadOnlyList<string> Texts(string text)
    {
        var filled = Filled(text);
        // Wherever its id stands, a record's own included.
        var record = Find(filled) ?? (SuiteOf(filled) is null ? null : filled);
        var ids = (record is null ? WithId(text) : [record]).Select(r => r.Split('/')[1]).Distinct().ToList();
        return ids.Count > 0 ? ids : [Typed().Replace(filled, m => Find(m.Value) ?? m.Value)];
    }

    // A consent's name in braces is one of this case.
    private string Filled(string text) => Placeholder().Replace(
        text,
        m => Find("Consent/" + m.Groups[1].Value) is { } consent
            ? consent.Split('/')[1]
            : throw CaseFailed.NotUnderstood($"'{text}': there is no {m.Value}"));

    private string Consent(string text) => text.StartsWith("Consent/{", StringComparison.Ordinal) ? Filled(text) : text;

    private JsonObject Members(JsonObject from)
    {
        var to = new JsonObject();
        foreach (var (name, value) in from)
        {
            to[name] = (name, value) switch
            {
                ("id", JsonValue id) when (string?)from["resourceType"] is { } type && Find($"{type}/{id}") is { } server =>
                    server.Split('/')[1],
                ("url", JsonValue url) when from["method"] is not null => Url(url.ToString()),
                _ => Body(value),
            };
        }
        return to;
    }

    [GeneratedRegex(@"(?<=^|[/=,])\{(\w+)\}(?=$|[/?&,])")]
    private static partial Regex Placeholder();

    // The names of a suite may have what an id has not.
    [GeneratedRegex(@"(?<![|\w.%-])(?<type>[A-Z][A-Za-z]+)/[\w.-]+|(?<=^|[=,/])[\w.-]+(?![\w.:-])")]
    private static partial Regex NamedInUrl();

    [GeneratedRegex(@"(?<![\w|])[A-Z][A-Za-z]+/[\w.-]+")]
    private static partial Regex Typed();
}
