using System.Data.Common;

namespace PmrGateway.Store;

/// <summary>A row of actors.</summary>
internal sealed record ActorRow(
    string Reference, string ActorId, long Kind, string? Hospital, long Suspended, long ChainActive, string? Role, long? Ends,
    string? GlassPolicy, byte[]? Seal)
{
    /// <summary>How many columns it has.</summary>
    public const int Width = 10;

    /// <summary>Its columns under a name.</summary>
    public static string Columns(string a) =>
        $"{a}.reference, {a}.actor_id, {a}.kind, {a}.hospital, {a}.suspended, {a}.chain_active, {a}.role, {a}.ends, "
        + $"{a}.glass_policy, {a}.seal";

    /// <summary>Reads a row whose columns begin somewhere.</summary>
    public static ActorRow Read(DbDataReader r, int at) => new(
        // SQLite lets a key of text be NULL, and a client's actor is found by another column.
        r.TextOrNull(at) ?? "", r.GetString(at + 1), r.GetInt64(at + 2), r.TextOrNull(at + 3), r.GetInt64(at + 4), r.GetInt64(at + 5),
        r.TextOrNull(at + 6), r.NumberOrNull(at + 7), r.TextOrNull(at + 8), r.BytesOrNull(at + 9));
}

/// <summary>A row of patients.</summary>
internal sealed record PatientRow(string Id, string PatientKey, string Custodian, string? Controller, byte[]? Seal)
{
    public const string Columns = "p.id, p.patient_key, p.custodian, p.controller, p.seal";

    public static PatientRow Read(DbDataReader r) =>
        new(r.GetString(0), r.GetString(1), r.GetString(2), r.TextOrNull(3), r.BytesOrNull(4));
}

/// <summary>
/// Actors, bindings and patients with their seals: every change of them is made here. A broken row is changed too and stays broken.
/// </summary>
internal sealed class DirectoryTable(RowSeals seals)
{
    /// <summary>A new actor; nothing where it is there already.</summary>
    public async ValueTask AddActorAsync(Change change, DirectoryChange.AddActor a)
    {
        var row = new ActorRow(
            a.Reference, a.ActorId, (long)a.Kind, a.Hospital, 0, 0, a.Role, a.Ends?.ToUnixTimeMilliseconds(), null, null);
        await change.ExecuteAsync(
            """
            INSERT INTO actors (reference, actor_id, kind, hospital, suspended, chain_active, role, ends, seal)
            VALUES ($1, $2, $3, $4, 0, 0, $5, $6, $7) ON CONFLICT (reference) DO NOTHING
            """,
            row.Reference, row.ActorId, row.Kind, row.Hospital, row.Role, row.Ends, seals.Of(RowSeals.Actor(row)));
    }

    /// <summary>A new patient; nothing where it is there already.</summary>
    public async ValueTask AddPatientAsync(Change change, DirectoryChange.AddPatient p)
    {
        var row = new PatientRow(p.Id, p.PatientKey, p.Custodian, null, null);
        await change.ExecuteAsync(
            "INSERT INTO patients (id, patient_key, custodian, controller, seal) VALUES ($1, $2, $3, NULL, $4) "
                + "ON CONFLICT (id) DO NOTHING",
            row.Id, row.PatientKey, row.Custodian, seals.Of(RowSeals.Patient(row)));
    }

    /// <summary>Actors are suspended or reinstated here.</summary>
    public ValueTask<int> SetSuspendedAsync(Change change, bool isSuspended, string reference) =>
        UpdateAsync(change, a => a with { Suspended = isSuspended ? 1 : 0 }, "a.reference = $1", reference);

    /// <summary>By which role a practitioner acts, and until when.</summary>
    public ValueTask<int> SetContractAsync(Change change, DirectoryChange.SetContract contract) => UpdateAsync(
        change, a => a with { Role = contract.Role, Ends = contract.Ends?.ToUnixTimeMilliseconds() }, "a.reference = $1",
        contract.Reference);

    /// <summary>Under which policy the glass of what a hospital keeps is broken.</summary>
    public ValueTask<int> SetGlassPolicyAsync(Change change, DirectoryChange.SetGlassPolicy policy) =>
        UpdateAsync(change, a => a with { GlassPolicy = policy.Policy }, "a.reference = $1", policy.Reference);

    /// <summary>What the chain says of an actor.</summary>
    public ValueTask<int> SetActiveAsync(Change change, bool isActive, string actorId) =>
        UpdateAsync(change, a => a with { ChainActive = isActive ? 1 : 0 }, "a.actor_id = $1", actorId);

