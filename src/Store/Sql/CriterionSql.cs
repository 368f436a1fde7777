using PmrGateway.Fhir;

namespace PmrGateway.Store;

/// <summary>Search criteria as SQL: what they find by an index, and whether they hold of a row of <c>resources</c>.</summary>
/// <param name="sql">Takes the values.</param>
/// <param name="engine">The engine.</param>
/// <param name="viewer">Who searches: what it may not see is tied to nothing.</param>
/// <param name="parameters">Numbers of the parameters by <c>Type.code</c>; of one that no record has there is none.</param>
internal sealed class CriterionSql(SqlText sql, IStoreEngine engine, BoundViewer viewer, IReadOnlyDictionary<string, long> parameters)
{
    /// <summary>A <see cref="Selectivity"/> up to which a criterion names what few records have.</summary>
    public const int OfFew = 2;

    // Of these few values are all that there are.
    private static readonly HashSet<string> OfMany =
    [
        "status", "active", "gender", "language", "deceased", "_profile", "_security", "_tag", "_source", "intent", "contenttype",
        "address-use",
    ];

    private readonly ValueSql _values = new(sql, engine, viewer.Key);
    private int _links;

    /// <summary>The names of the parameters that a criterion asks.</summary>
    public static IEnumerable<string> ParametersOf(string type, SearchCriterion criterion) => criterion switch
    {
        { Link: { IsReverse: true } link } => ParametersOf(link.Type, link.Criterion).Append($"{link.Type}.{link.Parameter}"),
        { Link: { } link } => ParametersOf(link.Type, link.Criterion).Append($"{type}.{link.Parameter}"),
        { Alternatives.Count: > 0 } => criterion.Alternatives.SelectMany(a => a.Criteria).SelectMany(c => ParametersOf(type, c)),
        _ => ValueSql.IsIndexed(criterion) ? [$"{type}.{criterion.Parameter}"] : [],
    };

    /// <summary>Whether what a criterion finds can be walked: there is an index, and it does not say what a record is not.</summary>
    public static bool IsWalked(SearchCriterion criterion) => criterion is { IsNegated: false, IsMissing: null } && criterion switch
    {
        { Link: { } link } => IsWalked(link.Criterion),
        { Alternatives.Count: > 0 } => criterion.Alternatives.All(a => a.Criteria.Any(IsWalked)),
        { Type: "id" or "compartment" } => true,
        _ => ValueSql.IsIndexed(criterion) && criterion.Values.All(v => v.Prefix != "ne"),
    };

    /// <summary>Which index is walked: few records have one identifier or one patient, many one status or year.</summary>
    public static int Selectivity(SearchCriterion criterion) => criterion switch
    {
        { Link: { } link } => Selectivity(link.Criterion),
        { Alternatives.Count: > 0 } => criterion.Alternatives.Max(a => a.Criteria.Where(IsWalked).Min(Selectivity)),
        _ when IsOfOne(criterion) => 0,
        { Type: "reference" } => 1,
        { Type: "token" } when criterion.Parameter.EndsWith(SearchIndexer.OfIdentifier, StringComparison.Ordinal) => 1,
        // All of a patient's types are in it.
        { Type: "compartment" } => OfFew,
        { Type: "token" } when criterion.Values.Any(v => v.Text is null) => 6,
        { Parameter: var parameter } when OfMany.Contains(parameter) => 7,
        { Type: "date", IsPersonal: true } => 3,
        { Type: "token" } => 4,
        { Type: "date" } => 6,
        _ => 5,
    };

    /// <summary>
    /// Whether a criterion names one record or so: by its index it takes no time that tells anything. Of a person's other values, and of a
    /// system alone, there are as many as there are records that the viewer may not see.
    /// </summary>
    public static bool IsOfOne(SearchCriterion criterion) => criterion switch
    {
        { Link: not null } or { Alternatives.Count: > 0 } => false,
        { Type: "id" } => true,
        { Type: "token", Parameter: "identifier" or "identifier" + SearchIndexer.OfType } => criterion.Values.All(v => v.Text is not null),
        _ => false,
    };

    /// <summary>Whether what a criterion finds is all of what it asks for; else each row is still to be asked.</summary>
    public static bool IsFoundExactly(SearchCriterion criterion) => criterion is { Link: null, Alternatives.Count: 0 };

