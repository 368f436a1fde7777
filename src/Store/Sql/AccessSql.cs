using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// What a viewer may see, as a condition over a row <c>r</c> of <c>resources</c>, so that what may not be seen is not counted, sorted,
/// paged or included either. What consents say stands in the rows of <c>verdicts</c>, made by <see cref="ConsentDecision"/>; here they are
/// joined. A property test holds the two against each other.
/// </summary>
internal static class AccessSql
{
    // Below it a viewer's shapes are looked up for a patient one by one; above it the patient's consents are.
    private const int FewReadings = 16;

    /// <summary>The condition for records of a type; null: every record of it may be seen.</summary>
    public static string? Condition(SqlText sql, IStoreEngine engine, BoundViewer viewer, string type)
    {
        if (!viewer.Who.Requester.IsActive) return "1 = 0";
        if (DirectoryTypes.Contains(type)) return null;
        var verdict =
            $"""
            SELECT MIN(CASE WHEN v.permits = 0 THEN 0 WHEN k.granted_block <= {sql.Value(viewer.ConfirmedBlock)} THEN 1 END)
            {Consents(sql, engine, viewer, "c.patient_id")}
              {engine.OrderedJoin} verdicts v ON v.reading = w.reading AND v.label_set = r.label_set
            """;
        // The least of all verdicts: a denial (0) is below any permit (1), and nothing said is no permit either.
        var byConsent =
            $"""
            r.patients <> '' AND NOT EXISTS (
              SELECT 1 FROM compartments c WHERE c.rid = r.rid AND c.patient_id <> {sql.Value(viewer.Who.Requester.Patient ?? "")}
              AND COALESCE(({verdict}), 0) = 0)
            """;
        return viewer.Who.Requester.Organization is { } organization
            ? $"(r.custodian = {sql.Value(organization)} OR ({byConsent}))"
            : $"({byConsent})";
    }

    /// <summary>
    /// The standing consents of patients that concern a viewer now: <c>w</c> the reading, <c>s</c> the span, <c>k</c> the consent.
    /// </summary>
    /// <param name="sql">Takes the values.</param>
    /// <param name="engine">The words of the database.</param>
    /// <param name="viewer">Who looks.</param>
    /// <param name="patient">A column that is the patient's id, or <c>IN (...)</c> behind the column.</param>
    public static string Consents(SqlText sql, IStoreEngine engine, BoundViewer viewer, string patient)
    {
        var now = sql.Value(viewer.Who.Now.ToUnixTimeMilliseconds());
        var of = patient.Contains(' ') ? $"s.patient_id {patient}" : $"s.patient_id = {patient}";
        var who = sql.Value(viewer.Id);
        const string Standing = "consents k ON k.commitment = s.commitment AND k.revoked = 0";
        return viewer.Readings <= FewReadings
            ? $"FROM viewer_readings w {engine.OrderedJoin} consent_spans s ON {of} AND s.shape = w.shape AND s.valid_from <= {now} "
                + $"AND {now} < s.valid_to AND w.viewer = {who} {engine.OrderedJoin} {Standing}"
            : $"FROM consent_spans s {engine.OrderedJoin} viewer_readings w ON w.viewer = {who} AND w.shape = s.shape AND {of} "
                + $"AND s.valid_from <= {now} AND {now} < s.valid_to {engine.OrderedJoin} {Standing}";
    }
}

/// <summary>A viewer in a snapshot.</summary>
/// <param name="Who">The viewer.</param>
/// <param name="Id">Its number among viewers.</param>
/// <param name="Readings">How many readings it has.</param>
/// <param name="ConfirmedBlock">Grants up to this block permit.</param>
internal sealed record BoundViewer(Viewer Who, long Id, int Readings, long ConfirmedBlock);
