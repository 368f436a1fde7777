using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Reads one search parameter with its modifier, chain and value. What it does not understand it refuses, with the parameter's name and
/// what it would take. https://hl7.org/fhir/R4/search.html
/// </summary>
internal sealed class CriterionParser(SearchIndexer indexer, BaseUrl baseUrl, TimeProvider time)
{
    /// <summary>How many values one parameter may have.</summary>
    public const int MaxValues = 200;

    /// <summary>How many links a chain may have.</summary>
    public const int MaxLinks = 3;

    private const int MaxText = 2000;

    /// <summary>A parameter of a type as it is searched and sorted by; null: the type has none such.</summary>
    public SearchParameter? Find(string type, string code) => code switch
    {
        "_id" => new SearchParameter("_id", "id"),
        "_lastUpdated" => new SearchParameter("_lastUpdated", "date"),
        _ => indexer.Find(type, code),
    };

    /// <summary>The parameters of a type that are indexed.</summary>
    public IReadOnlyCollection<SearchParameter> ParametersOf(string type) => indexer.ParametersOf(type);

    /// <summary>Whether a type has a parameter, whatever stands behind its name.</summary>
    public bool IsKnown(string type, string key) => key.StartsWith("_has:", StringComparison.Ordinal)
        || Find(type, key.Split(':', '.')[0]) is not null;

    /// <summary>Whether a parameter of a type is a reference.</summary>
    public bool IsReference(string type, string code) => indexer.Find(type, code) is { Type: "reference" };

    /// <summary>Parses one parameter.</summary>
    /// <param name="type">The type that is searched.</param>
    /// <param name="key">The parameter with what stands behind it.</param>
    /// <param name="value">Its value, not empty.</param>
    public Result<SearchCriterion> Parse(string type, string key, string value) => Parse(new Asked(type, key, key, value), links: 0);

    /// <summary>The refusal of a parameter.</summary>
    public static Outcome Bad(string key, string expected) => Outcome.Of(
        OutcomeCategory.Malformed, $"the search parameter '{(key.Length > 40 ? key[..40] : key)}' is not understood: {expected}");

    // Whole: as it stands in the request; key: what of it is about the type.
    private readonly record struct Asked(string Type, string Whole, string Key, string Value)
    {
        public Outcome Bad(string expected) => CriterionParser.Bad(Whole, expected);
    }

    private Result<SearchCriterion> Parse(Asked asked, int links)
    {
        if (asked.Key.StartsWith("_has:", StringComparison.Ordinal) || asked.Key.Contains('.')) return Link(asked, links);
        var (code, modifier) = asked.Key.Split(':') is [var c, var m] ? (c, m) : (asked.Key, null);
        if (Find(asked.Type, code) is not { } parameter) return asked.Bad(Allowed(asked.Type));
        return modifier == "missing" ? Missing(asked, parameter) : Criterion(asked, parameter, modifier);
    }

    private string Allowed(string type) =>
        $"{type} has _id, _lastUpdated, {string.Join(", ", indexer.ParametersOf(type).Select(p => p.Code))}; besides these a search has "
            + "_count, _sort, _include, _revinclude, _summary, _elements, _total, chains (reference:Type.parameter) and "
            + "_has:Type:reference:parameter";

    private Result<SearchCriterion> Missing(Asked asked, SearchParameter parameter)
    {
        // Of these there is always a value.
        if (parameter.Code is "_id" or "_lastUpdated") return asked.Bad("it is never missing");
        if (parameter.Type == "composite") return asked.Bad("a composite takes no modifier");
        if (asked.Value is not ("true" or "false")) return asked.Bad(":missing is true or false");
        var any = Of(
            asked.Type, parameter, p => new SearchCriterion(p.Code, p.Type, []) { IsPersonal = p.IsPersonal });
        return any with { IsMissing = asked.Value == "true" };
    }

