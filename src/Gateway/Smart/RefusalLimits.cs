using System.Threading.RateLimiting;
using PmrGateway.Gateway.Options;

namespace PmrGateway.Gateway.Smart;

/// <summary>
/// How many refusals somebody gets before nothing more is looked at for a while. Counted by the network that it comes from and the account
/// that it is for: who guesses at an account locks out neither its owner, who is elsewhere, nor others who come from the same network. Who
/// is let in is not counted. Each gateway counts its own.
/// </summary>
internal sealed class RefusalLimits(AuthOptions options) : IDisposable
{
    // Guesses that run at the same time would all begin before the first is counted; more of them than that wait.
    private const int AtOnce = 4;
    private const int Waiting = 64;

    private readonly PartitionedRateLimiter<Origin> _logins = Limiter(options.RefusedLogins, options.RefusalWindow);
    private readonly PartitionedRateLimiter<Origin> _tokens = Limiter(options.RefusedTokens, options.RefusalWindow);
    private readonly PartitionedRateLimiter<Origin> _running = PartitionedRateLimiter.Create<Origin, Origin>(
        origin => RateLimitPartition.GetConcurrencyLimiter(
            origin, static _ => new ConcurrencyLimiterOptions { PermitLimit = AtOnce, QueueLimit = Waiting }));

    /// <summary>Begins a login; until it is disposed, few others of the same origin run.</summary>
    public ValueTask<RateLimitLease> BeginLoginAsync(Origin origin, CancellationToken cancellation) =>
        _running.AcquireAsync(origin, 1, cancellation);

    /// <summary>How long no login of an origin is looked at; null: it is.</summary>
    public TimeSpan? LoginsWait(Origin origin) => Wait(_logins, origin);

    /// <summary>How long no unknown token of an origin is looked at; null: it is.</summary>
    public TimeSpan? TokensWait(Origin origin) => Wait(_tokens, origin);

    /// <summary>Counts a login that was refused.</summary>
    public void CountLogin(Origin origin) => _logins.AttemptAcquire(origin).Dispose();

    /// <summary>Counts a token that was refused.</summary>
    public void CountToken(Origin origin) => _tokens.AttemptAcquire(origin).Dispose();

    public void Dispose()
    {
        _logins.Dispose();
        _tokens.Dispose();
        _running.Dispose();
    }

    private TimeSpan? Wait(PartitionedRateLimiter<Origin> limiter, Origin origin)
    {
        // None asked for: only whether there is one.
        using var lease = limiter.AttemptAcquire(origin, 0);
        if (lease.IsAcquired) return null;
        return lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) && wait > TimeSpan.Zero ? wait : options.RefusalWindow;
    }

    private static PartitionedRateLimiter<Origin> Limiter(int refusals, TimeSpan window) => PartitionedRateLimiter.Create<Origin, Origin>(
        origin => RateLimitPartition.GetFixedWindowLimiter(
            origin, _ => new FixedWindowRateLimiterOptions { PermitLimit = refusals, Window = window, QueueLimit = 0 }));

    /// <summary>Where a request comes from and whom it is for.</summary>
    /// <param name="Network">The network, <see cref="ClientAddress.NetworkOf"/>.</param>
    /// <param name="Account">Of the account's name so many bits that made-up names do not fill the memory.</param>
    internal readonly record struct Origin(string Network, ushort Account)
    {
        /// <summary>Of a request.</summary>
        /// <param name="context">The request.</param>
        /// <param name="account">Login name or client id, as claimed.</param>
        public static Origin Of(HttpContext context, string account) =>
            new(ClientAddress.NetworkOf(context), unchecked((ushort)string.GetHashCode(account, StringComparison.Ordinal)));
    }
}
