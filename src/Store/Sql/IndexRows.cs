using System.Collections.Concurrent;
using PmrGateway.Fhir;

namespace PmrGateway.Store;

/// <summary>The rows by which records are found: what a search parameter's values become in the index tables.</summary>
internal sealed class IndexRows(Interners interners, IndexKey key)
{
    /// <summary>
    /// By which definitions a record is indexed: its number is kept with it. What was indexed by others is indexed anew at a start, so this
    /// grows whenever what a record's rows are changes, and a migration makes the index resources_unindexed anew.
    /// </summary>
    public const long Definitions = 3;

    /// <summary>The condition that a row of resources is to be indexed anew: that of the index resources_unindexed.</summary>
    public static readonly string IsUnindexed = $"indexed <> {Definitions} AND deleted = 0";

    // PostgreSQL indexes no key of more than 2,704 bytes.
    private const int MaxValue = 200;

    /// <summary>The tables.</summary>
    public static readonly IReadOnlyList<string> Tables = ["index_token", "index_reference", "index_date", "index_number", "index_text"];

    /// <summary>Takes a record's rows out.</summary>
    public static async ValueTask RemoveAsync(Change change, long rid)
    {
        foreach (var table in Tables) await change.ExecuteAsync($"DELETE FROM {table} WHERE rid = $1", rid);
    }

    /// <summary>Puts a record's rows in.</summary>
    /// <param name="change">The change.</param>
    /// <param name="rid">Number of the record.</param>
    /// <param name="type">Its resource type.</param>
    /// <param name="entries">Its search values.</param>
    public async ValueTask AddAsync(Change change, long rid, string type, IReadOnlyList<IndexEntry> entries)
    {
        if (entries.Count == 0) return;
        var rows = new Rows(rid);
        foreach (var entry in entries.Distinct())
        {
            var name = $"{type}.{entry.Parameter}";
            Add(rows, name, await interners.Parameters.InternAsync(change, name), entry);
        }
        await rows.WriteAsync(change);
    }

    private void Add(Rows rows, string name, long parameter, IndexEntry entry)
    {
        var (system, part) = (IndexText.Of(entry.System ?? ""), (long)entry.Part);
        switch (entry.Type)
        {
            case "string" when entry.IsPersonal:
                rows.Text.Add(
                    parameter, key.Way(name, SearchText.Normalize(entry.Value!)), key.Of(name, IndexKey.Form.Exact, entry.Value!), rows.Rid,
                    part, null, null);
                break;
            case "date" when entry.IsPersonal:
                foreach (var span in PersonDates.Of(entry.From.ToUnixTimeMilliseconds(), entry.To.ToUnixTimeMilliseconds()))
                    rows.Token.Add(parameter, key.Of(name, IndexKey.Form.Span, span), system, rows.Rid, part);
                break;
            case "token" when entry.IsPersonal:
                rows.Token.Add(parameter, key.Of(name, IndexKey.Form.Code, entry.Value!), system, rows.Rid, part);
                break;
            case "reference":
                rows.Reference.Add(parameter, IndexText.Of(entry.Value!), system, rows.Rid, part);
                break;
            case "date":
                rows.Date.Add(parameter, entry.From.ToUnixTimeMilliseconds(), entry.To.ToUnixTimeMilliseconds(), rows.Rid, part);
                break;
            case "number":
                rows.Number.Add(parameter, "", entry.Low, entry.High, rows.Rid, part);
                break;
            case "quantity":
                var (unitSystem, unit) = UnitOf(entry);
                rows.Number.Add(parameter, Written(unitSystem, unit), entry.Low, entry.High, rows.Rid, part);
                if (InBaseUnits(unitSystem, unit, entry.Low, entry.High) is { } inBase)
                    rows.Number.Add(parameter, inBase.Unit, inBase.Low, inBase.High, rows.Rid, part);
                break;
            case "string":
                // PostgreSQL takes no NUL, which FHIR has in no string either.
                var (text, normalised) = (entry.Value!, SearchText.Normalize(entry.Value!));
                var value = Cut(normalised);
                var isAsWritten = value == text;
                rows.Text.Add(
                    parameter, value, isAsWritten ? "" : Interner.Digest(text), rows.Rid, part, isAsWritten ? null : text,
                    value == normalised ? null : normalised);
                break;
            default:
                rows.Token.Add(parameter, IndexText.Of(entry.Value!), system, rows.Rid, part);
                break;
        }
    }

    /// <summary>A text as <c>index_text.value</c> has it.</summary>
    public static string Cut(string normalised)
    {
        if (normalised.Length <= MaxValue) return normalised;
        // A half of a pair of surrogates is no text.
        return normalised[..(char.IsHighSurrogate(normalised[MaxValue - 1]) ? MaxValue - 1 : MaxValue)];
    }

    /// <summary>A unit as it was written, as <c>index_number.unit</c> has it.</summary>
    public static string Written(string? system, string? unit) => IndexText.Of($"{unit}|{system}");

    /// <summary>Numbers of a unit in base units, and their dimension, as <c>index_number</c> has it; null: the unit has none.</summary>
    public static (string Unit, double Low, double High)? InBaseUnits(string? system, string? unit, double low, double high) =>
        SearchUnits.InBaseUnits(system, unit) is { } known
            ? ($"*{known.Dimension}", SearchUnits.InBaseUnits(low, known.Factor), SearchUnits.InBaseUnits(high, known.Factor))
            : null;

    private static (string? System, string? Unit) UnitOf(IndexEntry entry) =>
        entry.System!.LastIndexOf('|') is var bar and >= 0 ? (entry.System[..bar], entry.System[(bar + 1)..]) : (null, entry.System);

    // The rows of one record: a statement for many costs little more than one for one, above all where the database is another process.
    private sealed class Rows(long rid)
    {
        public long Rid => rid;

        public Table Token { get; } = new("index_token", "param, code, system, rid, part");

        public Table Reference { get; } = new("index_reference", "param, target, target_type, rid, part");

        public Table Date { get; } = new("index_date", "param, lo, hi, rid, part");

        public Table Number { get; } = new("index_number", "param, unit, lo, hi, rid, part");

        public Table Text { get; } = new("index_text", "param, value, digest, rid, part, original, whole");

        public async ValueTask WriteAsync(Change change)
        {
            foreach (var table in new[] { Token, Reference, Date, Number, Text }) await table.WriteAsync(change);
        }
    }

    private sealed class Table(string name, string columns)
    {
        // So that there are few texts of statements, each prepared once.
        private static readonly int[] Sizes = [32, 8, 2, 1];
        private static readonly ConcurrentDictionary<(string Table, int Rows), string> Statements = new();
        private readonly List<object?[]> _rows = [];

        public void Add(params object?[] row) => _rows.Add(row);

        public async ValueTask WriteAsync(Change change)
        {
            for (var done = 0; done < _rows.Count;)
            {
                var size = Sizes.First(s => s <= _rows.Count - done);
                var some = _rows.GetRange(done, size);
                await change.ExecuteAsync(
                    Statements.GetOrAdd((name, size), _ => Statement(size, some[0].Length)), [.. some.SelectMany(r => r)]);
                done += size;
            }
        }

        private string Statement(int size, int width)
        {
            var rows = Enumerable.Range(0, size).Select(
                r => $"({string.Join(", ", Enumerable.Range((r * width) + 1, width).Select(p => $"${p}"))})");
            return $"INSERT INTO {name} ({columns}) VALUES {string.Join(", ", rows)} ON CONFLICT DO NOTHING";
        }
    }
}
