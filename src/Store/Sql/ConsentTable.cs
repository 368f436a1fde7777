using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// Consents with their seals: of each row, and of each patient's standing consents together. Every change of a row of consents is made
/// here. A change is made to a broken row too, which stays broken: an event of the chain is not lost, and nothing becomes whole by it.
/// </summary>
internal sealed class ConsentTable(Interners interners, RowSeals seals, RevocationLog revocations)
{
    private readonly ConsentReading _reading = new(seals);
    private readonly StandingCache _standing = new();

    /// <summary>A consent is given.</summary>
    /// <returns>Whether it is new.</returns>
    public async ValueTask<bool> AddAsync(Change change, ConsentChange.Give given)
    {
        var patient = given.Terms.Patient;
        var place = 1 + (await change.NumberAsync("SELECT MAX(place) FROM consents WHERE consent_id = $1", given.ConsentId) ?? 0);
        var terms = System.Text.Json.JsonSerializer.Serialize(given.Terms);
        var row = new ConsentRow(
            given.Commitment, given.ConsentId, patient, given.Salt, System.Text.Encoding.UTF8.GetBytes(terms), given.Giver, place, null, 0,
            null);
        var standing = await StandingAsync(change, patient);
        var isNew = await change.ExecuteAsync(
            """
            INSERT INTO consents (commitment, consent_id, patient_id, salt, terms, giver, granted_block, revoked, place, seal)
            VALUES ($1, $2, $3, $4, $5, $6, NULL, 0, $7, $8) ON CONFLICT (commitment) DO NOTHING
            """,
            row.Commitment, row.ConsentId, patient, row.Salt, terms, row.Giver, place, seals.Of(row.Content(row.DigestOf())));
        // A wallet's signed intent comes with its salt: sent twice, it is the same commitment.
        if (isNew == 0) return false;
        await SealAsync(change, patient, standing.IsWhole ? [.. standing.Grants, new Grant(row.Commitment, null)] : null);
        foreach (var span in ConsentSpan.Of(given.Terms))
            await change.ExecuteAsync(
                "INSERT INTO consent_spans (patient_id, shape, commitment, valid_from, valid_to) VALUES ($1, $2, $3, $4, $5)",
                patient, await interners.Shapes.InternAsync(change, span.Shape.Text), given.Commitment, span.From, span.To);
        return true;
    }

    /// <summary>Consents are revoked, here or on the chain.</summary>
    /// <param name="change">In which change.</param>
    /// <param name="which">A condition over a row <c>k</c> of consents.</param>
    /// <param name="values">Its values.</param>
    public ValueTask<int> RevokeAsync(Change change, string which, params object?[] values) =>
        UpdateAsync(change, static k => k with { Revoked = 1 }, which, values);

    /// <summary>What a Consent has given is taken back here, by whoever may.</summary>
    public async ValueTask WithdrawAsync(Change change, string consentId)
    {
        // Those that ended before too: that it stands in the journal is not known.
        var ends = await change.QueryAsync(
            $"SELECT {ConsentRow.Columns} FROM consents k WHERE k.consent_id = $1", ConsentRow.Read, consentId);
        var opened = ends.Where(k => !_reading.IsWhole(k) || _reading.Read(k).Said.Terms.Opens).Select(k => k.Commitment).ToList();
        // When it is done, and before it is acknowledged.
        change.OnCommitted(() => revocations.Append(opened));
        await RevokeAsync(change, "k.consent_id = $1", consentId);
    }

    /// <summary>
    /// The Consents of which this was revoked here once, and stands: the database is older than its revocation. The other way round, what
    /// the database has as revoked and the journal has not (the process ended between the two) is put into that.
    /// </summary>
    public async ValueTask<IReadOnlyList<string>> ForgottenAsync(Session session, CancellationToken cancellation)
    {
        var known = revocations.Read().ToHashSet(StringComparer.Ordinal);
        var revoked = await session.QueryAsync(
            $"SELECT {ConsentRow.Columns} FROM consents k WHERE k.revoked = 1", ConsentRow.Read, cancellation);
        revocations.Append([.. revoked
            .Where(k => !known.Contains(k.Commitment) && _reading.IsWhole(k) && _reading.Read(k).Said.Terms.Opens)
            .Select(k => k.Commitment)]);
        var consents = new List<string>();
        foreach (var some in known.Chunk(1000))
            consents.AddRange(await session.QueryAsync(
                $"SELECT consent_id FROM consents WHERE revoked = 0 AND commitment {session.Engine.IsOneOf("$1")}",
                static r => r.GetString(0), cancellation, session.Engine.List(some)));
        return consents;
    }

