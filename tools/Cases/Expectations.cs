using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using PmrGateway.Mapping;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Cases;

/// <summary>Holds an answer against what a case expects, and says what differs.</summary>
internal sealed partial class Expectations(CaseContext context, RequestText request, string? token)
{
    // What is looked for in an answer that shows something, and what says by itself that something is not shown.
    private static readonly string[] OfShown = ["total", "entryStatus", "links", "visible", "order"];
    private static readonly string[] OfDenied = ["total", "entryStatus", "visible", "hidden", "absent", "sideEffect", "audit"];

    private readonly JsonObject _expect = context.Spec.Expect;
    private readonly List<string> _differences = [];

    /// <summary>What differed.</summary>
    public IReadOnlyList<string> Differences => _differences;

    /// <summary>Refuses what is not known here, and what says two things at once.</summary>
    public static void Check(CaseSpec spec)
    {
        var expect = spec.Expect;
        if ((string?)expect["sameBodyAs"] is { } same && !Nothing().IsMatch(same))
            throw CaseFailed.NotUnderstood($"expect.sameBodyAs '{same}'");
        foreach (var (relation, value) in expect["links"] as JsonObject ?? [])
            if (value!.ToString() is not ("absent" or "present")) throw CaseFailed.NotUnderstood($"expect.links.{relation} '{value}'");
        if (spec.Decision is not ("" or "permit" or "filter") && !IsDeny(spec))
            throw CaseFailed.NotUnderstood($"expect.decision '{spec.Decision}'");
        var statuses = Statuses(spec);
        if (!statuses.Exists(s => s is >= 200 and < 300) && OfShown.FirstOrDefault(Says) is { } shown)
            throw CaseFailed.NotUnderstood($"expect.{shown} of an answer with status {string.Join(" or ", statuses)}");
        if (spec.Decision == "permit" && statuses.TrueForAll(s => s >= 400))
            throw CaseFailed.NotUnderstood($"decision permit with status {string.Join(" or ", statuses)}");
        if (IsDeny(spec) && statuses.TrueForAll(s => s is >= 200 and < 300) && !Array.Exists(OfDenied, Says))
            throw CaseFailed.NotUnderstood($"decision {spec.Decision} with status {string.Join(" or ", statuses)}, and of nothing");

        bool Says(string name) => expect[name] is not null;
    }

    /// <summary>Whether a case expects that nothing is given: what a refused token comes to.</summary>
    public static bool IsDenial(CaseSpec spec) => IsDeny(spec)
        || spec.Expect["status"].Texts().Any(s => s is "401" or "403" or "404");

    /// <summary>What the answer says by itself.</summary>
    public void OfAnswer(Answer answer)
    {
        Status(answer);
        Headers(answer);
        Absent(answer);
        // An answer that shows nothing is one of several that the case takes, or a difference by its status.
        if (answer.Status is < 200 or > 299) return;
        JsonNode? body = null;
        try
        {
            body = answer.Body.Length == 0 ? null : JsonNode.Parse(answer.Body);
        }
        catch (JsonException)
        {
            // The content of a Binary, as it is.
        }
        if (body is JsonObject resource) OfResource(resource);
        else if (Array.Exists(OfShown, name => _expect[name] is not null)) _differences.Add("the body is no resource");
    }

    /// <summary>That the answer is the same as to a question about nothing.</summary>
    public async Task OfUnknownAsync(Answer answer)
    {
        if (_expect["sameBodyAs"] is null) return;
        var other = ResourceId.New();
        var id = TargetOf(request.Url) ?? throw CaseFailed.NotUnderstood($"sameBodyAs for '{context.Spec.Url}', which asks for no id");
        var unknown = await context.Stage.SendAsync(request.About(id, other), token);
        if (answer.Status != unknown.Status) _differences.Add($"status {answer.Status}, of an unknown id {unknown.Status}");
        var mine = Comparable(answer.Text).Replace(id, "ID", StringComparison.Ordinal);
        var its = Comparable(unknown.Text).Replace(other, "ID", StringComparison.Ordinal);
        if (mine != its) _differences.Add($"body '{Short(mine)}', of an unknown id '{Short(its)}'");
        var (ours, theirs) = (HeadersOf(answer, id), HeadersOf(unknown, other));
        foreach (var header in ours.Except(theirs)) _differences.Add($"header {header} is not an unknown id's");
        foreach (var header in theirs.Except(ours)) _differences.Add($"an unknown id has header {header}");
    }

