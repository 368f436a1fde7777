using Dapper;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// <see cref="ConsentDecision"/> as an SQL condition over a row <c>r</c> of <c>resources</c>, so that what a requester may not see is not
/// counted, sorted, paged or included either. A property test holds the two against each other.
/// </summary>
/// <param name="requester">Who asks.</param>
/// <param name="now">When.</param>
/// <param name="confirmedBlock">Grants up to this block count.</param>
public sealed class AccessQuery(Requester requester, DateTimeOffset now, long confirmedBlock)
{
    private const string Match =
        """
        {0}.valid_from <= @now AND @now < {0}.valid_to AND {0}.groups = (
          SELECT COUNT(DISTINCT v.kind) FROM rule_values v WHERE v.rule_id = {0}.rule_id AND (
            (v.kind = 'actor' AND v.code IN @actors) OR (v.kind = 'purpose' AND v.code IN @purposes)
            OR EXISTS (SELECT 1 FROM labels l WHERE l.rid = r.rid AND l.kind = v.kind AND l.system = v.system AND l.code = v.code)))
        """;

    private static readonly string Excepted =
        $"CASE WHEN EXISTS (SELECT 1 FROM rules x WHERE x.commitment = u.commitment AND x.is_root = 0 AND {string.Format(null, Match, "x")}) THEN 1 ELSE 0 END";

    private static readonly string Root =
        $"SELECT 1 FROM rules u JOIN consents s ON s.commitment = u.commitment WHERE u.patient_id = c.patient_id AND u.is_root = 1 AND s.revoked = 0 AND {string.Format(null, Match, "u")}";

    private static readonly string ByConsent =
        $"""
        EXISTS (SELECT 1 FROM compartments c WHERE c.rid = r.rid) AND NOT EXISTS (
          SELECT 1 FROM compartments c WHERE c.rid = r.rid AND c.patient_id <> @patient AND NOT (
            EXISTS ({Root} AND s.granted_block <= @confirmed AND u.permits <> {Excepted})
            AND NOT EXISTS ({Root} AND u.permits = {Excepted})))
        """;

    /// <summary>Who asks.</summary>
    public Requester Requester { get; } = requester;

    /// <summary>When.</summary>
    public DateTimeOffset Now { get; } = now;

    /// <summary>Grants up to this block count.</summary>
    public long ConfirmedBlock { get; } = confirmedBlock;

    /// <summary>The condition for resources of a type.</summary>
    internal string Condition(string type)
    {
        if (!Requester.IsActive) return "1 = 0";
        return DirectoryTypes.Contains(type) ? "1 = 1" : $"((r.custodian = @org AND @org <> '') OR ({ByConsent}))";
    }

    /// <summary>
    /// The condition for a version <c>v</c> of it. Patients and labels are known of the current version only, so what consent shows is the
    /// current version: an earlier one may have had a label that closed it. Author and patient see all.
    /// </summary>
    internal string VersionCondition(string type) => DirectoryTypes.Contains(type)
        ? Condition(type)
        : $"""
           {Condition(type)} AND (v.version = r.version OR (r.custodian = @org AND @org <> '')
             OR (EXISTS (SELECT 1 FROM compartments c WHERE c.rid = r.rid) AND NOT EXISTS (SELECT 1 FROM compartments c WHERE c.rid = r.rid AND c.patient_id <> @patient)))
           """;

    internal void AddTo(DynamicParameters parameters)
    {
        parameters.Add("org", Requester.Organization ?? "");
        parameters.Add("patient", Requester.Patient ?? "");
        parameters.Add("actors", Requester.ActorReferences.ToList());
        parameters.Add("purposes", Requester.Purposes);
        parameters.Add("now", Now.ToUnixTimeMilliseconds());
        parameters.Add("confirmed", ConfirmedBlock);
    }
}
