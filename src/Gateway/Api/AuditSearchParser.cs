using Microsoft.Extensions.Primitives;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>A search of AuditEvents as it was understood.</summary>
/// <param name="Criteria">What must hold of an entry.</param>
/// <param name="Patients">Of whom one must be the patient who asks, of each list.</param>
/// <param name="OldestFirst">Whether the oldest come first.</param>
/// <param name="Count">Entries a page.</param>
/// <param name="Subset">Which part of each event.</param>
/// <param name="Self">The parameters, for the self link, without the cursor.</param>
/// <param name="Cursor">The cursor of a next link, not opened yet; null: the first page.</param>
internal sealed record ParsedAuditSearch(
    IReadOnlyList<AuditCriterion> Criteria, IReadOnlyList<IReadOnlyList<string>> Patients, bool OldestFirst, int Count, Subset Subset,
    string Self, string? Cursor);

/// <summary>
/// Reads the parameters of a search of AuditEvents. One that is not understood is refused: passed over, it would give more than was asked
/// for. https://hl7.org/fhir/R4/auditevent.html#search
/// </summary>
internal sealed class AuditSearchParser(BaseUrl baseUrl)
{
    private const int DefaultCount = 50;
    private const int MaxCount = 500;
    private const int MaxValues = 100;
    private const string Outcomes = "http://terminology.hl7.org/CodeSystem/audit-event-outcome";
    private const string Actions = "http://hl7.org/fhir/audit-event-action";
    private static readonly string[] Ignored = ["_format", "_pretty"];

    /// <summary>What may be searched by: name and type.</summary>
    public static IReadOnlyList<(string Name, string Type)> Parameters { get; } =
    [
        ("_id", "token"), ("action", "token"), ("agent", "reference"), ("date", "date"), ("entity", "reference"), ("outcome", "token"),
        ("patient", "reference"), ("subtype", "token"), ("type", "token"),
    ];

    /// <summary>Reads them.</summary>
    public Result<ParsedAuditSearch> Parse(IEnumerable<KeyValuePair<string, StringValues>> parameters)
    {
        var (criteria, patients, self) = (new List<AuditCriterion>(), new List<IReadOnlyList<string>>(), new List<string>());
        var (count, cursor, sort, total) = ((int?)null, (string?)null, (string?)null, (string?)null);
        var all = parameters.ToList();
        var subset = Subset.Of("AuditEvent", all);
        if (subset.Failure is { } notCut) return notCut;
        foreach (var (key, values) in all)
        {
            foreach (var value in values)
            {
                if (Ignored.Contains(key)) continue;
                if (string.IsNullOrEmpty(value)) return Bad(key);
                if (key == "_total" && total is null && value is "none" or "estimate" or "accurate")
                {
                    total = value;
                    continue;
                }
                if (key == "_cursor" && cursor is null)
                {
                    cursor = value;
                    continue;
                }
                self.Add($"{Uri.EscapeDataString(key)}={Uri.EscapeDataString(value)}");
                if (key is Subset.Summary or Subset.Elements) continue;
                if (key == "_count" && count is null && int.TryParse(value, out var n) && n > 0) count = Math.Min(n, MaxCount);
                else if (key == "_sort" && sort is null && value is "date" or "-date") sort = value;
                else if (key is "patient" or "patient:Patient" && References(value, "Patient") is { } asked) patients.Add(asked);
                else if (Criterion(key, value) is { } criterion) criteria.Add(criterion);
                else return Bad(key);
            }
        }
        return new ParsedAuditSearch(
            criteria, patients, sort == "date", count ?? DefaultCount, subset.Value, string.Join('&', self), cursor);
    }

    /// <summary>The event with an id.</summary>
    public static AuditCriterion WithId(string id) => new AuditCriterion.Event([.. OfId((null, id))]);

    private static Outcome Bad(string key) => Outcome.Of(
        OutcomeCategory.Malformed,
        $"the search parameter '{(key.Length > 40 ? key[..40] : key)}' is not understood: one of "
            + $"{string.Join(", ", Parameters.Select(p => p.Name))}, agent:identifier, _count from 1 (once), _sort=date or -date (once), "
            + "_summary, _elements, _total=none, estimate or accurate (once); each with a value");

