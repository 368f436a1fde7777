using OpenIddict.Abstractions;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Smart;
using PmrGateway.Store;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace PmrGateway.Gateway.Admin;

/// <summary>PUT and DELETE /admin/clients/{id}. Either ends the tokens that the client has, on every gateway.</summary>
internal static class ChangeClient
{
    private static readonly Outcome Unknown = Outcome.Of(OutcomeCategory.NotFound, "there is no such client");

    /// <summary>Gives a client other keys or redirects, scopes and purposes: all of them, as if it were registered anew.</summary>
    public static async Task<Outcome?> PutAsync(HttpContext context, ClientRegistration client)
    {
        var (services, id) = (context.RequestServices, OperatorEndpoints.NameOf(context));
        if (client.ClientId is not null && client.ClientId != id) return OperatorEndpoints.Bad("clientId", "the one of the path");
        client = client with { ClientId = id };
        if (RegisterClient.Problem(client, services.GetRequiredService<ScopeReader>()) is { } problem) return problem;
        var applications = services.GetRequiredService<IOpenIddictApplicationManager>();
        if (await applications.FindByClientIdAsync(id, context.RequestAborted) is not { } application) return Unknown;
        if (await applications.HasClientTypeAsync(application, ClientTypes.Public) != (client.Jwks is null))
            return Outcome.Of(OutcomeCategory.Invalid, "a system stays a system and an app an app: register another client");
        // The operator has all scopes, and without them could not be given them again.
        if (id == CallerResolver.OperatorClient)
        {
            if (client.Scopes is not (null or ["system/*.cruds"]))
                return OperatorEndpoints.Bad("scopes", "system/*.cruds, which the operator has");
            client = client with { Scopes = ["system/*.cruds"] };
        }
        var actor = await ActorOfAsync(services, id, application, context.RequestAborted);
        // Whom it wrote as, and what it may read by that, would go over to another.
        if (client.Actor is not null && client.Actor != actor)
            return Outcome.Of(OutcomeCategory.Invalid, "actor is not the client's: delete it and register another", "actor");
        await applications.UpdateAsync(application, RegisterClient.Describe(client with { Actor = actor }), CancellationToken.None);
        var tokens = services.GetRequiredService<IOpenIddictTokenManager>();
        await tokens.RevokeByApplicationIdAsync((await applications.GetIdAsync(application))!, CancellationToken.None);
        await OperatorEndpoints.TellTokensEndedAsync(services);
        return null;
    }

    /// <summary>Ends a client, whoever changes it meanwhile.</summary>
    public static async Task<Outcome?> DeleteAsync(HttpContext context, string id)
    {
        const int MaxTries = 10;
        for (var tries = 1; ; tries++)
        {
            // Each try reads it anew.
            await using var scope = context.RequestServices.CreateAsyncScope();
            try
            {
                return await DeleteAsync(scope.ServiceProvider, id, context.RequestAborted);
            }
            catch (Exception e) when (tries < MaxTries && AuthDatabase.IsChangedByOthers(e))
            {
            }
        }
    }

    private static async Task<Outcome?> DeleteAsync(IServiceProvider services, string id, CancellationToken cancellation)
    {
        if (id == CallerResolver.OperatorClient)
            return Outcome.Of(OutcomeCategory.Invalid, "the operator's own client is changed and not ended: nobody could register another");
        // Also one whose row is broken: what is ended opens nothing.
        if (await services.GetRequiredService<AuthDatabase>().ClientAsync(id, cancellation) is not { } application)
            return Unknown;
        var applications = services.GetRequiredService<IOpenIddictApplicationManager>();
        // First of the chain, then here: what is cut off in between is found again, and ended by asking once more.
        if (await ActorOfAsync(services, id, application, cancellation) is { } actor)
            await OperatorEndpoints.UnbindAsync(services, actor, id, (await applications.GetIdAsync(application, cancellation))!);
        // With its tokens.
        await applications.DeleteAsync(application, CancellationToken.None);
        await OperatorEndpoints.TellTokensEndedAsync(services);
        return null;
    }

    // As it was registered; of one from before that was written down, as the chain has it.
    private static async Task<string?> ActorOfAsync(
        IServiceProvider services, string id, object application, CancellationToken cancellation)
    {
        var applications = services.GetRequiredService<IOpenIddictApplicationManager>();
        var grants = await ClientGrants.OfAsync(applications, application, cancellation);
        if (grants.Actor is not null) return grants.Actor;
        var binding = OperatorEndpoints.BindingOf(services, id);
        return (await services.GetRequiredService<DirectoryStore>().ActorOfClientAsync(binding, cancellation))?.Reference;
    }
}
