using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace PmrGateway.Gateway.Smart;

/// <summary>
/// Who was not let in: counted by reason, in a metric and in one line of the log a minute. Not one by one, and without a name or an
/// address: anybody on the network could fill a log with them.
/// </summary>
internal sealed partial class AuthRefusals : BackgroundService
{
    /// <summary>Name of the meter.</summary>
    public const string Meter = "PmrGateway.Auth";

    /// <summary>Name of the counter; its tag <c>reason</c> is one of the constants below.</summary>
    public const string Counter = "pmr.auth.refused";

    /// <summary>A wrong name or password.</summary>
    public const string Password = "password";

    /// <summary>A client that is not known, or an assertion that is not its own.</summary>
    public const string Client = "client";

    /// <summary>An authorization code that is not good.</summary>
    public const string Code = "code";

    /// <summary>No access token, or one that is not good (401).</summary>
    public const string Token = "token";

    /// <summary>More refusals than are looked at (429).</summary>
    public const string Limit = "limit";

    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<string, int> _sinceLine = new(StringComparer.Ordinal);
    private readonly Counter<long> _counter;
    private readonly TimeProvider _time;
    private readonly ILogger<AuthRefusals> _log;

    public AuthRefusals(IMeterFactory meters, TimeProvider time, ILogger<AuthRefusals> log)
    {
        _counter = meters.Create(Meter).CreateCounter<long>(Counter, description: "Logins and tokens that were refused, by reason");
        (_time, _log) = (time, log);
    }

    /// <summary>Counts one.</summary>
    /// <param name="reason">One of the constants.</param>
    public void Count(string reason)
    {
        _counter.Add(1, new KeyValuePair<string, object?>("reason", reason));
        _sinceLine.AddOrUpdate(reason, 1, static (_, n) => n + 1);
    }

    /// <summary>Writes what was counted since it was last called: a line a reason.</summary>
    internal void Tell()
    {
        foreach (var reason in _sinceLine.Keys)
            if (_sinceLine.TryRemove(reason, out var count)) LogCount(count, reason);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) Tell();
        }
        catch (OperationCanceledException)
        {
            Tell();
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} were refused in the last minute for the reason '{Reason}'")]
    private partial void LogCount(int count, string reason);
}
