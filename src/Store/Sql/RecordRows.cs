using System.Data.Common;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>A row of resources, whole.</summary>
internal sealed record ResourceRow(
    long Rid, string Type, string Id, long Version, long Deleted, string Author, string Custodian, string Patients, string OwnPatients,
    LabelSet Labels, long? From, long? To, byte[]? LinksDigest)
{
    public RowBytes Content => RowSeals.Resource(
        Type, Id, Version, Deleted, Author, Custodian, Patients, OwnPatients, Labels.Text, From, To, LinksDigest);
}

/// <summary>What ties a record to others.</summary>
/// <param name="Links">Rows of record_links.</param>
/// <param name="Binaries">Rows of links: the Binaries that its attachments are.</param>
internal sealed record RecordTies(HashSet<RecordLink> Links, HashSet<string> Binaries);

/// <summary>Rows of resources and their ties, for who goes on from what they say: each is held against its seal.</summary>
internal sealed class RecordRows(Interners interners, RowSeals seals)
{
    // Of a kind that no record_links row has.
    private const long Attachment = -1;

    private static readonly LabelSet Unknown = new([]);

    /// <summary>The row of a record, or null.</summary>
    /// <exception cref="RowBrokenException">It is not what was sealed, or an older one.</exception>
    public async ValueTask<ResourceRow?> FindAsync(Session session, string type, string id, CancellationToken cancellation)
    {
        if (await ReadAsync(session, type, id, cancellation) is not { } found) return null;
        seals.Must(found.Last == found.Row.Version && seals.Holds(found.Row.Content, found.Seal), "resources", type, id);
        return found.Row;
    }

    /// <summary>The ties of a record whose row is whole.</summary>
    /// <exception cref="RowBrokenException">They are not those of its row.</exception>
    public async ValueTask<RecordTies> TiesAsync(
        Session session, long rid, string type, string id, byte[]? digest, CancellationToken cancellation)
    {
        var ties = await TiesAsync(session, rid, cancellation);
        seals.Must(RowSeals.Ties(ties.Links, ties.Binaries).AsSpan().SequenceEqual(digest), "record_links", type, id);
        return ties;
    }

    /// <summary>The ties of a record whose row is whole.</summary>
    /// <exception cref="RowBrokenException">They are not those of its row.</exception>
    public ValueTask<RecordTies> TiesAsync(Session session, ResourceRow row, CancellationToken cancellation) =>
        TiesAsync(session, row.Rid, row.Type, row.Id, row.LinksDigest, cancellation);

    /// <summary>A record's row and ties as they are, to be sealed for the first time.</summary>
    public async ValueTask<(ResourceRow Row, RecordTies Ties)> UnsealedAsync(Session session, string type, string id)
    {
        var row = (await ReadAsync(session, type, id, default))!.Row;
        return (row, await TiesAsync(session, row.Rid, default));
    }

    private async ValueTask<Found?> ReadAsync(Session session, string type, string id, CancellationToken cancellation)
    {
        var found = await session.FirstAsync(
            """
            SELECT r.rid, r.type, r.id, r.version, r.deleted, r.author, r.custodian, r.patients, r.own_patients, r.label_set, r.data_from,
              r.data_to, r.links_digest, r.seal, (SELECT MAX(n.version) FROM versions n WHERE n.rid = r.rid)
            FROM resources r WHERE r.type = $1 AND r.id = $2
            """,
            Read, cancellation, type, id);
        if (found is null) return null;
        var labels = await interners.LabelSets.ValueAsync(session, found.LabelSet, cancellation);
        return found with { Row = found.Row with { Labels = labels } };
    }

    private static async ValueTask<RecordTies> TiesAsync(Session session, long rid, CancellationToken cancellation)
    {
        var rows = await session.QueryAsync(
            $"SELECT kind, reference FROM record_links WHERE rid = $1 UNION ALL SELECT {Attachment}, binary_id FROM links WHERE rid = $1",
            static r => (Kind: r.GetInt64(0), Reference: r.GetString(1)), cancellation, rid);
        var ties = new RecordTies([], []);
        foreach (var (kind, reference) in rows)
        {
            if (kind == Attachment) ties.Binaries.Add(reference);
            else ties.Links.Add(new RecordLink((LinkKind)kind, reference));
        }
        return ties;
    }

    private static Found? Read(DbDataReader r) => new(
        new ResourceRow(
            r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetInt64(3), r.GetInt64(4), r.GetString(5), r.GetString(6), r.GetString(7),
            r.GetString(8), Unknown, r.NumberOrNull(10), r.NumberOrNull(11), r.BytesOrNull(12)),
        r.GetInt64(9), r.BytesOrNull(13), r.NumberOrNull(14));

    private sealed record Found(ResourceRow Row, long LabelSet, byte[]? Seal, long? Last);
}
