using System.Security.Claims;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Authentication;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace PmrGateway.Gateway.Smart;

/// <summary>
/// Which claims go into a token: of a system by its client's registration, of a person as the login has put them into the code.
/// </summary>
internal static class TokenEndpoint
{
    public static async Task<IResult> RunAsync(
        HttpContext context, IOpenIddictApplicationManager applications, ScopeReader reader, BaseUrl baseUrl)
    {
        var request = context.GetOpenIddictServerRequest()!;
        if (request.IsAuthorizationCodeGrantType())
        {
            var result = await context.AuthenticateAsync(OpenIddictServerAspNetCoreDefaults.AuthenticationScheme);
            return result.Principal is { } user ? SignIn(user) : Refuse(Errors.InvalidGrant, "the code is not valid");
        }
        var client = await ClientGrants.OfAsync(applications, request.ClientId!, context.RequestAborted);
        var (scopes, purposes) = (request.GetScopes(), client.Purposes);
        if (reader.Problem(scopes) is { } problem) return Refuse(Errors.InvalidScope, problem);
        if (scopes.Length == 0 || !scopes.All(s => client.May(s, reader)))
            return Refuse(Errors.InvalidScope, "a scope was asked for that this client is not registered for");
        if (request[SmartClaims.PurposeOfUse]?.ToString() is { Length: > 0 } wanted)
        {
            if (!purposes.Contains(wanted)) return Refuse(Errors.InvalidRequest, "the client is not registered for this purpose_of_use");
            purposes = [wanted];
        }
        var identity = new ClaimsIdentity(OpenIddictServerAspNetCoreDefaults.AuthenticationScheme);
        identity.SetClaim(Claims.Subject, request.ClientId).SetScopes(scopes).SetClaims(SmartClaims.PurposeOfUse, [.. purposes])
            .SetResources(baseUrl.Fhir);
        identity.SetDestinations(_ => [Destinations.AccessToken]);
        return SignIn(new ClaimsPrincipal(identity));
    }

    /// <summary>Hands a principal to OpenIddict, which makes the token or the code of it.</summary>
    public static IResult SignIn(ClaimsPrincipal principal) =>
        Results.SignIn(principal, authenticationScheme: OpenIddictServerAspNetCoreDefaults.AuthenticationScheme);

    /// <summary>Refuses with an error of OAuth.</summary>
    public static IResult Refuse(string error, string description) => Results.Forbid(
        new AuthenticationProperties(new Dictionary<string, string?>
        {
            [OpenIddictServerAspNetCoreConstants.Properties.Error] = error,
            [OpenIddictServerAspNetCoreConstants.Properties.ErrorDescription] = description,
        }),
        [OpenIddictServerAspNetCoreDefaults.AuthenticationScheme]);
}