    /// <summary>The client of an actor; null: of none.</summary>
    public ValueTask<int> BindAsync(Change change, string client, string? actorId) => actorId is null
        ? change.ExecuteAsync("DELETE FROM bindings WHERE client = $1", client)
        : change.ExecuteAsync(
            "INSERT INTO bindings (client, actor_id, seal) VALUES ($1, $2, $3) "
                + "ON CONFLICT (client) DO UPDATE SET actor_id = $2, seal = $3",
            client, actorId, seals.Of(RowSeals.Binding(client, actorId)));

    /// <summary>Who controls a patient's record.</summary>
    public ValueTask<int> SetControllerAsync(Change change, string? controller, string patientKey) =>
        ControlAsync(change, controller, "p.patient_key = $1", patientKey);

    /// <summary>Nothing is known of the chain any more.</summary>
    public async ValueTask ForgetChainAsync(Change change)
    {
        await UpdateAsync(change, static a => a with { ChainActive = 0 }, "a.chain_active <> 0");
        await change.ExecuteAsync("DELETE FROM bindings");
        await ControlAsync(change, null, "p.controller IS NOT NULL");
    }

    /// <summary>Stops at a row of actors that is not what was sealed.</summary>
    public void Must(ActorRow row) => seals.Must(RowSeals.Actor(row), row.Seal, "actors", row.Reference);

    /// <summary>Stops at a row of bindings that is not what was sealed.</summary>
    public void Must(string client, string actorId, byte[]? seal) =>
        seals.Must(RowSeals.Binding(client, actorId), seal, "bindings", client);

    /// <summary>Stops at a row of patients that is not what was sealed.</summary>
    public void Must(PatientRow row) => seals.Must(RowSeals.Patient(row), row.Seal, "patients", row.Id);

    /// <summary>Seals rows that were there before there were seals.</summary>
    internal async ValueTask<long> SealAllAsync(Change change)
    {
        var actors = await change.QueryAsync($"SELECT {ActorRow.Columns("a")} FROM actors a", static r => ActorRow.Read(r, 0));
        foreach (var row in actors)
            await change.ExecuteAsync("UPDATE actors SET seal = $1 WHERE reference = $2", seals.Of(RowSeals.Actor(row)), row.Reference);
        var patients = await change.QueryAsync($"SELECT {PatientRow.Columns} FROM patients p", PatientRow.Read);
        foreach (var row in patients)
            await change.ExecuteAsync("UPDATE patients SET seal = $1 WHERE id = $2", seals.Of(RowSeals.Patient(row)), row.Id);
        var bindings = await change.QueryAsync(
            "SELECT client, actor_id FROM bindings", static r => (Client: r.GetString(0), Actor: r.GetString(1)));
        foreach (var (client, actor) in bindings) await BindAsync(change, client, actor);
        return actors.Count + patients.Count + bindings.Count;
    }

    private async ValueTask<int> UpdateAsync(Change change, Func<ActorRow, ActorRow> set, string which, params object?[] values)
    {
        var rows = await change.QueryAsync(
            $"SELECT {ActorRow.Columns("a")} FROM actors a WHERE {which}", static r => ActorRow.Read(r, 0), values);
        foreach (var row in rows)
        {
            var isWhole = seals.Check(RowSeals.Actor(row), row.Seal, "actors", row.Reference);
            var to = set(row);
            await change.ExecuteAsync(
                "UPDATE actors SET suspended = $1, chain_active = $2, role = $3, ends = $4, glass_policy = $5, seal = $6 "
                    + "WHERE reference = $7",
                to.Suspended, to.ChainActive, to.Role, to.Ends, to.GlassPolicy,
                isWhole ? seals.Of(RowSeals.Actor(to)) : RowSeals.Never, row.Reference);
        }
        return rows.Count;
    }

    private async ValueTask<int> ControlAsync(Change change, string? controller, string which, params object?[] values)
    {
        var rows = await change.QueryAsync($"SELECT {PatientRow.Columns} FROM patients p WHERE {which}", PatientRow.Read, values);
        foreach (var row in rows)
        {
            var isWhole = seals.Check(RowSeals.Patient(row), row.Seal, "patients", row.Id);
            await change.ExecuteAsync(
                "UPDATE patients SET controller = $1, seal = $2 WHERE id = $3", controller,
                isWhole ? seals.Of(RowSeals.Patient(row with { Controller = controller })) : RowSeals.Never, row.Id);
        }
        return rows.Count;
    }
}
