using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

public sealed class SqliteTampering(Sqlite engine) : TamperContract(engine, places: 6), IClassFixture<Sqlite>;

public sealed class PostgresTampering(Postgres engine) : TamperContract(engine, places: 1), IClassFixture<Postgres>;

/// <summary>Whoever can write the database and has not the keyring opens nothing by it, on every engine.</summary>
public abstract class TamperContract(Engine engine, int places) : IAsyncLifetime
{
    private static readonly (string Table, string Key)[] Tables =
    [
        ("resources", "rid"), ("versions", "seq"), ("consents", "commitment"), ("patient_consents", "patient_id"),
        ("actors", "reference"), ("bindings", "client"), ("patients", "id"), ("label_sets", "id"),
    ];

    // What follows from the rows above, or is held against a digest in them: nothing is believed that stands here alone.
    private static readonly string[] Derived =
        ["record_links", "links", "compartments", "consent_spans", "viewer_readings", "verdicts", "residual_conditions"];

    private TamperWorld _world = null!;
    private RawDatabase _raw = null!;

    public async Task InitializeAsync()
    {
        var (options, file) = await engine.NewAsync();
        _world = await TamperWorld.MakeAsync(() => Engine.OpenAsync(options, file));
        _raw = await RawDatabase.OpenAsync(options, file);
    }

    public async Task DisposeAsync()
    {
        await _raw.DisposeAsync();
        await _world.Database.DisposeAsync();
    }

    [Fact]
    public async Task Untouched_it_gives_what_it_should() => await _world.MustBeWholeAsync();

    [Fact]
    public async Task No_change_of_one_column_of_any_row_opens_anything_and_putting_it_back_heals()
    {
        var tried = 0;
        foreach (var (table, key) in Tables)
        {
            var rows = await _raw.RowsAsync(table);
            var all = new HashSet<BrokenRow>();
            foreach (var row in rows)
                foreach (var column in row.Keys)
                    foreach (var value in Others(row[column], rows.Select(r => r[column])))
                    {
                        if (!await _raw.SetAsync(table, key, row[key], new Dictionary<string, object?> { [column] = value })) continue;
                        await _world.MustStayClosedAsync($"{table} {row[key]}: {column} = {value}", isFresh: table == "label_sets");
                        if (_world.MustTell(table, column, row) is { } told)
                        {
                            Assert.True(
                                _world.Database.BrokenRows.Now.Any(told.Contains),
                                $"nobody is told of {table} {row[key]}: {column} = {value}; {string.Join(' ', told)}");
                            all.UnionWith(told);
                        }
                        Assert.True(await _raw.SetAsync(
                            table, key, column == key ? value : row[key], new Dictionary<string, object?> { [column] = row[column] }));
                        tried++;
                    }
            await _world.MustBeWholeAsync();
            Assert.Empty(_world.Database.BrokenRows.Now.Intersect(all));
        }
        Assert.True(tried > 1000, $"{tried} changes");
    }

    [Fact]
    public async Task No_row_that_was_made_the_same_as_another_and_none_that_was_taken_out_opens_anything()
    {
        foreach (var (table, key) in Tables)
        {
            var rows = await _raw.RowsAsync(table);
            foreach (var row in rows)
            {
                foreach (var other in rows.Where(o => o != row))
                {
                    // What names the row stays; with it, and without its own names.
                    string[][] kept = [[key], [key, "type", "id"], [key, "rid", "version"], [key, "actor_id"], [key, "patient_key"]];
                    foreach (var names in kept)
                    {
                        var copy = other.Where(c => !names.Contains(c.Key)).ToDictionary();
                        if (copy.Count == 0 || !await _raw.SetAsync(table, key, row[key], copy)) continue;
                        await _world.MustStayClosedAsync($"{table} {row[key]} as {other[key]}", isFresh: table == "label_sets");
                        Assert.True(await _raw.SetAsync(table, key, row[key], row.Where(c => c.Key != key).ToDictionary()));
                    }
                }
                await OutAndInAsync(table, row);
            }
        }
        foreach (var table in Derived)
            foreach (var row in await _raw.RowsAsync(table)) await OutAndInAsync(table, row);
        await _world.MustBeWholeAsync();
    }

