namespace PmrGateway.Mapping;

/// <summary>A consent that is not revoked, as it stands at one instant.</summary>
/// <param name="Commitment">On-chain commitment, hex.</param>
/// <param name="Patient">Id of the patient who gave it.</param>
/// <param name="Shape">What its terms say at that instant.</param>
/// <param name="IsConfirmed">Whether the chain has it deep enough. Until then it can only deny: a denial counts from first sight.</param>
public sealed record StandingConsent(string Commitment, string Patient, TermsShape Shape, bool IsConfirmed)
{
    /// <summary>Id of its Consent resource.</summary>
    public string ConsentId { get; init; } = "";

    /// <summary>A consent at an instant; null where its period does not hold it.</summary>
    public static StandingConsent? At(DateTimeOffset now, string commitment, ConsentTerms terms, bool isConfirmed)
    {
        var instant = now.ToUnixTimeMilliseconds();
        return ConsentSpan.Of(terms).FirstOrDefault(s => s.From <= instant && instant < s.To) is { } span
            ? new StandingConsent(commitment, terms.Patient, span.Shape, isConfirmed)
            : null;
    }
}

/// <summary>Why a record may be opened.</summary>
public enum PermitBasis
{
    /// <summary>A directory entry.</summary>
    Directory,

    /// <summary>The patient's own record.</summary>
    OwnRecord,

    /// <summary>The requester itself wrote this version, or the gateway wrote it to the office of the requester's hospital.</summary>
    Author,

    /// <summary>Consent of every patient concerned.</summary>
    Consent,
}

/// <summary>
/// Leave to open one version of one record for one request. Only <see cref="ConsentDecision"/> makes one, and the vault opens nothing
/// without one: that is what makes it impossible to forget the question.
/// </summary>
public sealed class Permit
{
    private readonly IReadOnlyList<StandingConsent> _consents;

    internal Permit(RecordFacts record, long version, PermitBasis basis, IReadOnlyList<StandingConsent> consents, long block)
    {
        (Type, Id, Version, Basis, Block) = (record.Type, record.Id, version, basis, block);
        (_consents, Commitments) = (consents, [.. consents.Select(c => c.Commitment)]);
    }

    /// <summary>Resource type of the one record that it opens.</summary>
    public string Type { get; }

    /// <summary>Id of the one record that it opens.</summary>
    public string Id { get; }

    /// <summary>The one version that it opens.</summary>
    public long Version { get; }

    /// <summary>Why.</summary>
    public PermitBasis Basis { get; }

    /// <summary>The consents that permit, by their on-chain commitments.</summary>
    public IReadOnlyList<string> Commitments { get; }

    /// <summary>The same, each with the patient who gave it.</summary>
    public IEnumerable<(string Patient, string Commitment)> Given => _consents.Select(c => (c.Patient, c.Commitment));

    /// <summary>Those of them that one patient gave: another's are no matter of that patient's.</summary>
    /// <param name="patient">Id of the patient.</param>
    public IEnumerable<string> CommitmentsOf(string patient) => _consents.Where(c => c.Patient == patient).Select(c => c.Commitment);

    /// <summary>The block at which the consent view was true.</summary>
    public long Block { get; }
}

