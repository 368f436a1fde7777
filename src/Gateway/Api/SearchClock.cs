using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>How long a search may take (Limits:MaxSearchTime), one that is asked for and one that is the condition of a write.</summary>
internal sealed class SearchClock(LimitOptions limits)
{
    // Many times what the few rows of a condition take, also while the machine is busy.
    private static readonly TimeSpan InWriter = TimeSpan.FromSeconds(1);

    /// <summary>How long a condition may take when it is asked again in the commit, where all writes wait for it.</summary>
    public TimeSpan LongestInWriter => limits.MaxSearchTime < InWriter ? limits.MaxSearchTime : InWriter;

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
