using System.Text.Json;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Smart;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Admin;

/// <summary>A client that the operator registers.</summary>
/// <param name="ClientId">Its id.</param>
/// <param name="Jwks">Its public keys, a JWK set; null for a public app that logs people in.</param>
/// <param name="Actor">Reference of the actor that it acts for; null for an app of people.</param>
/// <param name="Scopes">Scopes it may ask for.</param>
/// <param name="Purposes">Purposes of use it may act for.</param>
/// <param name="RedirectUris">Where an app's logins end.</param>
public sealed record ClientRegistration(string ClientId, JsonElement? Jwks, string? Actor, string[]? Scopes, string[]? Purposes, string[]? RedirectUris);

/// <summary>A person whom the operator lets log in.</summary>
/// <param name="Username">Login name.</param>
/// <param name="Password">Password, at least 12 characters.</param>
/// <param name="FhirUser"><c>Practitioner/id</c> or <c>Patient/id</c>.</param>
public sealed record UserRegistration(string Username, string Password, string FhirUser);

/// <summary>The operator's API beside FHIR: clients and users of the gateway's own issuer, bound to actors on the chain.</summary>
internal static class OperatorEndpoints
{
    public static void MapOperatorEndpoints(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/admin/clients", (HttpContext context) => RunAsync(context, RegisterClientAsync));
        routes.MapPost("/admin/users", (HttpContext context) => RunAsync(context, RegisterUserAsync));
    }

    private static async Task RunAsync(HttpContext context, Func<HttpContext, Task<Outcome?>> register)
    {
        var caller = await context.RequestServices.GetRequiredService<CallerResolver>().ResolveAsync(context);
        if (caller.Failure is null && caller.Value.Kind != CallerKind.Operator)
        {
            var denials = context.RequestServices.GetRequiredService<Denials>();
            var denied = await denials.AnswerAsync(caller.Value, "operation", context.Request.Path.ToString().TrimStart('/'), Outcome.Of(OutcomeCategory.Forbidden, "only the operator may do this"));
            await denied.WriteAsync(context, "");
            return;
        }
        var outcome = caller.Failure;
        if (outcome is null && !context.Request.HasJsonContentType()) outcome = Outcome.Of(OutcomeCategory.UnsupportedMediaType, "send application/json");
        try
        {
            outcome ??= await register(context);
        }
        catch (JsonException e)
        {
            outcome = Outcome.Of(OutcomeCategory.Malformed, "the body is not the JSON that is asked for: " + e.Path);
        }
        catch (UriFormatException)
        {
            outcome = Outcome.Of(OutcomeCategory.Invalid, "a redirect URI is not a URI");
        }
        var response = outcome is null ? new FhirResponse(201, Array.Empty<byte>()) : FhirResponse.From(outcome);
        await response.WriteAsync(context, "");
    }

    private static async Task<Outcome?> RegisterClientAsync(HttpContext context)
    {
        var services = context.RequestServices;
        var client = await context.Request.ReadFromJsonAsync<ClientRegistration>(context.RequestAborted);
        if (client is null || string.IsNullOrEmpty(client.ClientId)) return Outcome.Of(OutcomeCategory.Malformed, "clientId is missing");
        var actor = client.Actor is null ? null : await services.GetRequiredService<DirectoryStore>().ActorAsync(client.Actor, context.RequestAborted);
        if (client.Actor is not null && actor is null) return Outcome.Of(OutcomeCategory.Invalid, $"{client.Actor} is not a registered actor");
        if ((client.Jwks is null) == (client.RedirectUris is not { Length: > 0 })) return Outcome.Of(OutcomeCategory.Invalid, "a client has either jwks (a system) or redirectUris (an app of people)");
        var applications = services.GetRequiredService<IOpenIddictApplicationManager>();
        if (await applications.FindByClientIdAsync(client.ClientId, context.RequestAborted) is not null) return Outcome.Of(OutcomeCategory.Conflict, "the client is registered already");
        await applications.CreateAsync(Describe(client), context.RequestAborted);
        if (actor is not null) await BindAsync(services, actor, client.ClientId);
        return null;
    }

