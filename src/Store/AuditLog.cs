namespace PmrGateway.Store;

/// <summary>One entry of the audit log. References and codes only: no name, no content.</summary>
/// <param name="Id">Id of the AuditEvent.</param>
/// <param name="Recorded">When.</param>
/// <param name="Action">C, R, U, D or E.</param>
/// <param name="Interaction">FHIR interaction, e.g. read, search-type.</param>
/// <param name="Outcome">permit or deny.</param>
/// <param name="Agent">Who asked, <c>Type/id</c>.</param>
/// <param name="Client">The OAuth client.</param>
/// <param name="Organization">For whom, or null.</param>
/// <param name="Purposes">Purpose-of-use codes.</param>
/// <param name="Entities">What was asked for or released, <c>Type/id</c>.</param>
/// <param name="Patients">Ids of the patients concerned.</param>
/// <param name="Commitments">The consents that permitted.</param>
/// <param name="Block">Block at which the decision was taken.</param>
public sealed record AuditEntry(
    string Id, DateTimeOffset Recorded, string Action, string Interaction, string Outcome, string Agent, string Client,
    string? Organization, IReadOnlyList<string> Purposes, IReadOnlyList<string> Entities, IReadOnlyList<string> Patients,
    IReadOnlyList<string> Commitments, long Block)
{
    /// <summary>Why the glass was broken, in the words of who did; null where it was not.</summary>
    public string? Reason { get; init; }

    /// <summary>Network address that it came from; null: not known (entries of before version 0.3).</summary>
    public string? Address { get; init; }

    /// <summary>Id of the access token (jti), or null.</summary>
    public string? Token { get; init; }

    /// <summary>The id that the client gave its request (X-Request-Id), or null.</summary>
    public string? Request { get; init; }

    /// <summary>What was searched: path and names of parameters; no value that may name or describe a person. Null: no search.</summary>
    public string? Query { get; init; }
}

/// <summary>
/// The audit log: append only, each entry holding the hash of itself and the one before, so that an entry taken out or changed is seen.
/// Entries are appended by <see cref="CommitPlan.Audit"/>, with what they tell of.
/// </summary>
public class AuditLog(RecordDatabase database)
{
    /// <summary>Appends entries on their own, durably, all or none.</summary>
    /// <exception cref="StoreUnavailableException">Nothing was kept.</exception>
    public virtual Task AppendAsync(IReadOnlyList<AuditEntry> entries, CancellationToken cancellation) =>
        database.CommitAsync(new CommitPlan { Audit = entries }, cancellation);

    /// <summary>What of a patient's entries matches, and how much that is.</summary>
    /// <remarks>
    /// An entry tells its patient of that patient alone, whoever else it is about. One that tells of several (of before version 0.3) does
    /// not say which record is whose: of that one nothing but the patient is shown.
    /// </remarks>
    public ValueTask<AuditPage> SearchAsync(AuditQuery query, CancellationToken cancellation) => database.ReadAsync(
        async (session, stop) =>
        {
            var search = new AuditSearch(session.Engine, query);
            var total = await session.NumberAsync(search.Count, stop, search.Values) ?? 0;
            var rows = await session.QueryAsync(search.Page, AuditSearch.Read, stop, search.PageValues);
            var found = await session.QueryAsync(
                $"SELECT commitment, consent_id FROM consents WHERE patient_id = $1 AND commitment {session.Engine.IsOneOf("$2")}",
                static r => (Commitment: r.GetString(0), Id: r.GetString(1)), stop, query.Patient,
                session.Engine.List([.. rows.SelectMany(e => e.Entry.Commitments).Distinct()]));
            var consents = found.ToDictionary(c => c.Commitment, c => c.Id, StringComparer.Ordinal);
            return new AuditPage([.. rows.Select(r => r with { Entry = Of(r.Entry, query.Patient, consents) })], total, consents);
        },
        cancellation);

    private static AuditEntry Of(AuditEntry entry, string patient, Dictionary<string, string> consents) => entry with
    {
        Patients = [patient],
        Commitments = [.. entry.Commitments.Where(consents.ContainsKey)],
        Entities = [.. entry.Entities.Where(e => e == "Patient/" + patient
            || (entry.Patients.Count == 1 && !e.StartsWith("Patient/", StringComparison.Ordinal)))],
    };

    /// <summary>
    /// The number of the first entry whose hash does not follow from the one before, or that the index by patient has wrong; null: the log
    /// is whole.
    /// </summary>
    /// <param name="cancellation">Stops the read.</param>
    public ValueTask<long?> FirstBrokenAsync(CancellationToken cancellation) => database.ReadAsync<long?>(
        async (session, stop) =>
        {
            const long Page = 10_000;
            byte[] previous = [];
            var (expected, inIndex) = (1L, 0L);
            var indexed = await session.NumberAsync(AuditTable.Indexed, stop) ?? 0;
            while (true)
            {
                var rows = await session.QueryAsync(
                    $"SELECT {AuditTable.Columns} FROM audit a WHERE a.seq >= $1 ORDER BY a.seq LIMIT {Page}", AuditTable.Read,
                    stop, expected);
                if (rows.Count == 0)
                {
                    // Every entry has its rows; so more rows than that are somebody's who is not concerned.
                    return await session.NumberAsync(AuditTable.IndexRows, stop, indexed) == inIndex
                        ? null
                        : await session.NumberAsync(AuditTable.WronglyIndexed(session.Engine), stop, indexed);
                }
                var last = Math.Min(rows[^1].Seq, indexed);
                if (await session.NumberAsync(AuditTable.NotIndexed(session.Engine), stop, expected, last) is { } missing) return missing;
                inIndex += rows.Where(r => r.Seq <= indexed).Sum(r => r.Entry.Patients.Distinct().LongCount());
                foreach (var (seq, entry, hash) in rows)
                {
                    if (seq != expected || !AuditTable.Hash(previous, seq, entry).AsSpan().SequenceEqual(hash)) return expected;
                    (previous, expected) = (hash, expected + 1);
                }
            }
        },
        cancellation);
}