/// <summary>
/// May this requester see this record now, or write it about its patients? Default deny; within one consent the exceptions speak first;
/// over several, deny overrides; a record of several patients needs each one's consent. Who keeps a record may not read it by that alone,
/// nor may the colleagues of who wrote it. Pure: the same question gets the same answer. It is the only place that says the rule: the
/// store keeps what <see cref="Concerns"/> and <see cref="Verdicts"/> answer as rows, and joins them.
/// </summary>
public static class ConsentDecision
{
    /// <summary>The permit, or null for no.</summary>
    /// <param name="requester">Who asks.</param>
    /// <param name="record">For what.</param>
    /// <param name="version">Which version of it.</param>
    /// <param name="isCurrent">Whether that is the current one.</param>
    /// <param name="consents">The standing consents of the record's patients now.</param>
    /// <param name="block">The block at which <paramref name="consents"/> are true.</param>
    public static Permit? Decide(
        Requester requester, RecordFacts record, long version, bool isCurrent, IReadOnlyList<StandingConsent> consents, long block)
    {
        if (!requester.IsActive) return null;
        if (DirectoryTypes.Contains(record.Type)) return new Permit(record, version, PermitBasis.Directory, [], block);
        if (IsOwn(requester, record)) return new Permit(record, version, PermitBasis.OwnRecord, [], block);
        if (requester.Authors.Contains(record.Author))
            return new Permit(record, version, PermitBasis.Author, [], block);
        if (record.Patients.Count == 0) return null;
        var used = new List<StandingConsent>();
        foreach (var patient in record.Patients.Concat(record.Others))
            if (patient != requester.Patient && !Permits(requester, record, patient, consents, DataAction.Read, used)) return null;
        // Patients and labels are known of the current version only; an earlier one may have had a label that closed it.
        return isCurrent ? new Permit(record, version, PermitBasis.Consent, used, block) : null;
    }

    /// <summary>Whether a patient's consents let this requester write a record about that patient.</summary>
    /// <param name="requester">Who writes.</param>
    /// <param name="record">What it would be.</param>
    /// <param name="patient">One of its patients.</param>
    /// <param name="consents">That patient's standing consents now.</param>
    public static bool PermitsWrite(Requester requester, RecordFacts record, string patient, IReadOnlyList<StandingConsent> consents) =>
        requester.IsActive && Permits(requester, record, patient, consents, DataAction.Write, []);

    /// <summary>What one consent of a patient says of a record: permit, deny, or nothing (null).</summary>
    public static bool? Says(StandingConsent consent, Requester requester, RecordFacts record, DataAction action)
    {
        if (Concerns(consent.Shape, requester, action) is not { } exceptions) return null;
        bool? said = null;
        foreach (var verdict in Verdicts(consent.Shape, exceptions, record.Labels))
        {
            if (!verdict.When.Holds(record)) continue;
            if (!verdict.Permits) return false;
            said = true;
        }
        return said;
    }

    /// <summary>
    /// Which exceptions of a shape concern a requester, by their places; null where the outer provision does not: then the consent says
    /// nothing to this requester, whatever the record.
    /// </summary>
    public static IReadOnlyList<int>? Concerns(TermsShape shape, Requester requester, DataAction action)
    {
        if (!Names(shape.Root, requester, action, !shape.Permits)) return null;
        var exceptions = new List<int>();
        for (var i = 0; i < shape.Exceptions.Count; i++)
            if (Names(shape.Exceptions[i], requester, action, shape.Permits, isFromDenial: !shape.Permits)) exceptions.Add(i);
        return exceptions;
    }

    /// <summary>
    /// What a shape says of records with these labels to who is concerned by these exceptions. A denial among what holds for a record
    /// overrides; where nothing holds, nothing is said.
    /// </summary>
    public static IReadOnlyList<Verdict> Verdicts(TermsShape shape, IReadOnlyList<int> exceptions, IReadOnlyList<RecordLabel> labels)
    {
        // Neither a Consent nor the paper that it came from is opened by what consents say of records.
        if (labels.Contains(RecordLabel.OfType("Consent"))) return [];
        if (!Covers(shape.Root, labels, !shape.Permits)) return [];
        List<ResidualCondition> inside = ResidualCondition.Of(shape.Root, !shape.Permits) is { } asked ? [asked] : [];
        var verdicts = new List<Verdict>();
        var outside = new List<ResidualCondition>(inside);
        foreach (var i in exceptions)
        {
            var exception = shape.Exceptions[i];
            if (!Covers(exception, labels, shape.Permits)) continue;
            if (ResidualCondition.Of(exception, shape.Permits) is not { } condition)
                return [new Verdict(!shape.Permits, new Residual(inside))];
            verdicts.Add(new Verdict(!shape.Permits, new Residual([.. inside, condition])));
            outside.Add(condition with { IsNegated = true });
        }
        // A denial that an exception denies overrides the permit around it; a denial around a permit must be kept from it.
        verdicts.Add(new Verdict(shape.Permits, new Residual(shape.Permits ? inside : outside)));
        return verdicts;
    }

