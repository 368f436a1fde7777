using System.Data;
using System.Security.Cryptography;
using Hl7.Fhir.Model;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Http;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// What the operator's directory entries mean to the ledger: an Organization of type prov is a hospital, of type pay or ins an insurer; a
/// PractitionerRole makes its Practitioner a doctor of its hospital. <c>active: false</c> suspends, here at once.
/// </summary>
public sealed class ActorWrites(DirectoryStore directory)
{
    private const string OrganizationTypes = "http://terminology.hl7.org/CodeSystem/organization-type";

    /// <summary>Prepares the registration or the suspension that a directory entry means.</summary>
    /// <returns>Why not, or null.</returns>
    public Outcome? Prepare(WriteRequest request, List<Action<IDbConnection>> effects) => request.Type switch
    {
        "Organization" => Organization(request, FhirTyped.Parse<Organization>(request.Document!), effects),
        "Practitioner" when request.Current is not null => Suspend($"Practitioner/{request.Id}", FhirTyped.Parse<Practitioner>(request.Document!).Active, effects),
        "PractitionerRole" => Role(FhirTyped.Parse<PractitionerRole>(request.Document!), effects),
        _ => null,
    };

    /// <summary>Binds an OAuth client or user to an actor, on the chain.</summary>
    /// <param name="connection">The change.</param>
    /// <param name="reference">The actor.</param>
    /// <param name="bindingKey">keccak256(issuer || 0x00 || client or subject), hex.</param>
    public static void Bind(IDbConnection connection, string reference, string bindingKey)
    {
        var actor = DirectoryStore.Actor(connection, reference)!;
        SqliteLedgerJournal.Enqueue(connection, ChainCommands.BindClient(reference, Convert.FromHexString(actor.ActorId), bindingKey));
    }

    /// <summary>A directory entry that is deleted suspends the actor that it stands for.</summary>
    public void PrepareDeletion(string reference, List<Action<IDbConnection>> effects) => Suspend(reference, active: false, effects);

    private Outcome? Organization(WriteRequest request, Organization organization, List<Action<IDbConnection>> effects)
    {
        var reference = $"Organization/{request.Id}";
        var types = organization.Type.SelectMany(t => t.Coding).Where(c => c.System == OrganizationTypes).Select(c => c.Code).ToList();
        var kind = types.Contains("prov") ? ActorKind.Hospital : types.Contains("ins") || types.Contains("pay") ? ActorKind.Insurer : ActorKind.None;
        if (kind == ActorKind.None) return null;
        if (directory.Actor(reference) is not null) return Suspend(reference, organization.Active, effects);
        var (id, name) = (RandomNumberGenerator.GetBytes(32), SaltedHash(organization.Name ?? ""));
        var address = SaltedHash(string.Join('\n', organization.Address.Select(a => a.Text ?? string.Join(", ", a.Line.Append(a.PostalCode).Append(a.City).Append(a.Country)))));
        var endpoint = organization.Endpoint.Select(e => e.Reference).FirstOrDefault() ?? "";
        var call = kind == ActorKind.Hospital
            ? ChainCommands.RegisterHospital(reference, id, name, address, endpoint)
            : ChainCommands.RegisterInsurer(reference, id, name);
        effects.Add(connection => Register(connection, reference, id, kind, null, call));
        return null;
    }

    private Outcome? Role(PractitionerRole role, List<Action<IDbConnection>> effects)
    {
        if (!FhirReference.TryParse(role.Practitioner?.Reference, out var practitioner) || practitioner.Type != "Practitioner") return null;
        var reference = practitioner.ToString();
        if (directory.Actor(reference) is not null) return Suspend(reference, role.Active, effects);
        if (directory.Actor(role.Organization?.Reference ?? "") is not { } hospital || (ActorKind)hospital.Kind != ActorKind.Hospital)
            return new Outcome(OutcomeCategory.Invalid, [new ValidationIssue(IssueSeverity.Error, IssueCode.Value, "PractitionerRole.organization", "not a registered hospital")]);
        var id = RandomNumberGenerator.GetBytes(32);
        var number = SaltedHash(role.Identifier.Select(i => i.Value).FirstOrDefault() ?? reference);
        var call = ChainCommands.RegisterPractitioner(reference, id, number, hospital.Reference, Convert.FromHexString(hospital.ActorId));
        effects.Add(connection => Register(connection, reference, id, ActorKind.Practitioner, hospital.Reference, call));
        return null;
    }

    private Outcome? Suspend(string reference, bool? active, List<Action<IDbConnection>> effects)
    {
        // An entry that says nothing of active neither suspends nor reinstates.
        if (active is not { } isActive || directory.Actor(reference) is not { } actor || isActive == (actor.Suspended == 0)) return null;
        var suspended = !isActive;
        effects.Add(connection =>
        {
            DirectoryStore.SetSuspended(connection, reference, suspended);
            SqliteLedgerJournal.Enqueue(connection, ChainCommands.SetStatus(reference, Convert.FromHexString(actor.ActorId), isActive));
        });
        return null;
    }

    private static void Register(IDbConnection connection, string reference, byte[] id, ActorKind kind, string? hospital, ChainCommand call)
    {
        if (DirectoryStore.AddActor(connection, reference, Convert.ToHexStringLower(id), kind, hospital))
            SqliteLedgerJournal.Enqueue(connection, call);
    }

    // A bare hash of a name or a number could be found by trying them all.
    private static byte[] SaltedHash(string text) => Keccak256.Hash(RandomNumberGenerator.GetBytes(32), System.Text.Encoding.UTF8.GetBytes(text));
}
