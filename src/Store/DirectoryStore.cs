using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>An actor as the gateway knows it.</summary>
/// <param name="Reference">Its resource, <c>Type/id</c>.</param>
/// <param name="ActorId">Its on-chain id, hex.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Hospital">Reference of a practitioner's hospital, or null.</param>
/// <param name="IsSuspended">Whether it was suspended here; counts at once.</param>
/// <param name="IsActive">Whether the chain has it active, and it is not suspended here; a practitioner's hospital likewise.</param>
public sealed record Actor(string Reference, string ActorId, ActorKind Kind, string? Hospital, bool IsSuspended, bool IsActive)
{
    /// <summary>Reference of the PractitionerRole that a practitioner acts by; null where none is known.</summary>
    public string? Role { get; init; }

    /// <summary>Whether the chain has it active, as far as it is followed; whatever its hospital is, or what was said here.</summary>
    public bool IsActiveOnChain { get; init; }

    /// <summary>From when on it may not act any more; null: it has no end.</summary>
    public DateTimeOffset? Ends { get; init; }

    /// <summary>Where the policy is published under which the glass is broken at it, or at a practitioner's hospital; null: there is none.
    /// </summary>
    public string? GlassPolicy { get; init; }

    /// <summary>Whether it may act at an instant.</summary>
    public bool ActsAt(DateTimeOffset now) => IsActive && (Ends is null || now < Ends);

    /// <summary>Who it would be to the consent decision if it asked at an instant. A system is no author by its actor alone.</summary>
    /// <param name="now">When.</param>
    /// <param name="purposes">What for.</param>
    public Requester RequesterAt(DateTimeOffset now, IReadOnlyList<string> purposes)
    {
        var isPerson = Kind == ActorKind.Practitioner;
        return new Requester(Reference, isPerson ? Hospital : Reference, isPerson ? Reference : null, null, ActsAt(now), purposes)
        {
            Author = isPerson ? Reference : "",
        };
    }
}

/// <summary>A patient's place on the chain.</summary>
/// <param name="Id">Patient id.</param>
/// <param name="PatientKey">On-chain key, hex.</param>
/// <param name="Custodian">Reference of the hospital that registered the patient.</param>
/// <param name="Controller">Address of who controls the record, hex; null until the chain has the patient.</param>
public sealed record RegisteredPatient(string Id, string PatientKey, string Custodian, string? Controller);

/// <summary>A consent as the gateway keeps it beside its resource.</summary>
/// <param name="Commitment">On-chain commitment, hex.</param>
/// <param name="ConsentId">Its Consent resource.</param>
/// <param name="PatientId">The patient.</param>
/// <param name="GrantedBlock">Block of the grant once the chain has it.</param>
/// <param name="IsRevoked">Whether it is revoked.</param>
/// <param name="Giver">Who gave it (<see cref="ConsentChange.Give.Giver"/>).</param>
/// <param name="Terms">What it says.</param>
public sealed record KeptConsent(
    string Commitment, string ConsentId, string PatientId, long? GrantedBlock, bool IsRevoked, string Giver, ConsentTerms Terms);

/// <summary>Who is who on the chain, and what stands of it: actors, the clients bound to them, patients, consents.</summary>
public sealed class DirectoryStore(RecordDatabase database)
{
    private static readonly string Columns =
        $"{ActorRow.Columns("a")}, CASE WHEN h.reference IS NULL THEN 0 ELSE 1 END, {ActorRow.Columns("h")}";

    // An actor, whether there is a hospital, and the hospital.
    private const int Both = ActorRow.Width + 1 + ActorRow.Width;

    private const string Hospital = "LEFT JOIN actors h ON h.reference = a.hospital";

    private static readonly string OfClient =
        $"SELECT {Columns}, b.actor_id, b.seal FROM bindings b JOIN actors a ON a.actor_id = b.actor_id {Hospital} WHERE b.client = $1";

    private static readonly string OfRole = $"SELECT {Columns} FROM actors a {Hospital} WHERE a.role = $1";

    private static readonly string OfReference = $"SELECT {Columns} FROM actors a {Hospital} WHERE a.reference = $1";

    private static readonly string OfAll = $"SELECT {Columns} FROM actors a {Hospital} ORDER BY a.reference";

    /// <summary>The actor that a client is bound to on the chain, or null.</summary>
    /// <param name="client">keccak256(issuer || 0x00 || client or subject), hex.</param>
    /// <param name="cancellation">Stops the read.</param>
    public ValueTask<Actor?> ActorOfClientAsync(string client, CancellationToken cancellation) =>
        ActorAsync(OfClient, client, cancellation);

    /// <summary>An actor by its reference, or null.</summary>
    public ValueTask<Actor?> ActorAsync(string reference, CancellationToken cancellation) =>
        ActorAsync(OfReference, reference, cancellation);

    /// <summary>The practitioner who acts by a role, or null.</summary>
    /// <param name="role">Reference of the PractitionerRole.</param>
    /// <param name="cancellation">Stops the read.</param>
    public ValueTask<Actor?> ActorOfRoleAsync(string role, CancellationToken cancellation) => ReadActorAsync(OfRole, role, cancellation);

