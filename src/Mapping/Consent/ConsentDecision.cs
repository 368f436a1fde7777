namespace PmrGateway.Mapping;

/// <summary>A consent that is not revoked, as it stands at one instant.</summary>
/// <param name="Commitment">On-chain commitment, hex.</param>
/// <param name="Patient">Id of the patient who gave it.</param>
/// <param name="Shape">What its terms say at that instant.</param>
/// <param name="IsConfirmed">Whether the chain has it deep enough. Until then it can only deny: a denial counts from first sight.</param>
public sealed record StandingConsent(string Commitment, string Patient, TermsShape Shape, bool IsConfirmed)
{
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

    /// <summary>Written by the requester's hospital.</summary>
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
    internal Permit(RecordFacts record, long version, PermitBasis basis, IReadOnlyList<string> commitments, long block) =>
        (Type, Id, Version, Basis, Commitments, Block) = (record.Type, record.Id, version, basis, commitments, block);

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

    /// <summary>The block at which the consent view was true.</summary>
    public long Block { get; }
}

/// <summary>
/// May this requester see this record now? Default deny; within one consent the exceptions speak first; over several, deny overrides;
/// a record of several patients needs each one's consent. Pure: the same question gets the same answer. It is the only place that says
/// the rule: the store keeps what <see cref="Concerns"/> and <see cref="Verdict"/> answer as rows, and joins them.
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
        if (requester.Organization is not null && requester.Organization == record.Custodian)
            return new Permit(record, version, PermitBasis.Author, [], block);
        if (record.Patients.Count == 0) return null;
        var used = new List<string>();
        foreach (var patient in record.Patients)
            if (patient != requester.Patient && !Permits(requester, record, patient, consents, used)) return null;
        if (used.Count == 0) return new Permit(record, version, PermitBasis.OwnRecord, [], block);
        // Patients and labels are known of the current version only; an earlier one may have had a label that closed it.
        return isCurrent ? new Permit(record, version, PermitBasis.Consent, used, block) : null;
    }

    /// <summary>
    /// Which exceptions of a shape concern a requester, by their places; null where the outer provision does not: then the consent says
    /// nothing to this requester, whatever the record.
    /// </summary>
    public static IReadOnlyList<int>? Concerns(TermsShape shape, Requester requester)
    {
        if (!Names(shape.Root, requester)) return null;
        var exceptions = new List<int>();
        for (var i = 0; i < shape.Exceptions.Count; i++)
            if (Names(shape.Exceptions[i], requester)) exceptions.Add(i);
        return exceptions;
    }

    /// <summary>
    /// What a shape says of records with these labels to who is concerned by these exceptions: permit, deny, or nothing (null).
    /// </summary>
    public static bool? Verdict(TermsShape shape, IReadOnlyList<int> exceptions, IReadOnlyList<RecordLabel> labels)
    {
        if (!Covers(shape.Root, labels)) return null;
        foreach (var i in exceptions)
            if (Covers(shape.Exceptions[i], labels)) return !shape.Permits;
        return shape.Permits;
    }

    private static bool Permits(
        Requester requester, RecordFacts record, string patient, IReadOnlyList<StandingConsent> consents, List<string> used)
    {
        var permitted = false;
        foreach (var consent in consents)
        {
            if (consent.Patient != patient || Concerns(consent.Shape, requester) is not { } exceptions) continue;
            if (Verdict(consent.Shape, exceptions, record.Labels) is not { } permits) continue;
            if (!permits) return false;
            if (!consent.IsConfirmed) continue;
            permitted = true;
            used.Add(consent.Commitment);
        }
        return permitted;
    }

    private static bool Names(ProvisionShape provision, Requester requester) =>
        (provision.Actors.Count == 0 || requester.ActorReferences.Any(provision.Actors.Contains))
        && (provision.Purposes.Count == 0 || requester.Purposes.Any(provision.Purposes.Contains));

    private static bool Covers(ProvisionShape provision, IReadOnlyList<RecordLabel> labels) =>
        Labelled(labels, LabelKind.Class, provision.Classes)
        && Labelled(labels, LabelKind.Code, provision.Codes)
        && Labelled(labels, LabelKind.Security, provision.SecurityLabels);

    private static bool Labelled(IReadOnlyList<RecordLabel> labels, LabelKind kind, IReadOnlyList<TermCode> wanted)
    {
        if (wanted.Count == 0) return true;
        foreach (var w in wanted)
            if (labels.Contains(new RecordLabel(kind, w.System, w.Code))) return true;
        return false;
    }
}
