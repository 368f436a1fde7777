using System.Text.Json;
using PmrGateway.Fhir;

namespace PmrGateway.Mapping;

/// <summary>
/// Reads a Consent (R4, in the shape of IHE PCF) as terms. Whatever the gateway cannot enforce is refused by name: a consent that is
/// stored but not kept would be a lie.
/// </summary>
public static class ConsentReader
{
    private const string Actions = "http://terminology.hl7.org/CodeSystem/consentaction";
    private const string ActCode = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    private const string Participation = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    private const int MaxData = 100;
    private const int MaxCodes = 1000;
    private const string ScopeSystem = "http://terminology.hl7.org/CodeSystem/consentscope";

    // Of the content classes of Consent.provision.class those that no label of a record is taken from.
    private static readonly string[] OtherClasses = ["http://hl7.org/fhir/fhir-types", "urn:ietf:bcp:13", "urn:ietf:rfc:3986"];

    /// <summary>The terms of a Consent, or null with what stands against it.</summary>
    /// <param name="document">A structurally valid Consent.</param>
    /// <param name="issues">Why not.</param>
    public static ConsentTerms? Read(ResourceDocument document, out List<ValidationIssue> issues)
    {
        issues = [];
        var consent = document.Root;
        if (!Codings(consent["scope"]).Any(c => c.StringAt("system") == ScopeSystem && c.StringAt("code") == "patient-privacy"))
            Add(issues, IssueCode.Value, "Consent.scope", "only consents of scope patient-privacy are kept here");
        // ppc-2 of the official definitions tests system='something' and never fails: the patient is asked for here.
        if (!FhirReference.TryParse(consent["patient"]?.StringAt("reference"), out var patient) || patient.Type != "Patient")
            Add(issues, IssueCode.Required, "Consent.patient", "a privacy consent names its patient as Patient/id");
        if (consent["policy"] is null && consent["policyRule"] is null)
            Add(issues, IssueCode.Invariant, "Consent", "policy or policyRule is given (ppc-1)");
        foreach (var modifier in (ReadOnlySpan<string>)["modifierExtension", "implicitRules"])
            if (consent[modifier] is not null)
                Add(issues, IssueCode.NotSupported, $"Consent.{modifier}", "a modifier that is not known cannot be kept");
        // What another rule permits or denies besides is said by no provision.
        if (consent["policyRule"] is { } rule
            && !Codings(rule).Any(c => c.StringAt("system") == ActCode && c.StringAt("code") == "OPTIN"))
            Add(issues, IssueCode.NotSupported, "Consent.policyRule", "what no provision permits is denied here: only OPTIN can be kept");
        if (consent.ItemsAt("verification").Any(v => v["verified"]?.Kind == JsonTokenType.False))
            Add(issues, IssueCode.NotSupported, "Consent.verification.verified", "a consent that is not verified is not kept");
        if (consent["provision"] is not { } provision)
        {
            Add(issues, IssueCode.Required, "Consent.provision", "a consent without a provision permits nothing: give one");
            return null;
        }
        var type = provision.StringAt("type");
        if (type is null) Add(issues, IssueCode.Required, "Consent.provision.type", "permit or deny");
        var root = Read(provision, "Consent.provision", null, issues);
        var exceptions = new List<Provision>();
        foreach (var nested in provision.ItemsAt("provision"))
        {
            var path = $"Consent.provision.provision[{exceptions.Count}]";
            if (nested.StringAt("type") is not { } opposite || opposite == type)
                Add(
                    issues,
                    IssueCode.NotSupported,
                    path + ".type",
                    "a nested provision is an exception: its type is the opposite of its parent's");
            if (nested["provision"] is not null)
                Add(issues, IssueCode.NotSupported, path + ".provision", "exceptions are not nested deeper (IHE PCF)");
            exceptions.Add(Read(nested, path, root, issues));
        }
        var named = exceptions.Append(root).ToList();
        if (named.Sum(p => p.Data.Count) > MaxData || named.Sum(p => p.Codes.Count + p.Classes.Count + p.SecurityLabels.Count) > MaxCodes)
            Add(issues, IssueCode.NotSupported, "Consent.provision", $"at most {MaxData} data and {MaxCodes} codes can be kept");
        return issues.Count > 0 ? null : new ConsentTerms(patient.Id, type == "permit", root, exceptions);
    }

