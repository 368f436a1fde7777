using Dapper;

namespace PmrGateway.Store;

/// <summary>One search criterion: any of its values.</summary>
/// <param name="Parameter">The search parameter's code, or <c>_id</c>, <c>_lastUpdated</c>.</param>
/// <param name="Type">token, reference, date, or id.</param>
/// <param name="Values">The alternatives.</param>
public sealed record SearchCriterion(string Parameter, string Type, IReadOnlyList<SearchValue> Values);

/// <summary>One value of a criterion.</summary>
/// <param name="System">token: the system, "" for none, null for any; reference: the target's type or null.</param>
/// <param name="Text">token: the code, or null for any; reference: id or URL; id: the id.</param>
/// <param name="Prefix">date: eq, ne, lt, le, gt, ge.</param>
/// <param name="From">date: first millisecond.</param>
/// <param name="To">date: the millisecond behind the last.</param>
public sealed record SearchValue(string? System, string? Text, string Prefix = "eq", long From = 0, long To = 0);

/// <summary>A search over one resource type: all criteria hold.</summary>
/// <param name="Type">Resource type.</param>
/// <param name="Criteria">The criteria.</param>
/// <param name="Count">Results a page; 0: the total only.</param>
/// <param name="Cursor">Where the page begins, as the page before said; 0 for the first.</param>
public sealed record SearchQuery(string Type, IReadOnlyList<SearchCriterion> Criteria, int Count, long Cursor)
{
    internal string Conditions(DynamicParameters parameters)
    {
        var sql = new System.Text.StringBuilder();
        for (var i = 0; i < Criteria.Count; i++)
        {
            var alternatives = new List<string>();
            for (var j = 0; j < Criteria[i].Values.Count; j++) alternatives.Add(Condition(Criteria[i], Criteria[i].Values[j], $"{i}_{j}", parameters));
            sql.Append(" AND (").AppendJoin(" OR ", alternatives).Append(')');
        }
        return sql.ToString();
    }

    private static string Condition(SearchCriterion criterion, SearchValue value, string n, DynamicParameters parameters)
    {
        parameters.Add("p" + n, criterion.Parameter);
        parameters.Add("s" + n, value.System);
        parameters.Add("t" + n, value.Text);
        parameters.Add("f" + n, value.From);
        parameters.Add("e" + n, value.To);
        switch (criterion.Type)
        {
            case "id":
                return $"r.id = @t{n}";
            case "token":
                var system = value.System switch { null => "", "" => " AND x.system IS NULL", _ => $" AND x.system = @s{n}" };
                var code = value.Text is null ? "" : $" AND x.code = @t{n}";
                return $"EXISTS (SELECT 1 FROM idx_token x WHERE x.rid = r.rid AND x.param = @p{n}{system}{code})";
            case "reference":
                var type = value.System is null ? "" : $" AND x.target_type = @s{n}";
                return $"EXISTS (SELECT 1 FROM idx_reference x WHERE x.rid = r.rid AND x.param = @p{n} AND x.target = @t{n}{type})";
            default:
                return criterion.Parameter == "_lastUpdated"
                    ? Range("r.last_updated", "r.last_updated + 1", value.Prefix, n)
                    : $"EXISTS (SELECT 1 FROM idx_date x WHERE x.rid = r.rid AND x.param = @p{n} AND {Range("x.lo", "x.hi", value.Prefix, n)})";
        }
    }

    // R4 search.html, "prefixes": eq asks that the resource's range lies inside the parameter's.
    private static string Range(string lo, string hi, string prefix, string n) => prefix switch
    {
        "ne" => $"NOT ({lo} >= @f{n} AND {hi} <= @e{n})",
        "lt" => $"{lo} < @f{n}",
        "le" => $"({lo} < @f{n} OR ({lo} >= @f{n} AND {hi} <= @e{n}))",
        "gt" => $"{hi} > @e{n}",
        "ge" => $"({hi} > @e{n} OR ({lo} >= @f{n} AND {hi} <= @e{n}))",
        _ => $"({lo} >= @f{n} AND {hi} <= @e{n})",
    };
}