    /// <summary>The chain has grants in a block, or, null, no longer.</summary>
    /// <param name="change">In which change.</param>
    /// <param name="block">The block.</param>
    /// <param name="which">A condition over a row <c>k</c> of consents.</param>
    /// <param name="values">Its values.</param>
    public ValueTask<int> GrantAsync(Change change, long? block, string which, params object?[] values) =>
        UpdateAsync(change, k => k with { GrantedBlock = block }, which, values);

    /// <summary>What a Consent resource gave last, or null.</summary>
    /// <exception cref="RowBrokenException">It or another consent of its patient is not what was sealed.</exception>
    public async ValueTask<KnownConsent?> LatestAsync(Session session, string consentId, CancellationToken cancellation)
    {
        var row = await session.FirstAsync(
            $"SELECT {ConsentRow.Columns} FROM consents k WHERE k.consent_id = $1 ORDER BY k.place DESC LIMIT 1",
            ConsentRow.Read, cancellation, consentId);
        if (row is null) return null;
        var latest = _reading.Read(row);
        await StandingAsync(session, [row.PatientId], cancellation);
        return latest;
    }

    /// <summary>All consents of a patient, revoked ones too, those of one resource in order.</summary>
    /// <exception cref="RowBrokenException">One of them is not what was sealed, or one that stands is missing.</exception>
    public async ValueTask<IReadOnlyList<KnownConsent>> OfPatientAsync(Session session, string patient, CancellationToken cancellation)
    {
        var rows = await session.QueryAsync(
            $"SELECT {ConsentRow.Columns} FROM consents k WHERE k.patient_id = $1 ORDER BY k.consent_id, k.place",
            ConsentRow.Read, cancellation, patient);
        await StandingAsync(session, [patient], cancellation);
        return rows.ConvertAll(_reading.Read);
    }

    /// <summary>All consents of patients that are not revoked; a patient who has none may be left out.</summary>
    /// <remarks>
    /// By patient alone, not by what the tables of verdicts say concerns a viewer: a denial must not vanish with a row there. A patient
    /// without a row in patient_consents has given none: nothing rests on that but denials of what nobody permits.
    /// </remarks>
    /// <exception cref="RowBrokenException">One of them is not what was sealed, is missing, or is one too many.</exception>
    public async ValueTask<Dictionary<string, StandingConsents>> StandingAsync(
        Session session, IReadOnlyList<string> patients, CancellationToken cancellation)
    {
        var found = patients.Count == 1
            ? await session.QueryAsync(
                "SELECT patient_id, seal FROM patient_consents WHERE patient_id = $1", ReadSeal, cancellation, patients[0])
            : await session.QueryAsync(
                $"SELECT patient_id, seal FROM patient_consents WHERE patient_id {session.Engine.IsOneOf("$1")}", ReadSeal, cancellation,
                session.Engine.List([.. patients]));
        var standing = new Dictionary<string, StandingConsents>(found.Count, StringComparer.Ordinal);
        foreach (var (patient, seal) in found) standing[patient] = await StandingAsync(session, patient, seal, cancellation);
        return standing;
    }

    private async ValueTask<StandingConsents> StandingAsync(
        Session session, string patient, byte[]? seal, CancellationToken cancellation)
    {
        if (_standing.Find(patient, seal) is { } known) return known;
        var rows = await session.QueryAsync(
            $"SELECT {ConsentRow.Columns} FROM consents k WHERE k.patient_id = $1 AND k.revoked = 0",
            ConsentRow.Read, cancellation, patient);
        var consents = rows.ConvertAll(_reading.Read);
        consents.Sort(ByCommitment);
        var content = Begin(patient, consents.Count);
        foreach (var consent in consents) Add(content, consent.Row.Commitment, consent.Row.GrantedBlock);
        seals.Must(content, seal, "patient_consents", patient);
        return _standing.Add(patient, seal!, new StandingConsents(consents));
    }

    private static int ByCommitment(KnownConsent a, KnownConsent b) => string.CompareOrdinal(a.Row.Commitment, b.Row.Commitment);