    private static Provision Read(ElementNode provision, string path, Provision? parent, List<ValidationIssue> issues)
    {
        var actions = new HashSet<DataAction>();
        foreach (var action in provision.ItemsAt("action"))
        {
            if (ActionsOf(action) is { } known) actions.UnionWith(known);
            else Add(issues, IssueCode.NotSupported, path + ".action", "the actions access, use, collect and correct are decided here");
        }
        if (provision["modifierExtension"] is not null)
            Add(issues, IssueCode.NotSupported, path + ".modifierExtension", "a modifier that is not known cannot be kept");
        foreach (var name in (ReadOnlySpan<string>)["purpose", "class", "securityLabel", "code"])
        {
            var codings = CodingsAt(provision, name).ToList();
            if (codings.Exists(c => string.IsNullOrEmpty(c.StringAt("code"))))
                Add(issues, IssueCode.NotSupported, $"{path}.{name}", "a restriction without a code cannot be enforced");
            // Purposes are of one system, which is asked for below.
            else if (name != "purpose" && codings.Exists(c => string.IsNullOrEmpty(c.StringAt("system"))))
                Add(issues, IssueCode.NotSupported, $"{path}.{name}", "a code without its system would match nothing");
        }
        if (CodingsAt(provision, "class").Select(SystemOf).FirstOrDefault(s => OtherClasses.Contains(s)) is { } other)
            Add(issues, IssueCode.NotSupported, path + ".class", $"classes of {other} cannot be enforced here");
        if (provision.ItemsAt("code").Any(c => !Codings(c).Any(x => !string.IsNullOrEmpty(x.StringAt("code")))))
            Add(issues, IssueCode.NotSupported, path + ".code", "a restriction without a code cannot be enforced");
        if (CodingsAt(provision, "purpose").Any(p => p.StringAt("system") != CodeHierarchy.Purposes
            || (p.StringAt("code") is { } code && !CodeHierarchy.IsKnownPurpose(code))))
            Add(issues, IssueCode.NotSupported, path + ".purpose", $"purposes are the purposes of use of {CodeHierarchy.Purposes}");
        if (CodingsAt(provision, "class").Any(c => SystemOf(c) == RecordLabel.ResourceTypes
            && FhirSchema.R4.Type(c.StringAt("code") ?? "") is not { Kind: TypeKind.Resource, IsAbstract: false }))
            Add(issues, IssueCode.NotSupported, path + ".class", "a class of this system is the name of a resource type of R4");
        // Under another name of its system a level is one of a record, and none of a Consent, which may say what it means.
        if (CodingsAt(provision, "securityLabel").Any(c => SystemOf(c) == CodeHierarchy.Confidentiality
            && (c.StringAt("system") != CodeHierarchy.Confidentiality || !CodeHierarchy.IsLevel(c.StringAt("code") ?? ""))))
            Add(
                issues, IssueCode.NotSupported, path + ".securityLabel",
                $"confidentiality is one of U, L, M, N, R, V of {CodeHierarchy.Confidentiality}");
        var (from, to) = PeriodOf(provision["period"], path + ".period", issues) ?? default;
        from = from == default ? parent?.From ?? DateTimeOffset.UnixEpoch : from;
        to = to == default ? parent?.To ?? DateTimeOffset.MaxValue : to;
        if (to <= from) Add(issues, IssueCode.Invariant, path + ".period", "the period ends before it begins");
        else if (parent is not null && (to <= parent.From || from >= parent.To))
            Add(issues, IssueCode.NotSupported, path + ".period", "an exception outside the period of its consent would never be one");
        return new Provision(
            from,
            to,
            ActorsOf(provision, path, issues),
            [.. CodingsAt(provision, "purpose").Select(p => p.StringAt("code")).OfType<string>()],
            Codes(CodingsAt(provision, "class")),
            Codes(CodingsAt(provision, "code")),
            Codes(CodingsAt(provision, "securityLabel")))
        {
            Actions = [.. actions.Order()],
            DataPeriod = DataPeriodOf(provision, path + ".dataPeriod", issues),
            Data = DataOf(provision, path, issues),
        };
    }

    private static List<string> ActorsOf(ElementNode provision, string path, List<ValidationIssue> issues)
    {
        var actors = new List<string>();
        var i = 0;
        foreach (var node in provision.ItemsAt("actor"))
        {
            var at = $"{path}.actor[{i++}]";
            // Whatever another role would mean (who gave the data, who keeps it), it is not whom this decides about.
            if (node["role"] is { } role && !Codings(role).Any(IsRecipient))
                Add(issues, IssueCode.NotSupported, at + ".role", "an actor is who receives: IRCP or PRCP of v3-ParticipationType");
            if (FhirReference.TryParse(node["reference"]?.StringAt("reference"), out var actor)
                && actor.Type is "Organization" or "Practitioner")
                actors.Add(actor.ToString());
            else
                Add(
                    issues,
                    IssueCode.NotSupported,
                    at + ".reference",
                    "an actor is Organization/id or Practitioner/id of this server");
        }
        return actors;
    }

