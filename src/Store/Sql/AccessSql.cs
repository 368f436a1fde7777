using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// What a viewer may see, as a condition over a row of <c>resources</c>, so that what may not be seen is not counted, sorted,
/// paged or included either. What consents say stands in the rows of <c>verdicts</c>, made by <see cref="ConsentDecision"/>; here they are
/// joined. A property test holds the two against each other. What the token reaches at most (<see cref="ScopeSql"/>) narrows it.
/// </summary>
internal static class AccessSql
{
    // Below it a viewer's shapes are looked up for a patient one by one; above it the patient's consents are.
    private const int FewReadings = 16;

    /// <summary>
    /// The condition for records of a type (null: of any that belongs to patients); null: every record of it may be seen.
    /// </summary>
    /// <param name="sql">Takes the values.</param>
    /// <param name="engine">The engine.</param>
    /// <param name="viewer">Who asks.</param>
    /// <param name="type">The resource type.</param>
    /// <param name="row">The name of the row of <c>resources</c>.</param>
    public static string? Condition(SqlText sql, IStoreEngine engine, BoundViewer viewer, string? type, string row = "r")
    {
        if (!viewer.Who.Requester.IsActive) return "1 = 0";
        return (ByConsent(sql, engine, viewer, type, row), ScopeSql.Condition(sql, engine, viewer, type, row)) switch
        {
            (null, var reached) => reached,
            (var permitted, null) => permitted,
            var (permitted, reached) => $"({permitted} AND {reached})",
        };
    }

    private static string? ByConsent(SqlText sql, IStoreEngine engine, BoundViewer viewer, string? type, string row)
    {
        var requester = viewer.Who.Requester;
        if (type is not null && DirectoryTypes.Contains(type)) return null;
        var ofPatients = OfPatients(sql, engine, viewer, type, row);
        var ofAuthors = requester.Authors.Select(a => $"{row}.author = {sql.Value(a)}").ToList();
        return ofAuthors.Count == 0 ? ofPatients : $"({string.Join(" OR ", ofAuthors)} OR {ofPatients})";
    }

    /// <summary>
    /// The condition for a version of a record, current or not, also of one that was deleted; null: every version may be seen. Who wrote
    /// a version sees that, whose record it always was all of them, and whom consents permit to read it the current one.
    /// </summary>
    /// <param name="sql">Takes the values.</param>
    /// <param name="engine">The engine.</param>
    /// <param name="viewer">Who asks.</param>
    /// <param name="type">The resource type; null: of any.</param>
    /// <param name="version">The name of the row of <c>versions</c>; its record is <c>r</c>.</param>
    public static string? VersionCondition(SqlText sql, IStoreEngine engine, BoundViewer viewer, string? type, string version)
    {
        var requester = viewer.Who.Requester;
        if (!requester.IsActive) return "1 = 0";
        if (type is not null && DirectoryTypes.Contains(type)) return null;
        List<string> any = [.. requester.Authors.Select(a => $"{version}.author = {sql.Value(a)}")];
        if (type is null) any.Add($"r.type {engine.IsOneOf(sql.Value(engine.List([.. DirectoryTypes.All])))}");
        // Nobody else is concerned, or was by an earlier version.
        if (requester.Patient is { } own) any.Add($"r.patients = {sql.Value(own)}");
        any.Add($"({version}.version = r.version AND {OfPatients(sql, engine, viewer, type, "r")})");
        return $"({string.Join(" OR ", any)})";
    }

