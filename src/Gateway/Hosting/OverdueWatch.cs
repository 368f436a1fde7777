using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Hosting;

/// <summary>Looks for overdue tasks, every minute.</summary>
internal sealed partial class OverdueWatch(OverdueTasks tasks, TimeProvider time, ILogger<OverdueWatch> log) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await tasks.EscalateAsync(time.GetUtcNow(), stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // The next minute finds them again.
                LogNotNow(e);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Overdue tasks cannot be looked for now")]
    private partial void LogNotNow(Exception e);
}