    /// <summary>What the audit log has since before the request.</summary>
    public async Task OfAuditAsync(long before)
    {
        if ((string?)_expect["audit"] is not { } expected) return;
        var actor = context.Actor(context.Spec.Actor);
        var agent = context.References.Find(actor.FhirUser ?? actor.Organization ?? "") ?? "";
        var acts = (await context.Stage.Probe.AfterAsync(before)).Where(a => a.Agent == agent).ToList();
        foreach (var word in expected.Split('+', StringSplitOptions.TrimEntries)) await AuditAsync(word, acts);
    }

    /// <summary>
    /// What of the expected log is not there where the authorization server gave no token: who is refused there is told so, or counted,
    /// and has no entry of the log, since no record was asked for yet. Null: nothing was expected, or all is there.
    /// </summary>
    /// <param name="context">The case.</param>
    /// <param name="before">The last entry of the log before the token was asked for.</param>
    /// <param name="refusal">How it was refused.</param>
    public static async Task<string?> OfRefusalAsync(CaseContext context, long before, string refusal)
    {
        var expectations = new Expectations(context, new RequestText("GET", "", [], null, ""), null);
        await expectations.OfAuditAsync(before);
        return expectations.Differences.Count == 0
            ? null
            : $"{refusal}; the log has no entries of refused tokens: {string.Join("; ", expectations.Differences)}";
    }

    /// <summary>Reads what the case lists, one by one, as the same caller.</summary>
    public async Task OfReadsAsync()
    {
        if (context.Spec.DerivedVisible is not { } derived) return;
        var visible = derived["visible"].Texts();
        foreach (var reference in derived["of"].Texts())
        {
            var server = context.References.Find(reference) ?? throw CaseFailed.NotUnderstood($"derivedVisible {reference}");
            var read = await context.Stage.SendAsync(new RequestText("GET", server, [], null, ""), token);
            var expected = visible.Contains(reference) ? 200 : 404;
            if (read.Status != expected) _differences.Add($"read of {reference} is {read.Status}, not {expected}");
        }
    }

    /// <summary>Notes a difference that was found elsewhere.</summary>
    public void Add(string difference) => _differences.Add(difference);

    private static bool IsDeny(CaseSpec spec) => spec.Decision.StartsWith("deny", StringComparison.Ordinal);

    // The statuses that a case takes.
    private static List<int> Statuses(CaseSpec spec)
    {
        var allowed = spec.Expect["status"].Texts().Select(int.Parse).ToList();
        // "or 404 for the whole bundle": a second answer in words.
        if ((string?)spec.Expect["note"] is { } note && OrStatus().Match(note) is { Success: true } or)
            allowed.Add(int.Parse(or.Groups[1].Value));
        if (allowed.Count > 0) return allowed;
        return spec.Decision switch
        {
            "permit" => [200, 201, 204],
            "filter" => [200],
            "deny" => [401, 403, 404],
            _ => throw CaseFailed.NotUnderstood($"no status, and decision '{spec.Decision}'"),
        };
    }

    private void Status(Answer answer)
    {
        var allowed = Statuses(context.Spec);
        if (!allowed.Contains(answer.Status))
            _differences.Add($"status {answer.Status}, not {string.Join(" or ", allowed)} ({Short(answer.Text)})");
    }

    private void Headers(Answer answer)
    {
        foreach (var (name, value) in _expect["headers"] as JsonObject ?? [])
        {
            var has = AllHeaders(answer).Where(h => h.Key.Equals(name, StringComparison.OrdinalIgnoreCase))
                .Select(h => string.Join(',', h.Value)).FirstOrDefault();
            var holds = value!.ToString() switch { "present" => has is not null, "absent" => has is null, var text => has == text };
            if (!holds) _differences.Add($"header {name} is {has ?? "absent"}, not {value}");
        }
    }