    private static bool IsRecipient(ElementNode coding) =>
        coding.StringAt("system") == Participation && coding.StringAt("code") is "IRCP" or "PRCP";

    private static string SystemOf(ElementNode coding) => CodeSystems.Canonical(coding.StringAt("system") ?? "");

    // All that a concept names: one coding left out would be an action that is said and not kept. Null: one of them is not decided here.
    private static List<DataAction>? ActionsOf(ElementNode action)
    {
        var known = new List<DataAction>();
        foreach (var coding in Codings(action))
        {
            if (coding.StringAt("system") is not (null or Actions)) continue;
            if (coding.StringAt("code") is "access" or "use") known.Add(DataAction.Read);
            else if (coding.StringAt("code") is "collect" or "correct") known.Add(DataAction.Write);
            else return null;
        }
        return known.Count > 0 ? known : null;
    }

    private static DataPeriod? DataPeriodOf(ElementNode provision, string path, List<ValidationIssue> issues)
    {
        if (provision["dataPeriod"] is not { } node) return null;
        if (PeriodOf(node, path, issues) is not { } period || (period.From == default && period.To == default))
        {
            Add(issues, IssueCode.NotSupported, path, "a period without start and end cannot be enforced");
            return null;
        }
        // Of no beginning or no end: as long as a date can tell.
        var (from, to) = (period.From, period.To == default ? DateTimeOffset.MaxValue : period.To);
        if (to <= from) Add(issues, IssueCode.Invariant, path, "the period ends before it begins");
        return new DataPeriod(from, to);
    }

    private static List<DataReference> DataOf(ElementNode provision, string path, List<ValidationIssue> issues)
    {
        var data = new List<DataReference>();
        var i = 0;
        foreach (var node in provision.ItemsAt("data"))
        {
            var at = $"{path}.data[{i++}]";
            if (!FhirReference.TryParse(node["reference"]?.StringAt("reference"), out var named) || named.Version is not null)
                Add(issues, IssueCode.NotSupported, at + ".reference", "data is named as Type/id of this server");
            else if (MeaningOf(node.StringAt("meaning")) is { } meaning) data.Add(new DataReference(meaning, named.ToString()));
            else Add(issues, IssueCode.NotSupported, at + ".meaning", "instance, related, dependents or authoredby");
        }
        return data;
    }

    private static DataMeaning? MeaningOf(string? code) => code switch
    {
        "instance" => DataMeaning.Instance,
        "related" => DataMeaning.Related,
        "dependents" => DataMeaning.Dependents,
        "authoredby" => DataMeaning.AuthoredBy,
        _ => null,
    };

    // A bound that is not there is default.
    private static (DateTimeOffset From, DateTimeOffset To)? PeriodOf(ElementNode? period, string path, List<ValidationIssue> issues) =>
        period is null
            ? null
            : (
                Instant(period.Value.StringAt("start"), path + ".start", issues)?.From ?? default,
                Instant(period.Value.StringAt("end"), path + ".end", issues)?.To ?? default);

    private static IEnumerable<ElementNode> Codings(ElementNode? concept) => concept?.ItemsAt("coding") ?? [];

    // purpose, class and securityLabel are Codings, code is CodeableConcepts.
    private static IEnumerable<ElementNode> CodingsAt(ElementNode provision, string name) =>
        name == "code" ? provision.ItemsAt("code").SelectMany(c => Codings(c)) : provision.ItemsAt(name);

    private static List<TermCode> Codes(IEnumerable<ElementNode> codings) =>
        [.. codings.Where(c => c.StringAt("code") is not null).Select(c => new TermCode(c.StringAt("system") ?? "", c.StringAt("code")!))];

    private static (DateTimeOffset From, DateTimeOffset To)? Instant(string? text, string path, List<ValidationIssue> issues)
    {
        if (text is null) return null;
        var range = FhirDate.Range(text);
        if (range is null) Add(issues, IssueCode.Value, path, "not a dateTime");
        return range;
    }

    private static void Add(List<ValidationIssue> issues, IssueCode code, string path, string text) =>
        issues.Add(new ValidationIssue(IssueSeverity.Error, code, path, text));
}
