using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Cases;

/// <summary>Makes the HTTP request of a case.</summary>
internal static partial class Requests
{
    private const string FhirJson = "application/fhir+json";

    public static async Task<RequestText> BuildAsync(CaseContext context)
    {
        var spec = context.Spec;
        var url = spec.Url.StartsWith('(')
            ? await NextPageAsync(context, spec.Url)
            : context.References.Url(spec.Url);
        // If-None-Exist is a search, and other headers may name who the caller says it is.
        var headers = (spec.Request["headers"] as JsonObject ?? [])
            .Select(h => KeyValuePair.Create(h.Key, context.References.Url(h.Value!.ToString()))).ToList();
        var (body, type) = await BodyAsync(context, url);
        var asked = headers.FirstOrDefault(h => h.Key.Equals("Content-Type", StringComparison.OrdinalIgnoreCase)).Value;
        // An update's body has the id of its URL, whatever it was made of.
        var isMade = spec.Request["body"] is JsonObject made && made.Any(m => m.Key is "$ref" or "$consent");
        if (isMade && body is not null && spec.Method == "PUT") body = WithId(body, url);
        return new RequestText(spec.Method, url, headers, body, asked ?? type);
    }

    /// <summary>Whether a request is for the page behind the one that the caller itself has got.</summary>
    public static bool AsksNextPage(string url) => NextPage().Match(url) is { Success: true } m && !m.Groups["other"].Success;

    /// <summary>The caller gets its first page, once, and keeps the link to the next.</summary>
    public static async Task TakeFirstPageAsync(CaseContext context)
    {
        if (context.NextLink is not null) return;
        var token = await context.Stage.Cast.TokenAsync(
            context.Actor(context.Spec.Actor), context.Spec.Purposes, context.Token, context.References);
        context.NextLink = await NextLinkAsync(context, context.Stage.Anyone.As(token.Token));
    }

    // Another caller is the author of the first patient's records, who has more than one page of them without anybody's consent.
    private static async Task<string> NextPageAsync(CaseContext context, string text)
    {
        if (!NextPage().IsMatch(text)) throw CaseFailed.NotUnderstood($"url '{text}'");
        if (!AsksNextPage(text)) return await NextLinkAsync(context, context.World.AuthorOf(FirstPatient(context)));
        await TakeFirstPageAsync(context);
        return context.NextLink!;
    }

    private static string FirstPatient(CaseContext context) =>
        context.Suite.Resources.Keys.First(r => r.StartsWith("Patient/", StringComparison.Ordinal));

    private static async Task<string> NextLinkAsync(CaseContext context, GatewayClient caller)
    {
        var id = context.References.Find(FirstPatient(context))!.Split('/')[1];
        var page = await caller.GetAsync($"DocumentReference?patient={id}&_count=1");
        var next = page.Status != 200
            ? null
            : page.Json.GetProperty("link").EnumerateArray().Where(l => l.GetProperty("relation").ValueEquals("next"))
                .Select(l => l.GetProperty("url").GetString()).FirstOrDefault();
        return next ?? throw new CaseFailed($"there is no next link: {page.Status} {page.Text}");
    }

    private static string WithId(string body, string url)
    {
        var json = JsonNode.Parse(body)!.AsObject();
        if (url.Split('?')[0].Split('/') is [_, var id]) json["id"] = id;
        return json.ToJsonString();
    }

