using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>How long a search may take (Limits:MaxSearchTime), one that is asked for and one that is the condition of a write.</summary>
internal sealed class SearchClock(LimitOptions limits)
{
    /// <summary>How long a search may take.</summary>
    public TimeSpan Longest => limits.MaxSearchTime;

    /// <summary>Runs a search; a failure where it takes too long.</summary>
    /// <param name="search">The search: stops by what it is given.</param>
    /// <param name="cancellation">Stops it as well.</param>
    public async Task<Result<T>> RunAsync<T>(Func<CancellationToken, Task<T>> search, CancellationToken cancellation)
    {
        using var clock = new CancellationTokenSource(limits.MaxSearchTime);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation, clock.Token);
        try
        {
            return await search(patience.Token);
        }
        catch (Exception e) when (
            e is OperationCanceledException or StoreUnavailableException
            && patience.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            return Outcome.Of(
                OutcomeCategory.Unavailable,
                $"the search takes longer than {limits.MaxSearchTime.TotalSeconds:0.#} s (Limits:MaxSearchTime): ask for less at a time");
        }
    }
}
