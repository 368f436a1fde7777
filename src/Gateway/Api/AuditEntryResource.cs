using System.Text;
using Hl7.Fhir.Model;
using Hl7.Fhir.Utility;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// An entry of the audit log as AuditEvents of IHE BALP: the request, and, where consents permitted it, the decision that they did. Each
/// claims the profiles that it keeps. Entries hold references and codes, nothing sealed, so they do not pass the vault.
/// https://profiles.ihe.net/ITI/BALP, docs/decisions/0027-audit-events-are-balps.md
/// </summary>
internal sealed class AuditEntryResource(BaseUrl baseUrl)
{
    /// <summary>What the id of a decision has behind that of its entry.</summary>
    public const string DecisionSuffix = "-decision";

    /// <summary>The type of a decision: Security Alert.</summary>
    public static readonly (string System, string Code) DecisionType = (Dicom, "110113");

    /// <summary>The type of a request.</summary>
    public static readonly (string System, string Code) RequestType = (Terminology + "audit-event-type", "rest");

    /// <summary>The subtype of a decision.</summary>
    public static readonly (string System, string Code) DecisionSubtype = (Balp + "CodeSystem/AuthZsubType", "AuthZ-Consent");

    /// <summary>System of the codes of interactions.</summary>
    public const string Interactions = "http://hl7.org/fhir/restful-interaction";

    private const string Terminology = "http://terminology.hl7.org/CodeSystem/";
    private const string Dicom = "http://dicom.nema.org/resources/ontology/DCM";
    private const string Participation = Terminology + "v3-ParticipationType";
    private const string ResourceTypes = "http://hl7.org/fhir/resource-types";
    private const string Balp = "https://profiles.ihe.net/ITI/BALP/";
    private const string Profiles = Balp + "StructureDefinition/IHE.BasicAudit.";
    private const string TokenPrefix = "urn:ietf:params:oauth:jti:";

    // Codings are values of the model's mutable kind: a new one wherever one is put into a resource.
    private static Coding Application => new(Dicom, "110150", "Application");

    private static Coding Source => new(Dicom, "110153", "Source Role ID");

    private static Coding Destination => new(Dicom, "110152", "Destination Role ID");

    private static Coding TokenAgent => new(Balp + "CodeSystem/UserAgentTypes", "UserOauthAgent");

    private static Coding PersonOrSystem => new(Terminology + "audit-entity-type", "1", "Person");

    private static Coding Object => new(Terminology + "audit-entity-type", "2", "System Object");

    private ResourceReference Gateway =>
        new() { Identifier = new Identifier("urn:ietf:rfc:3986", baseUrl.Public), Display = "PmrGateway" };

    /// <summary>The AuditEvent.</summary>
    /// <param name="evidence">The entry, and which of its events.</param>
    /// <param name="consents">Ids of Consents, by commitment.</param>
    public AuditEvent Of(AuditEvidence evidence, IReadOnlyDictionary<string, string> consents)
    {
        var entry = evidence.Entry;
        var resource = new AuditEvent
        {
            Recorded = entry.Recorded,
            Outcome = entry.Outcome == AuditOutcome.Permit ? AuditEvent.AuditEventOutcome.N0 : AuditEvent.AuditEventOutcome.N4,
            PurposeOfEvent = Purposes(entry),
            Source = new AuditEvent.SourceComponent
            {
                Site = new Uri(baseUrl.Public).Host,
                Observer = Gateway,
                Type = [new Coding(Terminology + "security-source-type", "4", "Application Server")],
            },
        };
        if (evidence.IsDecision) AddDecision(resource, entry, consents);
        else AddRequest(resource, entry, consents);
        return resource;
    }