    /// <summary>
    /// A query of the numbers of the records that a walked criterion finds; by compartment also those of other types, of a link whoever may
    /// see what they are tied to, and of alternatives what one criterion of each finds.
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
        { Alternatives.Count: > 0 } => string.Join(" UNION ", criterion.Alternatives.Select(
            // One record may have several elements that match.
            a => $"SELECT DISTINCT e.rid FROM ({Found(type, a.Criteria.Where(IsWalked).MinBy(Selectivity)!)}) e")),
        { Type: "compartment" } =>
            $"SELECT p.rid FROM compartments p WHERE p.patient_id = {sql.Value(criterion.Values[0].Text!)} AND p.mentioned = 0",
        { Type: "id" } => string.Join(" UNION ", criterion.Values.Select(
            v => $"SELECT t.rid FROM resources t WHERE t.type = {sql.Value(type)} AND t.id = {sql.Value(IndexText.Of(v.Text!))}")),
        _ => string.Join(" UNION ", criterion.Values.Select(v =>
            // DISTINCT where one record may have several values that match; a whole key matches once.
            $"SELECT {(ValueSql.IsWholeKey(criterion, v) ? "" : "DISTINCT ")}x.rid FROM {ValueSql.Table(criterion)} x "
                + $"WHERE x.param = {Parameter($"{type}.{criterion.Parameter}")}{_values.Matches(type, criterion, v, "x")}")),
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
            var any = criterion.Alternatives.Count == 0
                ? HasAny(type, criterion, row)
                : string.Join(" OR ", criterion.Alternatives.SelectMany(a => a.Criteria).Select(c => HasAny(type, c, row)));
            return $"{(isMissing ? "NOT " : "")}({any})";
        }
        var ways = criterion.Alternatives.Count == 0
            ? criterion.Values.Select(v => ValueSql.IsIndexed(criterion) ? HasValue(type, criterion, v, row) : OfRow(criterion, v, row))
            : criterion.Alternatives.Select(a => a.InOnePart
                ? InOnePart(type, a.Criteria, row)
                : $"({string.Join(" AND ", a.Criteria.Select(c => Holds(type, c, row)))})");
        return $"{(criterion.IsNegated ? "NOT " : "")}({string.Join(" OR ", ways)})";
    }

    private string HasAny(string type, SearchCriterion criterion, string row) =>
        $"EXISTS (SELECT 1 FROM {ValueSql.Table(criterion)} x WHERE x.rid = {row}.rid AND x.param = "
            + $"{Parameter($"{type}.{criterion.Parameter}")})";

    private string HasValue(string type, SearchCriterion criterion, SearchValue value, string row)
    {
        // Of hashes it cannot be asked which are others: it has one, and is none of these.
        if (criterion.IsPersonal && value.Prefix == "ne")
            return $"({HasAny(type, criterion, row)} AND NOT {HasValue(type, criterion, value with { Prefix = "eq" }, row)})";
        return $"EXISTS (SELECT 1 FROM {ValueSql.Table(criterion)} x WHERE x.rid = {row}.rid AND x.param = "
            + $"{Parameter($"{type}.{criterion.Parameter}")}{_values.Matches(type, criterion, value, "x")})";
    }

    // One element has them all.
    private string InOnePart(string type, IReadOnlyList<SearchCriterion> criteria, string row)
    {
        var (from, where) = (new List<string>(), new List<string>());
        for (var i = 0; i < criteria.Count; i++)
        {
            var criterion = criteria[i];
            from.Add(i == 0
                ? $"{ValueSql.Table(criterion)} c0"
                : $"{engine.OrderedJoin} {ValueSql.Table(criterion)} c{i} ON c{i}.rid = c0.rid AND c{i}.part = c0.part");
            var matches = _values.Matches(type, criterion, criterion.Values[0], $"c{i}");
            where.Add($"c{i}.param = {Parameter($"{type}.{criterion.Parameter}")}{matches}");
        }
        return $"EXISTS (SELECT 1 FROM {string.Join(' ', from)} WHERE c0.rid = {row}.rid AND {string.Join(" AND ", where)})";
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

    private string OfRow(SearchCriterion criterion, SearchValue value, string row) => criterion.Type switch
    {
        "id" => $"{row}.id = {sql.Value(IndexText.Of(value.Text!))}",
        "compartment" =>
            $"EXISTS (SELECT 1 FROM compartments m WHERE m.rid = {row}.rid AND m.mentioned = 0 "
                + $"AND m.patient_id = {sql.Value(value.Text!)})",
        _ => _values.Range($"{row}.last_updated", $"{row}.last_updated + 1", value),
    };
}
