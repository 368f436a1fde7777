using System.Runtime.CompilerServices;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Content;
using PmrGateway.Ipfs;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Flows;

/// <summary>A record that was opened for a requester.</summary>
/// <param name="Version">The version.</param>
/// <param name="Content">Its plaintext, the resource in JSON; empty for a deletion and a Binary.</param>
/// <param name="Permit">The permit it was opened with.</param>
public sealed record OpenedRecord(StoredVersion Version, byte[] Content, Mapping.Permit Permit)
{
    /// <summary>A Binary's content, which is opened while it is sent; null: it is none.</summary>
    public OpenedBinary? Binary { get; init; }
}

/// <summary>The content of a Binary that its permit opens, piece by piece.</summary>
/// <param name="Size">Bytes of it.</param>
/// <param name="Open">Opens a part of it, or all; a piece is there until the next is asked for.</param>
public sealed record OpenedBinary(long Size, Func<ByteRange?, CancellationToken, IAsyncEnumerable<ReadOnlyMemory<byte>>> Open);

/// <summary>Opens what a permit lets open, and notes whether it is what was sealed. To be opened is not to be released.</summary>
public sealed class RecordOpener(
    RecordDatabase database, RecordVault vault, UnixFs files, IContent content, SearchIndexer indexer)
{
    // What was kept was within the limits of its time.
    private static readonly ResourceLimits Kept = new(MaxDepth: 1000, MaxNodes: int.MaxValue);

    /// <summary>Opens a version; of a Binary its key alone.</summary>
    /// <param name="permitted">The version, with its permit.</param>
    /// <param name="keys">Keys of subjects, each unwrapped once: a page of one patient's records has one.</param>
    /// <param name="cancellation">Stops reading from the stores.</param>
    /// <exception cref="SealBrokenException">It is not what was sealed.</exception>
    /// <exception cref="BlockCorruptException">A block of it is not what its name says.</exception>
    /// <exception cref="BlockStoreUnavailableException">The block store cannot be reached.</exception>
    public async ValueTask<OpenedRecord> OpenAsync(
        PermittedVersion permitted, Dictionary<string, SubjectKey> keys, CancellationToken cancellation)
    {
        try
        {
            var opened = await OpenSealedAsync(permitted, keys, cancellation);
            // Of a Binary nothing but its key was opened so far.
            if (opened.Binary is null) database.NoteBody(permitted.Version, isWhole: true);
            return opened;
        }
        catch (Exception e) when (IsBroken(e))
        {
            database.NoteBody(permitted.Version, isWhole: false);
            throw;
        }
    }

    /// <summary>The search values of a version, told by its content; none where it cannot be read.</summary>
    /// <param name="permitted">The version, with its permit.</param>
    /// <param name="cancellation">Stops reading from the stores.</param>
    public async ValueTask<IReadOnlyList<IndexEntry>> IndexAsync(PermittedVersion permitted, CancellationToken cancellation)
    {
        var opened = await OpenAsync(permitted, [], cancellation);
        return ResourceDocument.TryParse(opened.Content, out var document, out _, Kept) ? indexer.Index(document!) : [];
    }

    /// <summary>The bytes of a version that are wanted here and go nowhere, for a date of birth; null: they cannot be had.</summary>
    /// <param name="permitted">The version, with its permit.</param>
    /// <param name="cancellation">Stops reading from the stores.</param>
    internal async ValueTask<byte[]?> BodyAsync(PermittedVersion permitted, CancellationToken cancellation)
    {
        try
        {
            return (await OpenAsync(permitted, [], cancellation)).Content;
        }
        catch (Exception e) when (IsBroken(e) || e is BlockStoreUnavailableException)
        {
            return null;
        }
    }

    /// <summary>Whether an exception says that a record is not what was stored.</summary>
    public static bool IsBroken(Exception e) => e is SealBrokenException or BlockCorruptException;

    private async ValueTask<OpenedRecord> OpenSealedAsync(
        PermittedVersion permitted, Dictionary<string, SubjectKey> keys, CancellationToken cancellation)
    {
        var (version, permit) = (permitted.Version, permitted.Permit);
        if (version.IsDeleted) return new OpenedRecord(version, [], permit);
        if (!keys.TryGetValue(version.Subject, out var subject))
        {
            var wrapped = permitted.WrappedSubjectKey ?? throw new SealBrokenException($"the key of {version.Subject} is gone");
            keys[version.Subject] = subject = vault.UnwrapSubjectKey(version.Subject, wrapped);
        }
        var key = new SealedKey(version.WrappedKey, version.KeyCommitment, version.Salt, version.Digest);
        if (version.Facts.Type != "Binary")
        {
            var body = version.Body ?? await ReadBlocksAsync(version.Cid, cancellation);
            return new OpenedRecord(version, vault.Open(permit, body, key, subject), permit);
        }
        if (!Cid.TryParse(version.Cid, out var root)) throw new SealBrokenException("a record's CID does not parse");
        var size = await content.SizeAsync(new SealedContent(root!, key, null), cancellation);
        var kept = new SealedContent(root!, key, size);
        return new OpenedRecord(version, [], permit)
        {
            Binary = new OpenedBinary(
                size, (range, stop) => NotedAsync(version, range is null, content.OpenAsync(permit, kept, subject, range, stop), stop)),
        };
    }

    // A body of many pieces is broken where one is, and whole once all were opened.
    private async IAsyncEnumerable<ReadOnlyMemory<byte>> NotedAsync(
        StoredVersion version, bool isAll, IAsyncEnumerable<ReadOnlyMemory<byte>> pieces,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        await using var piece = pieces.GetAsyncEnumerator(cancellation);
        while (true)
        {
            try
            {
                if (!await piece.MoveNextAsync()) break;
            }
            catch (Exception e) when (IsBroken(e))
            {
                database.NoteBody(version, isWhole: false);
                throw;
            }
            yield return piece.Current;
        }
        if (isAll) database.NoteBody(version, isWhole: true);
    }

    private async Task<byte[]> ReadBlocksAsync(string cid, CancellationToken cancellation)
    {
        if (!Cid.TryParse(cid, out var root)) throw new SealBrokenException("a record's CID does not parse");
        return await files.ReadAllAsync(root!, cancellation);
    }
}
