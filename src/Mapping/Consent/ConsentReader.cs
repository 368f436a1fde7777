using Hl7.Fhir.Model;
using PmrGateway.Fhir;
using FhirConsent = Hl7.Fhir.Model.Consent;

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
        var consent = FhirTyped.Parse<FhirConsent>(document);
        if (!consent.Scope.Coding.Exists(c => c is { System: ScopeSystem, Code: "patient-privacy" }))
            Add(issues, IssueCode.Value, "Consent.scope", "only consents of scope patient-privacy are kept here");
        // ppc-2 of the official definitions tests system='something' and never fails: the patient is asked for here.
        if (!FhirReference.TryParse(consent.Patient?.Reference, out var patient) || patient.Type != "Patient")
            Add(issues, IssueCode.Required, "Consent.patient", "a privacy consent names its patient as Patient/id");
        if (consent.Policy.Count == 0 && consent.PolicyRule is null)
            Add(issues, IssueCode.Invariant, "Consent", "policy or policyRule is given (ppc-1)");
        if (consent.ModifierExtension.Count > 0)
            Add(issues, IssueCode.NotSupported, "Consent.modifierExtension", "a modifier that is not known cannot be kept");
        if (consent.Provision is null)
        {
            Add(issues, IssueCode.Required, "Consent.provision", "a consent without a provision permits nothing: give one");
            return null;
        }
        if (consent.Provision.Type is null) Add(issues, IssueCode.Required, "Consent.provision.type", "permit or deny");
        var root = Read(consent.Provision, "Consent.provision", null, issues);
        var exceptions = new List<Provision>();
        for (var i = 0; i < consent.Provision.Provision.Count; i++)
        {
            var (nested, path) = (consent.Provision.Provision[i], $"Consent.provision.provision[{i}]");
            if (nested.Type is null || nested.Type == consent.Provision.Type)
                Add(
                    issues,
                    IssueCode.NotSupported,
                    path + ".type",
                    "a nested provision is an exception: its type is the opposite of its parent's");
            if (nested.Provision.Count > 0)
                Add(issues, IssueCode.NotSupported, path + ".provision", "exceptions are not nested deeper (IHE PCF)");
            exceptions.Add(Read(nested, path, root, issues));
        }
        return issues.Count > 0
            ? null
            : new ConsentTerms(patient.Id, consent.Provision.Type == FhirConsent.ConsentProvisionType.Permit, root, exceptions);
    }

    private static Provision Read(FhirConsent.provisionComponent provision, string path, Provision? parent, List<ValidationIssue> issues)
    {
        if (provision.DataPeriod is not null)
            Add(issues, IssueCode.NotSupported, path + ".dataPeriod", "dataPeriod cannot be enforced here");
        if (provision.Data.Count > 0) Add(issues, IssueCode.NotSupported, path + ".data", "data cannot be enforced here");
        if (provision.Action.Any(a => !a.Coding.Exists(c => c.Code is "access" or "use")))
            Add(issues, IssueCode.NotSupported, path + ".action", "only the actions access and use are decided here");
        if (provision.ModifierExtension.Count > 0)
            Add(issues, IssueCode.NotSupported, path + ".modifierExtension", "a modifier that is not known cannot be kept");
        foreach (var (name, codings) in new (string, IEnumerable<Coding>)[]
        {
            ("purpose", provision.Purpose),
            ("class", provision.Class),
            ("securityLabel", provision.SecurityLabel),
            ("code", provision.Code.SelectMany(c => c.Coding))
        })
        {
            if (codings.Any(c => string.IsNullOrEmpty(c.Code)))
                Add(issues, IssueCode.NotSupported, $"{path}.{name}", "a restriction without a code cannot be enforced");
            // Purposes are of one system.
            else if (name != "purpose" && codings.Any(c => string.IsNullOrEmpty(c.System)))
                Add(issues, IssueCode.NotSupported, $"{path}.{name}", "a code without its system would match nothing");
        }
        if (provision.Class.Find(c => OtherClasses.Contains(c.System)) is { } other)
            Add(issues, IssueCode.NotSupported, path + ".class", $"classes of {other.System} cannot be enforced here");
        if (provision.Code.Any(c => !c.Coding.Exists(x => !string.IsNullOrEmpty(x.Code))))
            Add(issues, IssueCode.NotSupported, path + ".code", "a restriction without a code cannot be enforced");
        if (provision.Purpose.Any(p => p.System is not (null or PurposeSystem)))
            Add(issues, IssueCode.NotSupported, path + ".purpose", $"purposes are of {PurposeSystem}");
        var from = Instant(provision.Period?.Start, path + ".period.start", issues)?.From ?? parent?.From ?? DateTimeOffset.UnixEpoch;
        var to = Instant(provision.Period?.End, path + ".period.end", issues)?.To ?? parent?.To ?? DateTimeOffset.MaxValue;
        if (to <= from) Add(issues, IssueCode.Invariant, path + ".period", "the period ends before it begins");
        var actors = new List<string>();
        for (var i = 0; i < provision.Actor.Count; i++)
        {
            if (FhirReference.TryParse(provision.Actor[i].Reference?.Reference, out var actor)
                && actor.Type is "Organization" or "Practitioner")
                actors.Add(actor.ToString());
            else
                Add(
                    issues,
                    IssueCode.NotSupported,
                    $"{path}.actor[{i}].reference",
                    "an actor is Organization/id or Practitioner/id of this server");
        }
        return new Provision(
            from,
            to,
            actors,
            [.. provision.Purpose.Select(p => p.Code).OfType<string>()],
            Codes(provision.Class),
            Codes(provision.Code.SelectMany(c => c.Coding)),
            Codes(provision.SecurityLabel));
    }

    private static List<TermCode> Codes(IEnumerable<Coding> codings) =>
        [.. codings.Where(c => c.Code is not null).Select(c => new TermCode(c.System ?? "", c.Code!))];

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
