using PmrGateway.Fhir;

namespace PmrGateway.Mapping;

/// <summary>
/// Reads a Consent (R4, in the shape of IHE PCF) as terms. Whatever the gateway cannot enforce is refused by name: a consent that is
/// stored but not kept would be a lie.
/// </summary>
public static class ConsentReader
{
    private const string PurposeSystem = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
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
        if (consent["modifierExtension"] is not null)
            Add(issues, IssueCode.NotSupported, "Consent.modifierExtension", "a modifier that is not known cannot be kept");
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
        return issues.Count > 0 ? null : new ConsentTerms(patient.Id, type == "permit", root, exceptions);
    }

    private static Provision Read(ElementNode provision, string path, Provision? parent, List<ValidationIssue> issues)
    {
        if (provision["dataPeriod"] is not null)
            Add(issues, IssueCode.NotSupported, path + ".dataPeriod", "dataPeriod cannot be enforced here");
        if (provision["data"] is not null) Add(issues, IssueCode.NotSupported, path + ".data", "data cannot be enforced here");
        if (provision.ItemsAt("action").Any(a => !Codings(a).Any(c => c.StringAt("code") is "access" or "use")))
            Add(issues, IssueCode.NotSupported, path + ".action", "only the actions access and use are decided here");
        if (provision["modifierExtension"] is not null)
            Add(issues, IssueCode.NotSupported, path + ".modifierExtension", "a modifier that is not known cannot be kept");
        foreach (var name in (ReadOnlySpan<string>)["purpose", "class", "securityLabel", "code"])
        {
            var codings = CodingsAt(provision, name).ToList();
            if (codings.Exists(c => string.IsNullOrEmpty(c.StringAt("code"))))
                Add(issues, IssueCode.NotSupported, $"{path}.{name}", "a restriction without a code cannot be enforced");
            // Purposes are of one system.
            else if (name != "purpose" && codings.Exists(c => string.IsNullOrEmpty(c.StringAt("system"))))
                Add(issues, IssueCode.NotSupported, $"{path}.{name}", "a code without its system would match nothing");
        }
        if (CodingsAt(provision, "class").Select(c => c.StringAt("system")).FirstOrDefault(s => OtherClasses.Contains(s)) is { } other)
            Add(issues, IssueCode.NotSupported, path + ".class", $"classes of {other} cannot be enforced here");
        if (provision.ItemsAt("code").Any(c => !Codings(c).Any(x => !string.IsNullOrEmpty(x.StringAt("code")))))
            Add(issues, IssueCode.NotSupported, path + ".code", "a restriction without a code cannot be enforced");
        if (CodingsAt(provision, "purpose").Any(p => p.StringAt("system") is not (null or PurposeSystem)))
            Add(issues, IssueCode.NotSupported, path + ".purpose", $"purposes are of {PurposeSystem}");
        var period = provision["period"];
        var from = Instant(period?.StringAt("start"), path + ".period.start", issues)?.From ?? parent?.From ?? DateTimeOffset.UnixEpoch;
        var to = Instant(period?.StringAt("end"), path + ".period.end", issues)?.To ?? parent?.To ?? DateTimeOffset.MaxValue;
        if (to <= from) Add(issues, IssueCode.Invariant, path + ".period", "the period ends before it begins");
        var actors = new List<string>();
        var i = 0;
        foreach (var node in provision.ItemsAt("actor"))
        {
            if (FhirReference.TryParse(node["reference"]?.StringAt("reference"), out var actor)
                && actor.Type is "Organization" or "Practitioner")
                actors.Add(actor.ToString());
            else
                Add(
                    issues,
                    IssueCode.NotSupported,
                    $"{path}.actor[{i}].reference",
                    "an actor is Organization/id or Practitioner/id of this server");
            i++;
        }
        return new Provision(
            from,
            to,
            actors,
            [.. CodingsAt(provision, "purpose").Select(p => p.StringAt("code")).OfType<string>()],
            Codes(CodingsAt(provision, "class")),
            Codes(CodingsAt(provision, "code")),
            Codes(CodingsAt(provision, "securityLabel")));
    }

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