    private void AddRequest(AuditEvent resource, AuditEntry entry, IReadOnlyDictionary<string, string> consents)
    {
        resource.Id = entry.Id;
        resource.Type = new Coding(RequestType.System, RequestType.Code, "RESTful Operation");
        resource.Subtype = [new Coding(Interactions, entry.Interaction)];
        resource.Action = EnumUtility.ParseLiteral<AuditEvent.AuditEventAction>(entry.Action);
        var isRelease = entry.Action is "R" || entry.Interaction == Interaction.Operation;
        var isWrite = entry.Action is "C" or "U" or "D";
        AddUser(resource, entry, isWrite ? new Coding(Participation, "AUT") : new Coding(Participation, "IRCP"));
        AddClient(resource, entry, entry.Action == "D" ? [] : [isRelease ? Destination : Source]);
        var server = entry.Action == "D"
            ? new Coding(Terminology + "provenance-participant-type", "custodian", "Custodian")
            : isRelease ? Source
            : Destination;
        var self = Agent(new CodeableConcept { Coding = [server] }, Gateway, isRequestor: false);
        self.Network = new AuditEvent.NetworkComponent
        {
            Address = baseUrl.Public,
            Type = AuditEvent.AuditEventAgentNetworkType.N5,
        };
        resource.Agent.Add(self);
        if (entry.Organization is { } organization && organization != entry.Agent) AddOrganization(resource, organization);
        AddEntities(resource, entry);
        foreach (var commitment in entry.Commitments) AddConsent(resource, commitment, consents);
        Claim(resource, ProfileOf(entry), entry);
    }

    private void AddDecision(AuditEvent resource, AuditEntry entry, IReadOnlyDictionary<string, string> consents)
    {
        resource.Id = entry.Id + DecisionSuffix;
        resource.Type = new Coding(DecisionType.System, DecisionType.Code, "Security Alert");
        resource.Subtype = [new Coding(DecisionSubtype.System, DecisionSubtype.Code)];
        resource.Action = AuditEvent.AuditEventAction.E;
        AddUser(resource, entry, new Coding(Participation, "IRCP"));
        AddClient(resource, entry, []);
        AddOrganization(resource, entry.Organization!);
        var decider = new CodeableConcept(Terminology + "extra-security-role-type", "authserver", "authorization server", null);
        resource.Agent.Add(Agent(decider, Gateway, isRequestor: false));
        AddPatients(resource, entry);
        foreach (var commitment in entry.Commitments) AddConsent(resource, commitment, consents);
        if (entry.Token is { } token)
        {
            var what = new ResourceReference { Identifier = new Identifier(null, TokenPrefix + token) };
            resource.Entity.Add(new AuditEvent.EntityComponent { What = what, Type = TokenAgent });
        }
        Claim(resource, "AuthZconsent", entry);
    }

    // Who asked comes first; by the token's id the other entries of one login are found.
    private static void AddUser(AuditEvent resource, AuditEntry entry, Coding role)
    {
        var who = entry.Agent.Contains('/') ? new ResourceReference(entry.Agent) : new ResourceReference { Display = entry.Agent };
        var type = new CodeableConcept { Coding = entry.Token is null ? [role] : [role, TokenAgent] };
        var user = Agent(type, who, isRequestor: true);
        user.PurposeOfUse = Purposes(entry);
        if (entry.Token is { } token) user.Policy = [TokenPrefix + token];
        resource.Agent.Add(user);
    }

    private static void AddClient(AuditEvent resource, AuditEntry entry, IEnumerable<Coding> roles)
    {
        var who = new ResourceReference { Identifier = new Identifier(null, entry.Client) };
        var client = Agent(new CodeableConcept { Coding = [Application, .. roles] }, who, isRequestor: false);
        if (entry.Address is { } address)
        {
            client.Network = new AuditEvent.NetworkComponent { Address = address, Type = AuditEvent.AuditEventAgentNetworkType.N2 };
        }
        resource.Agent.Add(client);
    }

    private static void AddOrganization(AuditEvent resource, string organization)
    {
        var type = new CodeableConcept(Terminology + "v3-RoleClass", "PROV", "healthcare provider", null);
        resource.Agent.Add(Agent(type, new ResourceReference(organization), isRequestor: false));
    }

