using System.Globalization;
using System.Text.Json.Nodes;

namespace PmrGateway.Tools.Cases;

/// <summary>One case of a suite. What it has and nobody here knows is refused, not passed over.</summary>
internal sealed class CaseSpec(JsonObject json)
{
    public string Id => json["id"]?.ToString() ?? "?";

    public string Title => json["title"]?.ToString() ?? "";

    public IReadOnlyList<JsonNode> Consents => [.. json["consents"].Items().OfType<JsonNode>()];

    public string Actor => json["actor"]?.ToString() ?? "anon";

    public IReadOnlyList<string> Purposes => json["purposeOfUse"].Texts();

    public DateTimeOffset Now => DateTimeOffset.Parse(
        (string?)json["now"] ?? throw CaseFailed.NotUnderstood("a case without now"), CultureInfo.InvariantCulture);

    public JsonObject Request => json["request"] as JsonObject ?? throw CaseFailed.NotUnderstood("a case without request");

    public string Method => ((string?)Request["method"] ?? "GET").ToUpperInvariant();

    public string Url => (string?)Request["url"] ?? "";

    public JsonObject Expect => json["expect"] as JsonObject ?? throw CaseFailed.NotUnderstood("a case without expect");

    public string Decision => (json["expect"] as JsonObject)?["decision"]?.ToString() ?? "";

    /// <summary>Whether something is given to who asks: an answer that is filtered down to nothing opens nothing.</summary>
    public bool Opens => Decision switch
    {
        "permit" => true,
        "filter" => Expect["total"]?.ToString() != "0" && Expect["visible"] is not JsonArray { Count: 0 },
        _ => false,
    };

    public IReadOnlyList<string> Setup => json["setup"].Texts();

    public JsonObject? Chain => json["chain"] as JsonObject;

    public JsonObject? DerivedVisible => json["derivedVisible"] as JsonObject;

    /// <summary>What the case names, as text.</summary>
    public string Text => string.Join('\n', new[] { "request", "expect", "setup", "derivedVisible" }.Select(n => json[n]?.ToJsonString()));

    /// <summary>What is asked for: URLs, headers, a form.</summary>
    public IEnumerable<string> Asked
    {
        get
        {
            yield return Url;
            foreach (var (_, value) in Request["headers"] as JsonObject ?? []) yield return $"{value}";
            if (CaseShape.IsText(Request["body"])) yield return $"{Request["body"]}";
            foreach (var entry in Request["body"].Member("entry").Items()) yield return $"{entry.Member("request").Member("url")}";
        }
    }

    /// <summary>Refuses what is not known here.</summary>
    public void Check()
    {
        CaseShape.Check(json);
        Expectations.Check(this);
    }
}
