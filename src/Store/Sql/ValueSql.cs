using PmrGateway.Fhir;

namespace PmrGateway.Store;

/// <summary>What the value of a search criterion asks of a row of the index that it is looked for in.</summary>
/// <param name="sql">Takes the values.</param>
/// <param name="engine">The engine.</param>
/// <param name="key">The key of what is hashed.</param>
internal sealed class ValueSql(SqlText sql, IStoreEngine engine, IndexKey key)
{
    // Behind whatever a text goes on with.
    private const string Last = "\U0010FFFF";

    // A URI of more steps has no more above it that anybody keeps.
    private const int MaxAbove = 64;

    /// <summary>Whether a criterion is asked of an index, not of the record's own row.</summary>
    public static bool IsIndexed(SearchCriterion criterion) =>
        criterion.Type is "token" or "reference" or "date" or "string" or "uri" or "number" or "quantity"
        && criterion.Parameter != "_lastUpdated";

    /// <summary>Whether a value is a whole key, which no record has twice.</summary>
    public static bool IsWholeKey(SearchCriterion criterion, SearchValue value) => criterion switch
    {
        { Type: "token" } => value is { System: not null, Text: not null },
        { Type: "reference" } => value.System is not null,
        _ => false,
    };

    /// <summary>The index in which a criterion's values lie.</summary>
    public static string Table(SearchCriterion criterion) => criterion switch
    {
        { Type: "string" } => "index_text",
        { IsPersonal: true } => "index_token",
        { Type: "reference" } => "index_reference",
        { Type: "date" } => "index_date",
        { Type: "number" or "quantity" } => "index_number",
        _ => "index_token",
    };

    /// <summary>What a value asks of a row, each condition with AND before it.</summary>
    /// <param name="type">The resource type.</param>
    /// <param name="criterion">The criterion.</param>
    /// <param name="value">One of its values.</param>
    /// <param name="row">The row's name.</param>
    public string Matches(string type, SearchCriterion criterion, SearchValue value, string row) => criterion switch
    {
        { IsPersonal: true } => Hashed($"{type}.{criterion.Parameter}", criterion, value, row),
        { Type: "token" } => Is($"{row}.code", value.Text) + Is($"{row}.system", value.System),
        { Type: "reference" } => Is($"{row}.target", value.Text) + Is($"{row}.target_type", value.System),
        { Type: "date" } => $" AND {Range($"{row}.lo", $"{row}.hi", value)}",
        { Type: "number" } => $" AND {Number(row, value)}",
        { Type: "quantity" } => Quantity(row, value),
        { Type: "uri" } => $" AND {Uri(row, criterion.Match, value.Text!)}",
        _ => $" AND {Text(row, criterion.Match, value.Text!)}",
    };

    /// <summary>R4 search.html, "prefixes": eq asks that the resource's range lies inside the parameter's.</summary>
    /// <param name="lo">The first instant of the resource's range.</param>
    /// <param name="hi">The instant behind its last.</param>
    /// <param name="value">The value.</param>
    public string Range(string lo, string hi, SearchValue value)
    {
        string Below() => $"{lo} < {sql.Value(value.From)}";
        string Above() => $"{hi} > {sql.Value(value.To)}";
        string Inside() => $"({lo} >= {sql.Value(value.From)} AND {hi} <= {sql.Value(value.To)})";
        return value.Prefix switch
        {
            "ne" => $"NOT {Inside()}",
            "lt" => Below(),
            "le" => $"({Below()} OR {Inside()})",
            "gt" => Above(),
            "ge" => $"({Above()} OR {Inside()})",
            "sa" => $"{lo} >= {sql.Value(value.To)}",
            "eb" => $"{hi} <= {sql.Value(value.From)}",
            "ap" => $"({lo} < {sql.Value(value.To)} AND {hi} > {sql.Value(value.From)})",
            _ => Inside(),
        };
    }

    private string Is(string column, string? text) => text is null ? "" : $" AND {column} = {sql.Value(IndexText.Of(text))}";