    // What consents, and being the one whom it is about, open of a record as it is now.
    private static string OfPatients(SqlText sql, IStoreEngine engine, BoundViewer viewer, string? type, string row)
    {
        var requester = viewer.Who.Requester;
        var own = sql.Value(requester.Patient ?? "");
        var verdict =
            $"""
            SELECT MIN(CASE WHEN v.permits = 0 THEN 0 WHEN {Permits(sql, viewer)} THEN 1 END)
            {Consents(sql, engine, viewer)}
              {engine.OrderedJoin} verdicts v ON v.reading = w.reading AND v.label_set = {row}.label_set AND {Residual(row)}
            """;
        // The least of all verdicts: a denial (0) is below any permit (1), and nothing said is no permit either.
        var byConsent =
            $"NOT EXISTS (SELECT 1 FROM compartments c WHERE c.rid = {row}.rid AND c.patient_id <> {own} AND COALESCE(({verdict}), 0) = 0)";
        // A Consent is for its patient, and while it stands for whom it names as grantee; no other consent opens it.
        var asGrantee =
            $"""
            NOT EXISTS (SELECT 1 FROM compartments c WHERE c.rid = {row}.rid AND c.patient_id <> {own} AND NOT (
              EXISTS (SELECT 1 FROM record_links y WHERE y.rid = {row}.rid AND y.kind = {Number(LinkKind.Grants)}
                AND y.reference {engine.IsOneOf(sql.Value(engine.List([.. requester.ActorReferences])))})
              AND EXISTS (SELECT 1 {Consents(sql, engine, viewer)}
                AND k.consent_id = {row}.id AND {Permits(sql, viewer)})))
            """;
        var byRule = type switch
        {
            "Consent" => asGrantee,
            null => $"CASE WHEN {row}.type = 'Consent' THEN {asGrantee} ELSE {byConsent} END",
            _ => byConsent,
        };
        // One of whom it holds a copy is asked, and does not make it a patient's; whom earlier versions alone concern counts for these.
        return $"({row}.patients <> '' AND SUBSTR({row}.patients, 1, 1) NOT IN ('+', '~') AND {byRule})";
    }

    /// <summary>
    /// The condition for records of a patient's compartment; null: all that may be seen. A Binary is in it by the records that link to it,
    /// and to who may see none of those that make it this patient's it is not: that it is would tell of them.
    /// </summary>
    /// <param name="sql">Takes the values.</param>
    /// <param name="engine">The engine.</param>
    /// <param name="viewer">Who asks.</param>
    /// <param name="patient">Whose compartment.</param>
    /// <param name="rid">The row's number, by another name than <c>r</c>'s: inside, <c>r</c> is what links.</param>
    public static string? InCompartment(SqlText sql, IStoreEngine engine, BoundViewer viewer, string patient, string rid)
    {
        if (viewer.Who.Requester.Patient == patient || Condition(sql, engine, viewer, null) is not { } access) return null;
        var whose = sql.Value(patient);
        return $"""
            (r.type <> 'Binary' OR ' ' || r.own_patients || ' ' LIKE {sql.Value($"% {patient} %")} OR EXISTS (
              SELECT 1 FROM resources b {engine.OrderedJoin} links l ON l.binary_id = b.id {engine.OrderedJoin} resources r ON r.rid = l.rid
              WHERE b.rid = {rid} AND r.custodian = b.custodian AND r.deleted = 0 AND EXISTS (
                SELECT 1 FROM compartments m WHERE m.rid = r.rid AND m.patient_id = {whose} AND m.mentioned = 0) AND {access}))
            """;
    }

    // What a verdict asks of the record besides its labels: the twin of Mapping.Residual.Holds, held against it by a property test. A
    // condition fails where what it tests is what it negates.
    private static string Residual(string row) =>
        $"""
        (v.residual = 0 OR NOT EXISTS (
          SELECT 1 FROM residual_conditions q WHERE q.residual = v.residual AND q.negated = CASE WHEN
            (q.period = {Number(PeriodTest.None)}
              OR (q.period = {Number(PeriodTest.Within)} AND {row}.data_from >= q.lo AND {row}.data_to <= q.hi)
              OR (q.period = {Number(PeriodTest.Touches)}
                AND ({row}.data_from IS NULL OR ({row}.data_from < q.hi AND {row}.data_to > q.lo))))
            AND (q.linked = 0 OR EXISTS (SELECT 1 FROM residual_links x WHERE x.condition = q.condition AND (
              (x.kind = {Number(LinkKind.Is)} AND x.type = {row}.type AND x.id = {row}.id)
              OR (x.kind <> {Number(LinkKind.ReferredBy)} AND EXISTS (
                SELECT 1 FROM record_links y WHERE y.rid = {row}.rid AND y.kind = x.kind AND y.reference = x.reference))
              OR (x.kind = {Number(LinkKind.ReferredBy)} AND EXISTS (
                SELECT 1 FROM resources t JOIN record_links y ON y.rid = t.rid WHERE t.type = x.type AND t.id = x.id
                AND y.kind IN ({Number(LinkKind.RefersTo)}, {Number(LinkKind.PartRefersTo)})
                AND (y.reference = {row}.type || '/' || {row}.id OR EXISTS (
                  SELECT 1 FROM record_links i
                  WHERE i.rid = {row}.rid AND i.kind = {Number(LinkKind.Is)} AND i.reference = y.reference)))))))
            THEN 1 ELSE 0 END))
        """;

