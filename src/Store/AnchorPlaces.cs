using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>Where a version is anchored.</summary>
/// <param name="Custodian">Reference of the custodian.</param>
/// <param name="Sequence">Number of the batch.</param>
/// <param name="Root">Its root, hex.</param>
/// <param name="LeafIndex">Place of the version's leaf.</param>
/// <param name="Leaves">All leaf hashes of the batch's tree in order.</param>
/// <param name="Block">Block of the anchor, or null while it is not seen on the chain.</param>
/// <param name="Transaction">Hash of its transaction, hex, or null.</param>
public sealed record AnchorPlace(
    string Custodian, long Sequence, string Root, int LeafIndex, IReadOnlyList<byte[]> Leaves, long? Block, string? Transaction);

/// <summary>The places of versions in anchored batches.</summary>
public sealed class AnchorPlaces(RecordDatabase database)
{
    /// <summary>Where a version is anchored, or null while its batch is not closed.</summary>
    /// <remarks>Called for a version that the requester has been permitted to read.</remarks>
    public ValueTask<AnchorPlace?> OfAsync(string type, string id, long version, CancellationToken cancellation) => database.ReadAsync(
        async (session, stop) =>
        {
            var place = await session.FirstAsync(
                """
                SELECT b.custodian, b.sequence, b.root, v.leaf_index, b.batch, b.block, b.tx, b.padding
                FROM resources r JOIN versions v ON v.rid = r.rid JOIN batches b ON b.batch = v.batch
                  WHERE r.type = $1 AND r.id = $2 AND v.version = $3
                """,
                static r => new Place(
                    r.GetString(0), r.GetInt64(1), r.GetString(2), (int)r.GetInt64(3), r.GetInt64(4), r.NumberOrNull(5), r.TextOrNull(6),
                    r.BytesOrNull(7)),
                stop, type, id, version);
            if (place is null) return null;
            var leaves = await session.QueryAsync(
                "SELECT cid, key_commitment, salt, digest, leaf_index FROM versions WHERE batch = $1",
                static r => (
                    new AnchorLeaf(CidText.Digest(r.GetString(0)), r.Bytes(1), r.Bytes(2), r.Bytes(3)).Hash, Place: (int)r.GetInt64(4)),
                stop, place.Batch);
            var tree = new AnchorLayout([.. leaves.Select(l => l.Place)], place.Padding ?? []).Tree([.. leaves.Select(l => l.Hash)]);
            return new AnchorPlace(place.Custodian, place.Sequence, place.Root, place.Index, tree, place.Block, place.Transaction);
        },
        cancellation);

    private sealed record Place(
        string Custodian, long Sequence, string Root, int Index, long Batch, long? Block, string? Transaction, byte[]? Padding);
}