    private string Hashed(string name, SearchCriterion criterion, SearchValue value, string row)
    {
        if (criterion.Type == "date")
        {
            var spans = PersonDates.Matching(value).Select(s => key.Of(name, IndexKey.Form.Span, s)).ToList();
            return $" AND {row}.code {engine.IsOneOf(sql.Value(engine.List(spans)))}";
        }
        if (criterion.Type == "string")
        {
            var way = key.Way(name, SearchText.Normalize(value.Text!));
            return criterion.Match == TextMatch.Exact
                ? $" AND {row}.value = {sql.Value(way)} AND {row}.digest = {sql.Value(key.Of(name, IndexKey.Form.Exact, value.Text!))}"
                : $" AND {Begins($"{row}.value", way)}";
        }
        var code = value.Text is null ? "" : $" AND {row}.code = {sql.Value(key.Of(name, IndexKey.Form.Code, value.Text))}";
        return code + Is($"{row}.system", value.System);
    }

    private string Text(string row, TextMatch match, string text)
    {
        var normalised = SearchText.Normalize(text);
        var cut = IndexRows.Cut(normalised);
        switch (match)
        {
            case TextMatch.Exact:
                return $"{row}.value = {sql.Value(cut)} AND COALESCE({row}.original, {row}.value) = {sql.Value(text)}";
            case TextMatch.Contains:
                return engine.Contains($"COALESCE({row}.whole, {row}.value)", sql.Value(normalised));
            default:
                // What was cut begins so; whether it goes on so stands beside it.
                return Begins($"{row}.value", cut) + (cut == normalised ? "" : $" AND {Begins($"{row}.whole", normalised)}");
        }
    }

    private string Begins(string column, string text) => $"{column} >= {sql.Value(text)} AND {column} < {sql.Value(text + Last)}";

    private string Uri(string row, TextMatch match, string uri)
    {
        switch (match)
        {
            case TextMatch.Below:
                var inside = uri.TrimEnd('/') + '/';
                return $"({row}.code = {sql.Value(IndexText.Of(uri))} OR ({Begins($"{row}.code", inside)}))";
            case TextMatch.Above:
                var above = Enumerable.Range(0, uri.Length).Where(i => uri[i] == '/').SelectMany(i => new[] { uri[..i], uri[..(i + 1)] })
                    .Append(uri).Where(u => u.Length > 0).Distinct().TakeLast(MaxAbove).Select(IndexText.Of).ToList();
                return $"{row}.code {engine.IsOneOf(sql.Value(engine.List(above)))}";
            default:
                return $"{row}.code = {sql.Value(IndexText.Of(uri))}";
        }
    }

    // A unit of UCUM matches whatever is of its dimension; another is what was written, by its code alone where no system is named.
    private string Quantity(string row, SearchValue value)
    {
        if (value.Text is not { } unit) return $" AND {row}.unit NOT LIKE '*%' AND {Number(row, value)}";
        if (value.System is null)
        {
            return $" AND {row}.unit >= {sql.Value($"{unit}|")} AND {row}.unit < {sql.Value($"{unit}|{Last}")} AND {Number(row, value)}";
        }
        if (IndexRows.InBaseUnits(value.System, unit, value.Low, value.High) is { } inBase)
        {
            var number = IndexRows.InBaseUnits(value.System, unit, value.Number, value.Number)!.Value.Low;
            return $" AND {row}.unit = {sql.Value(inBase.Unit)} AND "
                + Number(row, value with { Low = inBase.Low, High = inBase.High, Number = number });
        }
        return $" AND {row}.unit = {sql.Value(IndexRows.Written(value.System, unit))} AND {Number(row, value)}";
    }

    // The precision of a number counts for eq and ne alone. https://hl7.org/fhir/R4/search.html#number
    private string Number(string row, SearchValue value)
    {
        string At(double number) => sql.Value(number);
        var (n, tenth) = (value.Number, Math.Abs(value.Number) / 10);
        return value.Prefix switch
        {
            "ne" => $"NOT ({row}.lo >= {At(value.Low)} AND {row}.hi < {At(value.High)})",
            "lt" => $"{row}.lo < {At(n)}",
            "le" => $"{row}.lo <= {At(n)}",
            "gt" => $"{row}.hi > {At(n)}",
            "ge" => $"{row}.hi >= {At(n)}",
            "sa" => $"{row}.lo > {At(n)}",
            "eb" => $"{row}.hi < {At(n)}",
            "ap" => $"({row}.lo <= {At(n + tenth)} AND {row}.hi >= {At(n - tenth)})",
            _ => $"({row}.lo >= {At(value.Low)} AND {row}.hi < {At(value.High)})",
        };
    }
}
