namespace PmrGateway.Store;

/// <summary>Search criteria as SQL: what they find by an index, and whether they hold of a row of <c>resources</c>.</summary>
/// <param name="sql">Takes the values.</param>
/// <param name="engine">The engine.</param>
/// <param name="viewer">Who searches: what it may not see is tied to nothing.</param>
/// <param name="parameters">Numbers of the parameters by <c>Type.code</c>; of one that no record has there is none.</param>
internal sealed class CriterionSql(SqlText sql, IStoreEngine engine, BoundViewer viewer, IReadOnlyDictionary<string, long> parameters)
{
    /// <summary>A <see cref="Selectivity"/> up to which a criterion names what few records have.</summary>
    public const int OfFew = 1;

    private int _links;

    /// <summary>The names of the parameters that a criterion asks.</summary>
    public static IEnumerable<string> ParametersOf(string type, SearchCriterion criterion) => criterion switch
    {
        { Link: { IsReverse: true } link } => ParametersOf(link.Type, link.Criterion).Append($"{link.Type}.{link.Parameter}"),
        { Link: { } link } => ParametersOf(link.Type, link.Criterion).Append($"{type}.{link.Parameter}"),
        _ => IsIndexed(criterion) ? [$"{type}.{criterion.Parameter}"] : [],
    };

    /// <summary>Whether what a criterion finds can be walked: there is an index, and it does not say what a record is not.</summary>
    public static bool IsWalked(SearchCriterion criterion) => criterion is { IsNegated: false, IsMissing: null }
        && (criterion.Link is { } link ? IsWalked(link.Criterion) : criterion.Type is "id" or "compartment" || IsIndexed(criterion));

    /// <summary>Which index is walked: few records have one identifier or one patient, many one status or year.</summary>
    public static int Selectivity(SearchCriterion criterion) => criterion switch
    {
        { Link: { } link } => Selectivity(link.Criterion),
        { Type: "id" } or { Parameter: "identifier" } => 0,
        { Type: "reference" } => OfFew,
        { Type: "token", Parameter: not "status" } => 2,
        { Type: "date" } => 3,
        // The last: all of a patient's types are in it.
        { Type: "compartment" } => 5,
        _ => 4,
    };

    /// <summary>
    /// A query of the numbers of the records that a walked criterion finds; by compartment also those of other types, and of a link
    /// whoever may see what they are tied to.
    /// </summary>
    public string Found(string type, SearchCriterion criterion) => criterion switch
    {
        { Link: { IsReverse: true } link } =>
            $"""
            SELECT DISTINCT t.rid FROM ({Found(link.Type, link.Criterion)}) f
              {engine.OrderedJoin} index_reference h ON h.rid = f.rid AND h.param = {Parameter($"{link.Type}.{link.Parameter}")}
                AND h.target_type = {sql.Value(type)}
              {engine.OrderedJoin} resources t ON t.type = h.target_type AND t.id = h.target
            """,
        { Link: { } link } =>
            $"""
            SELECT DISTINCT h.rid FROM ({Found(link.Type, link.Criterion)}) f {engine.OrderedJoin} resources t ON t.rid = f.rid
              {engine.OrderedJoin} index_reference h ON h.param = {Parameter($"{type}.{link.Parameter}")} AND h.target = t.id
                AND h.target_type = t.type
            """,
        { Type: "compartment" } =>
            $"SELECT p.rid FROM compartments p WHERE p.patient_id = {sql.Value(criterion.Values[0].Text!)} AND p.mentioned = 0",
        { Type: "id" } => string.Join(" UNION ", criterion.Values.Select(
            v => $"SELECT t.rid FROM resources t WHERE t.type = {sql.Value(type)} AND t.id = {sql.Value(IndexText.Of(v.Text!))}")),
        _ => string.Join(" UNION ", criterion.Values.Select(v =>
            // DISTINCT where one record may have several values that match; a whole key matches once.
            $"SELECT {(IsWholeKey(criterion, v) ? "" : "DISTINCT ")}x.rid FROM {Table(criterion)} x "
                + $"WHERE x.param = {Parameter($"{type}.{criterion.Parameter}")}{Matches(criterion, v)}")),
    };

