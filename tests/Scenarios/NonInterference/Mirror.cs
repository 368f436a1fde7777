using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace PmrGateway.Tests.Scenarios.NonInterference;

/// <summary>
/// Makes the second gateway: it is written what the viewer may see of the first, in the same order, by the same authors, and nothing else
/// but what must be there for that to stand: a version that is not shown is written empty, so that the one that is shown has its number; a
/// patient whose Patient is not shown is there without a name; the hospitals have leave to write about each other's patients; a Consent
/// that permits inside what it denies permits there too, and is not shown to whom. Of records, what is there and not shown is denied to
/// everybody by its patient: the consents that close it in the first gateway are not here.
/// </summary>
internal static partial class Mirror
{
    public static async Task MakeAsync(Side from, IReadOnlyList<Written> log, string viewer, Sight sight, Side to)
    {
        var there = log.Where(w => IsFloor(w) || PermitsInside(w.Step.Body)).Select(w => w.Step.Name).ToHashSet();
        var shown = log.Where(w => there.Contains(w.Step.Name) || sight.SeesAny(w.Step.Name)).ToList();
        var named = shown.SelectMany(w => Names().Matches(w.Step.Body).Select(m => m.Groups[1].Value).Append(w.Step.Subject)).ToHashSet();
        // A document names its patient by identifier, and so does a copy.
        var identified = shown.Where(w => w.Step.Type != "Patient").SelectMany(w => Copies().Matches(w.Step.Body))
            .Select(m => m.Groups[1].Value).ToHashSet();
        named.UnionWith(identified);
        var floors = log.Where(IsFloor).Select(w => w.Step).ToList();
        var isOnFloor = true;
        for (var i = 0; i < log.Count; i++)
        {
            var written = log[i];
            var step = written.Step;
            if (isOnFloor && !IsFloor(written) && step.Type != "Patient")
            {
                isOnFloor = false;
                // Everything that is named and not here is known by the first gateway's id of it.
                to.Hear(from);
                await to.SettleAsync(floors, floors[^1]);
            }
            if (i == log.Count / 2) await LookAsync(to, viewer);
            if (there.Contains(step.Name)) await WriteAsync(to, step, written);
            else if (step.Type == "Patient" && !sight.SeesAny(step.Name))
            {
                if (named.Contains(step.Name)) await WriteAsync(to, step with { Body = Nameless(step, identified) }, written);
            }
            else if (sight.SeesAny(step.Name)) await WriteAsync(to, await ShownAsync(from, to, written, sight), written);
            else await SplitOffAsync(to, written, written.Binaries.Where(sight.SeesNow));
            var isNew = step.Verb == Verb.Create && !IsFloor(written) && to.Find(step.Name) != from.Find(step.Name);
            // A patient's own no denial closes, and would show itself.
            var isOwn = viewer.TrimEnd('+') == step.Subject;
            if (isNew && !isOwn && step.Type != "Consent" && to.Find(step.Name) is not null && !sight.SeesNow(step.Name))
                await CloseAsync(to, step);
        }
        var consents = shown.Where(w => w.Step.Type == "Consent" && w.Step.Verb != Verb.Delete).Select(w => w.Step);
        var last = shown.LastOrDefault(w => !IsFloor(w) && w.Step.Verb != Verb.Delete && w.Step.Type != "Patient"
            && sight.Last(w.Step.Name) == w.Version)?.Step;
        await to.SettleAsync(consents.DistinctBy(c => c.Name), last ?? floors[^1]);
    }

    /// <summary>A viewer looks before everything is written: what it was told then must not be what it is told later.</summary>
    public static async Task LookAsync(Side side, string viewer)
    {
        foreach (var type in new[] { "DocumentReference", "Observation", "Condition", "Binary", "Consent", "Patient" })
            await side.AskAsync(viewer, "GET", $"{type}?_count=3", [], null, null);
    }

    private static bool IsFloor(Written written) => written.Step.Name.EndsWith(".floor", StringComparison.Ordinal);

    private static bool PermitsInside(string body) => body.Contains("\"provision\":{\"type\":\"deny\"", StringComparison.Ordinal)
        && body.Contains("\"provision\":[{\"type\":\"permit\"", StringComparison.Ordinal);

    private static async Task WriteAsync(Side to, Step step, Written written)
    {
        var (taken, answer) = await to.WriteAsync(step, written.Version, written.Binaries);
        Assert.True(taken is not null, $"{step} is not taken by the second gateway: {answer.Status} {answer.Text}");
    }

    private static async Task CloseAsync(Side to, Step step)
    {
        var denial = Story.ConsentBody(
            step.Subject,
            $$$"""{"type":"deny","data":[{"meaning":"instance","reference":{"reference":"{{{step.Type}}}/§{{{step.Name}}}§"}}]}""");
        var (taken, answer) = await to.WriteAsync(
            new Step($"{step.Name}.closed", "Consent", step.Subject, Verb.Create, denial), 1, null);
        Assert.True(taken is not null, answer.Text);
    }

