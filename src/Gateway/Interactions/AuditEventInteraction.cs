using Hl7.Fhir.Model;
using Microsoft.Extensions.Primitives;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Http;
using PmrGateway.Gateway.Security;
using PmrGateway.Store;
using Task = System.Threading.Tasks.Task;

namespace PmrGateway.Gateway.Interactions;

/// <summary>
/// Who read what of a patient: the audit log as AuditEvents in the shape of IHE BALP, for the patient alone. Entries hold references and
/// codes, nothing sealed, so they do not pass the vault. https://hl7.org/fhir/R4/auditevent.html
/// </summary>
public sealed class AuditEventInteraction(AuditLog audit, Denials denials, BaseUrl baseUrl, TimeProvider time)
{
    private const string RestInteractions = "http://hl7.org/fhir/restful-interaction";

    /// <summary>The patient's own entries, newest first; nothing for anybody else.</summary>
    public async Task<FhirResponse> SearchAsync(Caller caller, IEnumerable<KeyValuePair<string, StringValues>> parameters, CancellationToken cancellation)
    {
        if (caller.Refuse("AuditEvent", ScopeAction.Search) is { } refusal) return await denials.AnswerAsync(caller, "search-type", "AuditEvent", refusal);
        var (count, cursor) = (50, long.MaxValue);
        string? patient = null;
        foreach (var (key, value) in parameters)
        {
            if (key == "_count" && int.TryParse(value, out var n) && n > 0) count = Math.Min(n, 500);
            else if (key == "_cursor" && long.TryParse(value, out var c)) cursor = c;
            else if (key == "patient") patient = value.ToString().Replace("Patient/", "", StringComparison.Ordinal);
            else return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, "AuditEvent is searched by patient, _count and _cursor"));
        }
        var own = caller.Requester.Patient;
        var (page, total) = own is null || (patient is not null && patient != own) ? ([], 0) : audit.Of(own, null, cursor, count);
        await LogAsync(caller, "search-type", "AuditEvent", own);
        var bundle = new BundleWriter("searchset", total);
        bundle.Link("self", $"{baseUrl.Fhir}/AuditEvent?patient={own}");
        if (page.Count == count) bundle.Link("next", $"{baseUrl.Fhir}/AuditEvent?patient={own}&_count={count}&_cursor={page[^1].Seq}");
        foreach (var (_, entry) in page) bundle.SearchEntry($"{baseUrl.Fhir}/AuditEvent/{entry.Id}", FhirTyped.ToJson(ToResource(entry)), "match");
        cancellation.ThrowIfCancellationRequested();
        return new FhirResponse(200, bundle.ToJson());
    }

    /// <summary>One entry of the patient's own.</summary>
    public async Task<FhirResponse> ReadAsync(Caller caller, string id)
    {
        if (caller.Refuse("AuditEvent", ScopeAction.Read) is { } refusal) return await denials.AnswerAsync(caller, "read", $"AuditEvent/{id}", refusal);
        var found = caller.Requester.Patient is { } own ? audit.Of(own, id, long.MaxValue, 1).Page : [];
        if (found.Count == 0) return await denials.AnswerAsync(caller, "read", $"AuditEvent/{id}", Outcome.NotFound, caller.Requester.Patient);
        await LogAsync(caller, "read", $"AuditEvent/{id}", caller.Requester.Patient);
        return new FhirResponse(200, FhirTyped.ToJson(ToResource(found[0].Entry)));
    }

    private Task LogAsync(Caller caller, string interaction, string asked, string? patient) => audit.AppendAsync(
        caller.Entry(time.GetUtcNow(), interaction, "permit", [asked], CallerAudit.Patients(patient)));

    private static AuditEvent ToResource(AuditEntry entry)
    {
        var resource = new AuditEvent
        {
            Id = entry.Id,
            Type = new Coding("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest", "RESTful Operation"),
            Subtype = [new Coding(RestInteractions, entry.Interaction)],
            Action = Hl7.Fhir.Utility.EnumUtility.ParseLiteral<AuditEvent.AuditEventAction>(entry.Action),
            Recorded = entry.Recorded,
            Outcome = entry.Outcome == "permit" ? AuditEvent.AuditEventOutcome.N0 : AuditEvent.AuditEventOutcome.N4,
            PurposeOfEvent = [.. entry.Purposes.Select(p => new CodeableConcept("http://terminology.hl7.org/CodeSystem/v3-ActReason", p))],
            Source = new AuditEvent.SourceComponent { Observer = new ResourceReference { Display = "PmrGateway" } },
        };
        resource.Agent.Add(new AuditEvent.AgentComponent
        {
            Type = new CodeableConcept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP"),
            Who = entry.Agent.Contains('/') ? new ResourceReference(entry.Agent) : new ResourceReference { Display = entry.Agent },
            Requestor = true,
        });
        resource.Agent.Add(new AuditEvent.AgentComponent
        {
            Type = new CodeableConcept("http://dicom.nema.org/resources/ontology/DCM", "110150"),
            Who = new ResourceReference { Identifier = new Identifier(null, entry.Client) },
            Requestor = false,
        });
        if (entry.Organization is { } organization && organization != entry.Agent)
            resource.Agent.Add(new AuditEvent.AgentComponent { Type = new CodeableConcept("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV"), Who = new ResourceReference(organization), Requestor = false });
        foreach (var patient in entry.Patients)
            resource.Entity.Add(new AuditEvent.EntityComponent { What = new ResourceReference($"Patient/{patient}"), Role = new Coding("http://terminology.hl7.org/CodeSystem/object-role", "1", "Patient") });
        foreach (var entity in entry.Entities.Where(e => e.Contains('/')))
            resource.Entity.Add(new AuditEvent.EntityComponent { What = new ResourceReference(entity), Role = new Coding("http://terminology.hl7.org/CodeSystem/object-role", "4", "Domain Resource") });
        foreach (var commitment in entry.Commitments)
            resource.Entity.Add(new AuditEvent.EntityComponent { What = new ResourceReference { Identifier = new Identifier("urn:ietf:rfc:3986", "urn:pmr:consent:" + commitment) } });
        return resource;
    }
}
