using System.Collections.Immutable;
using System.Text.Json;
using OpenIddict.Abstractions;

namespace PmrGateway.Gateway.Smart;

/// <summary>What a client is registered for.</summary>
/// <param name="Scopes">Scopes it may ask for.</param>
/// <param name="Purposes">Purposes of use it may act for.</param>
internal sealed record ClientGrants(string[] Scopes, string[] Purposes)
{
    /// <summary>Of a client that is registered.</summary>
    public static async Task<ClientGrants> OfAsync(
        IOpenIddictApplicationManager applications, string clientId, CancellationToken cancellation)
    {
        var application = await applications.FindByClientIdAsync(clientId, cancellation);
        var properties = await applications.GetPropertiesAsync(application!, cancellation);
        return new ClientGrants(Texts(properties, SmartClaims.ScopesProperty), Texts(properties, SmartClaims.PurposesProperty));
    }

    private static string[] Texts(ImmutableDictionary<string, JsonElement> properties, string name) =>
        properties.TryGetValue(name, out var value) ? [.. value.EnumerateArray().Select(v => v.GetString()!)] : [];
}
