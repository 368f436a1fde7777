using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace PmrGateway.Gateway.Hosting;

/// <summary>
/// /health: whatever stops reading, writing, revoking or anchoring shows here. A check is unhealthy where requests are refused (503), and
/// degraded where they are answered and something behind them stands still; its description and the texts of its data say what and why.
/// </summary>
internal static class HealthServices
{
    private const string Block = "block";

    /// <summary>The checks. A new one is a line here.</summary>
    public static IServiceCollection AddHealth(this IServiceCollection services)
    {
        services.AddHealthChecks().AddCheck<StoreCheck>("database").AddCheck<RowWatch>("rows");
        return services.AddSingleton<RowWatch>();
    }

    public static void MapHealth(this IEndpointRouteBuilder routes) => routes.MapHealthChecks("/health", new HealthCheckOptions
    {
        AllowCachingResponses = false,
        ResultStatusCodes =
        {
            [HealthStatus.Degraded] = StatusCodes.Status200OK,
            [HealthStatus.Unhealthy] = StatusCodes.Status503ServiceUnavailable,
        },
        ResponseWriter = (context, report) => context.Response.WriteAsJsonAsync(Answer(report), context.RequestAborted),
    });

    /// <summary>The answer: ok or degraded, the block at which consents are looked at, and what is wrong by check.</summary>
    internal static HealthAnswer Answer(HealthReport report)
    {
        var block = report.Entries.Values.Select(e => e.Data.GetValueOrDefault(Block)).OfType<long>().FirstOrDefault(-1);
        var problems = report.Entries
            .Where(e => e.Value.Status != HealthStatus.Healthy)
            .Select(e => new HealthProblem(
                e.Key,
                // Text of an exception could hold what is not for everybody: the log has it.
                e.Value.Exception is null ? e.Value.Description ?? "" : "the check failed; the operator's log tells more",
                [.. e.Value.Data.Where(d => d.Value is string).Select(d => $"{d.Key}: {d.Value}").Order(StringComparer.Ordinal)]))
            .ToList();
        return new HealthAnswer(report.Status == HealthStatus.Healthy ? "ok" : "degraded", block, problems);
    }
}

/// <summary>What /health says.</summary>
/// <param name="Status">ok or degraded.</param>
/// <param name="Block">Block at which consents are looked at; -1: none yet.</param>
/// <param name="Problems">What is wrong.</param>
internal sealed record HealthAnswer(string Status, long Block, IReadOnlyList<HealthProblem> Problems);

/// <summary>What one check found wrong.</summary>
/// <param name="Check">The check.</param>
/// <param name="Text">What it means for requests.</param>
/// <param name="Causes">Why.</param>
internal sealed record HealthProblem(string Check, string Text, IReadOnlyList<string> Causes);
