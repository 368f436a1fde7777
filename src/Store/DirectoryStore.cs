using System.Data.Common;
using System.Text.Json;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>An actor as the gateway knows it.</summary>
/// <param name="Reference">Its resource, <c>Type/id</c>.</param>
/// <param name="ActorId">Its on-chain id, hex.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Hospital">Reference of a practitioner's hospital, or null.</param>
/// <param name="IsSuspended">Whether it was suspended here; counts at once.</param>
/// <param name="IsActive">Whether it may act: the chain has it active, and it is not suspended here; a practitioner's hospital
/// likewise.</param>
public sealed record Actor(string Reference, string ActorId, ActorKind Kind, string? Hospital, bool IsSuspended, bool IsActive);

/// <summary>A patient's place on the chain.</summary>
/// <param name="Id">Patient id.</param>
/// <param name="PatientKey">On-chain key, hex.</param>
/// <param name="Custodian">Reference of the hospital that registered the patient.</param>
/// <param name="Controller">Address of who controls the record, hex; null until the chain has the patient.</param>
public sealed record RegisteredPatient(string Id, string PatientKey, string Custodian, string? Controller);

/// <summary>A consent as the gateway keeps it beside its resource.</summary>
/// <param name="Commitment">On-chain commitment, hex.</param>
/// <param name="PatientId">The patient.</param>
/// <param name="GrantedBlock">Block of the grant once the chain has it.</param>
/// <param name="IsRevoked">Whether it is revoked.</param>
/// <param name="Giver">Who gave it (<see cref="ConsentChange.Give.Giver"/>).</param>
/// <param name="Terms">What it says.</param>
public sealed record KeptConsent(
    string Commitment, string PatientId, long? GrantedBlock, bool IsRevoked, string Giver, ConsentTerms Terms);

/// <summary>Who is who on the chain, and what stands of it: actors, the clients bound to them, patients, consents.</summary>
public sealed class DirectoryStore(RecordDatabase database)
{
    private const string Columns =
        """
        a.reference, a.actor_id, a.kind, a.hospital, a.suspended, a.chain_active,
          CASE WHEN a.hospital IS NULL THEN 1 WHEN h.chain_active = 1 AND h.suspended = 0 THEN 1 ELSE 0 END
        """;

    private const string Kept = "SELECT commitment, patient_id, granted_block, revoked, giver, terms FROM consents";

    private const string Hospital = "LEFT JOIN actors h ON h.reference = a.hospital";

    /// <summary>The actor that a client is bound to on the chain, or null.</summary>
    /// <param name="client">keccak256(issuer || 0x00 || client or subject), hex.</param>
    /// <param name="cancellation">Stops the read.</param>
    public ValueTask<Actor?> ActorOfClientAsync(string client, CancellationToken cancellation) => ActorAsync(
        $"SELECT {Columns} FROM bindings b JOIN actors a ON a.actor_id = b.actor_id {Hospital} WHERE b.client = $1", client, cancellation);

    /// <summary>An actor by its reference, or null.</summary>
    public ValueTask<Actor?> ActorAsync(string reference, CancellationToken cancellation) =>
        ActorAsync($"SELECT {Columns} FROM actors a {Hospital} WHERE a.reference = $1", reference, cancellation);

    /// <summary>A patient by id, or null.</summary>
    public ValueTask<RegisteredPatient?> PatientAsync(string id, CancellationToken cancellation) => database.ReadAsync(
        (session, stop) => session.FirstAsync(
            "SELECT id, patient_key, custodian, controller FROM patients WHERE id = $1",
            static r => new RegisteredPatient(r.GetString(0), r.GetString(1), r.GetString(2), r.TextOrNull(3)), stop, id),
        cancellation);

    /// <summary>What a Consent resource gave last, or null.</summary>
    public ValueTask<KeptConsent?> LatestConsentAsync(string consentId, CancellationToken cancellation) => database.ReadAsync(
        (session, stop) => session.FirstAsync(
            $"{Kept} WHERE consent_id = $1 ORDER BY place DESC LIMIT 1", ReadKept, stop, consentId),
        cancellation);

    /// <summary>The consents that a patient gave and that are not revoked.</summary>
    /// <param name="patient">Patient id.</param>
    /// <param name="giver">By whom they were given.</param>
    /// <param name="cancellation">Stops the read.</param>
    public ValueTask<IReadOnlyList<KeptConsent>> StandingAsync(string patient, string giver, CancellationToken cancellation) =>
        database.ReadAsync<IReadOnlyList<KeptConsent>>(
            async (session, stop) => await session.QueryAsync(
                $"{Kept} WHERE patient_id = $1 AND giver = $2 AND revoked = 0", ReadKept, stop, patient, giver),
            cancellation);

    /// <summary>A subject's wrapped key, or null while it has none.</summary>
    public ValueTask<byte[]?> SubjectKeyAsync(string subject, CancellationToken cancellation) => database.ReadAsync(
        (session, stop) => session.FirstAsync("SELECT wrapped FROM subject_keys WHERE subject = $1", static r => r.Bytes(0), stop, subject),
        cancellation);

    private static KeptConsent ReadKept(DbDataReader r) => new(
        r.GetString(0), r.GetString(1), r.NumberOrNull(2), r.GetInt64(3) != 0, r.GetString(4),
        JsonSerializer.Deserialize<ConsentTerms>(r.GetString(5))!);

    private async ValueTask<Actor?> ActorAsync(string sql, string key, CancellationToken cancellation)
    {
        // Other processes' changes would be heard of too late.
        if (database.Engine.Notify is not null) return await ReadActorAsync(sql, key, cancellation);
        if (database.Actors.Find(sql, key) is { } known) return known;
        var generation = database.Actors.Generation;
        var actor = await ReadActorAsync(sql, key, cancellation);
        if (actor is not null) database.Actors.Add(sql, key, actor, generation);
        return actor;
    }

    private ValueTask<Actor?> ReadActorAsync(string sql, string key, CancellationToken cancellation) => database.ReadAsync(
        (session, stop) => session.FirstAsync(
            sql,
            static r =>
            {
                var isSuspended = r.GetInt64(4) != 0;
                return new Actor(
                    r.GetString(0), r.GetString(1), (ActorKind)r.GetInt64(2), r.TextOrNull(3), isSuspended,
                    !isSuspended && r.GetInt64(5) == 1 && r.GetInt64(6) == 1);
            },
            stop, key),
        cancellation);
}
