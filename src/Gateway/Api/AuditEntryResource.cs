using Hl7.Fhir.Model;
using Hl7.Fhir.Utility;
using PmrGateway.Gateway.Flows;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// An entry of the audit log as an AuditEvent in the shape of IHE BALP. Entries hold references and codes, nothing sealed, so they do not
/// pass the vault. https://profiles.ihe.net/ITI/BALP
/// </summary>
internal static class AuditEntryResource
{
    private const string Terminology = "http://terminology.hl7.org/CodeSystem/";
    private const string RestInteractions = "http://hl7.org/fhir/restful-interaction";
    private const string Dicom = "http://dicom.nema.org/resources/ontology/DCM";

    /// <summary>The AuditEvent.</summary>
    public static AuditEvent Of(AuditEntry entry)
    {
        var resource = new AuditEvent
        {
            Id = entry.Id,
            Type = new Coding(Terminology + "audit-event-type", "rest", "RESTful Operation"),
            Subtype = [new Coding(RestInteractions, entry.Interaction)],
            Action = EnumUtility.ParseLiteral<AuditEvent.AuditEventAction>(entry.Action),
            Recorded = entry.Recorded,
            Outcome = entry.Outcome == AuditOutcome.Permit ? AuditEvent.AuditEventOutcome.N0 : AuditEvent.AuditEventOutcome.N4,
            PurposeOfEvent = [.. entry.Purposes.Select(p => new CodeableConcept(Terminology + "v3-ActReason", p, entry.Reason))],
            Source = new AuditEvent.SourceComponent { Observer = new ResourceReference { Display = "PmrGateway" } },
        };
        AddAgents(resource, entry);
        foreach (var patient in entry.Patients) Add(resource, new ResourceReference($"Patient/{patient}"), "1", "Patient");
        foreach (var entity in entry.Entities.Where(e => e.Contains('/')))
            Add(resource, new ResourceReference(entity), "4", "Domain Resource");
        foreach (var commitment in entry.Commitments)
        {
            var consent = new ResourceReference { Identifier = new Identifier("urn:ietf:rfc:3986", "urn:pmr:consent:" + commitment) };
            resource.Entity.Add(new AuditEvent.EntityComponent { What = consent });
        }
        return resource;
    }

    private static void AddAgents(AuditEvent resource, AuditEntry entry)
    {
        var who = entry.Agent.Contains('/') ? new ResourceReference(entry.Agent) : new ResourceReference { Display = entry.Agent };
        Add(resource, new CodeableConcept(Terminology + "v3-ParticipationType", "IRCP"), who, isRequestor: true);
        var client = new ResourceReference { Identifier = new Identifier(null, entry.Client) };
        Add(resource, new CodeableConcept(Dicom, "110150"), client, isRequestor: false);
        if (entry.Organization is not { } organization || organization == entry.Agent) return;
        var provider = new CodeableConcept(Terminology + "v3-RoleClass", "PROV");
        Add(resource, provider, new ResourceReference(organization), isRequestor: false);
    }

    private static void Add(AuditEvent resource, CodeableConcept type, ResourceReference who, bool isRequestor) =>
        resource.Agent.Add(new AuditEvent.AgentComponent { Type = type, Who = who, Requestor = isRequestor });

    private static void Add(AuditEvent resource, ResourceReference what, string role, string display) => resource.Entity.Add(
        new AuditEvent.EntityComponent { What = what, Role = new Coding(Terminology + "object-role", role, display) });
}