    private void Absent(Answer answer)
    {
        var headers = string.Join('\n', AllHeaders(answer).Select(h => $"{h.Key}: {string.Join(',', h.Value)}"));
        var hidden = Plain("hidden").Select(
            h => context.IsKnown(h) ? h.Split('/')[^1] : throw CaseFailed.NotUnderstood($"expect.hidden {h}"));
        foreach (var named in _expect["absent"].Texts().Concat(hidden))
        {
            foreach (var text in context.References.Texts(named))
            {
                var found = TextOf(text);
                // A link self gives the caller's own words back, which tells nothing.
                var body = request.Says(text) ? WithoutSelf(answer.Text) : answer.Text;
                if (found.IsMatch(body)) _differences.Add($"{named} is in the body");
                if (found.IsMatch(headers)) _differences.Add($"{named} is in the headers");
            }
        }
    }

    /// <summary>
    /// Finds a text that must not occur. A name is one where it is a whole word: Bina is not in Binary. Whatever has a digit or a sign in
    /// it is found wherever it stands.
    /// </summary>
    internal static Regex TextOf(string text) => new(
        text.All(char.IsLetter) ? $@"(?<!\p{{L}}){text}(?!\p{{L}})" : Regex.Escape(text), RegexOptions.CultureInvariant);

    private void OfResource(JsonObject resource)
    {
        var bundles = resource["entry"].Items().Select(e => e?["resource"] as JsonObject).OfType<JsonObject>()
            .Where(r => (string?)r["resourceType"] == "Bundle").Prepend(resource).ToList();
        if (_expect["total"] is { } total)
        {
            var found = bundles.Select(b => b["total"]).FirstOrDefault(t => t is not null);
            if (found?.ToString() != total.ToString()) _differences.Add($"total {found?.ToString() ?? "is not said"}, not {total}");
        }
        if (_expect["entryStatus"] is { } statuses)
        {
            var found = resource["entry"].Items().Select(e => ((string?)e?["response"]?["status"] ?? "").Split(' ')[0]).ToList();
            if (!found.SequenceEqual(statuses.Texts()))
                _differences.Add($"entries answer {string.Join(", ", found)}, not {string.Join(", ", statuses.Texts())}");
        }
        foreach (var (relation, value) in _expect["links"] as JsonObject ?? [])
        {
            var has = bundles.SelectMany(b => b["link"].Items()).Any(l => (string?)l?["relation"] == relation);
            if (has != (value!.ToString() == "present")) _differences.Add($"link {relation} is not {value}");
        }
        if (_expect["visible"] is not null) Visible(bundles);
        if (_expect["order"] is null) return;
        var shown = Shown(bundles).Where(context.Suite.Resources.ContainsKey).ToList();
        if (!shown.SequenceEqual(Plain("order")))
            _differences.Add($"the order is {string.Join(", ", shown)}, not {string.Join(", ", Plain("order"))}");
    }

    // Of the suite's records exactly those; a Binary may come with the document that has it.
    private void Visible(List<JsonObject> bundles)
    {
        var expected = Plain("visible");
        var shown = Shown(bundles);
        foreach (var missing in expected.Except(shown)) _differences.Add($"{missing} is not shown");
        foreach (var more in shown.Except(expected).Where(context.Suite.Resources.ContainsKey))
            if (!more.StartsWith("Binary/", StringComparison.Ordinal)) _differences.Add($"{more} is shown");
    }

    // The suite's names in a list; a consent's may stand in braces.
    private List<string> Plain(string name) =>
        [.. _expect[name].Texts().Select(t => t.Trim('{', '}').Replace("/{", "/", StringComparison.Ordinal))];

    // The suite's names of what is shown, in its order.
    private List<string> Shown(List<JsonObject> bundles)
    {
        var resources = (string?)bundles[0]["resourceType"] == "Bundle"
            ? bundles.SelectMany(b => b["entry"].Items()).Select(e => e?["resource"] as JsonObject).OfType<JsonObject>()
            : bundles;
        return [.. resources.Select(r => context.References.SuiteOf($"{r["resourceType"]}/{r["id"]}")).OfType<string>().Distinct()];
    }

