using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// What keeps this gateway from reading, revoking or anchoring, as far as the chain is concerned. Unhealthy: reads are refused. Degraded:
/// reads and writes go on, and something does not get onto the chain. Each problem is an entry of the result's data, by its name.
/// </summary>
/// <param name="view">How fresh the view is.</param>
/// <param name="sender">What keeps transactions back.</param>
/// <param name="loops">What the loops meet.</param>
/// <param name="journal">What was reverted.</param>
/// <param name="options">How old the view may be.</param>
/// <param name="anvil">The development chain; null where the node is somebody else's.</param>
internal sealed class LedgerHealth(
    ConsentView view,
    TransactionSender sender,
    IEnumerable<LedgerLoop> loops,
    ILedgerJournal journal,
    LedgerOptions options,
    AnvilNode? anvil = null) : IHealthCheck
{
    /// <inheritdoc/>
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var data = new Dictionary<string, object> { ["block"] = view.Block };
        var isStale = view.IsStale;
        if (isStale) data["view"] = $"the consent view is older than {options.MaxStaleness}: reads are refused";
        if (view.Problem is { } behind) data["node"] = behind;
        if (view.Ahead is { } ahead) data["clock"] = ahead;
        if (anvil?.Problem is { } ended) data["development chain"] = ended;
        foreach (var loop in loops)
            if (loop.Problem is { } problem) data[loop.Name] = $"{problem.Text} (since {Text(problem.Since)})";
        if (sender.Problem is { } trouble) data["transactions"] = $"{trouble.Trouble}: {trouble.Text} (since {Text(trouble.Since)})";
        var counts = await journal.CountsAsync(cancellationToken);
        (data["queued"], data["sent"]) = (counts.Queued, counts.Sent);
        if (counts.Failed > 0) data["reverted"] =
            $"{counts.Failed} outbox entries, the first is '{counts.FailedKey}': {counts.FailedError}";
        var isWell = data.Keys.All(k => k is "block" or "queued" or "sent");
        return isStale ? HealthCheckResult.Unhealthy("reads are refused", data: data)
            : isWell ? HealthCheckResult.Healthy(data: data)
            : HealthCheckResult.Degraded("something does not get onto the chain", data: data);
    }

    private static string Text(DateTimeOffset instant) => instant.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