    private Result<SearchCriterion> Criterion(Asked asked, SearchParameter parameter, string? modifier)
    {
        var texts = ParameterValue.Split(asked.Value, ',').ToList();
        if (texts.Count > MaxValues) return asked.Bad($"{MaxValues} values at most");
        if (parameter.Type == "composite") return Composite(asked, parameter, modifier, texts);
        var match = TextMatch.Default;
        var (suffix, kind) = ("", parameter.Type);
        switch (modifier)
        {
            case null:
                break;
            case "not" when kind == "token":
                break;
            case "of-type" when kind == "token" && parameter.Code == "identifier":
                suffix = SearchIndexer.OfType;
                break;
            case "identifier" when kind == "reference":
                (suffix, kind) = (SearchIndexer.OfIdentifier, "token");
                break;
            case "exact" when kind == "string":
                match = TextMatch.Exact;
                break;
            case "contains" when kind == "string" && !parameter.IsPersonal:
                match = TextMatch.Contains;
                break;
            case "below" or "above" when kind == "uri":
                match = modifier == "below" ? TextMatch.Below : TextMatch.Above;
                break;
            case var other when kind == "reference" && FhirSchema.R4.IsResourceType(other):
                break;
            default:
                return asked.Bad($"':{modifier}' is no modifier of it here; it takes {Modifiers(parameter)}");
        }
        var values = new List<SearchValue>(texts.Count);
        foreach (var text in texts)
        {
            if (Value(kind, suffix, parameter, modifier, match, text) is not { } read) return asked.Bad(Expected(kind, suffix, parameter));
            values.Add(read);
        }
        var isPersonal = parameter.IsPersonal || suffix.Length > 0;
        var criterion = Of(asked.Type, parameter, p => new SearchCriterion(p.Code + suffix, kind, values)
        {
            IsPersonal = isPersonal,
            Match = match,
        });
        return criterion with { IsNegated = modifier == "not" };
    }

    // What other parameters have together is asked of each.
    private SearchCriterion Of(string type, SearchParameter parameter, Func<SearchParameter, SearchCriterion> one)
    {
        if (parameter.AnyOf.Count == 0) return one(parameter);
        return new SearchCriterion(parameter.Code, "any", [])
        {
            Alternatives = [.. parameter.AnyOf.Select(p => new SearchAlternative([one(indexer.Find(type, p)!)], InOnePart: false))],
        };
    }

    private Result<SearchCriterion> Composite(Asked asked, SearchParameter parameter, string? modifier, List<string> texts)
    {
        if (modifier is not null) return asked.Bad("a composite takes no modifier");
        var alternatives = new List<SearchAlternative>();
        var ways = parameter.AnyOf.Count > 0 ? [.. parameter.AnyOf.Select(code => indexer.Find(asked.Type, code)!)] : new[] { parameter };
        foreach (var text in texts)
        {
            var parts = ParameterValue.Split(text, '$').ToList();
            if (parts.Count != parameter.Components.Count || parts.Contains(""))
                return asked.Bad($"a value has {string.Join(" $ ", parameter.Components.Select(c => c.Type))}");
            foreach (var way in ways)
            {
                var criteria = new List<SearchCriterion>();
                foreach (var (component, part) in way.Components.Zip(parts))
                {
                    var criterion = Criterion(asked with { Value = part }, component, null);
                    if (criterion.Failure is { } failure) return failure;
                    criteria.Add(criterion.Value);
                }
                alternatives.Add(new SearchAlternative(criteria, InOnePart: !way.IsWhole));
            }
        }
        return new SearchCriterion(parameter.Code, "any", []) { Alternatives = alternatives };
    }

    // patient.identifier, subject:Patient.identifier, _has:Observation:patient:code; what stands behind the first link may be one again.
    // https://hl7.org/fhir/R4/search.html#chaining and #has
    private Result<SearchCriterion> Link(Asked asked, int links)
    {
        if (links == MaxLinks) return asked.Bad($"{MaxLinks} links at most");
        if (asked.Key.Split(':', 4) is ["_has", var referring, var by, var of])
        {
            if (!FhirTypes.Offered.Contains(referring)) return asked.Bad($"there is no type {referring} here");
            return IsReference(referring, by)
                ? Other(referring, by, isReverse: true, of)
                : asked.Bad($"{by} is no reference parameter of {referring}");
        }
        if (asked.Key.Split('.', 2) is not [var reference, var rest]) return asked.Bad("_has:Type:reference:parameter");
        var (code, target) = reference.Split(':') is [var c, var t] ? (c, t) : (reference, null);
        if (indexer.Find(asked.Type, code) is not { Type: "reference" } parameter)
            return asked.Bad($"{code} is no reference parameter of {asked.Type}");
        target ??= code == "patient" ? "Patient" : parameter.Targets is [var only] ? only : null;
        if (target is null) return asked.Bad($"{code} may refer to several types: say which, {code}:Type.{rest}");
        return FhirTypes.Offered.Contains(target)
            ? Other(target, code, isReverse: false, rest)
            : asked.Bad($"there is no type {target} here");

        Result<SearchCriterion> Other(string other, string parameter, bool isReverse, string inner)
        {
            var criterion = Parse(asked with { Type = other, Key = inner }, links + 1);
            return criterion.Failure is { } failure
                ? failure
                : new SearchCriterion(parameter, "link", []) { Link = new SearchLink(other, parameter, isReverse, criterion.Value) };
        }
    }

