using System.Collections.Immutable;
using System.Text.Json;
using OpenIddict.Abstractions;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Smart;

/// <summary>What a client is registered for.</summary>
/// <param name="Scopes">Scopes it may ask for.</param>
/// <param name="Purposes">Purposes of use it may act for.</param>
/// <param name="Actor">The actor that it was registered for; null: none, or that was not written down.</param>
internal sealed record ClientGrants(string[] Scopes, string[] Purposes, string? Actor)
{
    /// <summary>Whether it may ask for a scope: one that it is registered for, or for less than that.</summary>
    /// <param name="scope">The scope.</param>
    /// <param name="reader">Reads it.</param>
    public bool May(string scope, ScopeReader reader) => reader.Read(scope, out var problem) is { } asked
        ? reader.Read(Scopes).Cover(asked)
        : problem is null && Scopes.Contains(scope);

    /// <summary>Of a client that is registered.</summary>
    public static async Task<ClientGrants> OfAsync(
        IOpenIddictApplicationManager applications, string clientId, CancellationToken cancellation) =>
        await OfAsync(applications, (await applications.FindByClientIdAsync(clientId, cancellation))!, cancellation);

    /// <summary>Of a client's row.</summary>
    public static async Task<ClientGrants> OfAsync(
        IOpenIddictApplicationManager applications, object application, CancellationToken cancellation)
    {
        var properties = await applications.GetPropertiesAsync(application, cancellation);
        return new ClientGrants(
            Texts(properties, SmartClaims.ScopesProperty), Texts(properties, SmartClaims.PurposesProperty),
            properties.TryGetValue(SmartClaims.ActorProperty, out var actor) ? actor.GetString() : null);
    }

    private static string[] Texts(ImmutableDictionary<string, JsonElement> properties, string name) =>
        properties.TryGetValue(name, out var value) ? [.. value.EnumerateArray().Select(v => v.GetString()!)] : [];
}