    /// <summary>A client as OpenIddict keeps it.</summary>
    internal static OpenIddictApplicationDescriptor Describe(ClientRegistration client)
    {
        var descriptor = new OpenIddictApplicationDescriptor { ClientId = client.ClientId, DisplayName = client.ClientId };
        descriptor.Permissions.UnionWith([OpenIddictConstants.Permissions.Endpoints.Token, OpenIddictConstants.Permissions.Endpoints.Revocation]);
        if (client.Jwks is { } jwks)
        {
            descriptor.ClientType = OpenIddictConstants.ClientTypes.Confidential;
            descriptor.JsonWebKeySet = new JsonWebKeySet(jwks.GetRawText());
            descriptor.Permissions.Add(OpenIddictConstants.Permissions.GrantTypes.ClientCredentials);
        }
        else
        {
            descriptor.ClientType = OpenIddictConstants.ClientTypes.Public;
            descriptor.Permissions.UnionWith(
            [
                OpenIddictConstants.Permissions.Endpoints.Authorization, OpenIddictConstants.Permissions.GrantTypes.AuthorizationCode, OpenIddictConstants.Permissions.ResponseTypes.Code,
            ]);
            foreach (var uri in client.RedirectUris!) descriptor.RedirectUris.Add(new Uri(uri));
        }
        descriptor.Properties[AuthorizationServer.ScopesProperty] = JsonSerializer.SerializeToElement(client.Scopes ?? []);
        descriptor.Properties[AuthorizationServer.PurposesProperty] = JsonSerializer.SerializeToElement(client.Purposes ?? []);
        return descriptor;
    }

    private static async Task<Outcome?> RegisterUserAsync(HttpContext context)
    {
        var services = context.RequestServices;
        var user = await context.Request.ReadFromJsonAsync<UserRegistration>(context.RequestAborted);
        if (user is null || string.IsNullOrEmpty(user.Username) || user.Password is not { Length: >= 12 }) return Outcome.Of(OutcomeCategory.Invalid, "username and a password of at least 12 characters are needed");
        var directory = services.GetRequiredService<DirectoryStore>();
        var doctor = await directory.ActorAsync(user.FhirUser ?? "", context.RequestAborted) is { Kind: ActorKind.Practitioner } found ? found : null;
        var isPatient = user.FhirUser?.Split('/') is ["Patient", var id] && await directory.PatientAsync(id, context.RequestAborted) is not null;
        if (doctor is null && !isPatient) return Outcome.Of(OutcomeCategory.Invalid, "fhirUser is no registered Patient/id or Practitioner/id");
        var users = services.GetRequiredService<AuthDatabase>();
        if (await users.Users.AnyAsync(u => u.Id == user.Username, context.RequestAborted)) return Outcome.Of(OutcomeCategory.Conflict, "the user is registered already");
        var row = new AuthUser { Id = user.Username, PasswordHash = "", FhirUser = user.FhirUser! };
        row.PasswordHash = services.GetRequiredService<IPasswordHasher<AuthUser>>().HashPassword(row, user.Password);
        users.Users.Add(row);
        await users.SaveChangesAsync(context.RequestAborted);
        if (doctor is not null) await BindAsync(services, doctor, "user:" + row.Id);
        return null;
    }

    private static Task BindAsync(IServiceProvider services, Actor actor, string subject)
    {
        var key = CallerResolver.BindingKey(services.GetRequiredService<TokenIssuers>().Own, subject);
        var command = ChainCommands.BindClient(actor.Reference, Convert.FromHexString(actor.ActorId), key);
        return services.GetRequiredService<ILedgerJournal>().EnqueueAsync([command], CancellationToken.None);
    }
}
