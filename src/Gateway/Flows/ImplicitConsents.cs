using System.Security.Cryptography;
using System.Text;
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
public sealed class ImplicitConsents(DirectoryStore directory, ConsentWrites consents, GatewayOptions options, TimeProvider time)
{
    private const string Scope = "http://terminology.hl7.org/CodeSystem/consentscope";
    private const string Actions = "http://terminology.hl7.org/CodeSystem/consentaction";
    private const string Purposes = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

    /// <summary>
    /// What the writes of a request bring about besides: the Consent of a patient who is new, the end of one who has spoken.
    /// </summary>
    /// <param name="writes">Makes the versions.</param>
    /// <param name="context">The request.</param>
    /// <param name="plan">All that it writes.</param>
    /// <param name="cancellation">Stops the wait for the stores.</param>
    internal async Task<IReadOnlyList<PreparedWrite>> OfAsync(
        WriteFlow writes, WriteContext context, CommitPlan plan, CancellationToken cancellation)
    {
        var spoken = plan.Consents.OfType<ConsentChange.Give>().Where(g => !Requester.IsOffice(g.Giver))
            .Select(g => g.Terms.Patient).ToHashSet(StringComparer.Ordinal);
        var made = new List<PreparedWrite>();
        if (options.Consent.ImplicitPurposes.Count > 0)
        {
            foreach (var patient in plan.Directory.OfType<DirectoryChange.AddPatient>().Where(p => !spoken.Contains(p.Id)))
                made.Add(await FileAsync(writes, context, patient, cancellation));
        }
        // What the request itself does to it, it does.
        var own = plan.Versions.Select(v => v.Version.Facts).Where(f => f.Type == nameof(Consent)).Select(f => f.Id).ToHashSet();
        foreach (var patient in spoken.Where(p => !own.Contains(IdOf(p))))
            if (await EndAsync(writes, context, patient, cancellation) is { } ended) made.Add(ended);
        return made;
    }

    private async Task<PreparedWrite> FileAsync(
        WriteFlow writes, WriteContext context, DirectoryChange.AddPatient patient, CancellationToken cancellation)
    {
        var office = Requester.OfficeOf(patient.Custodian);
        var document = FhirTyped.ToDocument(ConsentOf(patient.Id, patient.Custodian));
        var request = new WriteRequest(document, nameof(Consent), IdOf(patient.Id), null);
        var made = (await writes.MakeAsync(context, request, patient.Custodian, office, cancellation)).Value;
        var registered = new RegisteredPatient(patient.Id, patient.PatientKey, patient.Custodian, null);
        return made with { Plan = made.Plan.And(consents.GrantOfOffice(registered, request)) };
    }

    private async Task<PreparedWrite?> EndAsync(WriteFlow writes, WriteContext context, string patient, CancellationToken cancellation)
    {
        var id = IdOf(patient);
        if (await directory.LatestConsentAsync(id, cancellation) is not { IsRevoked: false }) return null;
        var hospital = (await directory.PatientAsync(patient, cancellation))!.Custodian;
        if (await writes.OfOfficeAsync(nameof(Consent), id, hospital, cancellation) is not { IsDeleted: false } current) return null;
        var facts = current.Facts with { Author = context.Caller.Requester.Author };
        var deletion = StoredVersion.Deletion(facts, current.Version + 1, time.GetUtcNow());
        var plan = (await consents.RevokeAsync(id, null, cancellation)) with { Versions = [new VersionWrite(deletion, [], [])] };
        return new PreparedWrite(new WriteRequest(null, nameof(Consent), id, current), plan, []);
    }

    private Consent ConsentOf(string patient, string custodian) => new()
    {
        Id = IdOf(patient),
        Status = Consent.ConsentState.Active,
        Scope = new CodeableConcept(Scope, "patient-privacy"),
        Category = [new CodeableConcept("http://loinc.org", "59284-0")],
        Patient = new ResourceReference($"Patient/{patient}"),
        DateTimeElement = new FhirDateTime(DateTimeOffset.FromUnixTimeSeconds(time.GetUtcNow().ToUnixTimeSeconds())),
        Organization = [new ResourceReference(custodian)],
        Policy = [new Consent.PolicyComponent { Uri = $"https://pmrgateway.example/policy/implicit-{options.Consent.ImplicitPolicy}" }],
        Provision = new Consent.provisionComponent
        {
            Type = Consent.ConsentProvisionType.Permit,
            // To be read: what is written about the patient takes a consent of its own.
            Action = [new CodeableConcept(Actions, "access")],
            Purpose = [.. options.Consent.ImplicitPurposes.Select(p => new Coding(Purposes, p))],
        },
    };

    // A patient has one, for ever: what was ended does not begin again.
    private static string IdOf(string patient) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("implicit\n" + patient)))[..32];
}
