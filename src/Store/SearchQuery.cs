namespace PmrGateway.Store;

/// <summary>One search criterion: any of its values.</summary>
/// <param name="Parameter">The search parameter's code, or <c>_id</c>, <c>_lastUpdated</c>.</param>
/// <param name="Type">token, reference, date, string, uri, number, quantity, id, compartment, link, or any.</param>
/// <param name="Values">The alternatives; of a link and of any none.</param>
public sealed record SearchCriterion(string Parameter, string Type, IReadOnlyList<SearchValue> Values)
{
    /// <summary>Whether no value may be one of these (<c>:not</c>); what has no value at all holds too.</summary>
    public bool IsNegated { get; init; }

    /// <summary>Whether there must be no value (true) or one, whichever (false): <c>:missing</c>; null: one of the values.</summary>
    public bool? IsMissing { get; init; }

    /// <summary>Whether the index has hashes of its values: <see cref="Fhir.SearchParameter.IsPersonal"/>.</summary>
    public bool IsPersonal { get; init; }

    /// <summary>How a text or a URI is compared.</summary>
    public TextMatch Match { get; init; }

    /// <summary>What another record, tied to this one, must be; null: it is about the record itself.</summary>
    public SearchLink? Link { get; init; }

    /// <summary>Of any: what else it is, one of these; none: it is asked itself.</summary>
    public IReadOnlyList<SearchAlternative> Alternatives { get; init; } = [];

    /// <summary>Whether an index leads from it to few records, whatever there is: an identifier, a reference, an id.</summary>
    public bool NamesFew => CriterionSql.IsWalked(this) && CriterionSql.Selectivity(this) <= CriterionSql.OfFew;
}

/// <summary>How a text or a URI is compared. https://hl7.org/fhir/R4/search.html#modifiers</summary>
public enum TextMatch
{
    /// <summary>A text begins as the value does, a URI is it.</summary>
    Default,

    /// <summary>A text is the value, in every letter.</summary>
    Exact,

    /// <summary>A text has the value in it.</summary>
    Contains,

    /// <summary>A URI is the value, or goes on from it at a slash.</summary>
    Below,

    /// <summary>The value is a URI, or goes on from it at a slash.</summary>
    Above,
}

/// <summary>One of what a criterion may be: criteria that hold together.</summary>
/// <param name="Criteria">They; where one element has to have them, each with one value.</param>
/// <param name="InOnePart">Whether one element has to have them: those of a composite.</param>
public sealed record SearchAlternative(IReadOnlyList<SearchCriterion> Criteria, bool InOnePart);

/// <summary>
/// What is asked of a record that the one searched refers to, or that refers to it. Whatever the viewer may not see is none such.
/// https://hl7.org/fhir/R4/search.html#chaining
/// </summary>
/// <param name="Type">The other record's type.</param>
/// <param name="Parameter">The reference parameter: of the searched type, or in reverse of the other's.</param>
/// <param name="IsReverse">Whether the other refers to this one (<c>_has</c>).</param>
/// <param name="Criterion">What the other must be.</param>
public sealed record SearchLink(string Type, string Parameter, bool IsReverse, SearchCriterion Criterion);

/// <summary>One value of a criterion.</summary>
/// <param name="System">token: the system, "" for none, null for any; reference: the target's type or null; quantity: the unit's system.
/// </param>
/// <param name="Text">token: the code, or null for any; reference: id or URL; id: the id; string, uri: the text; quantity: the unit, or
/// null for any.</param>
/// <param name="Prefix">date, number, quantity: eq, ne, lt, le, gt, ge, sa, eb, ap.</param>
/// <param name="From">date: first millisecond.</param>
/// <param name="To">date: the millisecond behind the last.</param>
public sealed record SearchValue(string? System, string? Text, string Prefix = "eq", long From = 0, long To = 0)
{
    /// <summary>number, quantity: the number.</summary>
    public double Number { get; init; }

    /// <summary>number, quantity: the least that is written as the number is, at its precision.</summary>
    public double Low { get; init; }

    /// <summary>number, quantity: what lies just above the most that is.</summary>
    public double High { get; init; }
}

/// <summary>A search over one resource type: all criteria hold.</summary>
/// <param name="Type">Resource type.</param>
/// <param name="Criteria">The criteria.</param>
/// <param name="Count">Results a page; 0: the total only.</param>
/// <param name="Cursor">Where the page begins, as the page before said; 0 for the first.</param>
public sealed record SearchQuery(string Type, IReadOnlyList<SearchCriterion> Criteria, int Count, long Cursor)
{
    /// <summary>The order of the results; empty: as they were first written. The cursor counts results then.</summary>
    public IReadOnlyList<SortKey> Sort { get; init; } = [];

    /// <summary>The records that the criteria name, <c>Type/id</c>: by <c>_id</c>, or by what refers to them.</summary>
    public IEnumerable<string> Named => Criteria.SelectMany(c => NamedBy(Type, c)).Distinct();

    /// <summary>Id of the one patient whom the criteria name; null: they name none, or several.</summary>
    public string? Patient => Criteria.Select(PatientOf).FirstOrDefault(p => p is not null);

    private static IEnumerable<string> NamedBy(string type, SearchCriterion criterion) => criterion switch
    {
        { Link: { } link } => NamedBy(link.Type, link.Criterion),
        { Type: "id" } => criterion.Values.Select(v => $"{type}/{v.Text}"),
        // An id alone is whoever's it is; whose log it may be told in are patients.
        { Type: "reference" } => criterion.Values.Where(v => v.Text is not null).Select(v => $"{v.System ?? "Patient"}/{v.Text}"),
        _ => criterion.Alternatives.SelectMany(a => a.Criteria).SelectMany(c => NamedBy(type, c)),
    };

    private static string? PatientOf(SearchCriterion criterion) => criterion switch
    {
        { Link: { Type: "Patient", Criterion: { Type: "id", Values: [{ } one] } } } => one.Text,
        { Link: { } link } => PatientOf(link.Criterion),
        { Parameter: "patient" or "subject", Values: [{ System: "Patient" } one] } => one.Text,
        _ => null,
    };
}

/// <summary>A search parameter by which results are sorted.</summary>
/// <param name="Parameter">Its code, or <c>_id</c>, <c>_lastUpdated</c>.</param>
/// <param name="Type">token, reference, date, string, uri, number, quantity, or id.</param>
/// <param name="IsDescending">Whether the highest comes first.</param>
public sealed record SortKey(string Parameter, string Type, bool IsDescending);
