using System.Data;
using System.Text.Json;
using Dapper;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>A consent as the gateway keeps it beside its resource.</summary>
/// <param name="Commitment">On-chain commitment, hex.</param>
/// <param name="PatientId">The patient.</param>
/// <param name="GrantedBlock">Block of the grant once the chain has it.</param>
/// <param name="Revoked">Whether it is revoked.</param>
public sealed record ConsentRow(string Commitment, string PatientId, long? GrantedBlock, long Revoked);

/// <summary>The openings of the on-chain commitments, and the rules compiled from them for <see cref="AccessQuery"/>.</summary>
public static class ConsentStore
{
    /// <summary>Keeps a consent with its rules. It can deny from here on; it permits once the chain has it.</summary>
    public static void Add(IDbConnection connection, string commitment, string consentId, byte[] salt, ConsentTerms terms)
    {
        // A wallet's signed intent comes with its salt: sent twice, it is the same commitment.
        if (connection.ExecuteScalar<long>("SELECT COUNT(*) FROM consents WHERE commitment = @commitment", new { commitment }) > 0) throw new VersionConflictException("Consent", consentId);
        connection.Execute(
            "INSERT INTO consents (commitment, consent_id, patient_id, salt, terms, granted_block, revoked) VALUES (@commitment, @consentId, @Patient, @salt, @text, NULL, 0)",
            new { commitment, consentId, terms.Patient, salt, text = JsonSerializer.Serialize(terms) });
        AddRule(connection, commitment, terms, terms.Root, isRoot: true);
        foreach (var exception in terms.Exceptions) AddRule(connection, commitment, terms, exception, isRoot: false);
    }

    /// <summary>Revokes the consents of a Consent resource at once, and returns the ones that stood.</summary>
    public static IReadOnlyList<ConsentRow> Revoke(IDbConnection connection, string consentId)
    {
        var standing = connection.Query<ConsentRow>(
            "SELECT commitment Commitment, patient_id PatientId, granted_block GrantedBlock, revoked Revoked FROM consents WHERE consent_id = @consentId AND revoked = 0", new { consentId }).AsList();
        connection.Execute("UPDATE consents SET revoked = 1 WHERE consent_id = @consentId", new { consentId });
        return standing;
    }

    /// <summary>The latest consent of a Consent resource, or null.</summary>
    public static ConsentRow? Latest(IDbConnection connection, string consentId) => connection.QueryFirstOrDefault<ConsentRow>(
        "SELECT commitment Commitment, patient_id PatientId, granted_block GrantedBlock, revoked Revoked FROM consents WHERE consent_id = @consentId ORDER BY rowid DESC LIMIT 1", new { consentId });

    internal static ConsentTerms Decode(string terms) => JsonSerializer.Deserialize<ConsentTerms>(terms)!;

    private static void AddRule(IDbConnection connection, string commitment, ConsentTerms terms, Provision provision, bool isRoot)
    {
        var values = new List<(string Kind, string System, string Code)>();
        values.AddRange(provision.Actors.Select(a => ("actor", "", a)));
        values.AddRange(provision.Purposes.Select(p => ("purpose", "", p)));
        values.AddRange(provision.Classes.Select(c => (RecordStore.KindText(LabelKind.Class), c.System, c.Code)));
        values.AddRange(provision.Codes.Select(c => (RecordStore.KindText(LabelKind.Code), c.System, c.Code)));
        values.AddRange(provision.SecurityLabels.Select(c => (RecordStore.KindText(LabelKind.Security), c.System, c.Code)));
        var rule = connection.ExecuteScalar<long>(
            """
            INSERT INTO rules (commitment, patient_id, is_root, permits, valid_from, valid_to, groups)
            VALUES (@commitment, @Patient, @root, @permits, @from, @to, @groups) RETURNING rule_id
            """,
            new
            {
                commitment,
                terms.Patient,
                root = isRoot ? 1 : 0,
                permits = terms.Permits ? 1 : 0,
                from = provision.From.ToUnixTimeMilliseconds(),
                to = provision.To.ToUnixTimeMilliseconds(),
                groups = values.Select(v => v.Kind).Distinct().Count(),
            });
        foreach (var (kind, system, code) in values) connection.Execute("INSERT INTO rule_values VALUES (@rule, @kind, @system, @code)", new { rule, kind, system, code });
    }
}
