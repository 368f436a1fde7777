using Microsoft.Extensions.Diagnostics.HealthChecks;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Hosting;

/// <summary>
/// Tells the operator of rows that were changed by others than the gateway: each once in the log, by its table and key; while any is known,
/// /health is degraded. What rests on them is answered 503, or as if they were not there where they are of clients and users; everything
/// else is answered.
/// </summary>
internal sealed partial class RowWatch(RecordDatabase database, ILogger<RowWatch> log) : IHealthCheck
{
    /// <summary>Listens from here on.</summary>
    /// <param name="newlySealed">How many rows were sealed at this start.</param>
    /// <param name="isNoted">Whether the keyring's file says that they are.</param>
    public void Begin(long newlySealed, bool isNoted)
    {
        database.BrokenRows.Found += row => LogBroken(row.Table, row.Key);
        foreach (var row in database.BrokenRows.Now) LogBroken(row.Table, row.Key);
        if (newlySealed > 0) LogSealed(newlySealed);
        if (!isNoted) LogNotNoted();
    }

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var rows = database.BrokenRows.Now;
        if (rows.Count == 0) return Task.FromResult(HealthCheckResult.Healthy());
        // Keys are ids of patients and records: not for everybody, and the log has them.
        var causes = rows.GroupBy(r => r.Table).ToDictionary(
            g => g.Key, g => (object)$"{g.Count()} not as the gateway wrote them; the operator's log has their keys");
        return Task.FromResult(HealthCheckResult.Degraded("what rests on rows that were changed is refused", data: causes));
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "The row {Key} of {Table} is not what the gateway wrote: nothing rests on it")]
    private partial void LogBroken(string table, string key);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The keyring's file cannot be written: add \"rowsSealed\": true to it, or who takes "
        + "all seals out of the database has its rows sealed as they are then")]
    private partial void LogNotNoted();

    // Expected at one start, the first of the version that brought seals: at any other, somebody took the seals out.
    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} rows had no seals and were sealed as they are")]
    private partial void LogSealed(long count);
}
