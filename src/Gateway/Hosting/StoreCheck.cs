using Microsoft.Extensions.Diagnostics.HealthChecks;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Hosting;

/// <summary>Whether the database is read and written: nothing is answered where it is not, since nothing is given out unaudited.</summary>
internal sealed class StoreCheck(RecordDatabase database) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        const string Refused = "reads and writes are refused";
        if (database.Failure is not null) return HealthCheckResult.Unhealthy(Refused, data: Cause("the last change could not be written"));
        try
        {
            await database.HasRecordsAsync(cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (StoreUnavailableException)
        {
            return HealthCheckResult.Unhealthy(Refused, data: Cause("the database cannot be read"));
        }
    }

    private static Dictionary<string, object> Cause(string text) => new() { ["database"] = text };
}
