namespace PmrGateway.Mapping;

/// <summary>A consent that is not revoked: its commitment, and the terms that open it.</summary>
/// <param name="Commitment">On-chain commitment, hex.</param>
/// <param name="Terms">The terms.</param>
/// <param name="IsConfirmed">Whether the chain has it deep enough. Until then it can only deny: a denial counts from first sight.</param>
public sealed record StandingConsent(string Commitment, ConsentTerms Terms, bool IsConfirmed);

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
/// Leave to open one version of one record for one request. Only <see cref="ConsentDecision"/> makes one, and the vault opens nothing without one:
/// that is what makes it impossible to forget the question.
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
/// a record of several patients needs each one's consent. Pure: the same question gets the same answer.
/// </summary>
public static class ConsentDecision
{
    /// <summary>The permit, or null for no.</summary>
    /// <param name="requester">Who asks.</param>
    /// <param name="record">For what.</param>
    /// <param name="version">Which version of it.</param>
    /// <param name="consents">The standing consents of the record's patients.</param>
    /// <param name="now">When.</param>
    /// <param name="block">The block at which <paramref name="consents"/> are true.</param>
    public static Permit? Decide(
        Requester requester, RecordFacts record, long version, IReadOnlyList<StandingConsent> consents, DateTimeOffset now, long block)
    {
        if (!requester.IsActive) return null;
        if (DirectoryTypes.Contains(record.Type)) return new Permit(record, version, PermitBasis.Directory, [], block);
        if (requester.Organization is not null && requester.Organization == record.Custodian) return new Permit(record, version, PermitBasis.Author, [], block);
        if (record.Patients.Count == 0) return null;
        var used = new List<string>();
        foreach (var patient in record.Patients)
        {
            if (patient == requester.Patient) continue;
            if (!Permits(requester, record, consents.Where(c => c.Terms.Patient == patient), now, used)) return null;
        }
        return new Permit(record, version, used.Count == 0 ? PermitBasis.OwnRecord : PermitBasis.Consent, used, block);
    }

    private static bool Permits(Requester requester, RecordFacts record, IEnumerable<StandingConsent> consents, DateTimeOffset now, List<string> used)
    {
        var permitted = false;
        foreach (var consent in consents)
        {
            if (!Matches(consent.Terms.Root, requester, record, now)) continue;
            var excepted = consent.Terms.Exceptions.Any(e => Matches(e, requester, record, now));
            if (consent.Terms.Permits == excepted) return false;
            if (!consent.IsConfirmed) continue;
            permitted = true;
            used.Add(consent.Commitment);
        }
        return permitted;
    }

    private static bool Matches(Provision provision, Requester requester, RecordFacts record, DateTimeOffset now) =>
        provision.From <= now && now < provision.To
        && (provision.Actors.Count == 0 || requester.ActorReferences.Any(provision.Actors.Contains))
        && (provision.Purposes.Count == 0 || requester.Purposes.Any(provision.Purposes.Contains))
        && Labelled(record, LabelKind.Class, provision.Classes)
        && Labelled(record, LabelKind.Code, provision.Codes)
        && Labelled(record, LabelKind.Security, provision.SecurityLabels);

    private static bool Labelled(RecordFacts record, LabelKind kind, IReadOnlyList<TermCode> wanted) =>
        wanted.Count == 0 || wanted.Any(w => record.Labels.Contains(new RecordLabel(kind, w.System, w.Code)));
}
