using System.Collections.Immutable;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.Identity.Web;
using Microsoft.IdentityModel.Tokens;
using OpenIddict.Abstractions;
using OpenIddict.Server;
using OpenIddict.Server.AspNetCore;
using OpenIddict.Validation.AspNetCore;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Vault;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace PmrGateway.Gateway.Smart;

/// <summary>
/// The gateway's own issuer on OpenIddict: private_key_jwt client credentials for systems (SMART Backend Services), authorization code
/// with PKCE and a login page for people. No token code of ours: what is here is configuration, the login page and which claims go in.
/// </summary>
internal static class AuthorizationServer
{
    /// <summary>Authentication scheme of Microsoft Entra ID.</summary>
    public const string EntraScheme = "entra";

    /// <summary>Property of a client: the scopes it may ask for.</summary>
    public const string ScopesProperty = "pmr_scopes";

    /// <summary>Property of a client: the purposes of use it may act for.</summary>
    public const string PurposesProperty = "pmr_purposes";

    public static void AddAuthorizationServer(this IServiceCollection services, GatewayOptions options, Keyring keyring, string publicUrl)
    {
        var file = Path.Combine(options.DataFolder, "auth.db");
        services.AddDbContext<AuthDatabase>(db => db.UseSqlite($"Data Source={file}").UseOpenIddict());
        services.AddSingleton<TokenCache>();
        services.AddSingleton<IPasswordHasher<AuthUser>, PasswordHasher<AuthUser>>();
        services.AddOpenIddict()
            .AddCore(core => core.UseEntityFrameworkCore().UseDbContext<AuthDatabase>())
            .AddServer(server =>
            {
                server.SetIssuer(publicUrl)
                    .SetAuthorizationEndpointUris("connect/authorize")
                    .SetTokenEndpointUris("connect/token")
                    .SetRevocationEndpointUris("connect/revoke")
                    .SetJsonWebKeySetEndpointUris(".well-known/jwks")
                    .SetConfigurationEndpointUris(".well-known/openid-configuration");
                server.AllowClientCredentialsFlow().AllowAuthorizationCodeFlow().RequireProofKeyForCodeExchange();
                server.Configure(o => o.CodeChallengeMethods.Remove(CodeChallengeMethods.Plain));
                server.SetAccessTokenLifetime(options.Auth.TokenLifetime);
                // SMART scopes are a grammar, not a list: they are checked against each client's own in the token endpoint.
                server.DisableScopeValidation().IgnoreScopePermissions();
                server.DisableAccessTokenEncryption();
                server.AddSigningKey(SigningKey(keyring)).AddEncryptionKey(new SymmetricSecurityKey(keyring.Derive("oauth encryption")));
                server.AddEventHandler<OpenIddictServerEvents.ApplyRevocationResponseContext>(handler => handler.UseInlineHandler(context =>
                {
                    context.Transaction.GetHttpRequest()?.HttpContext.RequestServices.GetRequiredService<TokenCache>().Clear();
                    return default;
                }));
                // SMART (client-confidential-asymmetric) fixes the header typ "JWT" and the token endpoint as audience of a client's
                // assertion; OpenIddict by itself asks for the newer client-authentication+jwt and the issuer. Both are taken.
                server.AddEventHandler<OpenIddictServerEvents.ValidateTokenContext>(handler => handler
                    .UseInlineHandler(context =>
                    {
                        if (!context.ValidTokenTypes.Contains(TokenTypeIdentifiers.Private.ClientAssertion)) return default;
                        context.TokenValidationParameters.ValidTypes = [.. context.TokenValidationParameters.ValidTypes ?? [], JsonWebTokenTypes.GenericJsonWebToken];
                        context.ValidAudiences.Add(publicUrl + "/connect/token");
                        return default;
                    })
                    .SetOrder(OpenIddictServerHandlers.Protection.ResolveTokenValidationParameters.Descriptor.Order + 500));
                // From there on OpenIddict takes typ "JWT" for an identity token; the signature was checked with the client's own keys.
                server.AddEventHandler<OpenIddictServerEvents.ValidateTokenContext>(handler => handler
                    .UseInlineHandler(context =>
                    {
                        if (context.ValidTokenTypes.Contains(TokenTypeIdentifiers.Private.ClientAssertion) && context.Principal?.GetTokenType() == TokenTypeIdentifiers.IdentityToken)
                            context.Principal.SetTokenType(TokenTypeIdentifiers.Private.ClientAssertion);
                        return default;
                    })
                    .SetOrder(OpenIddictServerHandlers.Protection.ValidatePrincipal.Descriptor.Order - 500));
                // TLS ends in front of the gateway, which listens on the loopback.
                server.UseAspNetCore().EnableAuthorizationEndpointPassthrough().EnableTokenEndpointPassthrough().DisableTransportSecurityRequirement();
            })
            .AddValidation(validation =>
            {
                validation.UseLocalServer();
                validation.UseAspNetCore();
                // A revoked token must not pass a cache that has forgotten it.
                validation.EnableTokenEntryValidation();
            });

        var schemes = new Dictionary<string, string> { [publicUrl] = OpenIddictValidationAspNetCoreDefaults.AuthenticationScheme };
        var authentication = services.AddAuthentication();
        for (var i = 0; i < options.Auth.Issuers.Count; i++)
        {
            var (issuer, scheme) = (options.Auth.Issuers[i], $"issuer{i}");
            schemes[issuer.Authority.TrimEnd('/')] = scheme;
            authentication.AddJwtBearer(scheme, bearer =>
            {
                bearer.Authority = issuer.Authority;
                bearer.Audience = issuer.Audience;
                bearer.MapInboundClaims = false;
                bearer.RequireHttpsMetadata = new Uri(issuer.Authority).Scheme == "https";
                bearer.TokenValidationParameters.ClockSkew = TimeSpan.FromSeconds(30);
            });
        }
        if (options.Auth.Entra is { } entra)
        {
            var issuer = $"{entra.Instance.TrimEnd('/')}/{entra.TenantId}/v2.0";
            authentication.AddMicrosoftIdentityWebApi(
                bearer =>
                {
                    bearer.MapInboundClaims = false;
                    bearer.RequireHttpsMetadata = new Uri(entra.Instance).Scheme == "https";
                    // One tenant, one issuer: the library's own check would also take its aliases, to which no actor is ever bound.
                    bearer.TokenValidationParameters.IssuerValidator = (found, _, _) =>
                        found == issuer ? found : throw new SecurityTokenInvalidIssuerException($"the issuer is not {issuer}") { InvalidIssuer = found };
                },
                id => (id.Instance, id.TenantId, id.ClientId) = (entra.Instance, entra.TenantId, entra.ClientId),
                EntraScheme);
            schemes[issuer] = EntraScheme;
        }
        services.AddSingleton(new TokenIssuers(publicUrl, schemes));
        services.AddSingleton<CallerResolver>();
    }

