using System.Data;
using Dapper;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>An actor as the gateway knows it.</summary>
/// <param name="Reference">Its resource, <c>Type/id</c>.</param>
/// <param name="ActorId">Its on-chain id, hex.</param>
/// <param name="Kind">What it is: a number of <see cref="ActorKind"/>.</param>
/// <param name="Hospital">Reference of a practitioner's hospital, or null.</param>
/// <param name="Suspended">Whether it was suspended here; counts at once.</param>
/// <param name="ChainActive">Whether the chain has it active.</param>
public sealed record ActorRow(string Reference, string ActorId, long Kind, string? Hospital, long Suspended, long ChainActive);

/// <summary>A patient's place on the chain.</summary>
/// <param name="Id">Patient id.</param>
/// <param name="PatientKey">On-chain key, hex.</param>
/// <param name="Custodian">Reference of the hospital that registered the patient.</param>
/// <param name="Controller">Address of who controls the record, hex; null until the chain has the patient.</param>
public sealed record PatientRow(string Id, string PatientKey, string Custodian, string? Controller);

/// <summary>Who is who on the chain: actors, the clients bound to them, patients.</summary>
public sealed class DirectoryStore(Database database)
{
    private const string ActorColumns = "a.reference Reference, a.actor_id ActorId, a.kind Kind, a.hospital Hospital, a.suspended Suspended, a.chain_active ChainActive";
    private const string PatientColumns = "id Id, patient_key PatientKey, custodian Custodian, controller Controller";

    /// <summary>The actor that a client is bound to on the chain, or null.</summary>
    /// <param name="client">keccak256(issuer || 0x00 || client or subject), hex.</param>
    public ActorRow? ActorOfClient(string client)
    {
        using var connection = database.OpenReader();
        return connection.QueryFirstOrDefault<ActorRow>($"SELECT {ActorColumns} FROM bindings b JOIN actors a ON a.actor_id = b.actor_id WHERE b.client = @client", new { client });
    }

    /// <summary>An actor by its reference, or null.</summary>
    public ActorRow? Actor(string reference)
    {
        using var connection = database.OpenReader();
        return Actor(connection, reference);
    }

    /// <summary>An actor by its reference inside a change, or null.</summary>
    public static ActorRow? Actor(IDbConnection connection, string reference) =>
        connection.QueryFirstOrDefault<ActorRow>($"SELECT {ActorColumns} FROM actors a WHERE a.reference = @reference", new { reference });

    /// <summary>A patient by id, or null.</summary>
    public PatientRow? Patient(string id)
    {
        using var connection = database.OpenReader();
        return Patient(connection, id);
    }

    /// <summary>A patient by id inside a change, or null.</summary>
    public static PatientRow? Patient(IDbConnection connection, string id) =>
        connection.QueryFirstOrDefault<PatientRow>($"SELECT {PatientColumns} FROM patients WHERE id = @id", new { id });

    /// <summary>Keeps a new actor, not active until the chain has it. Nothing where it is there already.</summary>
    /// <returns>Whether it was new.</returns>
    public static bool AddActor(IDbConnection connection, string reference, string actorId, ActorKind kind, string? hospital) => connection.Execute(
        "INSERT INTO actors (reference, actor_id, kind, hospital, suspended, chain_active) VALUES (@reference, @actorId, @kind, @hospital, 0, 0) ON CONFLICT (reference) DO NOTHING",
        new { reference, actorId, kind = (int)kind, hospital }) == 1;

    /// <summary>Suspends or reinstates an actor here, which counts at once; the chain follows.</summary>
    public static void SetSuspended(IDbConnection connection, string reference, bool suspended) =>
        connection.Execute("UPDATE actors SET suspended = @suspended WHERE reference = @reference", new { reference, suspended = suspended ? 1 : 0 });

    /// <summary>Keeps a new patient. Nothing where it is there already.</summary>
    /// <returns>Whether it was new.</returns>
    public static bool AddPatient(IDbConnection connection, string id, string patientKey, string custodian) => connection.Execute(
        "INSERT INTO patients (id, patient_key, custodian, controller) VALUES (@id, @patientKey, @custodian, NULL) ON CONFLICT (id) DO NOTHING", new { id, patientKey, custodian }) == 1;
}