    private SearchValue? Value(string kind, string suffix, SearchParameter parameter, string? modifier, TextMatch match, string text)
    {
        // No text of FHIR has one, and PostgreSQL takes none.
        if (text.Contains('\0')) return null;
        switch (kind)
        {
            case "id":
                var id = ParameterValue.Plain(text);
                return ResourceId.IsId(id) ? new SearchValue(null, id) : null;
            case "token" when suffix == SearchIndexer.OfType:
                return ParameterValue.Split(text, '|').ToList() is [{ Length: > 0 }, { Length: > 0 }, { Length: > 0 }] ofType
                    ? new SearchValue(null, string.Join('|', ofType.Select(ParameterValue.Plain)))
                    : null;
            case "token":
                var (system, token) = ParameterValue.Token(text);
                return new SearchValue(system, system is not null && token.Length == 0 ? null : token);
            case "reference":
                return Reference(FhirReference.Local(ParameterValue.Plain(text), baseUrl.Fhir), parameter.Code, modifier);
            case "date":
                return ParameterValue.Date(text, time.GetUtcNow());
            case "number":
                return ParameterValue.Number(text);
            case "quantity":
                return Quantity(text);
            case "uri":
                return text.Length is > 0 and <= MaxText ? new SearchValue(null, ParameterValue.Plain(text)) : null;
            default:
                var plain = ParameterValue.Plain(text);
                var length = SearchText.Normalize(plain).Length;
                return length > 0 && length <= (parameter.IsPersonal && match != TextMatch.Exact ? SearchText.MaxBeginning : MaxText)
                    ? new SearchValue(null, plain)
                    : null;
        }
    }

    private static SearchValue? Reference(string text, string code, string? modifier)
    {
        if (FhirReference.TryParse(text, out var reference))
            return (modifier ?? reference.Type) == reference.Type ? new SearchValue(reference.Type, reference.Id) : null;
        return text.Contains('/') || text.Contains(':')
            ? new SearchValue(null, text)
            : new SearchValue(modifier ?? (code == "patient" ? "Patient" : null), text);
    }

    // [prefix]number, number|system|code, number||code. A system without a code says no unit.
    private static SearchValue? Quantity(string text)
    {
        var parts = ParameterValue.Split(text, '|').Select(ParameterValue.Plain).ToList();
        if (ParameterValue.Number(parts[0]) is not { } number) return null;
        return parts switch
        {
            [_] => number,
            [_, var system, { Length: > 0 } code] => number with { System = system.Length == 0 ? null : system, Text = code },
            _ => null,
        };
    }

    private static string Modifiers(SearchParameter parameter) => parameter switch
    {
        { Code: "_id" or "_lastUpdated" } => "none",
        { Type: "token", Code: "identifier" } => ":not, :of-type and :missing",
        { Type: "token" } => ":not and :missing",
        { Type: "reference" } => "the name of a type, :identifier and :missing",
        { Type: "string", IsPersonal: true } => ":exact and :missing (the index has hashes of beginnings: :contains cannot be answered)",
        { Type: "string" } => ":exact, :contains and :missing",
        { Type: "uri" } => ":below, :above and :missing",
        { Type: "composite" } => "none",
        _ => ":missing",
    };

    private static string Expected(string kind, string suffix, SearchParameter parameter) => kind switch
    {
        "token" when suffix == SearchIndexer.OfType => "a value is typeSystem|typeCode|value",
        "id" => "a value is an id: 1 to 64 of A-Z, a-z, 0-9, '-' and '.'",
        "date" => "a value is a date or a time, with eq, ne, lt, le, gt, ge, sa, eb or ap before it",
        "number" => "a value is a number, with eq, ne, lt, le, gt, ge, sa, eb or ap before it",
        "quantity" => "a value is a number (with a prefix), number|system|code or number||code",
        "reference" => "a value is an id, Type/id (of the type that is named) or a URL",
        "string" when parameter.IsPersonal => $"a value has 1 to {SearchText.MaxBeginning} letters; more with :exact",
        _ => $"a value has 1 to {MaxText} letters",
    };
}
