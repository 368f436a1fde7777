using PmrGateway.Gateway.Hosting;
using PmrGateway.Store;

namespace PmrGateway.Bench.Rest;

/// <summary>
/// The gateway of this build with an audit log that keeps nothing of reads: what the log costs is the difference. It is a program of the
/// bench alone; the gateway itself has no setting for it.
/// </summary>
internal static class SilentGateway
{
    /// <summary>First argument of the bench that runs it; settings follow.</summary>
    public const string Command = "silent-gateway";

    /// <summary>Runs it until it is told to stop.</summary>
    public static async Task RunAsync(string[] settings)
    {
        var options = Settings.Read(settings, out var problem) ?? throw new BenchException(problem!);
        await using var app = await GatewayHost.BuildAsync(
            options, quiet: false, default, services => services.AddSingleton<AuditLog, SilentLog>());
        await app.StartAsync();
        await app.WaitForShutdownAsync();
    }

    private sealed class SilentLog(RecordDatabase database) : AuditLog(database)
    {
        public override Task AppendAsync(IReadOnlyList<AuditEntry> entries, CancellationToken cancellation) => Task.CompletedTask;
    }
}
