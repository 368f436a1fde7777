using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>A table that gives texts numbers, kept in memory both ways. Rows are never changed or taken out.</summary>
/// <typeparam name="T">What the text is parsed as.</typeparam>
/// <param name="table">The table: id, digest, text.</param>
/// <param name="parse">Reads a text.</param>
/// <param name="broken">Is told of rows whose text is not that of their digest.</param>
internal sealed class Interner<T>(string table, Func<string, T> parse, BrokenRows broken) : Interner
{
    private readonly ConcurrentDictionary<string, long> _ids = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<long, T> _values = new();
    private readonly List<(long Id, T Value)> _inOrder = [];

    /// <summary>The number of a text, given one in a change where it has none.</summary>
    public async ValueTask<long> InternAsync(Change change, string text)
    {
        if (_ids.TryGetValue(text, out var known)) return known;
        var digest = Digest(text);
        await change.ExecuteAsync($"INSERT INTO {table} (digest, text) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING", digest, text);
        var id = (await change.NumberAsync($"SELECT id FROM {table} WHERE digest = $1", digest))!.Value;
        Keep(change.Session, id, text);
        return id;
    }

    /// <summary>The number of a text; null where it has none: then nothing has it.</summary>
    public async ValueTask<long?> FindAsync(Session session, string text, CancellationToken cancellation)
    {
        if (_ids.TryGetValue(text, out var known)) return known;
        var id = await session.NumberAsync($"SELECT id FROM {table} WHERE digest = $1", cancellation, Digest(text));
        if (id is { } found) Keep(session, found, text);
        return id;
    }

    /// <summary>The value of a number.</summary>
    /// <exception cref="RowBrokenException">There is no such number, or its text is not that of its digest.</exception>
    public async ValueTask<T> ValueAsync(Session session, long id, CancellationToken cancellation)
    {
        if (_values.TryGetValue(id, out var known)) return known;
        var row = await session.FirstAsync(
            $"SELECT id, digest, text FROM {table} WHERE id = $1", ReadRow, cancellation, id);
        if (row is null) throw broken.Add(table, Text(id));
        var value = Whole(row);
        Keep(session, id, row.Text);
        return value;
    }

    /// <summary>All values numbered after one, in order. One caller at a time.</summary>
    /// <exception cref="RowBrokenException">The text of one is not that of its digest.</exception>
    public async ValueTask<IReadOnlyList<(long Id, T Value)>> AfterAsync(Session session, long after, CancellationToken cancellation)
    {
        var rows = await session.QueryAsync(
            $"SELECT id, digest, text FROM {table} WHERE id > $1 ORDER BY id", ReadRow, cancellation,
            _inOrder.Count == 0 ? 0 : _inOrder[^1].Id);
        foreach (var row in rows)
        {
            Whole(row!);
            Remember(row!.Id, row.Text);
            _inOrder.Add((row.Id, _values[row.Id]));
        }
        var first = _inOrder.FindIndex(v => v.Id > after);
        return first < 0 ? [] : _inOrder[first..];
    }

    private T Whole(Row row)
    {
        if (Digest(row.Text) != row.Digest) throw broken.Add(table, Text(row.Id));
        try
        {
            var value = parse(row.Text);
            broken.Remove(table, Text(row.Id));
            return value;
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or IndexOutOfRangeException or ArgumentNullException)
        {
            // Both columns were changed: it is no text that was ever numbered.
            throw broken.Add(table, Text(row.Id));
        }
    }

    private static Row? ReadRow(System.Data.Common.DbDataReader r) => new(r.GetInt64(0), r.GetString(1), r.GetString(2));

    private static string Text(long id) => id.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private sealed record Row(long Id, string Digest, string Text);

    // A change sees what it and others of its group have numbered; where it is taken back, the number may become another text's.
    private void Keep(Session session, long id, string text)
    {
        if (session.Change is { } change) change.OnCommitted(() => Remember(id, text));
        else Remember(id, text);
    }

    private void Remember(long id, string text)
    {
        _values[id] = parse(text);
        _ids[text] = id;
    }
}

/// <summary>What numbering and deriving have in common.</summary>
internal abstract class Interner
{
    /// <summary>The key of a text: texts may be longer than a database will index.</summary>
    public static string Digest(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    /// <summary>Ids as the one text that a row keeps: sorted, each once, a space between; those with a plus, then with a tilde last.
    /// </summary>
    public static string Join(IEnumerable<string> ids) => string.Join(' ', ids
        .GroupBy(Bare, StringComparer.Ordinal).Select(g => g.MinBy(Rank)!)
        .OrderBy(Rank).ThenBy(i => i, StringComparer.Ordinal));

    /// <summary>The patients of a record, and the others of whom it holds a copy, as that text.</summary>
    public static string Patients(RecordFacts facts) => Join(facts.Patients.Concat(facts.Others.Select(o => "+" + o)));

    /// <summary>That text for a record that had others before: who is in none of the two any more is in an earlier version.</summary>
    public static string WithFormer(string ids, string before) => Join(Split(ids).Concat(Split(before).Select(i => "~" + Bare(i))));

    /// <summary>The ids of such a text.</summary>
    public static IReadOnlyList<string> Split(string ids) => ids.Length == 0 ? [] : ids.Split(' ');

    /// <summary>The patients of a record's text.</summary>
    public static IReadOnlyList<string> PatientsOf(string ids) =>
        ids.AsSpan().ContainsAny('+', '~') ? [.. Split(ids).Where(i => Rank(i) == 0)] : Split(ids);

    /// <summary>The others of a record's text.</summary>
    public static IReadOnlyList<string> OthersOf(string ids) => Of(ids, '+');

    /// <summary>Those of a record's text whom earlier versions alone concern.</summary>
    public static IReadOnlyList<string> FormerOf(string ids) => Of(ids, '~');

    /// <summary>Whom the current version concerns.</summary>
    public static IEnumerable<string> AllOf(string ids) => PatientsOf(ids).Concat(OthersOf(ids));

    private static IReadOnlyList<string> Of(string ids, char mark) =>
        ids.Contains(mark, StringComparison.Ordinal) ? [.. Split(ids).Where(i => i[0] == mark).Select(Bare)] : [];

    private static int Rank(string id) => id[0] switch { '+' => 1, '~' => 2, _ => 0 };

    private static string Bare(string id) => Rank(id) == 0 ? id : id[1..];
}

/// <summary>The tables of numbered texts.</summary>
internal sealed class Interners(BrokenRows broken)
{
    /// <summary>Sets of labels.</summary>
    public Interner<LabelSet> LabelSets { get; } = new("label_sets", LabelSet.Parse, broken);

    /// <summary>What consents say.</summary>
    public Interner<TermsShape> Shapes { get; } = new("shapes", TermsShape.Parse, broken);

    /// <summary>What verdicts ask of a record itself.</summary>
    public Interner<Residual> Residuals { get; } = new("residuals", Residual.Parse, broken);

    /// <summary>Search parameters, <c>Type.code</c>.</summary>
    public Interner<string> Parameters { get; } = new("parameters", static text => text, broken);
}
