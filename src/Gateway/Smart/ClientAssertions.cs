using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using PmrGateway.Gateway.Options;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace PmrGateway.Gateway.Smart;

/// <summary>
/// What a system shows to get a token: a JWT by its own key. Checked by OpenIddict, with the rules that SMART adds:
/// https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html
/// </summary>
internal static class ClientAssertions
{
    /// <summary>How assertions are signed; SMART configuration tells clients.</summary>
    public static readonly string[] Algorithms =
        [SecurityAlgorithms.RsaSha384, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha256];

    // "no more than five minutes in the future"; clocks differ.
    private static readonly TimeSpan LongestLife = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(30);

    // Set while an assertion is looked at, and taken away from one that is good: what is refused meanwhile is refused for it.
    private const string Unproven = "pmr.assertion";

    public static void TakeAssertionsOfSmart(this OpenIddictServerBuilder server, BaseUrl baseUrl)
    {
        string[] audiences = [baseUrl.Public + SmartPaths.Token, baseUrl.Issuer, baseUrl.Public];
        // SMART fixes the header typ "JWT" and the token endpoint as audience; OpenIddict by itself asks for the newer
        // client-authentication+jwt and the issuer. Both are taken.
        server.AddEventHandler<OpenIddictServerEvents.ValidateTokenContext>(handler => handler
            .UseInlineHandler(context =>
            {
                if (!IsAssertion(context)) return default;
                context.Transaction.Properties[Unproven] = context.Token;
                if (Problem(context, audiences) is { } problem)
                {
                    context.Reject(error: Errors.InvalidClient, description: problem);
                    return default;
                }
                var parameters = context.TokenValidationParameters;
                parameters.ValidTypes = [.. parameters.ValidTypes ?? [], JsonWebTokenTypes.GenericJsonWebToken];
                parameters.ValidAlgorithms = Algorithms;
                var ofClient = parameters.IssuerSigningKeyResolver;
                parameters.TryAllIssuerSigningKeys = false;
                parameters.IssuerSigningKeyResolver = (text, token, kid, all) => SigningKeys.Named(ofClient(text, token, kid, all), kid);
                context.ValidAudiences.Add(baseUrl.Public + SmartPaths.Token);
                return default;
            })
            .SetOrder(OpenIddictServerHandlers.Protection.ResolveTokenValidationParameters.Descriptor.Order + 500));
        // From there on OpenIddict takes typ "JWT" for an identity token; the signature was checked with the client's own keys.
        server.AddEventHandler<OpenIddictServerEvents.ValidateTokenContext>(handler => handler
            .UseInlineHandler(context =>
            {
                if (IsAssertion(context) && context.Principal?.GetTokenType() == TokenTypeIdentifiers.IdentityToken)
                    context.Principal.SetTokenType(TokenTypeIdentifiers.Private.ClientAssertion);
                return default;
            })
            .SetOrder(OpenIddictServerHandlers.Protection.ValidatePrincipal.Descriptor.Order - 500));
        // Last of all: only one that is good for everything else is used up.
        server.AddEventHandler<OpenIddictServerEvents.ValidateTokenContext>(handler => handler
            .UseInlineHandler(async context =>
            {
                if (!IsAssertion(context)) return;
                if (await IsFirstUseAsync(context)) context.Transaction.Properties.Remove(Unproven);
                else context.Reject(error: Errors.InvalidClient, description: "the assertion was used before");
            })
            .SetOrder(int.MaxValue - 100_000));
        server.TellOfClientsAlike<OpenIddictServerEvents.ApplyTokenResponseContext>();
        server.TellOfClientsAlike<OpenIddictServerEvents.ApplyRevocationResponseContext>();
    }

    // RFC 6749, 5.2, has one word for a client that did not prove who it is, and who asks learns no more: neither which clients there are
    // nor what was wrong.
    private static void TellOfClientsAlike<T>(this OpenIddictServerBuilder server)
        where T : OpenIddictServerEvents.BaseRequestContext => server.AddEventHandler<T>(handler => handler
        .UseInlineHandler(context =>
        {
            if (context.Transaction.Response is not { Error: { } error } response) return default;
            response.ErrorUri = null;
            if (error != Errors.InvalidClient && !context.Transaction.Properties.ContainsKey(Unproven)) return default;
            response.Error = Errors.InvalidClient;
            response.ErrorDescription = "the client is not known, or has not shown that it is who it says";
            return default;
        })
        .SetOrder(int.MinValue + 200_000));

    private static bool IsAssertion(OpenIddictServerEvents.ValidateTokenContext context) =>
        context.ValidTokenTypes.Contains(TokenTypeIdentifiers.Private.ClientAssertion);

    private static DateTimeOffset NowOf(OpenIddictServerEvents.ValidateTokenContext context) =>
        context.Transaction.GetHttpRequest()!.HttpContext.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow();

    // What an assertion says, before its signature is looked at.
    private static string? Problem(OpenIddictServerEvents.ValidateTokenContext context, string[] audiences)
    {
        try
        {
            var assertion = new JsonWebToken(context.Token);
            return JoseHeader.Problem(assertion)
                ?? PartiesProblem(assertion, context.Transaction.Request?.ClientId, audiences)
                ?? TimesProblem(assertion, NowOf(context));
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException or SecurityTokenException)
        {
            return "the assertion is no JWT";
        }
    }

    private static string? PartiesProblem(JsonWebToken assertion, string? clientId, string[] audiences)
    {
        var issuer = assertion.Issuer;
        if (string.IsNullOrEmpty(issuer) || assertion.Subject != issuer) return "iss and sub are not both the client's id";
        if (clientId is { Length: > 0 } && clientId != issuer) return "the assertion is not of the client that client_id names";
        if (assertion.Audiences.ToList() is not [var audience] || !audiences.Contains(audience))
            return "aud is not the token endpoint alone";
        return string.IsNullOrEmpty(assertion.Id) ? "the assertion has no jti" : null;
    }

    private static string? TimesProblem(JsonWebToken assertion, DateTimeOffset now)
    {
        // One without exp reads as year 1, as does one without nbf or iat.
        var expires = Instant(assertion.ValidTo);
        if (expires <= now - Skew || expires > now + LongestLife + Skew)
            return "the assertion has no exp, or one that is not within the next five minutes";
        return Instant(assertion.ValidFrom) > now + Skew || Instant(assertion.IssuedAt) > now + Skew
            ? "the assertion is not good yet"
            : null;
    }

    private static DateTimeOffset Instant(DateTime utc) => new(DateTime.SpecifyKind(utc, DateTimeKind.Utc));

    private static async ValueTask<bool> IsFirstUseAsync(OpenIddictServerEvents.ValidateTokenContext context)
    {
        var assertion = new JsonWebToken(context.Token);
        var key = SHA256.HashData(Encoding.UTF8.GetBytes($"{assertion.Issuer}\0{assertion.Id}"));
        var used = context.Transaction.GetHttpRequest()!.HttpContext.RequestServices.GetRequiredService<AuthDatabase>();
        return await used.UseOnceAsync(
            Convert.ToHexStringLower(key), NowOf(context), Instant(assertion.ValidTo) + Skew, context.CancellationToken);
    }
}