    /// <summary>The condition that a criterion holds of a row.</summary>
    /// <param name="type">The row's resource type.</param>
    /// <param name="criterion">The criterion.</param>
    /// <param name="row">The row's name.</param>
    public string Holds(string type, SearchCriterion criterion, string row)
    {
        if (criterion.Link is { } link) return Linked(type, link, row);
        if (criterion.IsMissing is { } isMissing)
        {
            var any = $"SELECT 1 FROM {Table(criterion)} x WHERE x.rid = {row}.rid AND x.param = ";
            return $"{(isMissing ? "NOT " : "")}EXISTS ({any}{Parameter($"{type}.{criterion.Parameter}")})";
        }
        var values = criterion.Values.Select(v => IsIndexed(criterion) ? HasValue(type, criterion, v, row) : OfRow(criterion, v, row));
        return $"{(criterion.IsNegated ? "NOT " : "")}({string.Join(" OR ", values)})";
    }

    private string Linked(string type, SearchLink link, string row)
    {
        var (reference, other) = ($"h{++_links}", $"l{_links}");
        var tie = link.IsReverse
            ? $"index_reference {reference} {engine.OrderedJoin} resources {other} ON {other}.rid = {reference}.rid "
                + $"WHERE {reference}.param = {Parameter($"{link.Type}.{link.Parameter}")} AND {reference}.target = {row}.id "
                + $"AND {reference}.target_type = {sql.Value(type)}"
            : $"index_reference {reference} {engine.OrderedJoin} resources {other} ON {other}.type = {reference}.target_type "
                + $"AND {other}.id = {reference}.target WHERE {reference}.rid = {row}.rid "
                + $"AND {reference}.param = {Parameter($"{type}.{link.Parameter}")} AND {reference}.target_type = {sql.Value(link.Type)}";
        var access = AccessSql.Condition(sql, engine, viewer, link.Type, other);
        return $"EXISTS (SELECT 1 FROM {tie} AND {other}.deleted = 0 AND {Holds(link.Type, link.Criterion, other)}"
            + $"{(access is null ? "" : $" AND {access}")})";
    }

    // No parameter has the number 0.
    private string Parameter(string name) => sql.Value(parameters.GetValueOrDefault(name));

    private static bool IsIndexed(SearchCriterion criterion) =>
        criterion.Type is "token" or "reference" or "date" && criterion.Parameter != "_lastUpdated";

    private static bool IsWholeKey(SearchCriterion criterion, SearchValue value) => criterion.Type switch
    {
        "token" => value is { System: not null, Text: not null },
        "reference" => value.System is not null,
        _ => false,
    };

    private static string Table(SearchCriterion criterion) =>
        criterion.Type switch { "token" => "index_token", "reference" => "index_reference", _ => "index_date" };

    private string HasValue(string type, SearchCriterion criterion, SearchValue value, string row) =>
        $"EXISTS (SELECT 1 FROM {Table(criterion)} x WHERE x.rid = {row}.rid AND x.param = "
            + $"{Parameter($"{type}.{criterion.Parameter}")}{Matches(criterion, value)})";

    private string Matches(SearchCriterion criterion, SearchValue value)
    {
        switch (criterion.Type)
        {
            case "token":
                var code = value.Text is null ? "" : $" AND x.code = {sql.Value(IndexText.Of(value.Text))}";
                return code + (value.System is null ? "" : $" AND x.system = {sql.Value(IndexText.Of(value.System))}");
            case "reference":
                var target = $" AND x.target = {sql.Value(IndexText.Of(value.Text!))}";
                return target + (value.System is null ? "" : $" AND x.target_type = {sql.Value(value.System)}");
            default:
                return " AND " + Range("x.lo", "x.hi", value);
        }
    }

    private string OfRow(SearchCriterion criterion, SearchValue value, string row) => criterion.Type switch
    {
        "id" => $"{row}.id = {sql.Value(IndexText.Of(value.Text!))}",
        "compartment" =>
            $"EXISTS (SELECT 1 FROM compartments m WHERE m.rid = {row}.rid AND m.mentioned = 0 "
                + $"AND m.patient_id = {sql.Value(value.Text!)})",
        _ => Range($"{row}.last_updated", $"{row}.last_updated + 1", value),
    };

    // R4 search.html, "prefixes": eq asks that the resource's range lies inside the parameter's.
    private string Range(string lo, string hi, SearchValue value)
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
            _ => Inside(),
        };
    }
}
