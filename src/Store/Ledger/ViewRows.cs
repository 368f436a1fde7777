using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// The rows that the view has from the chain, a page at a time, each page with the block that it is of: what it takes to hold them against
/// the chain. A row that is not what was sealed is told as that.
/// </summary>
public sealed class ViewRows(RecordDatabase database)
{
    /// <summary>How many actors, patients and clients there are.</summary>
    public async ValueTask<long> CountAsync(CancellationToken cancellation) => await database.ReadAsync(
        (session, stop) => session.NumberAsync(
            "SELECT (SELECT COUNT(*) FROM actors) + (SELECT COUNT(*) FROM patients) + (SELECT COUNT(*) FROM bindings)", stop),
        cancellation) ?? 0;

    /// <summary>The actors behind a reference, by reference.</summary>
    public ValueTask<ViewPage<ActorOfView>> ActorsAsync(string after, int most, CancellationToken cancellation) => PageAsync(
        async (session, stop) =>
        {
            var found = await session.QueryAsync(
                $"SELECT {ActorRow.Columns("a")}, h.actor_id FROM actors a LEFT JOIN actors h ON h.reference = a.hospital "
                    + "WHERE a.reference > $1 ORDER BY a.reference LIMIT $2",
                static r => (Row: ActorRow.Read(r, 0), Hospital: r.TextOrNull(ActorRow.Width)), stop, after, (long)most);
            return found.ConvertAll(f => new ActorOfView(
                f.Row.Reference, f.Row.ActorId, (ActorKind)f.Row.Kind, f.Hospital, f.Row.ChainActive == 1,
                database.Seals.Check(RowSeals.Actor(f.Row), f.Row.Seal, "actors", f.Row.Reference)));
        },
        cancellation);

    /// <summary>The clients behind one, by the key under which they are bound.</summary>
    public ValueTask<ViewPage<ClientOfView>> ClientsAsync(string after, int most, CancellationToken cancellation) => PageAsync(
        async (session, stop) =>
        {
            var found = await session.QueryAsync(
                "SELECT client, actor_id, seal FROM bindings WHERE client > $1 ORDER BY client LIMIT $2",
                static r => (Client: r.GetString(0), Actor: r.GetString(1), Seal: r.BytesOrNull(2)), stop, after, (long)most);
            return found.ConvertAll(f => new ClientOfView(
                f.Client, f.Actor, database.Seals.Check(RowSeals.Binding(f.Client, f.Actor), f.Seal, "bindings", f.Client)));
        },
        cancellation);

    /// <summary>The patients behind an id, by id, with all their consents; those too who have consents and are not there themselves.
    /// </summary>
    public ValueTask<ViewPage<PatientOfView>> PatientsAsync(string after, int most, CancellationToken cancellation) => PageAsync(
        async (session, stop) =>
        {
            var ids = await session.QueryAsync(
                """
                SELECT id FROM (
                  SELECT id FROM (SELECT id FROM patients WHERE id > $1 ORDER BY id LIMIT $2) own
                  UNION
                  SELECT patient_id FROM (SELECT patient_id FROM patient_consents WHERE patient_id > $1 ORDER BY patient_id LIMIT $2) given
                ) both_kinds ORDER BY id LIMIT $2
                """,
                static r => r.GetString(0), stop, after, (long)most);
            var patients = new List<PatientOfView>(ids.Count);
            foreach (var id in ids) patients.Add(await PatientAsync(session, id, stop));
            return patients;
        },
        cancellation);

    private async ValueTask<PatientOfView> PatientAsync(Session session, string id, CancellationToken cancellation)
    {
        try
        {
            var consents = await database.Consents.OfPatientAsync(session, id, cancellation);
            var found = await session.FirstAsync(
                $"SELECT {PatientRow.Columns}, a.actor_id FROM patients p LEFT JOIN actors a ON a.reference = p.custodian WHERE p.id = $1",
                static r => new Found(PatientRow.Read(r), r.TextOrNull(5)), cancellation, id);
            if (found is not null) database.Directory.Must(found.Row);
            return new PatientOfView(id, [.. consents.Select(DirectoryStore.Kept)])
            {
                Row = found is null ? null : new RegisteredPatient(id, found.Row.PatientKey, found.Row.Custodian, found.Row.Controller),
                CustodianId = found?.CustodianId,
            };
        }
        catch (RowBrokenException e)
        {
            return new PatientOfView(id, []) { Broken = e.Row };
        }
    }

    // Rows and block are of one state: the gateway takes in the next block meanwhile.
    private ValueTask<ViewPage<T>> PageAsync<T>(
        Func<Session, CancellationToken, ValueTask<List<T>>> read, CancellationToken cancellation) => database.ReadAsync(
        async (session, stop) =>
        {
            await session.ExecuteAsync(session.Engine.BeginSnapshot, stop);
            var chain = await session.FirstAsync<BlockReference?>(
                "SELECT block, hash FROM chain_view WHERE one = 1", static r => new BlockReference(r.GetInt64(0), r.GetString(1)), stop);
            var rows = await read(session, stop);
            await session.ExecuteAsync("COMMIT", stop);
            return new ViewPage<T>(chain ?? new BlockReference(-1, ""), rows);
        },
        cancellation);

    private sealed record Found(PatientRow Row, string? CustodianId);
}

/// <summary>Rows as they were at a block of the view.</summary>
/// <param name="View">The block; of number -1: before the first one.</param>
/// <param name="Rows">They; none: there are no more.</param>
public sealed record ViewPage<T>(BlockReference View, IReadOnlyList<T> Rows);

/// <summary>A row of actors.</summary>
/// <param name="Reference">Its resource.</param>
/// <param name="ActorId">Its on-chain id, hex.</param>
/// <param name="Kind">What it is.</param>
/// <param name="HospitalId">On-chain id of a practitioner's hospital, hex; null: there is none.</param>
/// <param name="IsActive">Whether the view has it active on the chain.</param>
/// <param name="IsWhole">Whether the row is what was sealed.</param>
public sealed record ActorOfView(string Reference, string ActorId, ActorKind Kind, string? HospitalId, bool IsActive, bool IsWhole);

/// <summary>A row of bindings.</summary>
/// <param name="Client">The key of the client.</param>
/// <param name="ActorId">On-chain id of its actor, hex.</param>
/// <param name="IsWhole">Whether the row is what was sealed.</param>
public sealed record ClientOfView(string Client, string ActorId, bool IsWhole);

/// <summary>What there is of a patient.</summary>
/// <param name="Id">Patient id.</param>
/// <param name="Consents">All consents, revoked ones too.</param>
public sealed record PatientOfView(string Id, IReadOnlyList<KeptConsent> Consents)
{
    /// <summary>The patient; null: there is no such row.</summary>
    public RegisteredPatient? Row { get; init; }

    /// <summary>On-chain id of the hospital that registered the patient, hex; null: it is not known.</summary>
    public string? CustodianId { get; init; }

    /// <summary>A row of this patient that is not what was sealed; null: all are.</summary>
    public BrokenRow? Broken { get; init; }
}