    public static void MapAuthorizationServer(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/connect/token", TokenAsync);
        routes.MapMethods("/connect/authorize", ["GET", "POST"], AuthorizeAsync);
    }

    private static async Task<IResult> TokenAsync(HttpContext context, IOpenIddictApplicationManager applications)
    {
        var request = context.GetOpenIddictServerRequest()!;
        if (request.IsAuthorizationCodeGrantType())
        {
            var result = await context.AuthenticateAsync(OpenIddictServerAspNetCoreDefaults.AuthenticationScheme);
            return result.Principal is { } user ? SignIn(user) : Refuse(Errors.InvalidGrant, "the code is not valid");
        }
        var application = await applications.FindByClientIdAsync(request.ClientId!, context.RequestAborted);
        var properties = await applications.GetPropertiesAsync(application!, context.RequestAborted);
        var (allowed, purposes) = (Texts(properties, ScopesProperty), Texts(properties, PurposesProperty));
        var scopes = request.GetScopes();
        if (scopes.Length == 0 || scopes.Except(allowed).Any()) return Refuse(Errors.InvalidScope, "a scope was asked for that this client is not registered for");
        if (request["purpose_of_use"]?.ToString() is { Length: > 0 } wanted)
        {
            if (!purposes.Contains(wanted)) return Refuse(Errors.InvalidRequest, "the client is not registered for this purpose_of_use");
            purposes = [wanted];
        }
        var identity = new ClaimsIdentity(OpenIddictServerAspNetCoreDefaults.AuthenticationScheme);
        identity.SetClaim(Claims.Subject, request.ClientId).SetScopes(scopes).SetClaims("purpose_of_use", [.. purposes]);
        identity.SetDestinations(_ => [Destinations.AccessToken]);
        return SignIn(new ClaimsPrincipal(identity));
    }

