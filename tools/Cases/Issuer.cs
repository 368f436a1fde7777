using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Cases;

/// <summary>An OpenID issuer that says of a person whatever a case wants: any purpose of use, or none, any scope, any lifetime.</summary>
internal sealed class Issuer : IAsyncDisposable
{
    /// <summary>The audience of its tokens.</summary>
    public const string Audience = "pmr-cases";

    private readonly TokenIssuer _issuer;

    private Issuer(TokenIssuer issuer) => _issuer = issuer;

    public string Url => _issuer.Url;

    public static async Task<Issuer> StartAsync() => new(await TokenIssuer.StartAsync());

    /// <summary>A token.</summary>
    /// <param name="subject">Who.</param>
    /// <param name="client">By which app.</param>
    /// <param name="scopes">Its scopes.</param>
    /// <param name="purposes">Its purposes of use; none: no such claim.</param>
    /// <param name="life">From when and to when; null: five minutes from now.</param>
    public string Token(
        string subject, string client, string scopes, IReadOnlyList<string> purposes, (DateTimeOffset From, DateTimeOffset To)? life)
    {
        var claims = new Dictionary<string, object> { ["sub"] = subject, ["client_id"] = client, ["scope"] = scopes };
        if (purposes.Count > 0) claims["purpose_of_use"] = purposes;
        // Breaking the glass takes a reason.
        if (purposes.Contains("BTG")) claims["purpose_of_use_reason"] = "a case of the suite";
        return _issuer.Token(Audience, claims, life);
    }

    public ValueTask DisposeAsync() => _issuer.DisposeAsync();
}
