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
    /// <param name="patient">Of this patient alone; null: all.</param>
    /// <param name="after">Those behind this one; 0: from the first.</param>
    /// <param name="most">How many at most.</param>
    /// <param name="cancellation">Stops the read.</param>
    public ValueTask<IReadOnlyList<KeptRecord>> RecordsAsync(string? patient, long after, int most, CancellationToken cancellation) =>
        database.ReadAsync<IReadOnlyList<KeptRecord>>(
            async (session, stop) =>
            {
                const string Row = "SELECT r.rid, r.type, r.id, r.last_updated FROM";
                var (sql, values) = patient is null
                    ? ($"{Row} resources r WHERE r.rid > $1 ORDER BY r.rid LIMIT $2", new object?[] { after, most })
                    : ($"{Row} compartments c JOIN resources r ON r.rid = c.rid WHERE c.patient_id = $3 AND c.rid > $1 ORDER BY r.rid "
                        + "LIMIT $2", [after, most, patient]);
                var rows = await session.QueryAsync(
                    sql, static r => (Rid: r.GetInt64(0), Type: r.GetString(1), Id: r.GetString(2), Last: r.GetInt64(3)), stop, values);
                var records = new List<KeptRecord>(rows.Count);
                foreach (var (rid, type, id, last) in rows)
                    records.Add(await RecordAsync(session, new KeptRecord(rid, type, id, false, [], null, Instant(last), false), stop));
                return records;
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
