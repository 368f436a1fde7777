using PmrGateway.Fhir;
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
/// <param name="mapper">Has the indexer.</param>
/// <param name="logger">Tells how far it is.</param>
public sealed partial class Reindexing(
    RecordDatabase database, RecordOpener opener, Viewers viewers, ResourceMapper mapper, ILogger<Reindexing> logger)
{
    private const int AtOnce = 500;

    /// <summary>Indexes all that is to be indexed anew.</summary>
    /// <param name="cancellation">Stops it; what is done stays done.</param>
    /// <returns>How many records were, and how many could not be opened: no search finds these.</returns>
    public async Task<(long Done, long Left)> RunAsync(CancellationToken cancellation)
    {
        var (done, left, after) = (0L, 0L, 0L);
        while (true)
        {
            var records = await database.UnindexedAsync(after, AtOnce, cancellation);
            if (records.Count == 0) return (done, left);
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
    }

    private async Task<IReadOnlyList<IndexEntry>?> EntriesAsync(UnindexedRecord record, CancellationToken cancellation)
    {
        // Nothing of its content is searched.
        if (record.Type == "Binary") return [];
        var asker = new Requester("index", null, null, record.Patient, true, []) { Author = record.Author };
        try
        {
            await using var snapshot = await database.SnapshotAsync(viewers.Of(asker), searches: false, cancellation);
            if (await snapshot.ReadAsync(record.Type, record.Id, null, cancellation) is not { Version.IsDeleted: false } permitted
                || await opener.BodyAsync(permitted, cancellation) is not { Failure: null } body
                || !ResourceDocument.TryParse(body.Value, out var document, out _))
            {
                LogLeft(record.Type, record.Id);
                return null;
            }
            return mapper.Indexer.Index(document!);
        }
        catch (RowBrokenException)
        {
            LogLeft(record.Type, record.Id);
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Indexed anew: {Done} records; {Left} could not be opened")]
    private partial void LogProgress(long done, long left);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Type}/{Id} cannot be opened to be indexed: no search finds it")]
    private partial void LogLeft(string type, string id);
}
