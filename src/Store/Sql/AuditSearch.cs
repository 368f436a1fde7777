using System.Data.Common;

namespace PmrGateway.Store;

/// <summary>A search of the audit log as SQL: within the patient's entries, that the index finds, each is asked.</summary>
internal sealed class AuditSearch
{
    private readonly List<object?> _values = [];
    private readonly IStoreEngine _engine;
    private readonly AuditQuery _query;

    public AuditSearch(IStoreEngine engine, AuditQuery query)
    {
        (_engine, _query) = (engine, query);
        // A decision is told of where consents permitted something to somebody of an organization; as much as is known of how it was asked.
        const string Decided = "a.commitments <> '[]' AND a.organization IS NOT NULL AND a.address IS NOT NULL";
        var from =
            $"""
            FROM ({AuditTable.Of(engine, Value(query.Patient))}) p JOIN audit a ON a.seq = p.seq
              JOIN (SELECT 0 AS decision UNION ALL SELECT 1) d ON d.decision = 0 OR ({Decided})
            WHERE 1 = 1 {string.Concat(query.Criteria.Select(c => $" AND ({Condition(c)})"))}
            """;
        Count = $"SELECT COUNT(*) {from}";
        Values = [.. _values];
        var behind = query.Behind == 0 ? "" : $"AND 2 * a.seq + d.decision {(query.OldestFirst ? '>' : '<')} {Value(query.Behind)}";
        var order = query.OldestFirst ? "ASC" : "DESC";
        Page = $"SELECT {AuditTable.Columns}, d.decision {from} {behind} ORDER BY a.seq {order}, d.decision {order} LIMIT "
            + Value((long)query.Count);
        PageValues = [.. _values];
    }

    /// <summary>How many match.</summary>
    public string Count { get; }

    /// <summary>The parameters of <see cref="Count"/>.</summary>
    public object?[] Values { get; }

    /// <summary>A page of them.</summary>
    public string Page { get; }

    /// <summary>The parameters of <see cref="Page"/>.</summary>
    public object?[] PageValues { get; }

    public static AuditEvidence Read(DbDataReader r)
    {
        var (seq, entry, _) = AuditTable.Read(r);
        var decision = r.GetInt64(AuditTable.ColumnCount);
        return new AuditEvidence(2 * seq + decision, decision == 1, entry);
    }

    private string Condition(AuditCriterion criterion) => criterion switch
    {
        AuditCriterion.Event e => Any(e.Events, Of),
        AuditCriterion.Recorded e => Any(e.Times, t => $"a.recorded >= {Value(t.From)} AND a.recorded < {Value(t.To)}"),
        AuditCriterion.Agent e => Any(e.References, r => Value(r) is var v ? $"a.agent = {v} OR a.organization = {v}" : ""),
        AuditCriterion.Client e => Any(e.Ids, c => $"a.client = {Value(c)}"),
        AuditCriterion.Entity e => Any(e.References, About),
        AuditCriterion.Outcome e => Any(e.Outcomes, o => $"a.outcome = {Value(o)}"),
        _ => throw new InvalidOperationException($"{criterion} is no criterion"),
    };

    private string Of(AuditEventKind e)
    {
        var parts = new List<string>();
        if (e.IsDecision is { } decision) parts.Add($"d.decision = {(decision ? 1 : 0)}");
        if (e.Id is not null) parts.Add($"a.id = {Value(e.Id)}");
        if (e.Interaction is not null) parts.Add($"a.interaction = {Value(e.Interaction)}");
        if (e.Action is not null) parts.Add($"a.action = {Value(e.Action)}");
        return parts.Count == 0 ? "1 = 1" : string.Join(" AND ", parts);
    }

    // By what is shown, and by nothing else: to look for what one is not shown would be to see it.
    private string About(string reference)
    {
        if (reference.StartsWith("Patient/", StringComparison.Ordinal)) return reference == "Patient/" + _query.Patient ? "1 = 1" : "1 = 0";
        var asked = $"""
            d.decision = 0 AND a.patients NOT LIKE '%,%' AND EXISTS (SELECT 1 FROM {_engine.Words("a.entities", "w")}
            WHERE w.value = {Value(reference)})
            """;
        if (!reference.StartsWith("Consent/", StringComparison.Ordinal)) return asked;
        return $"""
            ({asked}) OR EXISTS (SELECT 1 FROM {_engine.Words("a.commitments", "c")}
            JOIN consents k ON k.commitment = c.value WHERE k.consent_id = {Value(reference["Consent/".Length..])}
              AND k.patient_id = {Value(_query.Patient)})
            """;
    }

    private static string Any<T>(IReadOnlyList<T> alternatives, Func<T, string> condition) =>
        alternatives.Count == 0 ? "1 = 0" : string.Join(" OR ", alternatives.Select(a => $"({condition(a)})"));

    private string Value(object value)
    {
        _values.Add(value);
        return $"${_values.Count}";
    }
}
