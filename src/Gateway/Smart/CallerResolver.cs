using System.Security.Claims;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Authentication;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Smart;

/// <summary>
/// From a bearer token to a <see cref="Caller"/>: the token says which client or user, the chain says which actor that is and whether it
/// stands active. A token's own word on who its user is counts only from the gateway's own issuer.
/// </summary>
internal sealed partial class CallerResolver(
    DirectoryStore directory, TokenCache cache, TokenIssuers issuers, AuthRefusals refusals, RefusalLimits limits, ScopeReader scopes,
    TimeProvider time, ILogger<CallerResolver> log)
{
    /// <summary>Client id of the operator.</summary>
    public const string OperatorClient = "operator";

    /// <summary>How far another issuer's clock may be from ours.</summary>
    public static readonly TimeSpan Skew = TimeSpan.FromSeconds(30);

    private static readonly JsonWebTokenHandler Handler = new();

    private static readonly HashSet<string> AccessTokenTypes =
        new(["JWT", "at+jwt", "application/at+jwt"], StringComparer.OrdinalIgnoreCase);

    // What says that a token tells an app of a login, which is no leave to ask here (RFC 9068, 5; OpenID Connect Core, 2).
    private static readonly string[] OfIdTokens = ["nonce", "at_hash", "c_hash"];

    /// <summary>The caller, or why there is none. The reason never says which check failed.</summary>
    public async Task<Result<Caller>> ResolveAsync(HttpContext context)
    {
        var header = context.Request.Headers.Authorization.ToString();
        var token = header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) ? header[7..].Trim() : "";
        if ((cache.Find(token) ?? await ValidateAsync(context, token)) is not { } known) return Refused(context, token);
        var caller = await ResolveAsync(known, context.RequestAborted);
        return caller.Failure is null
            ? caller.Value with
            {
                RefusedByNowAsync = stop => RefusedByNowAsync(context, token, caller.Value, stop),
                Trace = TraceOf(context, known),
                Claimed = IsClaimedInVain(known, caller.Value) ? [SmartClaims.BreakGlass] : [],
            }
            : caller;
    }

    private async ValueTask<Outcome?> RefusedByNowAsync(
        HttpContext context, string token, Caller before, CancellationToken cancellation)
    {
        if (cache.Find(token) is { } found) return await RefusalAsync(found);
        // What authenticates keeps its answer as long as the request: a revoked token is validated as another one that shows it.
        await using var scope = context.RequestServices.CreateAsyncScope();
        var request = context.Request;
        var again = new DefaultHttpContext { RequestServices = scope.ServiceProvider, RequestAborted = cancellation };
        (again.Request.Scheme, again.Request.Host, again.Request.PathBase, again.Request.Path) =
            (request.Scheme, request.Host, request.PathBase, request.Path);
        again.Request.Headers.Authorization = request.Headers.Authorization;
        again.Connection.RemoteIpAddress = context.Connection.RemoteIpAddress;
        return await ValidateAsync(again, token) is { } known
            ? await RefusalAsync(known)
            : Outcome.Of(OutcomeCategory.Unauthenticated, "a valid access token is required");

        async ValueTask<Outcome?> RefusalAsync(KnownToken known)
        {
            var caller = await ResolveAsync(known, cancellation);
            if ((caller.Failure ?? caller.Value.RefuseAll()) is { } refusal) return refusal;
            // A client may be another's by now, a practitioner at another hospital, breaking the glass no longer be allowed.
            return IsSame(before, caller.Value)
                ? null
                : Outcome.Of(OutcomeCategory.Forbidden, "who asks is another one now than when the request began");
        }
    }

    private static bool IsSame(Caller a, Caller b) =>
        (a.Kind, a.ActorKind, a.Reason, a.Requester.Subject, a.Requester.Organization, a.Requester.Author, a.Requester.Office)
            == (b.Kind, b.ActorKind, b.Reason, b.Requester.Subject, b.Requester.Organization, b.Requester.Author, b.Requester.Office)
        && a.Requester.Purposes.SequenceEqual(b.Requester.Purposes);

    private static bool IsClaimedInVain(KnownToken token, Caller caller) =>
        token.Purposes.Contains(SmartClaims.BreakGlass) && !caller.Requester.Purposes.Contains(SmartClaims.BreakGlass);

    private static RequestTrace TraceOf(HttpContext context, KnownToken token)
    {
        var request = context.Request.Headers["X-Request-Id"].ToString();
        return new RequestTrace(ClientAddress.Of(context), token.Id, ResourceId.IsId(request) ? request : null);
    }

    /// <summary>The key under which a client or user is bound to an actor on the chain, hex.</summary>
    /// <param name="issuer">Issuer of its tokens.</param>
    /// <param name="subject">Client id, or <c>user:</c> and the subject.</param>
    public static string BindingKey(string issuer, string subject) =>
        Convert.ToHexStringLower(Keccak256.Hash(Encoding.UTF8.GetBytes(issuer.TrimEnd('/')), [0], Encoding.UTF8.GetBytes(subject)));

    // The reason never says which check failed.
    private Outcome Refused(HttpContext context, string token)
    {
        var origin = OriginOf(context, Unverified(token));
        if (limits.TokensWait(origin) is { } wait)
        {
            refusals.Count(AuthRefusals.Limit);
            return Outcome.Of(OutcomeCategory.TooMany, "too many requests without a valid access token: try again later") with
            {
                RetryAfter = wait,
            };
        }
        refusals.Count(AuthRefusals.Token);
        limits.CountToken(origin);
        return Outcome.Of(OutcomeCategory.Unauthenticated, "a valid access token is required");
    }

    private static RefusalLimits.Origin OriginOf(HttpContext context, JsonWebToken? unverified) => RefusalLimits.Origin.Of(
        context, unverified is null ? "" : $"{unverified.Issuer} {unverified.Subject}");

    private static JsonWebToken? Unverified(string token)
    {
        if (token.Length is 0 or > 16 * 1024 || !Handler.CanReadToken(token)) return null;
        try
        {
            return Handler.ReadJsonWebToken(token);
        }
        catch (Exception e) when (e is ArgumentException or Microsoft.IdentityModel.Tokens.SecurityTokenException)
        {
            return null;
        }
    }

    private async Task<KnownToken?> ValidateAsync(HttpContext context, string token)
    {
        // The issuer is read before it is believed, to choose who validates; an unknown one is nobody's.
        if (Unverified(token) is not { } unverified || issuers.SchemeOf(unverified.Issuer) is not { } scheme) return null;
        // A signature is not checked for who has shown too many that were none.
        if (limits.TokensWait(OriginOf(context, unverified)) is not null) return null;
        var generation = cache.Generation;
        // OpenIddict begins its part of a request here; the middleware that would ask all schemes is not on this path.
        var handlers = context.RequestServices.GetRequiredService<IAuthenticationHandlerProvider>();
        if (await handlers.GetHandlerAsync(context, scheme) is IAuthenticationRequestHandler handler) await handler.HandleRequestAsync();
        var result = await context.AuthenticateAsync(scheme);
        var refusal = result.Principal is null ? result.Failure?.Message ?? "no result" : NoAccessToken(unverified);
        if (!result.Succeeded || result.Principal is null || refusal is not null)
        {
            // For the operator alone: who sent it is told nothing.
            LogRefused(scheme, refusal ?? "no result");
            return null;
        }
        var expires = new DateTimeOffset(DateTime.SpecifyKind(unverified.ValidTo, DateTimeKind.Utc));
        var known = Read(result.Principal, unverified);
        if (expires > time.GetUtcNow()) cache.Add(token, known, expires, generation);
        return known;
    }

    // Why a token with a good signature is none that is shown here; null: it may be one.
    private string? NoAccessToken(JsonWebToken token)
    {
        if (JoseHeader.Problem(token) is { } problem) return problem;
        if (token.Typ is { Length: > 0 } type && !AccessTokenTypes.Contains(type)) return "its type is not that of an access token";
        if (OfIdTokens.FirstOrDefault(name => token.TryGetPayloadValue<object>(name, out _)) is { } claim)
            return $"it is an ID token, by its claim {claim}";
        return token.IssuedAt > (time.GetUtcNow() + Skew).UtcDateTime ? "it will be issued in the future" : null;
    }

    // token: the same, of which the principal was made; it says how its claims were written.
    private KnownToken Read(ClaimsPrincipal principal, JsonWebToken token)
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
        var isUser = subject.Length > 0 && subject != client;
        var isOwn = issuer.TrimEnd('/') == issuers.Own;
        return new KnownToken(
            isOwn && client == OperatorClient,
            client.Length > 0 ? client : subject,
            isOwn ? Claim(SmartClaims.FhirUser) : null,
            BindingKey(issuer, isUser ? "user:" + subject : client),
            // A name means something with its issuer only.
            "client:" + (isOwn ? client : $"{issuer} {(isUser ? subject : client)}"),
            scopes.Read(Scopes(principal, token, issuer).Distinct()),
            [.. principal.FindAll(SmartClaims.PurposeOfUse).SelectMany(c => Texts(c.Value)).Distinct()],
            GlassReason.Of(Claim(SmartClaims.Reason)),
            Claim("jti", "oi_tkn_id") is { } id && IsUriPart(id) ? id : null);
    }

    private async ValueTask<Result<Caller>> ResolveAsync(KnownToken token, CancellationToken cancellation)
    {
        var (client, scopes, purposes) = (token.Client, token.Scopes, token.Purposes.Where(p => p != SmartClaims.BreakGlass).ToList());
        if (token.IsOperator)
        {
            var self = new Requester(WriteFlow.OperatorCustodian, null, null, null, true, purposes)
            {
                Author = WriteFlow.OperatorCustodian,
            };
            return new Caller(CallerKind.Operator, ActorKind.None, self, client, scopes);
        }
        if (token.FhirUser?.StartsWith("Patient/", StringComparison.Ordinal) == true)
        {
            var patient = new Requester(token.FhirUser, null, null, token.FhirUser[8..], true, purposes) { Author = token.FhirUser };
            return new Caller(CallerKind.Patient, ActorKind.None, patient, client, scopes);
        }
        var actor = token.FhirUser is { } user
            ? await directory.ActorAsync(user, cancellation)
            : await directory.ActorOfClientAsync(token.Binding, cancellation);
        if (actor is not null) return ForActor(actor, actor.ActsAt(time.GetUtcNow()), token, purposes);
        // A token that is good but bound to nobody: its denials are written down under what it calls itself.
        var unbound = new Requester("unbound client", null, null, null, false, purposes);
        return new Caller(CallerKind.Unbound, ActorKind.None, unbound, client, scopes);
    }

    private IEnumerable<string> Scopes(ClaimsPrincipal principal, JsonWebToken token, string issuer)
    {
        if (issuer.TrimEnd('/') == issuers.Own) return principal.GetScopes();
        using var payload = JsonDocument.Parse(Base64UrlEncoder.Decode(token.EncodedPayload));
        List<string> scopes = [.. ScopesOf(payload, "scope"), .. ScopesOf(payload, "scp")];
        if (issuers.SchemeOf(issuer) != TokenIssuers.Entra) return scopes;
        // Entra names what an application may do on its own "roles"; elsewhere roles are anything.
        return scopes.Concat(principal.FindAll("roles").Select(c => c.Value)).Select(SmartScope.FromEntra);
    }

    // A text is scopes with spaces between them (RFC 8693, 4.2; RFC 9068, 2.2.3). Some issuers write an array: each of its elements is one
    // scope. None has a space (RFC 6749, 3.3): cut there, one that has would become others, which nobody granted.
    private static IEnumerable<string> ScopesOf(JsonDocument payload, string claim) =>
        !payload.RootElement.TryGetProperty(claim, out var value) ? []
        : value.ValueKind == JsonValueKind.String ? value.GetString()!.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        : value.ValueKind != JsonValueKind.Array ? []
        : [.. value.EnumerateArray().Where(e => e.ValueKind == JsonValueKind.String).Select(e => e.GetString()!).Where(IsOne)];

    private static bool IsOne(string scope) => !scope.Any(char.IsWhiteSpace);

    // A person who says why may break the glass, where that person's hospital has a policy on it; to a system, and without a reason, it
    // is no purpose. Who breaks it does so for nothing else besides: what the patient is told of is all that was read.
    private static Caller ForActor(Actor actor, bool isActive, KnownToken token, IReadOnlyList<string> purposes)
    {
        if (actor.Kind != ActorKind.Practitioner)
        {
            var system = new Requester(actor.Reference, actor.Reference, null, null, isActive, purposes)
            {
                // A client that is given to another hospital takes nothing along.
                Author = $"{token.Author} {actor.Reference}",
                Office = actor.Kind == ActorKind.Hospital ? Requester.OfficeOf(actor.Reference) : "",
            };
            return new Caller(CallerKind.System, actor.Kind, system, token.Client, token.Scopes);
        }
        var breaksGlass = token.Reason is not null && token.Purposes.Contains(SmartClaims.BreakGlass)
            && actor.GlassPolicy is not null;
        // A practitioner acts for a hospital, and falls with it.
        var practitioner = new Requester(
            actor.Reference, actor.Hospital, actor.Reference, null, isActive, breaksGlass ? [SmartClaims.BreakGlass] : purposes)
        {
            Author = actor.Reference,
        };
        return new Caller(CallerKind.Practitioner, actor.Kind, practitioner, token.Client, token.Scopes)
        {
            Reason = breaksGlass ? token.Reason : null,
        };
    }

    // To be switched on where a client's tokens are refused and nobody knows why; what is counted has its own line.
    [LoggerMessage(Level = LogLevel.Debug, Message = "A token of the scheme {Scheme} was refused: {Reason}")]
    private partial void LogRefused(string scheme, string reason);

    // The id of a token goes into a URI of the audit log.
    private static bool IsUriPart(string id) =>
        id.Length <= 200 && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_');

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

/// <summary>What a validated token says of who shows it.</summary>
/// <param name="IsOperator">Whether it is the operator's.</param>
/// <param name="Client">OAuth client id; the subject where the issuer names no client.</param>
/// <param name="FhirUser">Of the gateway's own tokens: who logged in, or null.</param>
/// <param name="Binding">The key under which an actor is bound to it on the chain.</param>
/// <param name="Author">As whom a system writes with it (<see cref="Requester.Author"/>).</param>
/// <param name="Scopes">Its resource scopes.</param>
/// <param name="Purposes">Its purposes of use.</param>
/// <param name="Reason">Why the glass is broken, or null.</param>
/// <param name="Id">Its id, or null.</param>
internal sealed record KnownToken(
    bool IsOperator, string Client, string? FhirUser, string Binding, string Author, SmartScopes Scopes, IReadOnlyList<string> Purposes,
    string? Reason, string? Id);
