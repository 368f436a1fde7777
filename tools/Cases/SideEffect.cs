using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace PmrGateway.Tools.Cases;

/// <summary>What a request must have left as it was, or must have done: looked at before and after, by who may always read it.</summary>
internal sealed partial class SideEffect
{
    private readonly string _text;
    private readonly Func<Task<string>> _look;
    private readonly Func<string, string, bool> _holds;
    private string _before = "";

    private SideEffect(string text, Func<Task<string>> look, Func<string, string, bool>? holds = null) =>
        (_text, _look, _holds) = (text, look, holds ?? ((before, after) => before == after));

    /// <summary>What a case says of it; null: nothing.</summary>
    public static async Task<SideEffect?> OfAsync(CaseContext context, RequestText request)
    {
        if ((string?)context.Spec.Expect["sideEffect"] is not { } text) return null;
        var effect = Read(context, request, text);
        effect._before = await effect._look();
        return effect;
    }

    /// <summary>What differs now; null: nothing.</summary>
    public async Task<string?> DifferenceAsync()
    {
        var now = await _look();
        return _holds(_before, now) ? null : $"'{_text}' is not so: before {_before}, after {now}";
    }

    private static SideEffect Read(CaseContext context, RequestText request, string text)
    {
        var probe = context.Stage.Probe;
        if (NoTransaction().IsMatch(text)) return new(text, async () => $"{await probe.TransactionsAsync()} transactions");
        if (Transaction().Match(text) is { Success: true } sent)
        {
            var kind = sent.Groups["kind"].Value is "grant" or "consent" ? "grant" : "revoke";
            return new(
                text, async () => $"{await probe.TransactionsAsync(kind)}", (before, after) => long.Parse(after) > long.Parse(before));
        }
        if (NothingStored().Match(text) is { Success: true } nothing)
        {
            var type = nothing.Groups["type"].Value;
            return new(text, async () => $"{await probe.VersionsAsync(char.IsUpper(type.FirstOrDefault()) ? type : "%")} versions");
        }
        return OfRecord(context, request, text);
    }

    private static SideEffect OfRecord(CaseContext context, RequestText request, string text)
    {
        if (NoVersion().Match(text) is { Success: true } m) return Record(m, VersionOf);
        if ((m = Kept().Match(text)).Success)
        {
            return m.Groups["how"].Value switch
            {
                "belongs to" => Record(m, body => (body["subject"] ?? body["patient"])?.ToJsonString()),
                "exists" or "not deleted" or "not removed" => Record(m, _ => "it exists"),
                _ => Record(m, m.Groups["what"].Value == "labels" ? LabelsOf : body => body.ToJsonString()),
            };
        }
        if ((m = StillHas().Match(text)).Success && m.Groups["version"].Value is { Length: > 0 } version)
            return Record(m, VersionOf, (_, after) => after == version);
        if (!m.Success) throw CaseFailed.NotUnderstood($"sideEffect '{text}'");
        var (code, least) = (m.Groups["code"].Value, m.Groups["both"].Success ? 2 : 1);
        return Record(m, LabelsOf, (before, after) => before == after && (code.Length > 0
            ? after.Contains($"\"code\":\"{code}\"", StringComparison.Ordinal)
            : after.Split("\"code\":").Length > least));

        SideEffect Record(Match match, Func<JsonObject, string?> part, Func<string, string, bool>? holds = null)
        {
            var named = Named(context, request, text, match.Groups["what"].Value);
            return new(text, () => LookAsync(context, named, part), holds);
        }
    }

    // The labels, the grant, the record: of what the request is about.
    private static string Named(CaseContext context, RequestText request, string text, string what) =>
        what is "labels" or "grant" or "record" or "consent" or "it"
            ? context.References.SuiteOf(string.Join('/', request.Url.Split('?')[0].Split('/').Take(2)))
                ?? throw CaseFailed.NotUnderstood($"sideEffect '{text}'")
            : context.Named(what);

    private static async Task<string> LookAsync(CaseContext context, string named, Func<JsonObject, string?> part)
    {
        var owner = await context.OwnerAsync(named);
        var server = context.References.Find(named)!;
        var read = await owner.GetAsync(server);
        if (read.Status != 200) return $"status {read.Status}";
        var status = named.StartsWith("Consent/", StringComparison.Ordinal)
            ? CaseContext.Status(await owner.GetAsync(server + "/$ledger-status"))
            : "";
        return part(JsonNode.Parse(read.Body)!.AsObject()) + status;
    }

    private static string? VersionOf(JsonObject body) => (string?)body["meta"]?["versionId"];

    private static string? LabelsOf(JsonObject body) => body["meta"]?["security"]?.ToJsonString();

    [GeneratedRegex(@"^no (?:chain |on-chain )?transaction(?: on (?:the )?chain)?(?: is| was)?(?: sent| submitted)?$")]
    private static partial Regex NoTransaction();

    [GeneratedRegex(@"^(?:an? |the )?(?<kind>revocation|revoke|grant|consent) transaction (?:is |was )?"
        + @"(?:submitted|sent|queued|on (?:the )?chain)$")]
    private static partial Regex Transaction();

    [GeneratedRegex(@"^(?:nothing (?:is |was )?(?:stored|created|written|changed)"
        + @"|no (?:new )?(?<type>\w+) (?:is |was )?(?:created|stored|written))$")]
    private static partial Regex NothingStored();

    [GeneratedRegex(@"^no (?:new|other|second) version of (?<what>\S+)(?: is created| exists)?$")]
    private static partial Regex NoVersion();

    [GeneratedRegex(@"^(?<what>\S+) (?:(?:is|are|was|were|stays?|remains?) )?(?:still )?"
        + @"(?<how>exists|unchanged|active|not (?:deleted|removed|changed|updated)|belongs to)(?<whom> \S+)?$")]
    private static partial Regex Kept();

    [GeneratedRegex(@"^(?<what>\S+) (?:still )?(?:has|keeps|carries|is at|is)(?: only| still)? (?:version (?<version>\d+)"
        + @"|(?:(?<both>both)|its|all(?: its)?|the) (?:security )?labels?|(?:security )?label (?<code>\w+))$")]
    private static partial Regex StillHas();
}
