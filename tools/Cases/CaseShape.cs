using System.Text.Json;
using System.Text.Json.Nodes;

namespace PmrGateway.Tools.Cases;

/// <summary>What members a case may have, and of what shape. Whatever has another is refused: it would be passed over in silence.</summary>
internal static class CaseShape
{
    // What is words for people, and decides nothing, may be anything.
    private static readonly Dictionary<string, Func<JsonNode, bool>> OfCase = new(StringComparer.Ordinal)
    {
        ["id"] = IsText,
        ["group"] = IsAny,
        ["title"] = IsAny,
        ["note"] = IsAny,
        ["source"] = IsAny,
        ["policyChoice"] = IsAny,
        ["consents"] = node => node is JsonArray list && list.All(c => c is JsonObject || IsText(c)),
        ["actor"] = IsText,
        ["purposeOfUse"] = IsTexts,
        ["now"] = IsText,
        ["setup"] = IsTexts,
        ["request"] = IsObject,
        ["expect"] = IsObject,
        ["chain"] = IsObject,
        ["derivedVisible"] = IsObject,
    };

    private static readonly Dictionary<string, Func<JsonNode, bool>> OfRequest = new(StringComparer.Ordinal)
    {
        ["method"] = IsText,
        ["url"] = IsText,
        ["headers"] = IsObjectOfTexts,
        ["body"] = IsAny,
    };

    private static readonly Dictionary<string, Func<JsonNode, bool>> OfExpect = new(StringComparer.Ordinal)
    {
        ["decision"] = IsText,
        ["status"] = AreStatuses,
        ["orOnWrite"] = AreStatuses,
        ["entryStatus"] = AreStatuses,
        ["total"] = IsNumber,
        ["visible"] = IsTexts,
        ["hidden"] = IsTexts,
        ["absent"] = IsTexts,
        ["order"] = IsTexts,
        ["links"] = IsObjectOfTexts,
        ["headers"] = IsObjectOfTexts,
        ["audit"] = IsText,
        ["sameBodyAs"] = IsText,
        ["sideEffect"] = IsText,
        ["note"] = IsText,
    };

    private static readonly Dictionary<string, Func<JsonNode, bool>> OfReads = new(StringComparer.Ordinal)
    {
        ["of"] = IsTexts,
        ["visible"] = IsTexts,
    };

    private static readonly Dictionary<string, Func<JsonNode, bool>> OfActor = new(StringComparer.Ordinal)
    {
        ["fhirUser"] = IsText,
        ["org"] = IsText,
        ["client"] = IsText,
        ["scopes"] = IsText,
        ["patient"] = IsText,
        ["note"] = IsAny,
    };

    /// <summary>Refuses a case of another shape.</summary>
    public static void Check(JsonObject json)
    {
        Check(json, OfCase, "");
        if (json["request"] is JsonObject request) Check(request, OfRequest, "request.");
        if (json["expect"] is JsonObject expect) Check(expect, OfExpect, "expect.");
        if (json["derivedVisible"] is not JsonObject reads) return;
        Check(reads, OfReads, "derivedVisible.");
        if (reads["of"].Texts().Count == 0) throw CaseFailed.NotUnderstood("derivedVisible.of is empty");
        if (reads["visible"].Texts().Except(reads["of"].Texts()).FirstOrDefault() is { } unread)
            throw CaseFailed.NotUnderstood($"derivedVisible.visible {unread} is not in derivedVisible.of");
    }

    /// <summary>Why what a suite says of an actor is not understood; null: it is.</summary>
    public static string? ProblemOfActor(JsonNode? actor) => actor is JsonObject json ? Problem(json, OfActor, "") : $"it is {Text(actor)}";

    /// <summary>Whether a node is a text.</summary>
    public static bool IsText(JsonNode? node) => node?.GetValueKind() == JsonValueKind.String;

    private static void Check(JsonObject json, Dictionary<string, Func<JsonNode, bool>> known, string where)
    {
        if (Problem(json, known, where) is { } problem) throw CaseFailed.NotUnderstood(problem);
    }

    private static string? Problem(JsonObject json, Dictionary<string, Func<JsonNode, bool>> known, string where)
    {
        foreach (var (name, value) in json)
        {
            if (!known.TryGetValue(name, out var isOfShape)) return where + name;
            if (value is not null && !isOfShape(value)) return $"{where}{name} {Text(value)}";
        }
        return null;
    }

    private static string Text(JsonNode? node) => node?.ToJsonString() ?? "null";

    private static bool IsAny(JsonNode node) => true;

    private static bool IsTexts(JsonNode node) => node is JsonArray list ? list.All(IsText) : IsText(node);

    private static bool IsObject(JsonNode node) => node is JsonObject;

    private static bool IsObjectOfTexts(JsonNode node) => node is JsonObject o && o.All(m => IsText(m.Value));

    private static bool IsNumber(JsonNode node) => node is JsonValue value && value.TryGetValue<int>(out _);

    private static bool AreStatuses(JsonNode node) => (node is JsonArray list ? list : [node.DeepClone()]).All(
        s => s is JsonValue && int.TryParse(s.ToString(), out var status) && status is >= 100 and <= 599);
}
