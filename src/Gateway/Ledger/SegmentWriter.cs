using System.Text.Json;
using PmrGateway.Ipfs;
using PmrGateway.LedgerAdapter;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Ledger;

/// <summary>
/// Puts a batch into IPFS: the sealed bodies that are only in the database so far, each under its own CID, and the segment that lists
/// what the batch holds, sealed for this gateway. From the chain, IPFS and the keyring every record can be found again
/// (docs/formats/anchor.md).
/// </summary>
public sealed class SegmentWriter(UnixFs files, RecordVault vault)
{
    private const string Format = "pmr-segment/4";

    /// <summary>Stores the batch durably; gives the segment's CID, and the same sealed for the chain.</summary>
    /// <exception cref="BlockStoreUnavailableException">Nothing may be assumed stored; the batch is closed in a later round.</exception>
    public async Task<(string Cid, byte[] SealedCid)> StoreAsync(AnchorBatch batch, CancellationToken cancellation)
    {
        var blocks = files.Begin();
        var roots = new List<Cid>();
        foreach (var leaf in batch.Leaves)
            if (leaf.Body is not null) roots.Add(await UnixFs.WriteAsync(blocks, leaf.Body, cancellation));
        var segment = JsonSerializer.SerializeToUtf8Bytes(new
        {
            format = Format,
            custodian = batch.Custodian,
            sequence = batch.Sequence,
            records = batch.Leaves.Zip(batch.Layout.Places, (l, place) => new
            {
                leafIndex = place,
                type = l.Type,
                id = l.Id,
                version = l.Version,
                cid = l.Cid,
                wrappedKey = l.WrappedKey,
                subject = l.Subject,
                keyCommitment = l.Leaf.KeyCommitment,
                salt = l.Leaf.Salt,
                plaintextDigest = l.Leaf.PlaintextDigest,
            }),
            // In the places between, in order: without them the records do not make the root.
            padding = batch.Layout.Padding,
            // What one of the padding's hashes says: the log up to there, whoever has rewritten it since.
            auditHead = batch.Layout.Head is { } head
                ? new { leafIndex = head.Place, seq = head.Head.Seq, hash = head.Head.Hash, salt = head.Salt }
                : null,
            // Without these a lost database would be a lost key to every record: they lie nowhere else outside it.
            subjectKeys = batch.Leaves.Where(l => l.WrappedSubjectKey is not null).DistinctBy(l => l.Subject)
                .Select(l => new { subject = l.Subject, wrappedKey = l.WrappedSubjectKey }),
        });
        var sealedSegment = vault.SealInternal(segment, $"{Format}|{batch.Custodian}|{batch.Sequence}");
        roots.Add(await UnixFs.WriteAsync(blocks, sealedSegment, cancellation));
        await blocks.CommitAsync(roots, cancellation);
        return (roots[^1].ToString(), vault.SealInternal(roots[^1].ToBytes(), $"pmr-segment-cid/1|{batch.Custodian}|{batch.Sequence}"));
    }
}