    /// <summary>All actors, by reference.</summary>
    /// <exception cref="RowBrokenException">One of the rows is not what was sealed.</exception>
    public async ValueTask<IReadOnlyList<Actor>> ActorsAsync(CancellationToken cancellation) =>
        (await database.ReadAsync((session, stop) => session.QueryAsync(OfAll, ReadFound, stop), cancellation)).ConvertAll(Known);

    /// <summary>A patient by id, or null.</summary>
    /// <exception cref="RowBrokenException">The row is not what was sealed.</exception>
    public async ValueTask<RegisteredPatient?> PatientAsync(string id, CancellationToken cancellation)
    {
        var row = await database.ReadAsync(
            (session, stop) => session.FirstAsync(
                $"SELECT {PatientRow.Columns} FROM patients p WHERE p.id = $1", PatientRow.Read, stop, id),
            cancellation);
        if (row is null) return null;
        database.Directory.Must(row);
        return new RegisteredPatient(row.Id, row.PatientKey, row.Custodian, row.Controller);
    }

    /// <summary>What a Consent resource gave last, or null.</summary>
    /// <exception cref="RowBrokenException">A consent of its patient is not what was sealed.</exception>
    public async ValueTask<KeptConsent?> LatestConsentAsync(string consentId, CancellationToken cancellation) =>
        await database.ReadAsync((session, stop) => database.Consents.LatestAsync(session, consentId, stop), cancellation) is { } latest
            ? Kept(latest)
            : null;

    /// <summary>All consents of a patient, revoked ones too, those of one resource in order.</summary>
    /// <param name="patient">Patient id.</param>
    /// <param name="cancellation">Stops the read.</param>
    /// <exception cref="RowBrokenException">One of them is not what was sealed, or one that stands is missing.</exception>
    public async ValueTask<IReadOnlyList<KeptConsent>> ConsentsAsync(string patient, CancellationToken cancellation)
    {
        var consents = await database.ReadAsync(
            (session, stop) => database.Consents.OfPatientAsync(session, patient, stop), cancellation);
        return [.. consents.Select(Kept)];
    }

    /// <summary>The consents that a patient gave and that are not revoked.</summary>
    /// <param name="patient">Patient id.</param>
    /// <param name="giver">By whom they were given.</param>
    /// <param name="cancellation">Stops the read.</param>
    /// <exception cref="RowBrokenException">A consent of the patient is not what was sealed.</exception>
    public async ValueTask<IReadOnlyList<KeptConsent>> StandingAsync(string patient, string giver, CancellationToken cancellation)
    {
        var standing = await database.ReadAsync((session, stop) => database.Consents.StandingAsync(session, [patient], stop), cancellation);
        return [.. standing.Values.SelectMany(s => s.All).Where(c => c.Row.Giver == giver).Select(Kept)];
    }

    /// <summary>A subject's wrapped key, or null while it has none.</summary>
    public ValueTask<byte[]?> SubjectKeyAsync(string subject, CancellationToken cancellation) => database.ReadAsync(
        (session, stop) => session.FirstAsync("SELECT wrapped FROM subject_keys WHERE subject = $1", static r => r.Bytes(0), stop, subject),
        cancellation);

    internal static KeptConsent Kept(KnownConsent c) => new(
        c.Row.Commitment, c.Row.ConsentId, c.Row.PatientId, c.Row.GrantedBlock, c.Row.Revoked != 0, c.Row.Giver, c.Said.Terms);

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

    private async ValueTask<Actor?> ReadActorAsync(string sql, string key, CancellationToken cancellation)
    {
        var found = await database.ReadAsync((session, stop) => session.FirstAsync(sql, ReadFound, stop, key), cancellation);
        if (found is null) return null;
        if (found.BoundTo is { } actor) database.Directory.Must(key, actor, found.Binding);
        return Known(found);
    }

    private static Found ReadFound(System.Data.Common.DbDataReader r) => new(
        ActorRow.Read(r, 0), r.GetInt64(ActorRow.Width) == 0 ? null : ActorRow.Read(r, ActorRow.Width + 1),
        r.FieldCount > Both ? r.GetString(Both) : null, r.FieldCount > Both ? r.BytesOrNull(Both + 1) : null);

    private Actor Known(Found found)
    {
        var (row, hospital) = (found.Row, found.Hospital);
        database.Directory.Must(row);
        if (hospital is not null) database.Directory.Must(hospital);
        return new Actor(
            row.Reference, row.ActorId, (ActorKind)row.Kind, row.Hospital, row.Suspended != 0,
            IsActive(row) && (row.Hospital is null || (hospital is not null && IsActive(hospital))))
        {
            Role = row.Role,
            IsActiveOnChain = row.ChainActive == 1,
            GlassPolicy = (row.Hospital is null ? row : hospital)?.GlassPolicy,
            Ends = row.Ends is { } end ? DateTimeOffset.FromUnixTimeMilliseconds(end) : null,
        };
    }

    private static bool IsActive(ActorRow row) => row is { Suspended: 0, ChainActive: 1 };

    private sealed record Found(ActorRow Row, ActorRow? Hospital, string? BoundTo, byte[]? Binding);
}
