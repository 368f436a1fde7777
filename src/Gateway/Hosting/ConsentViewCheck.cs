using Microsoft.Extensions.Diagnostics.HealthChecks;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Gateway.Hosting;

/// <summary>Whether the consent view is as fresh as reads need it.</summary>
internal sealed class ConsentViewCheck(ConsentView view, LedgerOptions ledger) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var data = new Dictionary<string, object> { ["block"] = view.Block };
        if (view.Staleness <= ledger.MaxStaleness) return Task.FromResult(HealthCheckResult.Healthy(data: data));
        data["view"] = $"the chain was not looked at for more than {ledger.MaxStaleness} (Ledger:MaxStaleness)";
        return Task.FromResult(HealthCheckResult.Unhealthy("reads are refused, writes are accepted", data: data));
    }
}
