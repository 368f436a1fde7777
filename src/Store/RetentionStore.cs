using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>A record, as far as its row tells how long it is kept.</summary>
/// <param name="Rid">Its number in the database.</param>
/// <param name="Type">Resource type.</param>
/// <param name="Id">Logical id.</param>
/// <param name="IsDeleted">Whether it was deleted: its versions are kept.</param>
/// <param name="Patients">
/// Ids of all whom it concerns: of its compartments, of whom it holds a copy, and whom earlier versions concerned.
/// </param>
/// <param name="To">The instant behind the last that it is about; null: it names no time.</param>
/// <param name="LastWritten">When it was last written or deleted.</param>
/// <param name="IsWhole">Whether its row is what was sealed; else what it says is not to be gone by.</param>
public sealed record KeptRecord(
    long Rid, string Type, string Id, bool IsDeleted, IReadOnlyList<string> Patients, DateTimeOffset? To, DateTimeOffset LastWritten,
    bool IsWhole);

/// <summary>What there is to be kept, for the operator: whoever may see it.</summary>
public sealed class RetentionStore(RecordDatabase database)
{
    /// <summary>Records in the order in which they came, deleted ones too.</summary>
    /// <param name="patient">Of this patient alone, also where only an earlier version concerned the patient; null: all.</param>
    /// <param name="after">Those behind this one; 0: from the first.</param>
    /// <param name="most">How many at most.</param>
    /// <param name="cancellation">Stops the read.</param>
    /// <returns>They, and behind which one there may be more; null: behind none.</returns>
    public ValueTask<(IReadOnlyList<KeptRecord> Records, long? Next)> RecordsAsync(
        string? patient, long after, int most, CancellationToken cancellation) =>
        database.ReadAsync<(IReadOnlyList<KeptRecord>, long?)>(
            async (session, stop) =>
            {
                // The first LIKE is that of an index of the few that have somebody such.
                const string OfPatient =
                    """
                    (SELECT c.rid FROM compartments c WHERE c.patient_id = $3 AND c.rid > $1 UNION
                      SELECT f.rid FROM resources f WHERE f.rid > $1 AND f.patients LIKE '%~%'
                        AND ' ' || f.patients || ' ' LIKE '% ~' || $3 || ' %')
                    """;
                var found = patient is null
                    ? await RecordsAsync(session, "resources r WHERE r.rid > $1 ORDER BY r.rid LIMIT $2", stop, after, most)
                    : await RecordsAsync(
                        session, $"{OfPatient} x JOIN resources r ON r.rid = x.rid ORDER BY r.rid LIMIT $2", stop, after, most, patient);
                // What is not whole may be anybody's. LIKE may take another's id for this one.
                IReadOnlyList<KeptRecord> records = patient is null
                    ? found
                    : found.FindAll(r => !r.IsWhole || r.Patients.Contains(patient));
                return (records, found.Count < most ? null : found[^1].Rid);
            },
            cancellation);

    /// <summary>The records that link to a Binary now, whoever keeps them, and those of its hospital that did when it ended.</summary>
    /// <param name="binary">Id of the Binary.</param>
    /// <param name="cancellation">Stops the read.</param>
    /// <exception cref="RowBrokenException">What the Binary is tied to is not what was sealed.</exception>
    public ValueTask<IReadOnlyList<KeptRecord>> LinkersAsync(string binary, CancellationToken cancellation) =>
        database.ReadAsync<IReadOnlyList<KeptRecord>>(
            async (session, stop) =>
            {
                var row = (await database.Records.FindAsync(session, "Binary", binary, stop))!;
                var ties = await database.Records.TiesAsync(session, row, stop);
                var linkers = await RecordsAsync(session, "links k JOIN resources r ON r.rid = k.rid WHERE k.binary_id = $1", stop, binary);
                // Its own row knows who links to it, also where a row of links was taken out.
                foreach (var link in ties.Links.Where(l => l.Kind == LinkKind.Is))
                {
                    if (link.Reference.Split('/') is not [var type, var id] || linkers.Exists(l => l.Type == type && l.Id == id)) continue;
                    linkers.AddRange(await RecordsAsync(session, "resources r WHERE r.type = $1 AND r.id = $2", stop, type, id));
                }
                return linkers;
            },
            cancellation);

    /// <summary>When the last entry of the audit log about a patient was made; null: there is none.</summary>
    /// <param name="patient">Id of the patient.</param>
    /// <param name="cancellation">Stops the read.</param>
    public async ValueTask<DateTimeOffset?> LastEntryAsync(string patient, CancellationToken cancellation) =>
        await database.ReadAsync(
            (session, stop) => session.NumberAsync(
                $"SELECT MAX(a.recorded) FROM audit a WHERE a.seq IN ({AuditTable.Of(session.Engine, "$1")})", stop, patient),
            cancellation) is { } last ? Instant(last) : null;

    private async ValueTask<List<KeptRecord>> RecordsAsync(
        Session session, string from, CancellationToken cancellation, params object?[] values)
    {
        var rows = await session.QueryAsync(
            $"SELECT r.rid, r.type, r.id, r.last_updated FROM {from}",
            static r => (Rid: r.GetInt64(0), Type: r.GetString(1), Id: r.GetString(2), Last: r.GetInt64(3)), cancellation, values);
        var records = new List<KeptRecord>(rows.Count);
        foreach (var (rid, type, id, last) in rows)
            records.Add(await RecordAsync(session, new KeptRecord(rid, type, id, false, [], null, Instant(last), false), cancellation));
        return records;
    }

    private async ValueTask<KeptRecord> RecordAsync(Session session, KeptRecord known, CancellationToken cancellation)
    {
        try
        {
            // Meanwhile nothing is taken out.
            var row = (await database.Records.FindAsync(session, known.Type, known.Id, cancellation))!;
            return known with
            {
                IsWhole = true,
                IsDeleted = row.Deleted != 0,
                Patients = [.. Interner.AllOf(row.Patients).Concat(Interner.FormerOf(row.Patients)).Distinct()],
                To = row.To is { } to ? Instant(to) : null,
            };
        }
        catch (RowBrokenException)
        {
            return known;
        }
    }

    private static DateTimeOffset Instant(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
}
