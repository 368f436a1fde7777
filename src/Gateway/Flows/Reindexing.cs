using PmrGateway.Fhir;
using PmrGateway.Ipfs;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// Indexes anew what was indexed by other definitions, before anything is served: a search that passes over a record would be a wrong
/// answer, and whom a document tells of is looked up in the index. A record is opened as whom it was written or as the patient whose it
/// is, by the decision that everything is opened by; nothing leaves the gateway.
/// </summary>
/// <param name="database">Where the records and the index are.</param>
/// <param name="opener">Opens the records.</param>
/// <param name="viewers">Makes the viewer of one.</param>
/// <param name="logger">Tells how far it is.</param>
public sealed partial class Reindexing(
    RecordDatabase database, RecordOpener opener, Viewers viewers, ILogger<Reindexing> logger)
{
    private const int AtOnce = 500;

    /// <summary>Indexes all that is to be indexed anew.</summary>
    /// <param name="cancellation">Stops it; what is done stays done.</param>
    /// <returns>
    /// How many records were, and how many could not be opened: no search finds these, and while patients are among them no write is taken
    /// that names one by identifier.
    /// </returns>
    /// <exception cref="StoreStartException">The block store cannot be reached, and has what is to be indexed.</exception>
    public async Task<(long Done, long Left)> RunAsync(CancellationToken cancellation)
    {
        var (done, left, after) = (0L, 0L, 0L);
        while (true)
        {
            var records = await database.UnindexedAsync(after, AtOnce, cancellation);
            if (records.Count == 0) break;
            var indexed = new List<(UnindexedRecord, IReadOnlyList<IndexEntry>)>(records.Count);
            foreach (var record in records)
            {
                if (await EntriesAsync(record, cancellation) is { } entries) indexed.Add((record, entries));
                else left++;
            }
            await database.IndexAsync(indexed);
            done += indexed.Count;
            after = records[^1].Rid;
            LogProgress(done, left);
        }
        if (done > 0) await database.ForgetAsync(cancellation);
        await database.NoteUnindexedPatientsAsync(cancellation);
        return (done, left);
    }

    private async Task<IReadOnlyList<IndexEntry>?> EntriesAsync(UnindexedRecord record, CancellationToken cancellation)
    {
        // Nothing of its content is searched.
        if (record.Type == "Binary") return [];
        var asker = new Requester("index", null, null, record.Patient, true, []) { Author = record.Author };
        try
        {
            await using var snapshot = await database.SnapshotAsync(viewers.Of(asker), searches: false, cancellation);
            if (await snapshot.ReadAsync(record.Type, record.Id, null, cancellation) is { Version.IsDeleted: false } permitted)
                return await opener.IndexAsync(permitted, cancellation);
        }
        catch (BlockStoreUnavailableException e)
        {
            throw new StoreStartException("records are to be indexed anew, and the block store cannot be reached: " + e.Message, e);
        }
        catch (Exception e) when (e is RowBrokenException || RecordOpener.IsBroken(e))
        {
            // As one that nobody may open: the others are to be found.
        }
        LogLeft(record.Type, record.Id);
        return null;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Indexed anew: {Done} records; {Left} could not be opened")]
    private partial void LogProgress(long done, long left);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Type}/{Id} cannot be opened to be indexed: no search finds it")]
    private partial void LogLeft(string type, string id);
}
