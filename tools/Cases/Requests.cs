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
            ? await SpecialAsync(context, spec.Url)
            : context.References.Url(Placeholders(context, spec.Url));
        // If-None-Exist is a search, and other headers may name who the caller says it is.
        var headers = (spec.Request["headers"] as JsonObject ?? [])
            .Select(h => KeyValuePair.Create(h.Key, context.References.Url(h.Value!.ToString()))).ToList();
        var (body, type) = await BodyAsync(context, url);
        var asked = headers.FirstOrDefault(h => h.Key.Equals("Content-Type", StringComparison.OrdinalIgnoreCase)).Value;
        return new RequestText(spec.Method, url, headers, body, asked ?? type);
    }

    private static string Placeholders(CaseContext context, string url) => Placeholder().Replace(
        url,
        m => context.References.Find("Consent/" + m.Groups[1].Value) is { } consent
            ? consent.Split('/')[1]
            : throw CaseFailed.NotUnderstood($"url '{url}': there is no {m.Value}"));

    // The author of the first patient's records has more than one page of them without anybody's consent.
    private static async Task<string> SpecialAsync(CaseContext context, string text)
    {
        if (text != "(next link of another caller)") throw CaseFailed.NotUnderstood($"url '{text}'");
        var patient = context.Suite.Resources.Keys.First(r => r.StartsWith("Patient/", StringComparison.Ordinal));
        var author = context.World.AuthorOf(patient);
        var id = context.References.Find(patient)!.Split('/')[1];
        var page = await author.GetAsync($"DocumentReference?patient={id}&_count=1");
        var next = page.Status != 200
            ? null
            : page.Json.GetProperty("link").EnumerateArray().Where(l => l.GetProperty("relation").ValueEquals("next"))
                .Select(l => l.GetProperty("url").GetString()).FirstOrDefault();
        return next ?? throw new CaseFailed($"another caller got no next link: {page.Status} {page.Text}");
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

    [GeneratedRegex(@"\{(\w+)\}")]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"^(?:an? )?valid (?<type>\w+) of (?:patient )?(?:Patient/)?(?<patient>[\w.-]+)(?: authored by the caller)?$")]
    private static partial Regex ValidOf();
}
