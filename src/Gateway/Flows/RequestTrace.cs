namespace PmrGateway.Gateway.Flows;

/// <summary>How a request came, for the audit log.</summary>
/// <param name="Address">Network address of the client, or of the proxy before it where none is trusted; null: not known.</param>
/// <param name="Token">Id (jti) of the access token; null: it has none.</param>
/// <param name="Request">The id that the client gave it (X-Request-Id), or null.</param>
public sealed record RequestTrace(string? Address, string? Token, string? Request)
{
    /// <summary>Of a request that came from nowhere: of the gateway itself.</summary>
    public static RequestTrace None { get; } = new(null, null, null);
}