    private async Task AuditAsync(string word, List<AuditedAct> acts)
    {
        var (permits, denials) = (acts.Where(a => a.Outcome == "permit").ToList(), acts.Where(a => a.Outcome == "deny").ToList());
        switch (word.Split(' '))
        {
            case ["denied"]:
                if (denials.Count == 0) _differences.Add("no denial is in the audit log");
                break;
            case ["success"]:
                if (permits.Count == 0) _differences.Add("no release is in the audit log");
                break;
            case ["purpose", var purpose]:
                if (!acts.Exists(a => a.Purposes.Contains(purpose))) _differences.Add($"purpose {purpose} is not in the audit log");
                break;
            case ["alert"]:
                // Whoever watches the log finds the purpose with the denial.
                if (!denials.Exists(a => a.Purposes.Intersect(context.Spec.Purposes).Any()))
                    _differences.Add("the denial in the audit log does not say the purpose");
                break;
            case ["patient", "notified"]:
                if (!await IsToldAsync(acts)) _differences.Add("the patient's own AuditEvents do not tell of it");
                break;
            default:
                throw CaseFailed.NotUnderstood($"expect.audit '{word}'");
        }
    }

    private async Task<bool> IsToldAsync(List<AuditedAct> acts)
    {
        foreach (var patient in context.Suite.Resources.Keys.Where(r => r.StartsWith("Patient/", StringComparison.Ordinal)))
        {
            var log = await (await context.World.PatientAsync(patient)).GetAsync("AuditEvent?_count=200");
            if (log.Status == 200 && acts.Exists(a => log.Text.Contains(a.Id, StringComparison.Ordinal))) return true;
        }
        return false;
    }

    // The id that is read; of a search the patient, or whatever else of the case, that is searched for.
    private string? TargetOf(string url)
    {
        if (TargetId().Match(url) is { Success: true } read) return read.Groups[1].Value;
        var values = (request.Body is { } form && request.ContentType.Contains("form", StringComparison.Ordinal) ? $"{url}&{form}" : url)
            .Split('?', '&').Skip(1).Select(p => Uri.UnescapeDataString(p.Split('=', 2)[^1]).Split('/')[^1]).ToList();
        return context.References.Servers.Select(r => r.Split('/')[1]).FirstOrDefault(values.Contains);
    }

    // The answer to a search has an id of its own each time, and says in its link self what was asked.
    private static string Comparable(string text)
    {
        if (!text.StartsWith('{') || JsonNode.Parse(text) is not JsonObject body || (string?)body["resourceType"] != "Bundle") return text;
        body.Remove("id");
        return WithoutSelf(body.ToJsonString(Relaxed));
    }

    private static string WithoutSelf(string text)
    {
        if (!text.StartsWith('{')) return text;
        var body = JsonNode.Parse(text)!;
        Strip(body);
        return body.ToJsonString(Relaxed);

        static void Strip(JsonNode? node)
        {
            if (node is JsonArray list)
            {
                foreach (var item in list) Strip(item);
            }
            else if (node is JsonObject o)
            {
                if (o["link"] is JsonArray links) links.RemoveAll(l => (string?)l?["relation"] == "self");
                foreach (var (_, value) in o) Strip(value);
            }
        }
    }

    private static readonly JsonSerializerOptions Relaxed = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping
    };

    private static IEnumerable<KeyValuePair<string, IEnumerable<string>>> AllHeaders(Answer answer) =>
        answer.Headers.Headers.Concat(answer.Headers.Content.Headers);

    private static List<string> HeadersOf(Answer answer, string id) =>
    [
        .. AllHeaders(answer).Where(h => h.Key != "Date" && !h.Key.EndsWith("-Id", StringComparison.OrdinalIgnoreCase))
            .Select(h => $"{h.Key}: {string.Join(',', h.Value).Replace(id, "ID", StringComparison.Ordinal)}"),
    ];

    private static string Short(string text) => (text.Length > 300 ? text[..300] + "..." : text).ReplaceLineEndings(" ");

    [GeneratedRegex("^[A-Z][A-Za-z]+/([A-Za-z0-9.-]+)")]
    private static partial Regex TargetId();

    [GeneratedRegex(@"(?:read|search|history|query) (?:of|for|about) (?:an? )?"
        + @"(?:\w+ )?(?:id|patient|resource|record)(?: id)? that never existed$")]
    private static partial Regex Nothing();

    [GeneratedRegex(@"^or (\d{3})\b")]
    private static partial Regex OrStatus();
}
