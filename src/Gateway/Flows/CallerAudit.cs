using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>What a requester did, as an entry of the audit log: the one place that says who it was.</summary>
internal static class CallerAudit
{
    /// <summary>An entry.</summary>
    /// <param name="caller">Who.</param>
    /// <param name="at">When.</param>
    /// <param name="interaction">FHIR interaction code.</param>
    /// <param name="outcome">permit or deny.</param>
    /// <param name="entities">What was asked for or released, <c>Type/id</c>.</param>
    /// <param name="patients">Ids of the patients concerned.</param>
    /// <param name="commitments">The consents that permitted; null: none was asked.</param>
    /// <param name="block">Block at which it was decided; -1 where the chain was not asked.</param>
    /// <param name="query">What was searched, without values; null: it is no search.</param>
    public static AuditEntry Entry(
        this Caller caller, DateTimeOffset at, string interaction, string outcome, IReadOnlyList<string> entities,
        IReadOnlyList<string> patients, IReadOnlyList<string>? commitments = null, long block = -1, string? query = null) => new(
        Guid.CreateVersion7(at).ToString(), at, ActionOf(interaction), interaction, outcome, caller.Requester.Subject, caller.Client,
        caller.Requester.Organization, [.. caller.Requester.Purposes, .. caller.Claimed], [.. entities.Select(Shown)], patients,
        commitments ?? [], block)
        {
            Reason = caller.Reason,
            Address = caller.Trace.Address,
            Token = caller.Trace.Token,
            Request = caller.Trace.Request,
            Query = query,
        };

    // What was asked for may be anything. PostgreSQL reads no JSON with this character: one such row would keep all from being searched.
    private static string Shown(string entity) => entity.Replace('\0', '\uFFFD');

    /// <summary>The same as one entry a patient, so that none finds another in it; of nobody's records one that names none.</summary>
    /// <param name="caller">Who.</param>
    /// <param name="at">When.</param>
    /// <param name="interaction">FHIR interaction code.</param>
    /// <param name="outcome">permit or deny.</param>
    /// <param name="entities">What was asked for or released, <c>Type/id</c>.</param>
    /// <param name="patients">Ids of the patients concerned.</param>
    /// <param name="block">Block at which it was decided; -1 where the chain was not asked.</param>
    public static IEnumerable<AuditEntry> Entries(
        this Caller caller, DateTimeOffset at, string interaction, string outcome, IReadOnlyList<string> entities,
        IReadOnlyList<string> patients, long block = -1) =>
        patients.Select(p => (IReadOnlyList<string>)[p]).DefaultIfEmpty([]).Select(
            p => caller.Entry(at, interaction, outcome, entities, p, block: block));

    /// <summary>
    /// The entries of what was found: one a patient, with that patient's records alone, since each patient reads their own entries and must
    /// not find others in them. One at least.
    /// </summary>
    /// <param name="caller">Who.</param>
    /// <param name="at">When.</param>
    /// <param name="request">What was asked.</param>
    /// <param name="found">What was found.</param>
    /// <param name="block">Block at which nothing was; all permits of one snapshot are of one, and the view may have gone on since.</param>
    public static List<AuditEntry> Entries(this Caller caller, DateTimeOffset at, ReadRequest request, Found found, long block)
    {
        var patients = found.Versions.SelectMany(v => v.Version.Facts.Patients).Concat(found.Told).Distinct().ToList();
        var entries = patients.Select(p => Of(p, [.. found.Versions.Where(v => v.Version.Facts.Patients.Contains(p))])).ToList();
        var ofNobody = found.Versions.Where(v => v.Version.Facts.Patients.Count == 0).ToList();
        if (ofNobody.Count > 0 || entries.Count == 0) entries.Add(Of(patients.Count == 0 ? request.PatientAsked : null, ofNobody));
        // Of whom a record holds a copy was asked too, and is told; whose the record is, is not for that patient.
        foreach (var other in found.Versions.SelectMany(v => v.Version.Facts.Others).Except(patients).Distinct())
        {
            var permits = found.Versions.Where(v => v.Version.Facts.Others.Contains(other)).Select(v => v.Permit).ToList();
            entries.Add(caller.Entry(
                at, request.Interaction, AuditOutcome.Permit, ["Patient/" + other], [other],
                [.. permits.SelectMany(p => p.CommitmentsOf(other)).Distinct()], permits[0].Block, request.Query));
        }
        return entries;

        AuditEntry Of(string? patient, IReadOnlyList<PermittedVersion> released) => caller.Entry(
            at, request.Interaction, AuditOutcome.Permit,
            released.Count == 0 ? [request.Asked] : [.. released.Select(o => $"{o.Version.Facts.Type}/{o.Version.Facts.Id}")],
            Patients(patient), patient is null ? [] : [.. released.SelectMany(o => o.Permit.CommitmentsOf(patient)).Distinct()],
            released.Count == 0 ? block : released[0].Permit.Block, request.Query);
    }

    /// <summary>
    /// One patient's id as the list of those concerned; none for null, and for what can be no patient's: it may be anything that was asked.
    /// </summary>
    public static IReadOnlyList<string> Patients(string? patient) => patient is not null && ResourceId.IsId(patient) ? [patient] : [];

    /// <summary>Action code of an interaction. https://hl7.org/fhir/R4/valueset-audit-event-action.html</summary>
    private static string ActionOf(string interaction) => interaction switch
    {
        Interaction.Create => "C",
        Interaction.Update or Interaction.Patch => "U",
        Interaction.Delete => "D",
        Interaction.Read or Interaction.Vread or Interaction.HistoryInstance => "R",
        _ => "E",
    };
}
