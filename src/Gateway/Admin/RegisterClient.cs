using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Smart;
using PmrGateway.Store;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace PmrGateway.Gateway.Admin;

/// <summary>A client that the operator registers.</summary>
/// <param name="ClientId">Its id.</param>
/// <param name="Jwks">Its public keys, a JWK set; null for a public app that logs people in.</param>
/// <param name="Actor">Reference of the actor that it acts for; null for an app of people.</param>
/// <param name="Scopes">Scopes it may ask for.</param>
/// <param name="Purposes">Purposes of use it may act for.</param>
/// <param name="RedirectUris">Where an app's logins end.</param>
internal sealed record ClientRegistration(
    string ClientId, JsonElement? Jwks, string? Actor, string[]? Scopes, string[]? Purposes, string[]? RedirectUris);

/// <summary>POST /admin/clients.</summary>
internal static class RegisterClient
{
    public static async Task<Outcome?> RunAsync(HttpContext context, ClientRegistration client)
    {
        var services = context.RequestServices;
        if (Problem(client) is { } problem) return problem;
        var directory = services.GetRequiredService<DirectoryStore>();
        var actor = client.Actor is null ? null : await directory.ActorAsync(client.Actor, context.RequestAborted);
        if (client.Actor is not null && actor is null)
            return Outcome.Of(OutcomeCategory.Invalid, $"{client.Actor} is not a registered actor");
        if ((client.Jwks is null) == (client.RedirectUris is not { Length: > 0 }))
            return Outcome.Of(OutcomeCategory.Invalid, "a client has either jwks (a system) or redirectUris (an app of people)");
        var applications = services.GetRequiredService<IOpenIddictApplicationManager>();
        if (await services.GetRequiredService<AuthDatabase>().HasClientAsync(client.ClientId, context.RequestAborted))
            return Outcome.Of(OutcomeCategory.Conflict, "the client is registered already");
        await applications.CreateAsync(Describe(client), context.RequestAborted);
        if (actor is not null) await OperatorEndpoints.BindAsync(services, actor, client.ClientId);
        return null;
    }

    private static Outcome? Problem(ClientRegistration client) =>
        !OperatorEndpoints.IsName(client.ClientId) ? OperatorEndpoints.Bad("clientId", "the name of a client")
        : client.Jwks is { } jwks && !IsKeySet(jwks) ? OperatorEndpoints.Bad("jwks", "a JWK set with a public key for signatures")
        : client.Actor is not null && !OperatorEndpoints.IsName(client.Actor) ? OperatorEndpoints.Bad("actor", "a reference")
        : client.Scopes?.All(OperatorEndpoints.IsText) == false ? OperatorEndpoints.Bad("scopes", "a list of scopes")
        : client.Purposes?.All(OperatorEndpoints.IsText) == false ? OperatorEndpoints.Bad("purposes", "a list of codes")
        : client.RedirectUris?.All(IsRedirect) == false
            ? OperatorEndpoints.Bad("redirectUris", "a list of absolute URIs without a fragment and without a parameter iss")
        : null;

    private static bool IsKeySet(JsonElement jwks)
    {
        try
        {
            return new JsonWebKeySet(jwks.GetRawText()).GetSigningKeys().Count > 0;
        }
        catch (Exception e) when (e is ArgumentException or JsonException)
        {
            return false;
        }
    }

    // What OpenIddict takes: a parameter iss is its own to add (RFC 9207).
    private static bool IsRedirect(string? uri) => Uri.IsWellFormedUriString(uri, UriKind.Absolute)
        && new Uri(uri!) is { Fragment.Length: 0 } parsed
        && !QueryHelpers.ParseQuery(parsed.Query).ContainsKey("iss");

    /// <summary>A client as OpenIddict keeps it.</summary>
    public static OpenIddictApplicationDescriptor Describe(ClientRegistration client)
    {
        var descriptor = new OpenIddictApplicationDescriptor { ClientId = client.ClientId, DisplayName = client.ClientId };
        descriptor.Permissions.UnionWith([Permissions.Endpoints.Token, Permissions.Endpoints.Revocation]);
        if (client.Jwks is { } jwks)
        {
            descriptor.ClientType = ClientTypes.Confidential;
            descriptor.JsonWebKeySet = new JsonWebKeySet(jwks.GetRawText());
            descriptor.Permissions.Add(Permissions.GrantTypes.ClientCredentials);
        }
        else
        {
            descriptor.ClientType = ClientTypes.Public;
            descriptor.Permissions.UnionWith(
                [Permissions.Endpoints.Authorization, Permissions.GrantTypes.AuthorizationCode, Permissions.ResponseTypes.Code]);
            foreach (var uri in client.RedirectUris!) descriptor.RedirectUris.Add(new Uri(uri));
        }
        descriptor.Properties[SmartClaims.ScopesProperty] = JsonSerializer.SerializeToElement(client.Scopes ?? []);
        descriptor.Properties[SmartClaims.PurposesProperty] = JsonSerializer.SerializeToElement(client.Purposes ?? []);
        return descriptor;
    }
}
