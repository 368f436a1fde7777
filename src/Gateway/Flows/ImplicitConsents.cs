using Hl7.Fhir.Model;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// The overarching policy for patients who have said nothing (IHE PCF, implicit option), as a Consent like any other: filed with the
/// registration by the office of the hospital, granted on the chain, shown to the patient, and ended by the first Consent that says
/// something. The decision knows no default but no.
/// </summary>
public sealed class ImplicitConsents(
    RecordDatabase database, DirectoryStore directory, ConsentWrites consents, GatewayOptions options, TimeProvider time)
{
    /// <summary>
    /// What the writes of a request bring about besides: the Consent of a patient who is new, the end of one who has spoken.
    /// </summary>
    /// <param name="writes">Makes the versions.</param>
    /// <param name="context">The request.</param>
    /// <param name="written">All that it writes.</param>
    /// <param name="cancellation">Stops the wait for the stores.</param>
    internal async Task<IReadOnlyList<PreparedWrite>> OfAsync(
        WriteFlow writes, WriteContext context, IReadOnlyList<PreparedWrite> written, CancellationToken cancellation)
    {
        var spoken = written.Where(IsWord).Select(w => w.Version.Facts.Patients[0]).ToHashSet(StringComparer.Ordinal);
        var made = new List<PreparedWrite>();
        if (options.Consent.ImplicitPurposes.Count > 0)
        {
            var added = written.SelectMany(w => w.Plan.Directory).OfType<DirectoryChange.AddPatient>();
            foreach (var patient in added.Where(p => !spoken.Contains(p.Id)))
                made.Add(await FileAsync(writes, context, patient, cancellation));
        }
        // What the request itself does to it, it does.
        var own = written.Where(w => w.Request.Type == nameof(Consent)).Select(w => w.Request.Id).ToHashSet(StringComparer.Ordinal);
        foreach (var patient in spoken.Where(p => !own.Contains(IdOf(p))))
            if (await EndAsync(context, patient, cancellation) is { } ended) made.Add(ended);
        return made;
    }

    // Whatever it says: a Consent of the patient's, or that the hospital files with a form, once it is no draft and waits for nobody. To
    // take a proposal away is the patient's word on it as well: its Task goes with it.
    private static bool IsWord(PreparedWrite write)
    {
        if (write.Request.Type != nameof(Consent)) return false;
        var isPatients = write.Version.Facts.Author == $"Patient/{write.Version.Facts.Patients[0]}";
        if (write.Request.Document is not { } said)
            return isPatients && write.Plan.Versions.Any(v => v.Version.Facts.Type == nameof(Hl7.Fhir.Model.Task));
        return said.Root.StringAt("status") is not ("draft" or "proposed") && (isPatients || said.Root["sourceAttachment"] is not null);
    }

    private async Task<PreparedWrite> FileAsync(
        WriteFlow writes, WriteContext context, DirectoryChange.AddPatient patient, CancellationToken cancellation)
    {
        var (id, office) = (IdOf(patient.Id), Requester.OfficeOf(patient.Custodian));
        var consent = OfficeConsent.New(
            id, patient.Id, patient.Custodian, $"https://pmrgateway.example/policy/implicit-{options.Consent.ImplicitPolicy}",
            DateTimeOffset.FromUnixTimeSeconds(time.GetUtcNow().ToUnixTimeSeconds()), options.Consent.ImplicitPurposes);
        var request = new WriteRequest(FhirTyped.ToDocument(consent), nameof(Consent), id, null);
        var made = (await writes.MakeAsync(context, request, patient.Custodian, office, cancellation)).Value;
        var registered = new RegisteredPatient(patient.Id, patient.PatientKey, patient.Custodian, null);
        return made with { Plan = made.Plan.And(consents.GrantOfOffice(registered, request)) };
    }

    private async Task<PreparedWrite?> EndAsync(WriteContext context, string patient, CancellationToken cancellation)
    {
        var id = IdOf(patient);
        if (await directory.LatestConsentAsync(id, cancellation) is not { IsRevoked: false }) return null;
        if (await CurrentAsync(id, patient, cancellation) is not { IsDeleted: false } current) return null;
        var facts = current.Facts with { Author = context.Caller.Requester.Author };
        var deletion = StoredVersion.Deletion(facts, current.Version + 1, time.GetUtcNow());
        var plan = (await consents.RevokeAsync(id, null, cancellation)) with { Versions = [new VersionWrite(deletion, [], [])] };
        return new PreparedWrite(new WriteRequest(null, nameof(Consent), id, current), plan, []);
    }

    private async ValueTask<StoredVersion?> CurrentAsync(string id, string patient, CancellationToken cancellation)
    {
        var hospital = (await directory.PatientAsync(patient, cancellation))!.Custodian;
        await using var office = await database.SnapshotAsync(
            Viewers.OfOffice(hospital, time.GetUtcNow()), searches: false, cancellation);
        return (await office.ReadAsync(nameof(Consent), id, null, cancellation))?.Version;
    }

    // A patient has one, for ever: what was ended does not begin again.
    private static string IdOf(string patient) => ResourceId.Of("implicit", patient);
}
