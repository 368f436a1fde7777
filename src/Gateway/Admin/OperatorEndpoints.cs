using System.Text.Json;
using System.Text.Json.Serialization;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Smart;
using PmrGateway.LedgerAdapter;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Admin;

/// <summary>The operator's API beside FHIR: clients and users of the gateway's own issuer, bound to actors on the chain.</summary>
internal static class OperatorEndpoints
{
    private const string Name = "name";

    // A member that nobody knows is one that somebody relies on: refused, not passed over.
    private static readonly JsonSerializerOptions Json = new(JsonSerializerOptions.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    public static void MapOperatorEndpoints(this IEndpointRouteBuilder routes)
    {
        Map(routes, "/admin/clients", new()
        {
            ["POST"] = context => ReadAsync<ClientRegistration>(context, 201, RegisterClient.RunAsync),
        });
        Map(routes, $"/admin/clients/{{**{Name}}}", new()
        {
            ["PUT"] = context => ReadAsync<ClientRegistration>(context, 200, ChangeClient.PutAsync),
            ["DELETE"] = async context => FromOutcome(await ChangeClient.DeleteAsync(context, NameOf(context)), 204),
        });
        Map(routes, "/admin/users", new()
        {
            ["POST"] = context => ReadAsync<UserRegistration>(context, 201, RegisterUser.RunAsync),
        });
        Map(routes, $"/admin/users/{{**{Name}}}", new()
        {
            ["PUT"] = context => ReadAsync<UserChange>(context, 200, ChangeUser.PutAsync),
            ["DELETE"] = async context => FromOutcome(await ChangeUser.DeleteAsync(context, NameOf(context)), 204),
        });
    }

    /// <summary>Binds an OAuth client or user of the gateway's own issuer to an actor, on the chain.</summary>
    internal static Task BindAsync(IServiceProvider services, Actor actor, string subject) => EnqueueAsync(
        services, ChainCommands.BindClient(actor.Reference, Convert.FromHexString(actor.ActorId), BindingOf(services, subject)));

    /// <summary>Ends the binding of a client or user, on the chain; of one registration once, however often it is asked for.</summary>
    internal static Task UnbindAsync(IServiceProvider services, string actor, string subject, string registration) =>
        EnqueueAsync(services, ChainCommands.UnbindClient(actor, BindingOf(services, subject), registration));

    /// <summary>The key under which a client or user is bound.</summary>
    internal static string BindingOf(IServiceProvider services, string subject) =>
        CallerResolver.BindingKey(services.GetRequiredService<TokenIssuers>().Own, subject);

    /// <summary>Tells every gateway that tokens have ended. Before the answer: who has it may rely on it.</summary>
    internal static Task TellTokensEndedAsync(IServiceProvider services) =>
        services.GetRequiredService<RecordDatabase>().TellAsync(TokenCache.Revoked, CancellationToken.None);

    /// <summary>Whom the path of a request names. A name may be a URL: its slashes stand in the path as they are, or escaped.</summary>
    internal static string NameOf(HttpContext context)
    {
        // The server decodes all but this, once.
        var name = context.Request.RouteValues[Name] as string ?? "";
        return name.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>A member of a registration that is not what it should be.</summary>
    internal static Outcome Bad(string member, string shouldBe) =>
        Outcome.Of(OutcomeCategory.Malformed, $"{member} is not {shouldBe}", member);

    /// <summary>Whether a text says something, in characters that every database keeps.</summary>
    internal static bool IsText(string? text) => !string.IsNullOrEmpty(text) && !text.Any(char.IsControl);

    /// <summary>Whether a text can be the name of somebody: as long as the tables of the issuer have room for.</summary>
    internal static bool IsName(string? text) => IsText(text) && text!.Length <= 100;

    private static Task EnqueueAsync(IServiceProvider services, ChainCommand command) =>
        services.GetRequiredService<ILedgerJournal>().EnqueueAsync([command], CancellationToken.None);

    private static void Map(IEndpointRouteBuilder routes, string path, Dictionary<string, Func<HttpContext, Task<FhirResponse>>> methods) =>
        routes.Map(path, async context =>
        {
            var response = methods.TryGetValue(context.Request.Method, out var run)
                ? await AnswerAsync(context, run)
                : Refused(OutcomeCategory.NotSupported, $"there is no {context.Request.Method} of this path") with
                {
                    Allow = string.Join(", ", methods.Keys),
                };
            await response.WriteAsync(context, "");
        });

    private static async Task<FhirResponse> AnswerAsync(HttpContext context, Func<HttpContext, Task<FhirResponse>> run)
    {
        try
        {
            return await AsOperatorAsync(context, run);
        }
        catch (Exception e) when (AuthDatabase.IsChangedByOthers(e))
        {
            return Refused(OutcomeCategory.Conflict, "somebody else changed the same at the same time: look, and try again");
        }
        // What is wrong with the body itself BodyLimits answers.
        catch (Exception e) when (e is not BadHttpRequestException && !context.RequestAborted.IsCancellationRequested)
        {
            return context.RequestServices.GetRequiredService<FhirFailures>().Answer(e, context.Request.Method, context.Request.Path);
        }
    }

    private static async Task<FhirResponse> AsOperatorAsync(HttpContext context, Func<HttpContext, Task<FhirResponse>> run)
    {
        var caller = await context.RequestServices.GetRequiredService<CallerResolver>().ResolveAsync(context);
        if (caller.Failure is { } unknown) return FhirResponse.From(unknown);
        if (caller.Value.Kind == CallerKind.Operator) return await run(context);
        var asked = context.Request.Path.ToString().TrimStart('/');
        var refusal = Outcome.Of(OutcomeCategory.Forbidden, "only the operator may do this");
        var denials = context.RequestServices.GetRequiredService<Denials>();
        return await denials.AnswerAsync(caller.Value, Interaction.Operation, asked, refusal);
    }

    private static async Task<FhirResponse> ReadAsync<T>(HttpContext context, int done, Func<HttpContext, T, Task<Outcome?>> register)
    {
        if (!context.Request.HasJsonContentType()) return Refused(OutcomeCategory.UnsupportedMediaType, "send application/json");
        try
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            var json = body.ToArray();
            // JSON is UTF-8, whatever charset a header names (RFC 8259, 8.1).
            if (JsonMembers.Repeated(json) is { } twice) return FhirResponse.From(Bad(twice, "there once"));
            var registration = JsonSerializer.Deserialize<T>(json, Json);
            return registration is null
                ? Refused(OutcomeCategory.Malformed, "the body is not an object")
                : FromOutcome(await register(context, registration), done);
        }
        catch (JsonException e)
        {
            return Refused(OutcomeCategory.Malformed, "the body is not the JSON that is asked for: " + e.Path);
        }
    }

    private static FhirResponse FromOutcome(Outcome? outcome, int done) =>
        outcome is null ? new FhirResponse(done, default(ReadOnlyMemory<byte>)) : FhirResponse.From(outcome);

    private static FhirResponse Refused(OutcomeCategory category, string text) => FhirResponse.From(Outcome.Of(category, text));
}