    private static async Task<(string? Body, string Type)> BodyAsync(CaseContext context, string url)
    {
        switch (context.Spec.Request["body"])
        {
            case null:
                return (null, FhirJson);
            case JsonValue text:
                return (context.References.Url(text.ToString()), "application/x-www-form-urlencoded");
            case JsonArray patch:
                return (context.References.Body(patch)!.ToJsonString(), "application/json-patch+json");
            case JsonObject o when (string?)o["$consent"] is { } name:
                return (context.Consent(JsonValue.Create(name)).Body.ToJsonString(), FhirJson);
            case JsonObject o when (string?)o["$ref"] is { } text:
                return (Valid(context, text).ToJsonString(), FhirJson);
            case JsonObject o when o.FirstOrDefault(m => m.Key.StartsWith('$')).Key is { } unknown:
                throw CaseFailed.NotUnderstood("request.body." + unknown);
            case JsonObject o when o["resourceType"] is null && context.Spec.Method == "PUT":
                return (await MergedAsync(context, o, url), FhirJson);
            case var body:
                return (context.References.Body(body)!.ToJsonString(), FhirJson);
        }
    }

    // A body that is no resource says what is other than in the one that is there.
    private static async Task<string> MergedAsync(CaseContext context, JsonObject change, string url)
    {
        var named = context.References.SuiteOf(url) ?? throw CaseFailed.NotUnderstood($"a body without resourceType for {url}");
        GatewayClient owner = await context.OwnerAsync(named);
        var current = await owner.GetAsync(url);
        if (current.Status != 200) throw new CaseFailed($"the owner cannot read {named}: {current.Status}");
        var body = JsonNode.Parse(current.Body)!.AsObject();
        foreach (var (name, value) in (JsonObject)context.References.Body(change)!) body[name] = value?.DeepClone();
        return body.ToJsonString();
    }

    private static JsonObject Valid(CaseContext context, string text)
    {
        if (context.Suite.Resources.ContainsKey(text)) return context.World.Posted(text);
        if (ValidOf().Match(text) is not { Success: true } m) throw CaseFailed.NotUnderstood($"body '{text}'");
        var patient = context.References.Find("Patient/" + m.Groups["patient"].Value)
            ?? throw CaseFailed.NotUnderstood($"body '{text}': no such patient");
        var actor = context.Actor(context.Spec.Actor);
        var author = actor.FhirUser is { } person && context.References.Find(person) is { } known
            ? known
            : context.References.Find(actor.Organization ?? "");
        var (of, by) = ($"{{\"reference\":\"{patient}\"}}", author is null ? null : new JsonObject { ["reference"] = author });
        switch (m.Groups["type"].Value)
        {
            case "DocumentReference":
                var document = JsonNode.Parse($$$"""
                    {"resourceType":"DocumentReference","status":"current","subject":{{{of}}},"date":"2025-01-01T00:00:00Z",
                    "type":{"coding":[{"system":"http://loinc.org","code":"34133-9"}]},
                    "content":[{"attachment":{"contentType":"text/plain","data":"dGV4dA=="}}]}
                    """)!.AsObject();
                if (by is not null) document["author"] = new JsonArray(by);
                return document;
            case "Observation":
                var observation = JsonNode.Parse($$$"""
                    {"resourceType":"Observation","status":"final","subject":{{{of}}},"effectiveDateTime":"2025-01-01T00:00:00Z",
                    "code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]}}
                    """)!.AsObject();
                if (by is not null) observation["performer"] = new JsonArray(by);
                return observation;
            case "Condition":
                return JsonNode.Parse($$$"""{"resourceType":"Condition","subject":{{{of}}},"code":{"text":"x"}}""")!.AsObject();
            default:
                throw CaseFailed.NotUnderstood($"body '{text}'");
        }
    }

    [GeneratedRegex(@"^\((?:the |own |its |his |her )*(?:next link|link to the next page|next page|second page)"
        + @"(?: (?:issued |given |got )?(?:(?<other>(?:of|to) another (?:caller|user|client))|(?:of|to) the (?:same )?(?:caller|first page)"
        + @"|(?:with|from) the first page|(?:before|after) the (?:revocation|revoke)))*\)$")]
    private static partial Regex NextPage();

    [GeneratedRegex(@"^(?:an? )?valid (?<type>\w+) of (?:patient )?(?:Patient/)?(?<patient>[\w.-]+)(?: authored by the caller)?$")]
    private static partial Regex ValidOf();
}
