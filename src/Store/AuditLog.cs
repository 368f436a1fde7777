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
}

/// <summary>
/// The audit log: append only, each entry holding the hash of itself and the one before, so that an entry taken out or changed is seen.
/// Entries are appended by <see cref="CommitPlan.Audit"/>, with what they tell of.
/// </summary>
public sealed class AuditLog(RecordDatabase database)
{
    /// <summary>Appends entries on their own, durably, all or none.</summary>
    /// <exception cref="StoreUnavailableException">Nothing was kept.</exception>
    public Task AppendAsync(IReadOnlyList<AuditEntry> entries, CancellationToken cancellation) =>
        database.CommitAsync(new CommitPlan { Audit = entries }, cancellation);

    /// <summary>The entries that concern a patient, newest first, and how many there are.</summary>
    /// <param name="patient">The patient.</param>
    /// <param name="id">One entry's id, or null for all.</param>
    /// <param name="before">Cursor: entries before this number; <see cref="long.MaxValue"/> for the first page.</param>
    /// <param name="count">Entries a page.</param>
    /// <param name="cancellation">Stops the read.</param>
    public ValueTask<(IReadOnlyList<(long Seq, AuditEntry Entry)> Page, long Total)> OfAsync(
        string patient, string? id, long before, int count, CancellationToken cancellation) => database.ReadAsync(
        async (session, stop) =>
        {
            var mine = AuditTable.Of(session.Engine, "$1");
            var from = $"FROM ({mine}) p JOIN audit a ON a.seq = p.seq" + (id is null ? "" : " WHERE a.id = $2");
            object?[] about = id is null ? [patient] : [patient, id];
            var total = await session.NumberAsync($"SELECT COUNT(*) {from}", stop, about) ?? 0;
            var rows = await session.QueryAsync(
                $"""
                SELECT {AuditTable.Columns} {from} {(id is null ? "WHERE" : "AND")} p.seq < ${about.Length + 1}
                ORDER BY p.seq DESC LIMIT ${about.Length + 2}
                """,
                AuditTable.Read, stop, [.. about, before, (long)count]);
            // Other patients of the same search are not told.
            return ((IReadOnlyList<(long, AuditEntry)>)[.. rows.Select(r => (r.Seq, r.Entry with { Patients = [patient] }))], total);
        },
        cancellation);

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
