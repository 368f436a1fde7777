using PmrGateway.Fhir;

namespace PmrGateway.Store;

/// <summary>The rows by which records are found: what a search parameter's values become in the index tables.</summary>
internal sealed class IndexRows(Interners interners, IndexKey key)
{
    /// <summary>What is known of a text from its first letters: a search for more of them cannot be answered from hashes.</summary>
    public const int MaxPrefix = 32;

    /// <summary>
    /// By which definitions a record is indexed: its number is kept with it. What was indexed by others is indexed anew at a start, so this
    /// grows whenever what a record's rows are changes.
    /// </summary>
    public const long Definitions = 1;

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
        foreach (var entry in entries.Distinct())
        {
            var name = $"{type}.{entry.Parameter}";
            var parameter = await interners.Parameters.InternAsync(change, name);
            if (entry.IsPersonal)
            {
                foreach (var hash in Hashes(name, entry))
                    await TokenAsync(change, parameter, hash, IndexText.Of(entry.System ?? ""), rid, entry.Part);
                continue;
            }
            switch (entry.Type)
            {
                case "reference":
                    await change.ExecuteAsync(
                        "INSERT INTO index_reference (param, target, target_type, rid, part) VALUES ($1, $2, $3, $4, $5) "
                            + "ON CONFLICT DO NOTHING",
                        parameter, IndexText.Of(entry.Value!), IndexText.Of(entry.System ?? ""), rid, (long)entry.Part);
                    break;
                case "date":
                    await change.ExecuteAsync(
                        "INSERT INTO index_date (param, lo, hi, rid, part) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                        parameter, entry.From.ToUnixTimeMilliseconds(), entry.To.ToUnixTimeMilliseconds(), rid, (long)entry.Part);
                    break;
                case "number":
                    await NumberAsync(change, parameter, "", entry.Low, entry.High, rid, entry.Part);
                    break;
                case "quantity":
                    var (system, unit) = UnitOf(entry);
                    await NumberAsync(change, parameter, Written(system, unit), entry.Low, entry.High, rid, entry.Part);
                    if (InBaseUnits(system, unit, entry.Low, entry.High) is not { } inBase) break;
                    await NumberAsync(change, parameter, inBase.Unit, inBase.Low, inBase.High, rid, entry.Part);
                    break;
                case "string":
                    await TextAsync(change, parameter, entry.Value!, rid, entry.Part);
                    break;
                default:
                    await TokenAsync(change, parameter, IndexText.Of(entry.Value!), IndexText.Of(entry.System ?? ""), rid, entry.Part);
                    break;
            }
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

    private IEnumerable<string> Hashes(string name, IndexEntry entry)
    {
        switch (entry.Type)
        {
            case "date":
                foreach (var span in PersonDates.Of(entry.From.ToUnixTimeMilliseconds(), entry.To.ToUnixTimeMilliseconds()))
                    yield return key.Of(name, IndexKey.Form.Span, span);
                break;
            case "string":
                yield return key.Of(name, IndexKey.Form.Exact, entry.Value!);
                var text = SearchText.Normalize(entry.Value!);
                for (var length = 1; length <= Math.Min(text.Length, MaxPrefix); length++)
                    yield return key.Of(name, IndexKey.Form.Prefix, text[..length]);
                break;
            default:
                yield return key.Of(name, IndexKey.Form.Code, entry.Value!);
                break;
        }
    }

    private static (string? System, string? Unit) UnitOf(IndexEntry entry) =>
        entry.System!.LastIndexOf('|') is var bar and >= 0 ? (entry.System[..bar], entry.System[(bar + 1)..]) : (null, entry.System);

    private static async ValueTask TokenAsync(Change change, long parameter, string code, string system, long rid, int part) =>
        await change.ExecuteAsync(
            "INSERT INTO index_token (param, code, system, rid, part) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            parameter, code, system, rid, (long)part);

    private static async ValueTask NumberAsync(Change change, long parameter, string unit, double low, double high, long rid, int part) =>
        await change.ExecuteAsync(
            "INSERT INTO index_number (param, unit, lo, hi, rid, part) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            parameter, unit, low, high, rid, (long)part);

    private static async ValueTask TextAsync(Change change, long parameter, string text, long rid, int part)
    {
        // PostgreSQL takes no NUL, which FHIR has in no string either.
        var normalised = SearchText.Normalize(text);
        var value = Cut(normalised);
        var isAsWritten = value == text;
        await change.ExecuteAsync(
            "INSERT INTO index_text (param, value, digest, rid, part, original, whole) VALUES ($1, $2, $3, $4, $5, $6, $7) "
                + "ON CONFLICT DO NOTHING",
            parameter, value, isAsWritten ? "" : Interner.Digest(text), rid, (long)part, isAsWritten ? null : text,
            value == normalised ? null : normalised);
    }
}
