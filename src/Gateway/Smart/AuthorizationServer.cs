using System.Security.Claims;
using System.Security.Cryptography;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using OpenIddict.EntityFrameworkCore.Models;
using OpenIddict.Server;
using OpenIddict.Validation.AspNetCore;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;
using PmrGateway.Vault;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace PmrGateway.Gateway.Smart;

/// <summary>
/// The gateway's own issuer on OpenIddict: private_key_jwt client credentials for systems (SMART Backend Services), authorization code
/// with PKCE and a login page for people. No token code of ours: what is here is configuration, the login page and which claims go in.
/// </summary>
internal static class AuthorizationServer
{
    public static void AddAuthorizationServer(this IServiceCollection services, GatewayOptions options, Keyring keyring, BaseUrl baseUrl)
    {
        var file = Path.Combine(options.DataFolder, "auth.db");
        services.AddDbContext<AuthDatabase>(db =>
        {
            if (options.Store.Provider == "postgres") db.UseNpgsql(options.Store.ConnectionString);
            else db.UseSqlite($"Data Source={file}");
            db.UseOpenIddict();
        });
        services.AddSingleton(TokenCacheOf);
        services.AddSingleton<AuthSeals>();
        services.AddSingleton<IPasswordHasher<AuthUser>, PasswordHasher<AuthUser>>();
        services.AddOpenIddict()
            .AddCore(core =>
            {
                core.UseEntityFrameworkCore().UseDbContext<AuthDatabase>();
                core.ReplaceApplicationManager<OpenIddictEntityFrameworkCoreApplication, SealedClients>();
            })
            .AddServer(server => Configure(server, options.Auth, keyring, baseUrl))
            .AddValidation(validation =>
            {
                validation.UseLocalServer();
                validation.UseAspNetCore();
                // A token of ours is for this API (RFC 9068, 2.2), and an ID token for its app.
                validation.AddAudiences(baseUrl.Fhir);
                // A revoked token must not pass a cache that has forgotten it.
                validation.EnableTokenEntryValidation();
            });
        var schemes = services.AddAuthentication().AddIssuers(options.Auth);
        schemes[baseUrl.Public] = OpenIddictValidationAspNetCoreDefaults.AuthenticationScheme;
        services.AddSingleton(new TokenIssuers(baseUrl.Public, schemes));
        services.AddSingleton<CallerResolver>();
        services.AddMetrics().AddSingleton(new RefusalLimits(options.Auth)).AddSingleton<AuthRefusals>();
        services.AddHostedService(s => s.GetRequiredService<AuthRefusals>());
        services.AddSingleton<LoginForm>();
    }

    private static TokenCache TokenCacheOf(IServiceProvider services)
    {
        var cache = new TokenCache(services.GetRequiredService<TimeProvider>());
        services.GetRequiredService<RecordDatabase>().Heard += topic =>
        {
            if (topic is TokenCache.Revoked or "") cache.Clear();
        };
        return cache;
    }

    public static void MapAuthorizationServer(this IEndpointRouteBuilder routes)
    {
        routes.MapPost(SmartPaths.Token, TokenEndpoint.RunAsync);
        routes.MapMethods(SmartPaths.Authorize, ["GET", "POST"], AuthorizeEndpoint.RunAsync);
    }