    private static async Task<Step> ShownAsync(Side from, Side to, Written written, Sight sight)
    {
        var (step, version, last) = (written.Step, written.Version, sight.Last(written.Step.Name));
        if (step.Verb == Verb.Delete) return step;
        // What a deletion shows is decided by what was deleted, and what is known of a received document's parts stands with its Binary.
        var isReal = sight.Sees(step.Name, version)
            || (version == last - 1 && sight.SeesNow(step.Name))
            || (step.Endpoint == "Bundle" && written.Binaries.Any(sight.SeesNow));
        await SplitOffAsync(to, written, isReal ? [] : written.Binaries.Where(sight.SeesNow));
        if (isReal) return await WithoutHiddenAsync(from, written, sight);
        return step with
        {
            Endpoint = step.Type,
            Body = version >= last - 1 ? Masked(step) : Blank(step),
        };
    }

    // An attachment that is not shown, of a record that is: the second gateway has what the record says of it, and no Binary.
    private static async Task<Step> WithoutHiddenAsync(Side from, Written written, Sight sight)
    {
        var step = written.Step;
        if (written.Binaries.Count == 0 || written.Binaries.Any(sight.SeesNow) || step.Endpoint == "Bundle") return step;
        var path = $"{step.Type}/§{step.Name}§/_history/{written.Version}";
        var kept = await from.AskAsync(step.Author, "GET", path, [], null, null);
        if (kept.Status != 200) return step;
        var body = JsonNode.Parse(step.Body)!;
        var source = JsonNode.Parse(kept.Body)!;
        if (step.Type == "Consent") body["sourceAttachment"] = source["sourceAttachment"]!.DeepClone();
        else body["content"] = source["content"]!.DeepClone();
        return step with { Body = Text(body) };
    }

    // Names stay as they are written.
    private static string Text(JsonNode body) => body.ToJsonString(Ask.AsWritten);

    private static async Task SplitOffAsync(Side to, Written written, IEnumerable<string> binaries)
    {
        foreach (var binary in binaries)
        {
            if (Data().Match(written.Step.Body) is not { Success: true } data) continue;
            await to.WriteBinaryAsync(
                written.Step.Author, binary, $"{written.Step.Name}.v{written.Version}", data.Groups[1].Value, data.Groups[2].Value);
        }
    }

    private static string Nameless(Step step, HashSet<string> identified) => identified.Contains(step.Name)
        ? $$$"""{"resourceType":"Patient","identifier":[{"system":"urn:mrn","value":"{{{step.Name}}}"}]}"""
        : """{"resourceType":"Patient"}""";

    // The same to whoever decides, and another to whoever searches and reads.
    private static string Masked(Step step)
    {
        if (step.Type is "Consent" or "Patient") return Blank(step);
        if (step.Endpoint == "Bundle" && step.Verb == Verb.Create) return Blank(step);
        var body = JsonNode.Parse(step.Body)!.AsObject();
        body.Remove("identifier");
        foreach (var text in new[] { "description", "valueString" })
            if (body.ContainsKey(text)) body[text] = "masked";
        return Text(body);
    }

    // Whom it concerned besides its subject it concerns all the same: to its subject alone an earlier version is then not shown.
    private static string Blank(Step step)
    {
        var others = Names().Matches(step.Body).Where(m => step.Body[..m.Index].EndsWith("Patient/", StringComparison.Ordinal))
            .Concat(Copies().Matches(step.Body)).Select(m => m.Groups[1].Value).Except([step.Subject]).ToList();
        var blank = Empty(step);
        if (others.Count == 0 || step.Type is "Patient" or "Consent") return blank;
        var about = others.Select(
            o => $$$"""{"url":"https://elsewhere.example/about","valueReference":{"reference":"Patient/§{{{o}}}§"}}""");
        return "{" + $"\"extension\":[{string.Join(',', about)}]," + blank.TrimStart()[1..];
    }

    private static string Empty(Step step) => step.Type switch
    {
        "Patient" => """{"resourceType":"Patient"}""",
        "Consent" => Story.ConsentBody(
            step.Subject, """{"type":"permit","actor":[{"reference":{"reference":"Organization/§insurer§"}}]}""", "proposed"),
        "DocumentReference" => $$$"""
            {"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/§{{{step.Subject}}}§"},
            "content":[{"attachment":{"url":"https://elsewhere.example/"}}]}
            """,
        "Observation" => $$$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/§{{{step.Subject}}}§"}}
            """,
        _ => $$$"""{"resourceType":"Condition","subject":{"reference":"Patient/§{{{step.Subject}}}§"}}""",
    };

    [GeneratedRegex("§([a-z0-9.+]+)§")]
    private static partial Regex Names();

    [GeneratedRegex("\"system\":\"urn:mrn\",\"value\":\"([a-z0-9.]+)\"")]
    private static partial Regex Copies();

    [GeneratedRegex("\"contentType\":\"([^\"]*)\",\"data\":\"([^\"]*)\"")]
    private static partial Regex Data();
}
