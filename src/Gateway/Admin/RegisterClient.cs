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
    string? ClientId, JsonElement? Jwks, string? Actor, string[]? Scopes, string[]? Purposes, string[]? RedirectUris);

/// <summary>POST /admin/clients.</summary>
internal static class RegisterClient
{
    public static async Task<Outcome?> RunAsync(HttpContext context, ClientRegistration client)
    {
        var services = context.RequestServices;
        if (Problem(client, services.GetRequiredService<ScopeReader>()) is { } problem) return problem;
        var directory = services.GetRequiredService<DirectoryStore>();
        var actor = client.Actor is null ? null : await directory.ActorAsync(client.Actor, context.RequestAborted);
        if (client.Actor is not null && actor is null)
            return Outcome.Of(OutcomeCategory.Invalid, $"{client.Actor} is not a registered actor");
        var applications = services.GetRequiredService<IOpenIddictApplicationManager>();
        if (await services.GetRequiredService<AuthDatabase>().HasClientAsync(client.ClientId!, context.RequestAborted))
            return Outcome.Of(OutcomeCategory.Conflict, "the client is registered already");
        // The chain is behind: until it has let go of a client that was deleted, one of the same name would act as that one did.
        if (await directory.ActorOfClientAsync(OperatorEndpoints.BindingOf(services, client.ClientId!), context.RequestAborted)
            is { } before && before.Reference != client.Actor)
            return Outcome.Of(OutcomeCategory.Conflict, "the client is still bound on the chain, to whom it was registered for before");
        await applications.CreateAsync(Describe(client), context.RequestAborted);
        if (actor is not null) await OperatorEndpoints.BindAsync(services, actor, client.ClientId!);
        return null;
    }

    /// <summary>Why a client is not one that can be registered; null: it is.</summary>
    public static Outcome? Problem(ClientRegistration client, ScopeReader scopes) =>
        !OperatorEndpoints.IsName(client.ClientId) || client.ClientId!.StartsWith("user:", StringComparison.Ordinal)
            ? OperatorEndpoints.Bad("clientId", "the name of a client, which does not begin with user:")
        : client.Jwks is { } jwks && KeySet.Problem(jwks) is { } key ? OperatorEndpoints.Bad(key.Member, key.ShouldBe)
        : client.Actor is not null && !OperatorEndpoints.IsName(client.Actor) ? OperatorEndpoints.Bad("actor", "a reference")
        : client.Scopes?.All(OperatorEndpoints.IsText) == false ? OperatorEndpoints.Bad("scopes", "a list of scopes")
        : scopes.Problem(client.Scopes ?? []) is { } scope
            ? Outcome.Of(OutcomeCategory.Invalid, $"{Errors.InvalidScope}: {scope}", "scopes")
        : client.Purposes?.All(OperatorEndpoints.IsText) == false ? OperatorEndpoints.Bad("purposes", "a list of codes")
        : client.RedirectUris?.All(IsRedirect) == false
            ? OperatorEndpoints.Bad("redirectUris", "a list of absolute URIs: https, http of the loopback or a scheme of an app's own, "
                + "without a user, a fragment and a parameter iss")
        : (client.Jwks is null) == (client.RedirectUris is not { Length: > 0 })
            ? Outcome.Of(OutcomeCategory.Invalid, "a client has either jwks (a system) or redirectUris (an app of people)")
        : null;

    // What OpenIddict takes: a parameter iss is its own to add (RFC 9207).
    private static bool IsRedirect(string? uri) => Uri.IsWellFormedUriString(uri, UriKind.Absolute)
        && new Uri(uri!) is { Fragment.Length: 0, UserInfo.Length: 0 } parsed
        && IsRedirectScheme(parsed)
        && !QueryHelpers.ParseQuery(parsed.Query).ContainsKey("iss");

    // RFC 8252, 7: what an app has of its own is a name of a domain turned round, so that it has a dot; javascript and data have none.
    private static bool IsRedirectScheme(Uri uri) =>
        uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback) || uri.Scheme.Contains('.');

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
        if (client.Actor is not null)
            descriptor.Properties[SmartClaims.ActorProperty] = JsonSerializer.SerializeToElement(client.Actor);
        descriptor.Properties[SmartClaims.PurposesProperty] = JsonSerializer.SerializeToElement(client.Purposes ?? []);
        return descriptor;
    }
}