    [Fact]
    public async Task No_change_of_a_row_that_follows_from_others_opens_anything_nor_does_one_that_was_made_up()
    {
        await _world.MustBeWholeAsync();
        var count = 0;
        foreach (var table in Derived)
        {
            var rows = await _raw.RowsAsync(table);
            Assert.NotEmpty(rows);
            for (var i = 0; i < rows.Count; i++)
                foreach (var column in rows[i].Keys)
                {
                    foreach (var value in Few(rows[i][column], rows.Select(r => r[column])))
                    {
                        // Each on the one engine, some on the other: what decides is the same.
                        if (places == 1 && count++ % 10 != 0) continue;
                        var other = new Dictionary<string, object?>(rows[i]) { [column] = value };
                        await ForgedAsync(table, [], [other]);
                        await ForgedAsync(table, [rows[i]], [other]);
                    }
                    // With the next one it changes places.
                    var next = rows[(i + 1) % rows.Count];
                    if (Same(next[column], rows[i][column])) continue;
                    await ForgedAsync(
                        table, [rows[i], next],
                        [
                            new Dictionary<string, object?>(rows[i]) { [column] = next[column] },
                            new Dictionary<string, object?>(next) { [column] = rows[i][column] },
                        ]);
                }
        }
        await _world.MustBeWholeAsync();
        // All at once: each row that the values of a table could make, and those that deny taken out.
        foreach (var table in Derived) await EveryRowAsync(table);
        await _raw.RunAsync("DELETE FROM verdicts WHERE permits = 0");
        await _world.MustStayClosedAsync("every row that there could be", isFresh: false);
        await _world.MustStayClosedAsync("every row that there could be, to who starts", isFresh: true);
    }

    [Fact]
    public async Task No_older_state_of_a_row_opens_anything()
    {
        var older = new Dictionary<string, List<Dictionary<string, object?>>>();
        foreach (var (table, _) in Tables) older[table] = await _raw.RowsAsync(table);
        await _world.CloseAllAsync();
        foreach (var (table, key) in Tables.Where(t => t.Table is not ("actors" or "bindings" or "label_sets")))
        {
            var now = (await _raw.RowsAsync(table)).ToDictionary(r => r[key]!);
            foreach (var row in older[table])
            {
                Assert.True(await _raw.SetAsync(table, key, row[key], row));
                await _world.MustStayClosedAsync($"{table} {row[key]} as it was", isFresh: false);
                Assert.True(await _raw.SetAsync(table, key, row[key], now[row[key]!]));
            }
        }
        await _world.MustStayClosedAsync("nothing", isFresh: false);
    }

    [Fact]
    public async Task A_row_that_is_broken_is_told_once_by_table_and_key_and_again_after_it_was_whole()
    {
        var told = new List<BrokenRow>();
        _world.Database.BrokenRows.Found += told.Add;
        var row = (await _raw.RowsAsync("resources")).Single(r => (string)r["id"]! == _world.Open);
        for (var i = 1; i <= 2; i++)
        {
            await _raw.SetAsync("resources", "rid", row["rid"], new Dictionary<string, object?> { ["author"] = "client:Organization/x" });
            for (var j = 0; j < 2; j++)
                await Assert.ThrowsAsync<RowBrokenException>(() => _world.ReadAsync(_world.Database, "Observation", _world.Open));
            Assert.Equal(new BrokenRow("resources", $"Observation/{_world.Open}"), Assert.Single(_world.Database.BrokenRows.Now));
            await _raw.SetAsync("resources", "rid", row["rid"], row);
            Assert.NotNull(await _world.ReadAsync(_world.Database, "Observation", _world.Open));
            Assert.Empty(_world.Database.BrokenRows.Now);
            Assert.Equal(i, told.Count);
        }
    }

    [Fact]
    public async Task A_broken_row_does_not_become_whole_by_what_the_gateway_writes_after()
    {
        var consent = (await _raw.RowsAsync("consents")).Single(r => (string)r["consent_id"]! == _world.Denial);
        await _raw.SetAsync("consents", "commitment", consent["commitment"], new Dictionary<string, object?> { ["revoked"] = 1L });
        await _world.GrantAsync((string)consent["commitment"]!, _world.Patient, 3);
        await Assert.ThrowsAsync<RowBrokenException>(() => _world.ReadAsync(_world.Database, "Observation", _world.Closed));
        var actor = (await _raw.RowsAsync("actors")).Single(r => (string)r["reference"]! == "Organization/s");
        await _raw.SetAsync("actors", "reference", "Organization/s", new Dictionary<string, object?> { ["suspended"] = 0L });
        await _world.SetActiveAsync((string)actor["actor_id"]!, isActive: true);
        _world.Database.Actors.Forget();
        await Assert.ThrowsAsync<RowBrokenException>(
            async () => await new DirectoryStore(_world.Database).ActorAsync("Organization/s", default));
        // A link that was taken out does not take the document's label from its attachment.
        foreach (var link in await _raw.RowsAsync("links")) await _raw.DeleteAsync("links", link);
        await Assert.ThrowsAsync<RowBrokenException>(() => _world.RelinkAsync());
    }