    private static void Configure(OpenIddictServerBuilder server, AuthOptions options, Keyring keyring, BaseUrl baseUrl)
    {
        server.SetIssuer(baseUrl.Issuer)
            .SetAuthorizationEndpointUris(SmartPaths.Authorize[1..])
            .SetTokenEndpointUris(SmartPaths.Token[1..])
            .SetRevocationEndpointUris(SmartPaths.Revoke[1..])
            .SetJsonWebKeySetEndpointUris(SmartPaths.Keys[1..])
            .SetConfigurationEndpointUris(SmartPaths.OpenIdConfiguration[1..]);
        server.AllowClientCredentialsFlow().AllowAuthorizationCodeFlow().RequireProofKeyForCodeExchange();
        server.Configure(o => o.CodeChallengeMethods.Remove(CodeChallengeMethods.Plain));
        server.SetAccessTokenLifetime(options.TokenLifetime);
        // SMART scopes are a grammar, not a list: they are checked against each client's own in the token endpoint.
        server.DisableScopeValidation().IgnoreScopePermissions();
        server.DisableAccessTokenEncryption();
        server.AddSigningKey(SigningKey(keyring)).AddEncryptionKey(new SymmetricSecurityKey(keyring.Derive("oauth encryption")));
        server.AddEventHandler<OpenIddictServerEvents.ApplyRevocationResponseContext>(handler => handler.UseInlineHandler(async context =>
        {
            Tell(context);
            // Told to all, this process included, before the answer: who has it may rely on it.
            if (context.Transaction.GetHttpRequest()?.HttpContext is { } http)
                await http.RequestServices.GetRequiredService<RecordDatabase>().TellAsync(TokenCache.Revoked, CancellationToken.None);
        }));
        server.AddEventHandler<OpenIddictServerEvents.ApplyTokenResponseContext>(handler => handler.UseInlineHandler(context =>
        {
            Tell(context);
            return default;
        }));
        server.AddEventHandler<OpenIddictServerEvents.ApplyTokenResponseContext>(handler => handler.UseInlineHandler(async context =>
        {
            // A code that comes again was stolen: OpenIddict has revoked what was given for it, and nobody may have it in a cache.
            var isReplay = context.Response?.ErrorDescription == OpenIddictResources.GetResourceString(OpenIddictResources.ID2010);
            if (isReplay && context.Transaction.GetHttpRequest()?.HttpContext is { } http)
                await http.RequestServices.GetRequiredService<RecordDatabase>().TellAsync(TokenCache.Revoked, CancellationToken.None);
        }).SetOrder(int.MinValue + 100_000));
        // OpenIddict says what was granted where that is not what was asked for; SMART has it said always (backend-services.html).
        server.AddEventHandler<OpenIddictServerEvents.ProcessSignInContext>(handler => handler
            .UseInlineHandler(context =>
            {
                if (context.AccessTokenPrincipal is { } granted) context.Response.Scope = string.Join(' ', granted.GetScopes());
                return default;
            })
            .SetOrder(OpenIddictServerHandlers.AttachSignInParameters.Descriptor.Order + 500));
        // Before OpenIddict looks, which would say that all went well.
        server.AddEventHandler<OpenIddictServerEvents.ValidateRevocationRequestContext>(handler => handler
            .UseInlineHandler(context =>
            {
                if (!IsIssuedTo(context.GenericTokenPrincipal, context.ClientId))
                    context.Reject(error: Errors.InvalidRequest, description: "the token was not issued to this client");
                return default;
            })
            .SetOrder(OpenIddictServerHandlers.Revocation.ValidateAuthorizedParty.Descriptor.Order - 500));
        server.TakeAssertionsOfSmart(baseUrl);
        // Nobody has a secret: what the host adds besides would be offered and not work.
        server.Services.PostConfigure<OpenIddictServerOptions>(o => o.ClientAuthenticationMethods.RemoveWhere(
            method => method is ClientAuthenticationMethods.ClientSecretBasic or ClientAuthenticationMethods.ClientSecretPost));
        // TLS ends in front of the gateway, which listens on the loopback.
        server.UseAspNetCore()
            .EnableAuthorizationEndpointPassthrough()
            .EnableTokenEndpointPassthrough()
            .DisableTransportSecurityRequirement();
    }

    // A token is ended by whom it was issued to, and by nobody else who has come by it (RFC 7009, 2.1).
    private static bool IsIssuedTo(ClaimsPrincipal? token, string? client) =>
        token is not null && client is not null && (token.GetClaim(Claims.ClientId) == client || token.HasPresenter(client));

    // What was refused because of who asked; not what a client that is known may not ask for.
    private static void Tell(OpenIddictServerEvents.BaseRequestContext context)
    {
        var reason = context.Transaction.Response?.Error switch
        {
            Errors.InvalidClient => AuthRefusals.Client,
            Errors.InvalidGrant => AuthRefusals.Code,
            _ => null,
        };
        if (reason is not null) context.Transaction.GetHttpRequest()?.HttpContext.Features.Set(new RefusedLogin(reason));
    }

    // The same key after a restart and on every replica, from the one secret that they share.
    private static ECDsaSecurityKey SigningKey(Keyring keyring)
    {
        var d = keyring.Derive("oauth signing");
        // Below the order of P-256 whatever the 32 bytes are, at a loss of one bit.
        d[0] &= 0x7f;
        return new ECDsaSecurityKey(ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = d }));
    }
}