    /// <summary>Whether a consent denies a requester every record, whatever its labels, time and ties.</summary>
    public static bool DeniesAll(StandingConsent consent, Requester requester, DataAction action)
    {
        if (Concerns(consent.Shape, requester, action) is not { } exceptions || !IsOfAll(consent.Shape.Root)) return false;
        return consent.Shape.Permits
            ? exceptions.Any(e => IsOfAll(consent.Shape.Exceptions[e]))
            : exceptions.Count == 0;

        static bool IsOfAll(ProvisionShape provision) => provision is
        {
            Classes.Count: 0, Codes.Count: 0, SecurityLabels.Count: 0, DataPeriod: null, Data: null,
        };
    }

    private static bool IsOwn(Requester requester, RecordFacts record) =>
        requester.Patient is { } patient && record.Patients.Count > 0 && record.Patients.Concat(record.Others).All(p => p == patient);

    private static bool Permits(
        Requester requester, RecordFacts record, string patient, IReadOnlyList<StandingConsent> consents, DataAction action,
        List<StandingConsent> used)
    {
        // A Consent tells of other grantees and of what is kept from whom: while it stands it is for whom it names as grantee, and no
        // other consent opens it.
        if (record.Type == "Consent" && action == DataAction.Read) return IsGrantee(requester, record, patient, consents, used);
        var permitted = false;
        foreach (var consent in consents)
        {
            if (consent.Patient != patient || Says(consent, requester, record, action) is not { } permits) continue;
            if (!permits) return false;
            if (!consent.IsConfirmed) continue;
            permitted = true;
            used.Add(consent);
        }
        return permitted;
    }

    private static bool IsGrantee(
        Requester requester, RecordFacts record, string patient, IReadOnlyList<StandingConsent> consents,
        List<StandingConsent> used)
    {
        if (!requester.ActorReferences.Any(a => record.Details.Links.Contains(new RecordLink(LinkKind.Grants, a)))) return false;
        foreach (var consent in consents)
        {
            if (consent.Patient != patient || consent.ConsentId != record.Id || !consent.IsConfirmed) continue;
            if (Concerns(consent.Shape, requester, DataAction.Read) is null) continue;
            used.Add(consent);
            return true;
        }
        return false;
    }

    // isFromDenial: what a denial spares. Of a token for several purposes it denies those that are not spared, and so the token.
    private static bool Names(ProvisionShape provision, Requester requester, DataAction action, bool denies, bool isFromDenial = false)
    {
        if (provision.Actors.Count > 0 && !requester.ActorReferences.Any(provision.Actors.Contains)) return false;
        if (provision.Actions is not null && !provision.Actions.Contains(action)) return false;
        if (provision.Purposes.Count == 0) return true;
        bool IsNamed(string asked) => provision.Purposes.Any(named => CodeHierarchy.IsPurpose(asked, named, denies));
        if (isFromDenial) return requester.Purposes.Count > 0 && requester.Purposes.All(IsNamed);
        return requester.Purposes.Any(IsNamed)
            // Who does not say what for may be asking for just that.
            || (denies && !requester.Purposes.Any(CodeHierarchy.IsKnownPurpose));
    }

    private static bool Covers(ProvisionShape provision, IReadOnlyList<RecordLabel> labels, bool denies) =>
        Labelled(labels, LabelKind.Class, provision.Classes, denies)
        && Labelled(labels, LabelKind.Code, provision.Codes, denies)
        && (provision.SecurityLabels.Count == 0 || provision.SecurityLabels.Any(l => CodeHierarchy.IsSecurity(labels, l, denies)));

    // A part of a record can close it and does not open it.
    private static bool Labelled(IReadOnlyList<RecordLabel> labels, LabelKind kind, IReadOnlyList<TermCode> wanted, bool denies)
    {
        if (wanted.Count == 0) return true;
        foreach (var label in labels)
            if (label.Kind == kind && (denies || !label.IsInner)
                && wanted.Any(w => w.Code == label.Code && CodeSystems.AreSame(w.System, label.System))) return true;
        return false;
    }
}