    [Fact]
    public async Task Rows_from_before_are_sealed_once_and_a_note_of_it_that_was_taken_out_is_noticed()
    {
        foreach (var (table, _) in Tables.Where(t => t.Table is not ("patient_consents" or "label_sets")))
            await _raw.RunAsync($"UPDATE {table} SET seal = NULL");
        await _raw.RunAsync("DELETE FROM patient_consents");
        await _raw.RunAsync("DELETE FROM deployment WHERE name = '0009 rows sealed'");
        await using (var again = await _world.OpenAgainAsync()) await _world.MustBeWholeAsync(again);
        await _raw.RunAsync("DELETE FROM deployment WHERE name = '0009 rows sealed'");
        await Assert.ThrowsAsync<StoreStartException>(_world.OpenAgainAsync);
    }

    // Some rows in the place of others, and then as it was; nothing where the table's own constraints do not let them in.
    private async Task ForgedAsync(string table, Dictionary<string, object?>[] instead, Dictionary<string, object?>[] forged)
    {
        foreach (var row in instead) await _raw.DeleteAsync(table, row);
        var made = new List<Dictionary<string, object?>>();
        foreach (var row in forged)
            if (await _raw.TryInsertAsync(table, row)) made.Add(row);
        if (made.Count > 0)
        {
            await _world.MustStayClosedAsync(
                $"{table} with {string.Join(" and ", made.Select(r => string.Join(' ', r.Values)))}", isFresh: false);
        }
        foreach (var row in made) await _raw.DeleteAsync(table, row);
        foreach (var row in instead) await _raw.InsertAsync(table, row);
    }

    private async Task EveryRowAsync(string table)
    {
        var rows = await _raw.RowsAsync(table);
        var records = (await _raw.RowsAsync("resources")).Select(r => r["rid"]).ToList();
        var labels = (await _raw.RowsAsync("label_sets")).Select(r => r["id"]).Append(0L).ToList();
        IEnumerable<Dictionary<string, object?>> all = [[]];
        foreach (var column in rows[0].Keys)
        {
            var values = column switch
            {
                "rid" => records,
                "label_set" => labels,
                "condition" => [0L],
                "permits" => [1L],
                "residual" when table == "verdicts" => [0L],
                _ => rows.Select(r => r[column]).Distinct(),
            };
            all = [.. all.SelectMany(row => values.Select(v => new Dictionary<string, object?>(row) { [column] = v }))];
        }
        var next = 1_000_000L;
        foreach (var row in all.Take(2000))
        {
            if (row.ContainsKey("condition")) row["condition"] = next++;
            await _raw.TryInsertAsync(table, row);
        }
    }

    // What the others of a column have, and what differs by a bit or a character.
    private static IEnumerable<object?> Few(object? value, IEnumerable<object?> column) => column
        .Concat(value switch
        {
            long number => [0L, 1L, number ^ 1, number ^ (1L << 40), long.MaxValue],
            string { Length: > 0 } text => (object?[])["", text[..^1] + (char)(text[^1] ^ 1)],
            _ => [],
        })
        .Where(o => !Same(o, value)).Distinct();

    private async Task OutAndInAsync(string table, Dictionary<string, object?> row)
    {
        await _raw.DeleteAsync(table, row);
        await _world.MustStayClosedAsync($"{table} without {string.Join(' ', row.Values)}", isFresh: table == "label_sets");
        await _raw.InsertAsync(table, row);
    }

    // Nothing, what other rows have, and what differs by a bit or a character, here and there.
    private IEnumerable<object?> Others(object? value, IEnumerable<object?> column)
    {
        var others = new List<object?> { null };
        others.AddRange(column);
        if (value is null) others.AddRange(["Organization/i", 1L, new byte[] { 1 }]);
        if (value is long number) others.AddRange([0L, 1L, .. new[] { 0, 1, 5, 40 }.Select(b => (object?)(number ^ (1L << b)))]);
        if (value is string text)
        {
            others.AddRange(["", text + " ", "Organization/i", "client:Organization/i"]);
            for (var i = 0; i < text.Length; i += Math.Max(1, text.Length / places))
                others.Add(text[..i] + (char)(text[i] ^ 1) + text[(i + 1)..]);
        }
        if (value is byte[] bytes)
        {
            others.Add(Array.Empty<byte>());
            for (var i = 0; i < bytes.Length; i += Math.Max(1, bytes.Length / places))
            {
                var flipped = bytes.ToArray();
                flipped[i] ^= (byte)(1 << (i % 8));
                others.Add(flipped);
            }
        }
        return others.Where(o => !Same(o, value)).DistinctBy(o => o is byte[] b ? Convert.ToHexString(b) : o);
    }

    private static bool Same(object? a, object? b) => a is byte[] x && b is byte[] y ? x.AsSpan().SequenceEqual(y) : Equals(a, b);
}
