using System.Data.Common;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>A row of versions with what its resource and its subject's key add.</summary>
internal sealed record VersionRow(
    long Rid, string Type, string Id, string Custodian, long Version, bool IsCurrent, long LastUpdated, bool IsDeleted, string Subject,
    byte[]? Body, string Cid, byte[] WrappedKey, byte[] KeyCommitment, byte[] Salt, byte[] Digest, string? ContentType, long LabelSet,
    string Patients, byte[]? WrappedSubjectKey, string Author, long? DataFrom, long? DataTo, VersionRow.Sealed Seals)
{
    /// <summary>What of the two rows only their seals are about.</summary>
    internal readonly record struct Sealed(
        long Current, long Last, long VersionDeleted, long Deleted, string Author, string Custodian, string OwnPatients,
        byte[]? LinksDigest, byte[]? OfResource, byte[]? OfVersion);

    private const string Columns =
        "r.rid, r.type, r.id, v.custodian, v.version, r.version, v.last_updated, v.deleted, v.subject, v.body, v.cid, v.wrapped_key, "
        + "v.key_commitment, v.salt, v.digest, v.content_type, r.label_set, r.patients, k.wrapped, v.author, "
        + "r.data_from, r.data_to, r.deleted, r.author, r.custodian, r.own_patients, r.links_digest, r.seal, v.seal";

    // A row of resources that was put back as it was once, or names another version, is found by this.
    private const string Last = "(SELECT MAX(n.version) FROM versions n WHERE n.rid = r.rid)";

    /// <summary>The order of a history, of rows <c>v</c> of versions.</summary>
    public const string NewestFirst = "v.last_updated DESC, v.seq DESC";

    private const string Key = "LEFT JOIN subject_keys k ON k.subject = v.subject";
    private const string Current =
        $"SELECT {Columns}, v.version FROM resources r JOIN versions v ON v.rid = r.rid AND v.version = {Last} {Key}";
    private const string All = $"SELECT {Columns}, {Last} FROM resources r JOIN versions v ON v.rid = r.rid {Key}";

    /// <summary>Stops where the row of the record or of the version is not what was sealed.</summary>
    /// <param name="seals">Their seals.</param>
    /// <param name="labels">What the number of the label set means.</param>
    /// <exception cref="RowBrokenException">One of them is not.</exception>
    public void MustBeWhole(RowSeals seals, LabelSet labels)
    {
        var s = Seals;
        var resource = RowSeals.Resource(
            Type, Id, s.Current, s.Deleted, s.Author, s.Custodian, Patients, s.OwnPatients, labels.Text, DataFrom, DataTo, s.LinksDigest);
        seals.Must(s.Current == s.Last && seals.Holds(resource, s.OfResource), "resources", Type, Id);
        var version = RowSeals.Version(Type, Id, Version, Author, Custodian, s.VersionDeleted, Subject);
        seals.Must(seals.Holds(version, s.OfVersion), "versions", Type, Id, Version);
    }

    public RecordFacts Facts(IReadOnlyList<RecordLabel> labels, IReadOnlyList<RecordLink> links) =>
        new(Type, Id, Custodian, Interner.PatientsOf(Patients), labels)
        {
            Author = Author,
            // Whom an earlier version concerned and the current one does not is not told apart: each is asked about all of them.
            Others = IsCurrent ? Interner.OthersOf(Patients) : [.. Interner.OthersOf(Patients), .. Interner.FormerOf(Patients)],
            Details = new RecordDetails(Instant(DataFrom), Instant(DataTo), links),
        };

    public StoredVersion ToVersion(RecordFacts facts) => new(
        facts, Version, DateTimeOffset.FromUnixTimeMilliseconds(LastUpdated), IsDeleted, Subject, Body, Cid, WrappedKey, KeyCommitment,
        Salt, Digest, ContentType)
    {
        SentFor = Interner.PatientsOf(Seals.OwnPatients).FirstOrDefault(),
    };

    public static ValueTask<VersionRow?> CurrentAsync(Session session, string type, string id, CancellationToken cancellation) =>
        session.FirstAsync($"{Current} WHERE r.type = $1 AND r.id = $2", Read, cancellation, type, id);

    public static ValueTask<VersionRow?> ByKeyAsync(Session session, string type, string id, long version,
        CancellationToken cancellation) =>
        session.FirstAsync($"{All} WHERE r.type = $1 AND r.id = $2 AND v.version = $3", Read, cancellation, type, id, version);

    /// <summary>The current versions of records, in no order.</summary>
    public static ValueTask<List<VersionRow>> CurrentAsync(Session session, IReadOnlyList<long> rids, CancellationToken cancellation) =>
        session.QueryAsync(
            $"{Current} WHERE r.rid {session.Engine.IsOneOf("$1")}", Read, cancellation, session.Engine.List([.. rids]));

    /// <summary>Versions by their numbers among all versions, newest first.</summary>
    public static ValueTask<List<VersionRow>> BySequenceAsync(
        Session session, IReadOnlyList<long> versions, CancellationToken cancellation) =>
        session.QueryAsync(
            $"{All} WHERE v.seq {session.Engine.IsOneOf("$1")} ORDER BY {NewestFirst}", Read, cancellation,
            session.Engine.List([.. versions]));

    private static DateTimeOffset? Instant(long? milliseconds) =>
        milliseconds is { } known ? DateTimeOffset.FromUnixTimeMilliseconds(known) : null;

    private static VersionRow Read(DbDataReader r) => new(
        r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetInt64(4), r.GetInt64(4) == r.GetInt64(5), r.GetInt64(6),
        r.GetInt64(7) != 0, r.GetString(8), r.BytesOrNull(9), r.GetString(10), r.Bytes(11), r.Bytes(12), r.Bytes(13), r.Bytes(14),
        r.TextOrNull(15), r.GetInt64(16), r.GetString(17), r.BytesOrNull(18), r.GetString(19), r.NumberOrNull(20), r.NumberOrNull(21),
        new Sealed(
            r.GetInt64(5), r.GetInt64(29), r.GetInt64(7), r.GetInt64(22), r.GetString(23), r.GetString(24), r.GetString(25),
            r.BytesOrNull(26), r.BytesOrNull(27), r.BytesOrNull(28)));
}
