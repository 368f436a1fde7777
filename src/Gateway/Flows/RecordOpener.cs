using System.Runtime.CompilerServices;
using PmrGateway.Gateway.Content;
using PmrGateway.Ipfs;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// Opens versions with their permits: the last step before plaintext. Who is told what is opened is <see cref="ReadFlow"/>'s to write down.
/// </summary>
/// <param name="database">Is told which bodies are broken.</param>
/// <param name="vault">Opens.</param>
/// <param name="files">Bodies that lie in the block store alone.</param>
/// <param name="content">The content of Binaries.</param>
/// <param name="log">Tells the operator what cannot be opened.</param>
public sealed partial class RecordOpener(
    RecordDatabase database, RecordVault vault, UnixFs files, IContent content, ILogger<RecordOpener> log)
{
    /// <summary>Opens versions, each with its permit; a failure where one is not what was stored.</summary>
    internal Task<Result<List<OpenedRecord>>> OpenAsync(IReadOnlyList<PermittedVersion> versions, CancellationToken cancellation) =>
        OrBrokenAsync(async () =>
        {
            var opened = new List<OpenedRecord>(versions.Count);
            // Each unwrapped once: a page of one patient's records has one.
            var keys = new Dictionary<string, SubjectKey>(StringComparer.Ordinal);
            foreach (var version in versions) opened.Add(await OpenNotedAsync(version, keys, cancellation));
            return opened;
        });

    private async ValueTask<OpenedRecord> OpenNotedAsync(
        PermittedVersion permitted, Dictionary<string, SubjectKey> keys, CancellationToken cancellation)
    {
        try
        {
            var opened = await OpenAsync(permitted, keys, cancellation);
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

    private static bool IsBroken(Exception e) => e is SealBrokenException or BlockCorruptException;

    /// <summary>Runs what opens something: what is broken, or out of reach, is a failure and is told to the operator.</summary>
    internal async Task<Result<T>> OrBrokenAsync<T>(Func<Task<T>> open)
    {
        try
        {
            return await open();
        }
        catch (Exception e) when (IsBroken(e))
        {
            LogCorrupt(e);
            return Outcome.Of(
                OutcomeCategory.Unavailable, "a stored record is not what was stored: it is not given out; the operator is told");
        }
        catch (BlockStoreUnavailableException e)
        {
            LogUnavailable(e);
            return Outcome.Of(OutcomeCategory.Unavailable, "the block store cannot be reached");
        }
    }

    /// <summary>The bytes of a version that are wanted here and go nowhere: for the index, and for a date of birth.</summary>
    internal Task<Result<byte[]>> BodyAsync(PermittedVersion permitted, CancellationToken cancellation) =>
        OrBrokenAsync(async () => (await OpenNotedAsync(permitted, [], cancellation)).Content);

    private async ValueTask<OpenedRecord> OpenAsync(
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

    [LoggerMessage(Level = LogLevel.Critical, Message = "A stored record is not what was stored")]
    private partial void LogCorrupt(Exception e);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The block store cannot be reached")]
    private partial void LogUnavailable(Exception e);
}
