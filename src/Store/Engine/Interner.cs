using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>A table that gives texts numbers, kept in memory both ways. Rows are never changed or taken out.</summary>
/// <typeparam name="T">What the text is parsed as.</typeparam>
/// <param name="table">The table: id, digest, text.</param>
/// <param name="parse">Reads a text.</param>
internal sealed class Interner<T>(string table, Func<string, T> parse) : Interner
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
    public async ValueTask<T> ValueAsync(Session session, long id, CancellationToken cancellation)
    {
        if (_values.TryGetValue(id, out var known)) return known;
        var text = await session.FirstAsync($"SELECT text FROM {table} WHERE id = $1", static r => r.GetString(0), cancellation, id);
        Keep(session, id, text ?? throw new InvalidOperationException($"{table} has no number {id}"));
        return parse(text);
    }

    /// <summary>All values numbered after one, in order. One caller at a time.</summary>
    public async ValueTask<IReadOnlyList<(long Id, T Value)>> AfterAsync(Session session, long after, CancellationToken cancellation)
    {
        var rows = await session.QueryAsync(
            $"SELECT id, text FROM {table} WHERE id > $1 ORDER BY id", static r => (Id: r.GetInt64(0), Text: r.GetString(1)), cancellation,
            _inOrder.Count == 0 ? 0 : _inOrder[^1].Id);
        foreach (var (id, text) in rows)
        {
            Remember(id, text);
            _inOrder.Add((id, _values[id]));
        }
        var first = _inOrder.FindIndex(v => v.Id > after);
        return first < 0 ? [] : _inOrder[first..];
    }

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
    private const string ResourceTypes = "http://hl7.org/fhir/resource-types";

    /// <summary>The key of a text: texts may be longer than a database will index.</summary>
    public static string Digest(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    /// <summary>The label that every record of a type has.</summary>
    public static RecordLabel ClassOf(string type) => new(LabelKind.Class, ResourceTypes, type);

    /// <summary>Ids as the one text that a row keeps: sorted, each once, a space between.</summary>
    public static string Join(IEnumerable<string> ids) => string.Join(' ', ids.Distinct().Order(StringComparer.Ordinal));

    /// <summary>The ids of such a text.</summary>
    public static IReadOnlyList<string> Split(string ids) => ids.Length == 0 ? [] : ids.Split(' ');
}

/// <summary>The tables of numbered texts.</summary>
internal sealed class Interners
{
    /// <summary>Sets of labels.</summary>
    public Interner<LabelSet> LabelSets { get; } = new("label_sets", LabelSet.Parse);

    /// <summary>What consents say.</summary>
    public Interner<TermsShape> Shapes { get; } = new("shapes", TermsShape.Parse);

    /// <summary>What verdicts ask of a record itself.</summary>
    public Interner<Residual> Residuals { get; } = new("residuals", Residual.Parse);

    /// <summary>Search parameters, <c>Type.code</c>.</summary>
    public Interner<string> Parameters { get; } = new("parameters", static text => text);
}
