namespace PmrGateway.Store;

/// <summary>
/// Seals the rows of a database from before there were seals, once: 0009. It is not among the migrations, which run before the keyring is
/// known.
/// </summary>
internal static class FirstSealing
{
    private const string Done = "0009 rows sealed";
    private const int AtOnce = 1000;

    private static readonly string[] Sealed = ["resources", "versions", "consents", "actors", "bindings", "patients", "patient_consents"];

    /// <summary>Seals all rows where that was not done, and says how many there were.</summary>
    /// <exception cref="StoreStartException">It was done, and the note of it was taken out or changed.</exception>
    public static async Task<long> RunAsync(RecordDatabase database, CancellationToken cancellation)
    {
        var seals = database.Seals;
        // A value that nobody makes without the key.
        var note = Convert.ToHexStringLower(seals.Of(RowBytes.Of("deployment").Text(Done)));
        if (await database.DeploymentFactAsync(Done, cancellation) is { } kept) return kept == note ? 0 : throw Changed();
        return await database.ChangeAsync(async change =>
        {
            foreach (var table in Sealed)
            {
                var made = database.RowsAreSealed ? "" : " WHERE seal IS NOT NULL";
                if (await change.NumberAsync($"SELECT 1 FROM {table}{made} LIMIT 1") is not null) throw Changed();
            }
            var count = await RecordsAsync(change, database) + await database.Consents.SealAllAsync(change)
                + await database.Directory.SealAllAsync(change) + await UndoAsync(change, seals);
            await change.ExecuteAsync("INSERT INTO deployment (name, value) VALUES ($1, $2)", Done, note);
            return count;
        });
    }

    // Sealed rows without the note, or any where the keyring knows of it: whoever took it out wants all rows sealed anew as they are now.
    private static StoreStartException Changed() => new(
        "the database says no longer that its rows were sealed, but they were: it was changed by others; restore it from its backup");

    private static async ValueTask<long> RecordsAsync(Change change, RecordDatabase database)
    {
        var (count, after) = (0L, 0L);
        while (true)
        {
            var records = await change.QueryAsync(
                $"SELECT rid, type, id FROM resources WHERE rid > $1 ORDER BY rid LIMIT {AtOnce}",
                static r => (Rid: r.GetInt64(0), Type: r.GetString(1), Id: r.GetString(2)), after);
            foreach (var (rid, type, id) in records) await RecordAsync(change, database, rid, type, id);
            count += records.Count;
            if (records.Count < AtOnce) return count;
            after = records[^1].Rid;
        }
    }

    private static async ValueTask RecordAsync(Change change, RecordDatabase database, long rid, string type, string id)
    {
        var (row, ties) = await database.Records.UnsealedAsync(change.Session, type, id);
        row = row with { LinksDigest = RowSeals.Ties(ties.Links, ties.Binaries) };
        await change.ExecuteAsync(
            "UPDATE resources SET links_digest = $1, seal = $2 WHERE rid = $3", row.LinksDigest, database.Seals.Of(row.Content), rid);
        foreach (var (version, author, custodian, deleted, subject) in await change.QueryAsync(
            "SELECT version, author, custodian, deleted, subject FROM versions WHERE rid = $1",
            static r => (r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetInt64(3), r.GetString(4)), rid))
            await change.ExecuteAsync(
                "UPDATE versions SET seal = $1 WHERE rid = $2 AND version = $3",
                database.Seals.Of(RowSeals.Version(type, id, version, author, custodian, deleted, subject)), rid, version);
    }

    private static async ValueTask<long> UndoAsync(Change change, RowSeals seals)
    {
        var rows = await change.QueryAsync(
            "SELECT id, block, kind, key, value FROM chain_undo",
            static r => (Id: r.GetInt64(0), Block: r.GetInt64(1), Kind: r.GetString(2), Key: r.GetString(3), Value: r.TextOrNull(4)));
        foreach (var row in rows)
            await change.ExecuteAsync(
                "UPDATE chain_undo SET seal = $1 WHERE id = $2", seals.Of(RowSeals.Undo(row.Block, row.Kind, row.Key, row.Value)), row.Id);
        return rows.Count;
    }
}