    private static void AddEntities(AuditEvent resource, AuditEntry entry)
    {
        AddPatients(resource, entry);
        if (entry.Request is { } request)
        {
            var what = new ResourceReference { Identifier = new Identifier(null, request) };
            var type = new Coding(Balp + "CodeSystem/BasicAuditEntityType", "XrequestId");
            resource.Entity.Add(new AuditEvent.EntityComponent { What = what, Type = type });
        }
        if (entry.Query is { } query)
        {
            var asked = new AuditEvent.EntityComponent { Type = Object, Role = Role("24", "Query"), Query = Encoding.UTF8.GetBytes(query) };
            resource.Entity.Add(asked);
        }
        var records = entry.Entities.Where(e => e.Contains('/')).ToList();
        for (var i = 0; i < records.Count; i++)
        {
            // BALP's own kind of entity is for the one record that was asked for or written: what was split off it comes before.
            var isIt = i == records.Count - 1 && entry.Query is null && entry.Action != "E";
            var name = records[i].Split('/')[0];
            var type = isIt ? Object : Fhir.FhirSchema.R4.IsResourceType(name) ? new Coding(ResourceTypes, name) : null;
            // What was asked may be no record, e.g. Consent/$intent.
            var isRecord = Fhir.FhirReference.TryParse(records[i], out _);
            var what = isRecord ? new ResourceReference(records[i]) : new ResourceReference { Display = records[i] };
            resource.Entity.Add(new AuditEvent.EntityComponent { What = what, Type = type, Role = Role("4", "Domain Resource") });
        }
    }

    private static void AddPatients(AuditEvent resource, AuditEntry entry)
    {
        foreach (var patient in entry.Patients)
        {
            var what = new ResourceReference($"Patient/{patient}");
            resource.Entity.Add(new AuditEvent.EntityComponent { What = what, Type = PersonOrSystem, Role = Role("1", "Patient") });
        }
    }

    private static void AddConsent(AuditEvent resource, string commitment, IReadOnlyDictionary<string, string> consents)
    {
        var consent = new ResourceReference { Identifier = new Identifier("urn:ietf:rfc:3986", "urn:pmr:consent:" + commitment) };
        if (consents.TryGetValue(commitment, out var id)) consent.Reference = $"Consent/{id}";
        resource.Entity.Add(new AuditEvent.EntityComponent { What = consent, Type = new Coding(ResourceTypes, "Consent", "Consent") });
    }

    // Which of BALP's profiles for REST an entry keeps: they are for what was done, and ask from where; the others have none.
    private static string? ProfileOf(AuditEntry entry)
    {
        if (entry.Address is null || entry.Outcome != AuditOutcome.Permit) return null;
        var profile = entry.Interaction switch
        {
            Interaction.Read or Interaction.Vread => "Read",
            Interaction.SearchType when entry.Query is not null => "Query",
            Interaction.Create => "Create",
            Interaction.Update or Interaction.Patch => "Update",
            Interaction.Delete => "Delete",
            _ => null,
        };
        return profile is null || entry.Patients.Count == 0 ? profile : "Patient" + profile;
    }

    private static void Claim(AuditEvent resource, string? profile, AuditEntry entry)
    {
        List<string> kept = [];
        if (profile is not null) kept.Add(Profiles + profile);
        if (entry.Token is not null) kept.Add(Profiles + "OAUTHaccessTokenUse.Minimal");
        if (kept.Count > 0) resource.Meta = new Meta { Profile = kept };
    }

    private static List<CodeableConcept> Purposes(AuditEntry entry) =>
        [.. entry.Purposes.Select(p => new CodeableConcept(Terminology + "v3-ActReason", p, entry.Reason))];

    private static AuditEvent.AgentComponent Agent(CodeableConcept type, ResourceReference who, bool isRequestor) =>
        new() { Type = type, Who = who, Requestor = isRequestor };

    private static Coding Role(string code, string display) => new(Terminology + "object-role", code, display);
}
