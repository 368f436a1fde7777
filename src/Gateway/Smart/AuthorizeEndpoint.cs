using System.Collections.Immutable;
using System.Security.Claims;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace PmrGateway.Gateway.Smart;

/// <summary>The login page, and which claims a person's code gets.</summary>
internal static class AuthorizeEndpoint
{
    private const int MaxReason = 500;
    private static readonly TimeSpan BrokenGlass = TimeSpan.FromMinutes(15);

    // An unknown name costs the same hash as a known one.
    private static readonly AuthUser Nobody = new()
    {
        Id = "",
        FhirUser = "",
        PasswordHash = "AQAAAAIAAYagAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
    };

    public static async Task<IResult> RunAsync(
        HttpContext context, AuthDatabase users, IPasswordHasher<AuthUser> hasher, IOpenIddictApplicationManager applications,
        LoginForm forms, ScopeReader reader, BaseUrl baseUrl, AuthSeals seals)
    {
        var request = context.GetOpenIddictServerRequest()!;
        // SMART App Launch: an app that was led to another server must not send it our token.
        if (request["aud"]?.ToString() is { } audience && audience.TrimEnd('/') != baseUrl.Fhir)
            return TokenEndpoint.Refuse(Errors.InvalidRequest, $"aud is not {baseUrl.Fhir}");
        if (reader.Problem(request.GetScopes()) is { } scope) return TokenEndpoint.Refuse(Errors.InvalidScope, scope);
        var isForm = HttpMethods.IsPost(context.Request.Method) && context.Request.HasFormContentType;
        var form = isForm ? await context.Request.ReadFormAsync(context.RequestAborted) : null;
        if (form is null || !form.ContainsKey("username")) return LoginPage.Show(request, forms.FieldFor(context), failed: false);
        if (!forms.IsOurs(context, form))
            return TypedResults.Text("the login form is not one that this browser was given", statusCode: 400);
        var name = form["username"].ToString();
        var row = await users.Users.AsNoTracking().FirstOrDefaultAsync(u => u.Id == name, context.RequestAborted);
        var user = row is not null && seals.Holds(row) ? row : null;
        var verified = hasher.VerifyHashedPassword(user ?? Nobody, (user ?? Nobody).PasswordHash, form["password"].ToString());
        if (user is null || verified == PasswordVerificationResult.Failed)
        {
            context.Features.Set(new RefusedLogin(AuthRefusals.Password));
            return LoginPage.Show(request, forms.FieldFor(context), failed: true);
        }

        var client = await ClientGrants.OfAsync(applications, request.ClientId!, context.RequestAborted);
        var isPatient = user.FhirUser.StartsWith("Patient/", StringComparison.Ordinal);
        var purpose = request[SmartClaims.PurposeOfUse]?.ToString() is { Length: > 0 } asked ? asked : isPatient ? "PATRQT" : "TREAT";
        var reason = request[SmartClaims.Reason]?.ToString() is { Length: <= MaxReason } why ? GlassReason.Of(why) : null;
        if (ProblemOf(purpose, reason, isPatient, client) is { } problem) return TokenEndpoint.Refuse(Errors.InvalidRequest, problem);
        var principal = new ClaimsPrincipal(IdentityOf(user, request, client, reader, isPatient, purpose, reason));
        principal.SetResources(baseUrl.Fhir);
        // Broken glass is for an emergency, not for a shift.
        if (purpose == SmartClaims.BreakGlass) principal.SetAccessTokenLifetime(BrokenGlass);
        return TokenEndpoint.SignIn(principal);
    }

    // What a person acts for: treatment, or what the app is registered for besides; a patient for themselves.
    private static string? ProblemOf(string purpose, string? reason, bool isPatient, ClientGrants client)
    {
        if (purpose != (isPatient ? "PATRQT" : "TREAT") && (isPatient || !client.Purposes.Contains(purpose)))
            return "the client is not registered for this purpose_of_use";
        return purpose == SmartClaims.BreakGlass && reason is null
            ? $"BTG takes a {SmartClaims.Reason} that the patient can read, of at most {MaxReason} characters"
            : null;
    }

    private static ClaimsIdentity IdentityOf(
        AuthUser user, OpenIddictRequest request, ClientGrants client, ScopeReader reader, bool isPatient, string purpose,
        string? reason)
    {
        // A patient is a user too; a practitioner is no patient.
        bool Fits(string scope) => scope.StartsWith("user/", StringComparison.Ordinal)
            || (isPatient && scope.StartsWith("patient/", StringComparison.Ordinal));
        // An app gets what it is registered for and what fits who logged in; the rest of what it asked for is left out.
        var scopes = request.GetScopes()
            .Where(s => reader.Read(s, out _) is null || (Fits(s) && client.May(s, reader)))
            .ToImmutableArray();
        var identity = new ClaimsIdentity(OpenIddictServerAspNetCoreDefaults.AuthenticationScheme);
        identity
            .SetClaim(Claims.Subject, user.Id)
            .SetClaim(SmartClaims.FhirUser, user.FhirUser)
            .SetScopes(scopes)
            .SetClaims(SmartClaims.PurposeOfUse, [purpose]);
        if (purpose == SmartClaims.BreakGlass) identity.SetClaim(SmartClaims.Reason, reason);
        if (isPatient) identity.SetClaim(SmartClaims.Patient, user.FhirUser[8..]);
        identity.SetDestinations(claim => claim.Type is SmartClaims.FhirUser or Claims.Subject
            ? [Destinations.AccessToken, Destinations.IdentityToken]
            : [Destinations.AccessToken]);
        return identity;
    }
}