    private static async Task<IResult> AuthorizeAsync(HttpContext context, AuthDatabase users, IPasswordHasher<AuthUser> hasher, IOpenIddictApplicationManager applications)
    {
        var request = context.GetOpenIddictServerRequest()!;
        var form = HttpMethods.IsPost(context.Request.Method) && context.Request.HasFormContentType ? await context.Request.ReadFormAsync(context.RequestAborted) : null;
        if (form is null || !form.ContainsKey("username")) return LoginPage.Show(request, failed: false);
        var name = form["username"].ToString();
        var user = await users.Users.AsNoTracking().FirstOrDefaultAsync(u => u.Id == name, context.RequestAborted);
        // An unknown name costs the same hash as a known one.
        var nobody = new AuthUser { Id = "", FhirUser = "", PasswordHash = "AQAAAAIAAYagAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==" };
        var verified = hasher.VerifyHashedPassword(user ?? nobody, (user ?? nobody).PasswordHash, form["password"].ToString());
        if (user is null || verified == PasswordVerificationResult.Failed) return LoginPage.Show(request, failed: true);

        var isPatient = user.FhirUser.StartsWith("Patient/", StringComparison.Ordinal);
        // A patient is a user too; a practitioner is no patient.
        bool Fits(string scope) => scope.StartsWith("user/", StringComparison.Ordinal) || (isPatient && scope.StartsWith("patient/", StringComparison.Ordinal));
        var application = await applications.FindByClientIdAsync(request.ClientId!, context.RequestAborted);
        var allowed = Texts(await applications.GetPropertiesAsync(application!, context.RequestAborted), ScopesProperty);
        // An app gets what it is registered for and what fits who logged in; the rest of what it asked for is left out.
        var scopes = request.GetScopes().Where(s => !SmartScopes.IsResourceScope(s) || (Fits(s) && allowed.Contains(s))).ToImmutableArray();
        var identity = new ClaimsIdentity(OpenIddictServerAspNetCoreDefaults.AuthenticationScheme);
        identity.SetClaim(Claims.Subject, user.Id).SetClaim("fhirUser", user.FhirUser).SetScopes(scopes).SetClaims("purpose_of_use", [isPatient ? "PATRQT" : "TREAT"]);
        if (isPatient) identity.SetClaim("patient", user.FhirUser[8..]);
        identity.SetDestinations(claim => claim.Type is "fhirUser" or Claims.Subject ? [Destinations.AccessToken, Destinations.IdentityToken] : [Destinations.AccessToken]);
        return SignIn(new ClaimsPrincipal(identity));
    }

    private static IResult SignIn(ClaimsPrincipal principal) => Results.SignIn(principal, authenticationScheme: OpenIddictServerAspNetCoreDefaults.AuthenticationScheme);

    private static IResult Refuse(string error, string description) => Results.Forbid(
        new AuthenticationProperties(new Dictionary<string, string?>
        {
            [OpenIddictServerAspNetCoreConstants.Properties.Error] = error,
            [OpenIddictServerAspNetCoreConstants.Properties.ErrorDescription] = description,
        }),
        [OpenIddictServerAspNetCoreDefaults.AuthenticationScheme]);

    private static string[] Texts(ImmutableDictionary<string, JsonElement> properties, string name) =>
        properties.TryGetValue(name, out var value) ? [.. value.EnumerateArray().Select(v => v.GetString()!)] : [];

    // The same key after a restart and on every replica, from the one secret that they share.
    private static ECDsaSecurityKey SigningKey(Keyring keyring)
    {
        var d = keyring.Derive("oauth signing");
        // Below the order of P-256 whatever the 32 bytes are, at a loss of one bit.
        d[0] &= 0x7f;
        var key = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = d });
        return new ECDsaSecurityKey(key);
    }
}
