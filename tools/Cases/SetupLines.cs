using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using PmrGateway.Mapping;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Cases;

/// <summary>The lines of a case's setup: short English in a few forms. One that has no such form fails the case.</summary>
internal static partial class SetupLines
{
    private const string ConfidentialitySystem = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
    private const string ActCodeSystem = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

    /// <summary>What a line says of the token, before anything is done.</summary>
    public static void ReadToken(CaseContext context, string line) =>
        context.Token = context.Token.With(line, context.Spec.Now, context.Clock) ?? context.Token;

    /// <summary>The suite's reference of what a line makes; null: it makes nothing.</summary>
    public static string? Made(string line) =>
        ByActor().Match(line) is { Success: true } by && Collection().Match(by.Groups[2].Value) is { Success: true } collection
            ? collection.Groups["what"].Value
            : null;

    /// <summary>Does what a line says.</summary>
    public static async Task RunAsync(CaseContext context, string line)
    {
        if (context.Token.With(line, context.Spec.Now, context.Clock) is not null) return;
        if (NoAudit().IsMatch(line))
        {
            await context.Stage.Probe.SetAuditWritableAsync(false);
            context.World.OnLeave(() => context.Stage.Probe.SetAuditWritableAsync(true));
            return;
        }
        if (ByActor().Match(line) is not { Success: true } by) throw CaseFailed.NotUnderstood($"setup '{line}'");
        var (name, act) = (by.Groups[1].Value, by.Groups[2].Value);
        if (Revoke().Match(act) is { Success: true } revoke)
        {
            // Whoever has a link to a further page has got it while the consent stood.
            if (revoke.Groups["later"].Success || Requests.AsksNextPage(context.Spec.Url))
                await Requests.TakeFirstPageAsync(context);
            await RevokeAsync(context, name, line, revoke.Groups["consent"].Value);
            return;
        }
        var client = await ClientAsync(context, name);
        if (DeleteLine().Match(act) is { Success: true } delete)
        {
            var target = context.References.Find(context.Named(delete.Groups[1].Value));
            Expect(await client.DeleteAsync(target ?? throw CaseFailed.NotUnderstood($"setup '{line}'")), line, 200, 204);
        }
        else if (Label().Match(act) is { Success: true } label) await LabelAsync(context, client, line, label);
        else if (Contains().Match(act) is { Success: true } contains) await ContainAsync(context, client, line, contains);
        else if (Collection().Match(act) is { Success: true } collection) await CollectAsync(context, client, line, collection);
        else throw CaseFailed.NotUnderstood($"setup '{line}'");
    }

    // Whether another than the patient may end a consent is not for a setup to say: where it is refused, the consent stands.
    private static async Task RevokeAsync(CaseContext context, string name, string line, string named)
    {
        var consent = context.Consents.Find(c => c.Name == named) ?? throw CaseFailed.NotUnderstood($"setup '{line}': no such consent");
        var ended = await context.EndAsync(consent, await ClientAsync(context, name));
        if (context.Actor(name).FhirUser == consent.Patient) Expect(ended, line, 200);
        else Expect(ended, line, 200, 401, 403, 404);
    }

    // A system acts with the token that pushes, a patient with the one that gives consents, a practitioner with one for care.
    private static async Task<GatewayClient> ClientAsync(CaseContext context, string name)
    {
        var actor = context.Actor(name);
        if (actor.IsSystem && actor.Writes) return context.Stage.Cast.SystemOf(actor.Organization!);
        if (actor.IsPatient) return await context.World.PatientAsync(actor.FhirUser!);
        var token = await context.Stage.Cast.TokenAsync(
            actor, actor.IsPractitioner ? ["TREAT"] : context.Suite.PurposesOf(actor).Take(1).ToList(), new TokenWish(),
            context.References);
        return context.Stage.Anyone.As(token.Token ?? throw new CaseFailed($"{name} has no token for the setup: {token.Refusal}"));
    }

    private static async Task LabelAsync(CaseContext context, GatewayClient client, string line, Match match)
    {
        var reference = context.References.Find(context.Named(match.Groups["what"].Value))!;
        var body = JsonNode.Parse((await client.GetAsync(reference)).Body)!.AsObject();
        if (body["meta"] is not JsonObject) body["meta"] = new JsonObject();
        if (body["meta"]!["security"] is not JsonArray) body["meta"]!["security"] = new JsonArray();
        var (labels, code) = (body["meta"]!["security"]!.AsArray(), match.Groups["code"].Value);
        var system = "NRVULM".Contains(code, StringComparison.Ordinal) ? ConfidentialitySystem : ActCodeSystem;
        if (match.Groups["how"].Value == "removing") labels.RemoveAll(l => (string?)l?["code"] == code);
        else labels.Add(new JsonObject { ["system"] = system, ["code"] = code });
        if (labels.Count == 0) ((JsonObject)body["meta"]!).Remove("security");
        Expect(await client.PutAsync(reference, body.ToJsonString()), line, 200);
    }

