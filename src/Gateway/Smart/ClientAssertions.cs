using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using OpenIddict.Server.AspNetCore;
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

    public static void TakeAssertionsOfSmart(this OpenIddictServerBuilder server, string publicUrl)
    {
        // SMART fixes the header typ "JWT" and the token endpoint as audience; OpenIddict by itself asks for the newer
        // client-authentication+jwt and the issuer. Both are taken.
        server.AddEventHandler<OpenIddictServerEvents.ValidateTokenContext>(handler => handler
            .UseInlineHandler(context =>
            {
                if (!IsAssertion(context)) return default;
                var parameters = context.TokenValidationParameters;
                parameters.ValidTypes = [.. parameters.ValidTypes ?? [], JsonWebTokenTypes.GenericJsonWebToken];
                parameters.ValidAlgorithms = Algorithms;
                context.ValidAudiences.Add(publicUrl + SmartPaths.Token);
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
                if (IsAssertion(context) && await ProblemAsync(context) is { } problem)
                    context.Reject(error: Errors.InvalidClient, description: problem);
            })
            .SetOrder(int.MaxValue - 100_000));
        // RFC 6749, 5.2, has one word for a client that did not prove who it is.
        server.AddEventHandler<OpenIddictServerEvents.ApplyTokenResponseContext>(handler => handler
            .UseInlineHandler(context =>
            {
                if (context.Response?.Error == Errors.InvalidToken) context.Response.Error = Errors.InvalidClient;
                return default;
            })
            .SetOrder(OpenIddictServerAspNetCoreHandlers.AttachHttpResponseCode<OpenIddictServerEvents.ApplyTokenResponseContext>
                .Descriptor.Order - 500));
    }

    private static bool IsAssertion(OpenIddictServerEvents.ValidateTokenContext context) =>
        context.ValidTokenTypes.Contains(TokenTypeIdentifiers.Private.ClientAssertion);

    private static async ValueTask<string?> ProblemAsync(OpenIddictServerEvents.ValidateTokenContext context)
    {
        var services = context.Transaction.GetHttpRequest()!.HttpContext.RequestServices;
        var now = services.GetRequiredService<TimeProvider>().GetUtcNow();
        var assertion = new JsonWebToken(context.Token);
        // One without exp reads as year 1.
        var expires = new DateTimeOffset(DateTime.SpecifyKind(assertion.ValidTo, DateTimeKind.Utc));
        if (expires <= now - Skew || expires > now + LongestLife + Skew)
            return "the assertion has no exp, or one that is not within the next five minutes";
        if (string.IsNullOrEmpty(assertion.Id)) return "the assertion has no jti";
        var key = SHA256.HashData(Encoding.UTF8.GetBytes($"{assertion.Issuer}\0{assertion.Id}"));
        var used = services.GetRequiredService<AuthDatabase>();
        return await used.UseOnceAsync(Convert.ToHexStringLower(key), now, expires + Skew, context.CancellationToken)
            ? null
            : "the assertion was used before";
    }
}