    private static string Number(Enum value) => Convert.ToInt64(value, System.Globalization.CultureInfo.InvariantCulture)
        .ToString(System.Globalization.CultureInfo.InvariantCulture);

    // Whether what a consent of these says is confirmed, and holds by both clocks: the chain's may be ahead of ours, and then what is over
    // or has not begun by one of them permits nothing. A denial that one of them still knows stands. Where they are one, the span is of it.
    private static string Permits(SqlText sql, BoundViewer viewer) =>
        $"k.granted_block <= {sql.Value(viewer.ConfirmedBlock)}" + (viewer.Latest == viewer.Now ? ""
            : $" AND s.valid_from <= {sql.Value(viewer.Now)} AND {sql.Value(viewer.Latest)} < s.valid_to");

    /// <summary>The consents of all patients that concern the viewer now: <c>s</c> the span, with its patient.</summary>
    /// <param name="sql">Takes the values.</param>
    /// <param name="engine">The engine.</param>
    /// <param name="viewer">Who asks.</param>
    public static string Patients(SqlText sql, IStoreEngine engine, BoundViewer viewer) =>
        $"viewer_readings w {engine.OrderedJoin} consent_spans s ON s.shape = w.shape AND ({Now(sql, viewer)}) "
            + $"AND w.viewer = {sql.Value(viewer.Id)} {engine.OrderedJoin} {Standing}";

    private const string Standing = "consents k ON k.commitment = s.commitment AND k.revoked = 0";

    // The standing consents of the patient of a row c of compartments that concern the viewer now: w the reading, s the span, k the
    // consent.
    private static string Consents(SqlText sql, IStoreEngine engine, BoundViewer viewer)
    {
        var at = Now(sql, viewer);
        var who = sql.Value(viewer.Id);
        const string OfPatient = "s.patient_id = c.patient_id";
        return viewer.Readings <= FewReadings
            ? $"FROM viewer_readings w {engine.OrderedJoin} consent_spans s ON {OfPatient} AND s.shape = w.shape "
                + $"AND ({at}) AND w.viewer = {who} {engine.OrderedJoin} {Standing}"
            : $"FROM consent_spans s {engine.OrderedJoin} viewer_readings w ON w.viewer = {who} AND w.shape = s.shape AND {OfPatient} "
                + $"AND ({at}) {engine.OrderedJoin} {Standing}";
    }

    private static string Now(SqlText sql, BoundViewer viewer)
    {
        return At(viewer.Now) + (viewer.Latest == viewer.Now ? "" : $" OR {At(viewer.Latest)}");

        string At(long instant) => $"(s.valid_from <= {sql.Value(instant)} AND {sql.Value(instant)} < s.valid_to)";
    }
}

/// <summary>A viewer in a snapshot.</summary>
/// <param name="Who">The viewer.</param>
/// <param name="Id">Its number among viewers.</param>
/// <param name="Readings">How many readings it has.</param>
/// <param name="ConfirmedBlock">Grants up to this block permit.</param>
/// <param name="Now">The instant at which it looks, by our clock, ms since 1970.</param>
/// <param name="Latest">The same, or by the chain's clock where that is ahead.</param>
/// <param name="Records">The highest number of a record.</param>
/// <param name="ScopeParameters">Numbers of the search parameters that its token's scopes name, by <c>Type.code</c>.</param>
/// <param name="Key">The key of what is indexed as hashes.</param>
internal sealed record BoundViewer(
    Viewer Who, long Id, int Readings, long ConfirmedBlock, long Now, long Latest, long Records,
    IReadOnlyDictionary<string, long> ScopeParameters, IndexKey Key)
{
    /// <summary>What its token reaches at most by what it does now: it reads, unless it is <see cref="Searching"/>.</summary>
    public ScopeReach Reach { get; private init; } = Who.Reads;

    /// <summary>The same viewer while it searches.</summary>
    public BoundViewer Searching => this with { Reach = Who.Searches };
}
