using System.Security.Claims;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.IdentityModel.JsonWebTokens;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Smart;

/// <summary>
/// From a bearer token to a <see cref="Caller"/>: the token says which client or user, the chain says which actor that is and whether it
/// stands active. A token's own word on who its user is counts only from the gateway's own issuer.
/// </summary>
public sealed partial class CallerResolver(DirectoryStore directory, TokenCache cache, TokenIssuers issuers, TimeProvider time, ILogger<CallerResolver> log)
{
    /// <summary>Client id of the operator.</summary>
    public const string OperatorClient = "operator";

    private static readonly JsonWebTokenHandler Handler = new();

    /// <summary>The caller, or why there is none. The reason never says which check failed.</summary>
    public async Task<Result<Caller>> ResolveAsync(HttpContext context)
    {
        var header = context.Request.Headers.Authorization.ToString();
        if (!header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)) return Refused();
        var token = header[7..].Trim();
        if (token.Length is 0 or > 16 * 1024 || !Handler.CanReadToken(token)) return Refused();
        var principal = cache.Find(token) ?? await ValidateAsync(context, token);
        return principal is null ? Refused() : await ResolveAsync(principal, context.RequestAborted);
    }

    /// <summary>The key under which a client or user is bound to an actor on the chain, hex.</summary>
    /// <param name="issuer">Issuer of its tokens.</param>
    /// <param name="subject">Client id, or <c>user:</c> and the subject.</param>
    public static string BindingKey(string issuer, string subject) =>
        Convert.ToHexStringLower(Keccak256.Hash(Encoding.UTF8.GetBytes(issuer.TrimEnd('/')), [0], Encoding.UTF8.GetBytes(subject)));

    private static Outcome Refused() => Outcome.Of(OutcomeCategory.Unauthenticated, "a valid access token is required");

    private async Task<ClaimsPrincipal?> ValidateAsync(HttpContext context, string token)
    {
        // The issuer is read before it is believed, to choose who validates; an unknown one is nobody's.
        JsonWebToken unverified;
        try
        {
            unverified = Handler.ReadJsonWebToken(token);
        }
        catch (Exception e) when (e is ArgumentException or Microsoft.IdentityModel.Tokens.SecurityTokenException)
        {
            return null;
        }
        if (issuers.SchemeOf(unverified.Issuer) is not { } scheme) return null;
        var generation = cache.Generation;
        var result = await context.AuthenticateAsync(scheme);
        if (!result.Succeeded || result.Principal is null)
        {
            // For the operator alone: who sent it is told nothing.
            LogRefused(scheme, result.Failure?.Message ?? "no result");
            return null;
        }
        var expires = new DateTimeOffset(DateTime.SpecifyKind(unverified.ValidTo, DateTimeKind.Utc));
        if (expires > time.GetUtcNow()) cache.Add(token, result.Principal, expires, generation);
        return result.Principal;
    }

    private async ValueTask<Result<Caller>> ResolveAsync(ClaimsPrincipal principal, CancellationToken cancellation)
    {
        string? Claim(params string[] types)
        {
            foreach (var type in types)
                if (principal.FindFirst(type)?.Value is { Length: > 0 } value) return value;
            return null;
        }
        var issuer = Claim("iss") ?? issuers.Own;
        var client = Claim("client_id", "azp", "appid") ?? "";
        var subject = Claim("sub", ClaimTypes.NameIdentifier) ?? "";
        var scopes = new SmartScopes(Scopes(principal, issuer));
        var purposes = principal.FindAll("purpose_of_use").SelectMany(c => Texts(c.Value)).Distinct().ToList();
        var isOwn = issuer.TrimEnd('/') == issuers.Own;

        if (isOwn && client == OperatorClient) return new Caller(CallerKind.Operator, ActorKind.None, new Requester("Operator", null, null, null, true, purposes), client, scopes);
        var fhirUser = isOwn ? Claim("fhirUser") : null;
        if (fhirUser?.StartsWith("Patient/", StringComparison.Ordinal) == true)
            return new Caller(CallerKind.Patient, ActorKind.None, new Requester(fhirUser, null, null, fhirUser[8..], true, purposes), client, scopes);
        var isUser = subject.Length > 0 && subject != client;
        var actor = fhirUser is not null
            ? await directory.ActorAsync(fhirUser, cancellation)
            : await directory.ActorOfClientAsync(BindingKey(issuer, isUser ? "user:" + subject : client), cancellation);
        // A token that is good but bound to nobody: its denials are written down under what it calls itself.
        return actor is null
            ? new Caller(CallerKind.Unbound, ActorKind.None, new Requester("unbound client", null, null, null, false, purposes), client.Length > 0 ? client : subject, scopes)
            : ForActor(actor, client, purposes, scopes);
    }

    private IEnumerable<string> Scopes(ClaimsPrincipal principal, string issuer)
    {
        var scopes = principal.FindAll("scope").Concat(principal.FindAll("scp")).Concat(principal.FindAll("oi_scp")).SelectMany(c => c.Value.Split(' '));
        // Entra names what an application may do on its own "roles"; elsewhere roles are anything.
        if (issuers.SchemeOf(issuer) == AuthorizationServer.EntraScheme) scopes = scopes.Concat(principal.FindAll("roles").Select(c => c.Value)).Select(SmartScopes.FromEntra);
        return scopes.Distinct();
    }

    private static Caller ForActor(Actor actor, string client, IReadOnlyList<string> purposes, SmartScopes scopes) => actor.Kind == ActorKind.Practitioner
        // A practitioner acts for a hospital, and falls with it.
        ? new Caller(
            CallerKind.Practitioner, actor.Kind, new Requester(actor.Reference, actor.Hospital, actor.Reference, null, actor.IsActive, purposes), client, scopes)
        : new Caller(
            CallerKind.System, actor.Kind, new Requester(actor.Reference, actor.Reference, null, null, actor.IsActive, purposes), client, scopes);

    [LoggerMessage(Level = LogLevel.Information, Message = "A token of the scheme {Scheme} was refused: {Reason}")]
    private partial void LogRefused(string scheme, string reason);

    private static IEnumerable<string> Texts(string claim)
    {
        if (!claim.StartsWith('[')) return claim.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        try
        {
            return JsonSerializer.Deserialize<string[]>(claim) ?? [];
        }
        catch (JsonException)
        {
            return [];
        }
    }
}

/// <summary>Which authentication scheme validates the tokens of which issuer.</summary>
/// <param name="Own">The gateway's own issuer, without a slash at its end.</param>
/// <param name="Schemes">Schemes by issuer, without a slash at its end.</param>
public sealed record TokenIssuers(string Own, IReadOnlyDictionary<string, string> Schemes)
{
    /// <summary>The scheme for an issuer, or null for one that is not configured.</summary>
    public string? SchemeOf(string? issuer) => issuer is null ? null : Schemes.GetValueOrDefault(issuer.TrimEnd('/'));
}
