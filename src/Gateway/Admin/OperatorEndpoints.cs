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
    // A member that nobody knows is one that somebody relies on: refused, not passed over.
    private static readonly JsonSerializerOptions Json = new(JsonSerializerOptions.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    public static void MapOperatorEndpoints(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/admin/clients", (HttpContext context) => RunAsync<ClientRegistration>(context, RegisterClient.RunAsync));
        routes.MapPost("/admin/users", (HttpContext context) => RunAsync<UserRegistration>(context, RegisterUser.RunAsync));
    }

    /// <summary>Binds an OAuth client or user of the gateway's own issuer to an actor, on the chain.</summary>
    internal static Task BindAsync(IServiceProvider services, Actor actor, string subject)
    {
        var key = CallerResolver.BindingKey(services.GetRequiredService<TokenIssuers>().Own, subject);
        var command = ChainCommands.BindClient(actor.Reference, Convert.FromHexString(actor.ActorId), key);
        return services.GetRequiredService<ILedgerJournal>().EnqueueAsync([command], CancellationToken.None);
    }

    /// <summary>A member of a registration that is not what it should be.</summary>
    internal static Outcome Bad(string member, string shouldBe) =>
        Outcome.Of(OutcomeCategory.Malformed, $"{member} is not {shouldBe}", member);

    /// <summary>Whether a text says something, in characters that every database keeps.</summary>
    internal static bool IsText(string? text) => !string.IsNullOrEmpty(text) && !text.Any(char.IsControl);

    /// <summary>Whether a text can be the name of somebody: as long as the tables of the issuer have room for.</summary>
    internal static bool IsName(string? text) => IsText(text) && text!.Length <= 100;

    private static async Task RunAsync<T>(HttpContext context, Func<HttpContext, T, Task<Outcome?>> register)
    {
        var response = await AnswerAsync(context, register);
        await response.WriteAsync(context, "");
    }

    private static async Task<FhirResponse> AnswerAsync<T>(HttpContext context, Func<HttpContext, T, Task<Outcome?>> register)
    {
        var caller = await context.RequestServices.GetRequiredService<CallerResolver>().ResolveAsync(context);
        if (caller.Failure is { } unknown) return FhirResponse.From(unknown);
        if (caller.Value.Kind != CallerKind.Operator)
        {
            var asked = context.Request.Path.ToString().TrimStart('/');
            var refusal = Outcome.Of(OutcomeCategory.Forbidden, "only the operator may do this");
            var denials = context.RequestServices.GetRequiredService<Denials>();
            return await denials.AnswerAsync(caller.Value, Interaction.Operation, asked, refusal);
        }
        if (!context.Request.HasJsonContentType()) return Refused(OutcomeCategory.UnsupportedMediaType, "send application/json");
        try
        {
            // JSON is UTF-8, whatever charset a header names (RFC 8259, 8.1).
            var registration = await JsonSerializer.DeserializeAsync<T>(context.Request.Body, Json, context.RequestAborted);
            if (registration is null) return Refused(OutcomeCategory.Malformed, "the body is not an object");
            var outcome = await register(context, registration);
            return outcome is null ? new FhirResponse(201, default(ReadOnlyMemory<byte>)) : FhirResponse.From(outcome);
        }
        catch (JsonException e)
        {
            return Refused(OutcomeCategory.Malformed, "the body is not the JSON that is asked for: " + e.Path);
        }
    }

    private static FhirResponse Refused(OutcomeCategory category, string text) => FhirResponse.From(Outcome.Of(category, text));
}
