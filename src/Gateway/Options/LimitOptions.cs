namespace PmrGateway.Gateway.Options;

/// <summary>Section <c>Limits</c>.</summary>
public sealed class LimitOptions
{
    /// <summary>Largest request body, bytes. Default 33554432 (32 MiB).</summary>
    public long MaxBodyBytes { get; set; } = 32L << 20;

    /// <summary>Largest content of a Binary sent by its own media type, bytes. Default 2147483648 (2 GiB).</summary>
    public long MaxBinaryBytes { get; set; } = 2L << 30;

    /// <summary>Elements inside elements of a resource, at most. Default 64.</summary>
    public int MaxDepth { get; set; } = 64;

    /// <summary>JSON values of a resource, at most. Default 2000000.</summary>
    public int MaxValues { get; set; } = 2_000_000;

    /// <summary>Entries of a transaction or batch, at most. Default 5000.</summary>
    public int MaxBundleEntries { get; set; } = 5000;

    /// <summary>Values of all parameters of a search together, at most. Default 1000.</summary>
    public int MaxSearchValues { get; set; } = 1000;

    /// <summary>Time that a search may take, after which it is answered with 503. Default 10 s; 100 ms to 10 min.</summary>
    public TimeSpan MaxSearchTime { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// A refusal of the FHIR API is answered after a whole number of these since its request began, so that its time does not tell why.
    /// Default 5 ms; 0: at once; to 1 s.
    /// </summary>
    public TimeSpan RefusalTick { get; set; } = TimeSpan.FromMilliseconds(5);

    internal string? Validate() =>
        Allowed.Between("Limits:MaxBodyBytes", MaxBodyBytes, 1024, 1 << 30)
        ?? Allowed.Between("Limits:MaxBinaryBytes", MaxBinaryBytes, 1024, 1L << 40)
        ?? Allowed.Between("Limits:MaxDepth", MaxDepth, 8, 1000)
        ?? Allowed.Between("Limits:MaxValues", MaxValues, 1000, 50_000_000)
        ?? Allowed.Between("Limits:MaxBundleEntries", MaxBundleEntries, 1, 100_000)
        ?? Allowed.Between("Limits:MaxSearchValues", MaxSearchValues, 1, 100_000)
        ?? Allowed.Between("Limits:MaxSearchTime", MaxSearchTime, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10))
        ?? Allowed.Between("Limits:RefusalTick", RefusalTick, TimeSpan.Zero, TimeSpan.FromSeconds(1));
}