    private static async Task ContainAsync(CaseContext context, GatewayClient client, string line, Match match)
    {
        var reference = context.References.Find(context.Named(match.Groups[1].Value))!;
        var (local, of) = (match.Groups[2].Value, $"{match.Groups[3].Value}/{match.Groups[4].Value}");
        if (!context.Suite.Resources.TryGetValue(of, out var resource)) throw CaseFailed.NotUnderstood($"setup '{line}'");
        var contained = (JsonObject)resource.DeepClone();
        contained["id"] = local;
        // Neither of what a contained resource must not have (dom-4, dom-5).
        contained.Remove("meta");
        var body = JsonNode.Parse((await client.GetAsync(reference)).Body)!.AsObject();
        body["contained"] = new JsonArray(contained);
        // A contained resource is one that the rest refers to (dom-3).
        if ((string?)body["resourceType"] != "DocumentReference")
            throw CaseFailed.NotUnderstood($"setup '{line}': not a DocumentReference");
        if (body["context"] is not JsonObject) body["context"] = new JsonObject();
        body["context"]!["sourcePatientInfo"] = new JsonObject { ["reference"] = "#" + local };
        var answer = await client.PutAsync(reference, body.ToJsonString());
        // A gateway that does not take it has nothing to give away.
        Expect(answer, line, 200, 403, 422);
    }

    private static async Task CollectAsync(CaseContext context, GatewayClient client, string line, Match match)
    {
        const StringSplitOptions Words = StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries;
        var named = match.Groups["parts"].Value.Split(["+", ",", " and "], Words).Select(context.Named).ToList();
        if (named.Count == 0) throw CaseFailed.NotUnderstood($"setup '{line}'");
        var parts = new List<JsonObject>();
        foreach (var name in named)
        {
            var read = await (await context.OwnerAsync(name)).GetAsync(context.References.Find(name)!);
            parts.Add(JsonNode.Parse(read.Body)!.AsObject());
        }
        var author = context.References.Find(context.Actor(ByActor().Match(line).Groups[1].Value).Organization ?? "")!;
        var what = match.Groups["what"].Value.Trim();
        var collection = what.Split('/')[0] switch
        {
            "Bundle" when match.Groups["type"].Value == "collection" => Collections.Collection(client, parts),
            "Bundle" => await Collections.DocumentAsync(client, parts, author),
            "List" => Collections.List(parts),
            "Composition" => Collections.Composition(parts, author),
            "DocumentReference" => Collections.Related(parts, author, match.Groups["how"].Value),
            _ => Collections.Provenance(parts, author),
        };
        var answer = await client.PostAsync(what.Split('/')[0], collection.ToJsonString());
        if (answer.Status is 403 or 422 && Expectations.IsDenial(context.Spec))
        {
            // What is not kept is shown to nobody.
            context.World.Own(what, $"{what.Split('/')[0]}/{ResourceId.New()}", client);
            (context.Unkept, context.Note) = (what, $"setup '{line}' was refused, {answer.Status}");
            return;
        }
        Expect(answer, line, 201);
        // Wherever the gateway keeps it: a request for it asks for that.
        var kept = answer.Headers.Headers.Location!.ToString().Split('/');
        context.World.Own(what, $"{kept[^4]}/{kept[^3]}", client);
    }

    private static void Expect(Answer answer, string line, params int[] statuses)
    {
        if (!statuses.Contains(answer.Status)) throw new CaseFailed($"setup '{line}': {answer.Status} {answer.Text}");
    }

    [GeneratedRegex(@"^(?:the )?audit (?:store|log|trail|database|repository) "
        + @"(?:cannot be written(?: to)?|is (?:down|full|read-only|unavailable))$")]
    private static partial Regex NoAudit();

    [GeneratedRegex(@"^(\w+)(?:: | (?=(?:revokes|ends) ))(.+)$")]
    private static partial Regex ByActor();

    [GeneratedRegex(@"^(?:(?:revokes?|ends?) (?:consent )?(?:Consent/)?\{?(?<consent>\w+)\}?(?<later> after the first page(?: is served)?)?"
        + @"|PUT Consent/\{?(?<consent>\w+)\}? (?:with )?status inactive)$")]
    private static partial Regex Revoke();

    [GeneratedRegex(@"^(?:DELETE|deletes?) (\S+)$")]
    private static partial Regex DeleteLine();

    [GeneratedRegex(@"^updates? (?<what>\S+) (?<how>adding|removing) security (?:label )?(?<code>\w+)(?: \(version \d+\))?$")]
    private static partial Regex Label();

    [GeneratedRegex(@"^(\S+) contains #(\w+) with (Patient)[ /](\S+) data$")]
    private static partial Regex Contains();

    [GeneratedRegex(@"^(?:creates? )?(?<what>(?:List|Provenance|Composition|Bundle"
        + @"|DocumentReference(?=/\w+ (?:relates|replaces|appends|transforms|signs)))/\w+)"
        + @"(?: \(type (?<type>document|collection)\))? (?:with (?:Composition \+ |entries |entry )?|of |about |for |naming |targets? "
        + @"|(?:that |which )?(?<how>relatesTo|replaces|appends|transforms|signs)(?: to)? )"
        + @"(?<parts>[\w/.-]+(?:(?: \+ |, | and )[\w/.-]+)*)$")]
    private static partial Regex Collection();
}