    private AuditCriterion? Criterion(string key, string value)
    {
        var (name, modifier) = key.Split(':') is [var n, var m] ? (n, m) : (key, null);
        var parts = ParameterValue.Split(value, ',').ToList();
        if (parts.Count > MaxValues) return null;
        if (name == "agent" && modifier == "identifier")
        {
            return new AuditCriterion.Client(
                [.. parts.Select(ParameterValue.Token).Where(t => t.System is null or "").Select(t => t.Code)]);
        }
        if (name is "agent" or "entity" && (modifier is null || FhirSchema.R4.IsResourceType(modifier)))
        {
            if (References(value, modifier) is not { } references) return null;
            return name == "agent" ? new AuditCriterion.Agent(references) : new AuditCriterion.Entity(references);
        }
        if (modifier is not null) return null;
        return name switch
        {
            "_id" => Events(parts, OfId),
            "type" => Events(parts, OfType),
            "subtype" => Events(parts, OfSubtype),
            "action" => Events(parts, OfAction),
            "outcome" => new AuditCriterion.Outcome([.. parts.Select(ParameterValue.Token).SelectMany(OfOutcome)]),
            "date" => Dates(parts.ConvertAll(ParameterValue.Plain)),
            _ => null,
        };
    }

    private static AuditCriterion.Event Events(List<string> values, Func<(string? System, string Code), IEnumerable<AuditEventKind>> of) =>
        new([.. values.Select(ParameterValue.Token).SelectMany(of)]);

    private static IEnumerable<AuditEventKind> OfId((string? System, string Code) token)
    {
        var isDecision = token.Code.EndsWith(AuditEntryResource.DecisionSuffix, StringComparison.Ordinal);
        yield return new AuditEventKind(isDecision, isDecision ? token.Code[..^AuditEntryResource.DecisionSuffix.Length] : token.Code);
    }

    private static IEnumerable<AuditEventKind> OfType((string? System, string Code) token)
    {
        if (Is(token, AuditEntryResource.RequestType)) yield return new AuditEventKind(false);
        if (Is(token, AuditEntryResource.DecisionType)) yield return new AuditEventKind(true);
    }

    private static IEnumerable<AuditEventKind> OfSubtype((string? System, string Code) token)
    {
        if (token.System is null or AuditEntryResource.Interactions)
            yield return new AuditEventKind(false, Interaction: token.Code.Length == 0 ? null : token.Code);
        if (Is(token, AuditEntryResource.DecisionSubtype)) yield return new AuditEventKind(true);
    }

    private static IEnumerable<AuditEventKind> OfAction((string? System, string Code) token)
    {
        if (token.System is not (null or Actions)) yield break;
        yield return new AuditEventKind(false, Action: token.Code.Length == 0 ? null : token.Code);
        if (token.Code is "E" or "") yield return new AuditEventKind(true);
    }

    private static IEnumerable<string> OfOutcome((string? System, string Code) token)
    {
        if (Is(token, (Outcomes, "0"))) yield return AuditOutcome.Permit;
        if (Is(token, (Outcomes, "4"))) yield return AuditOutcome.Deny;
    }

    private static bool Is((string? System, string Code) token, (string System, string Code) coding) =>
        (token.System is null || token.System == coding.System)
        && (token.Code == coding.Code || (token.Code.Length == 0 && token.System is not null));

    // Type/id, here or by the gateway's own URL; an id alone where the type is known.
    private List<string>? References(string value, string? type)
    {
        var references = new List<string>();
        foreach (var part in ParameterValue.Split(value, ',').Select(ParameterValue.Plain))
        {
            var text = part.StartsWith(baseUrl.Fhir + "/", StringComparison.Ordinal) ? part[(baseUrl.Fhir.Length + 1)..] : part;
            if (!text.Contains('/') && type is not null) text = $"{type}/{text}";
            if (!FhirReference.TryParse(text, out var reference) || (type is not null && reference.Type != type)) return null;
            references.Add(reference.ToString());
        }
        return references.Count <= MaxValues ? references : null;
    }

    private static AuditCriterion.Recorded? Dates(List<string> values)
    {
        var times = new List<(long, long)>();
        foreach (var value in values)
        {
            var prefix = value.Length > 2 && char.IsAsciiLetter(value[0]) ? value[..2] : "";
            if (FhirDate.Range(value[prefix.Length..]) is not { } range) return null;
            var (from, to) = (range.From.ToUnixTimeMilliseconds(), range.To.ToUnixTimeMilliseconds());
            (long, long)[]? asked = prefix switch
            {
                "" or "eq" => [(from, to)],
                "ne" => [(long.MinValue, from), (to, long.MaxValue)],
                "lt" or "eb" => [(long.MinValue, from)],
                "le" => [(long.MinValue, to)],
                "gt" or "sa" => [(to, long.MaxValue)],
                "ge" => [(from, long.MaxValue)],
                _ => null,
            };
            if (asked is null) return null;
            times.AddRange(asked);
        }
        return new AuditCriterion.Recorded(times);
    }
}
