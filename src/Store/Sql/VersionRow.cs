using System.Data.Common;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>A row of versions with what its resource and its subject's key add.</summary>
internal sealed record VersionRow(
    long Rid, string Type, string Id, string Custodian, long Version, bool IsCurrent, long LastUpdated, bool IsDeleted, string Subject,
    byte[]? Body, string Cid, byte[] WrappedKey, byte[] KeyCommitment, byte[] Salt, byte[] Digest, string? ContentType, long LabelSet,
    string Patients, byte[]? WrappedSubjectKey)
{
    private const string Columns =
        "r.rid, r.type, r.id, v.custodian, v.version, r.version, v.last_updated, v.deleted, v.subject, v.body, v.cid, v.wrapped_key, "
        + "v.key_commitment, v.salt, v.digest, v.content_type, r.label_set, r.patients, k.wrapped";

    private const string Key = "LEFT JOIN subject_keys k ON k.subject = v.subject";
    private const string Current = $"SELECT {Columns} FROM resources r JOIN versions v ON v.rid = r.rid AND v.version = r.version {Key}";
    private const string All = $"SELECT {Columns} FROM resources r JOIN versions v ON v.rid = r.rid {Key}";

    public RecordFacts Facts(IReadOnlyList<RecordLabel> labels) => new(Type, Id, Custodian, Interner.Split(Patients), labels);

    public StoredVersion ToVersion(RecordFacts facts) => new(
        facts, Version, DateTimeOffset.FromUnixTimeMilliseconds(LastUpdated), IsDeleted, Subject, Body, Cid, WrappedKey, KeyCommitment,
        Salt, Digest, ContentType);

    public static ValueTask<VersionRow?> CurrentAsync(Session session, string type, string id, CancellationToken cancellation) =>
        session.FirstAsync($"{Current} WHERE r.type = $1 AND r.id = $2", Read, cancellation, type, id);

    public static ValueTask<VersionRow?> ByKeyAsync(Session session, string type, string id, long version,
        CancellationToken cancellation) =>
        session.FirstAsync($"{All} WHERE r.type = $1 AND r.id = $2 AND v.version = $3", Read, cancellation, type, id, version);

    public static ValueTask<List<VersionRow>> CurrentAsync(Session session, IReadOnlyList<long> rids, CancellationToken cancellation) =>
        session.QueryAsync(
            $"{Current} WHERE r.rid {session.Engine.IsOneOf("$1")} ORDER BY r.rid", Read, cancellation, session.Engine.List([.. rids]));

    public static ValueTask<List<VersionRow>> HistoryAsync(
        Session session, string type, string id, long below, int limit, CancellationToken cancellation) => session.QueryAsync(
        $"{All} WHERE r.type = $1 AND r.id = $2 AND v.version < $3 ORDER BY v.version DESC LIMIT $4", Read, cancellation, type, id,
        below, (long)limit);

    public static async ValueTask<long> CountAsync(Session session, string type, string id, CancellationToken cancellation) =>
        await session.NumberAsync(
            "SELECT COUNT(*) FROM resources r JOIN versions v ON v.rid = r.rid WHERE r.type = $1 AND r.id = $2", cancellation, type, id)
                ?? 0;

    private static VersionRow Read(DbDataReader r) => new(
        r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetInt64(4), r.GetInt64(4) == r.GetInt64(5), r.GetInt64(6),
        r.GetInt64(7) != 0, r.GetString(8), r.BytesOrNull(9), r.GetString(10), r.Bytes(11), r.Bytes(12), r.Bytes(13), r.Bytes(14),
        r.TextOrNull(15), r.GetInt64(16), r.GetString(17), r.BytesOrNull(18));
}