    private static (string Patient, byte[]? Seal) ReadSeal(System.Data.Common.DbDataReader r) => (r.GetString(0), r.BytesOrNull(1));

    /// <summary>Reads rows anew, though they were read a moment ago.</summary>
    internal void Forget() => _standing.Forget();

    private async ValueTask<int> UpdateAsync(Change change, Func<ConsentRow, ConsentRow> set, string which, object?[] values)
    {
        var rows = await change.QueryAsync(
            $"SELECT {ConsentRow.Columns} FROM consents k WHERE {which}", ConsentRow.Read, values);
        var changed = new List<(ConsentRow New, bool IsWhole)>();
        foreach (var row in rows)
            if (set(row) is var to && (to.Revoked != row.Revoked || to.GrantedBlock != row.GrantedBlock))
                changed.Add((to, _reading.IsWhole(row)));
        // A broken row may name a patient who is not concerned.
        var patients = changed.Where(c => c.IsWhole).Select(c => c.New.PatientId).Distinct().ToList();
        var before = new Dictionary<string, bool>(StringComparer.Ordinal);
        foreach (var patient in patients) before[patient] = (await StandingAsync(change, patient)).IsWhole;
        foreach (var (row, isWhole) in changed)
            await change.ExecuteAsync(
                "UPDATE consents SET granted_block = $1, revoked = $2, seal = $3 WHERE commitment = $4", row.GrantedBlock, row.Revoked,
                isWhole ? seals.Of(row.Content(row.DigestOf())) : RowSeals.Never, row.Commitment);
        foreach (var patient in patients)
            await SealAsync(change, patient, before[patient] ? await GrantsAsync(change, patient) : null);
        return changed.Count;
    }

    // What stands of a patient in a change, and whether that is what was sealed.
    private async ValueTask<(List<Grant> Grants, bool IsWhole)> StandingAsync(Change change, string patient)
    {
        var grants = await GrantsAsync(change, patient);
        var row = await change.FirstAsync(
            "SELECT seal FROM patient_consents WHERE patient_id = $1", static r => new PatientSeal(r.BytesOrNull(0)), patient);
        return (grants, row is null ? grants.Count == 0 : seals.Check(Content(patient, grants), row.Seal, "patient_consents", patient));
    }

    private static ValueTask<List<Grant>> GrantsAsync(Change change, string patient) => change.QueryAsync(
        "SELECT commitment, granted_block FROM consents WHERE patient_id = $1 AND revoked = 0",
        static r => new Grant(r.GetString(0), r.NumberOrNull(1)), patient);

    // Null: they were broken before.
    private async ValueTask SealAsync(Change change, string patient, IReadOnlyList<Grant>? grants) => await change.ExecuteAsync(
        "INSERT INTO patient_consents (patient_id, seal) VALUES ($1, $2) ON CONFLICT (patient_id) DO UPDATE SET seal = $2", patient,
        grants is null ? RowSeals.Never : seals.Of(Content(patient, grants)));

    /// <summary>Seals rows that were there before there were seals.</summary>
    internal async ValueTask<long> SealAllAsync(Change change)
    {
        var rows = await change.QueryAsync(
            $"SELECT {ConsentRow.Columns} FROM consents k", ConsentRow.Read);
        foreach (var row in rows)
            await change.ExecuteAsync(
                "UPDATE consents SET seal = $1 WHERE commitment = $2", seals.Of(row.Content(row.DigestOf())), row.Commitment);
        foreach (var patient in rows.Select(r => r.PatientId).Distinct())
            await SealAsync(change, patient, await GrantsAsync(change, patient));
        return rows.Count;
    }

    private static RowBytes Content(string patient, IReadOnlyList<Grant> grants)
    {
        var content = Begin(patient, grants.Count);
        foreach (var grant in grants.OrderBy(g => g.Commitment, StringComparer.Ordinal)) Add(content, grant.Commitment, grant.Block);
        return content;
    }

    private static RowBytes Begin(string patient, int count) => RowBytes.Of("patient_consents").Text(patient).Number(count);

    private static void Add(RowBytes content, string commitment, long? block) => content.Text(commitment).Number(block);

    private sealed record Grant(string Commitment, long? Block);

    private sealed record PatientSeal(byte[]? Seal);
}
