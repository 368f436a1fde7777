using System.Globalization;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Smart;

/// <summary>What was refused of a login, told by who refused it.</summary>
/// <param name="Reason">A reason of <see cref="AuthRefusals"/>.</param>
internal sealed record RefusedLogin(string Reason);

/// <summary>Stands before the endpoints at which one logs in: after too many refusals it answers 429, and nothing is looked at.</summary>
internal static class LoginLimits
{
    private static readonly JsonWebTokenHandler Handler = new();

    public static void UseLoginLimits(this IApplicationBuilder app) => app.Use(async (context, next) =>
    {
        if (await AccountOfAsync(context) is not { } account)
        {
            await next(context);
            return;
        }
        var limits = context.RequestServices.GetRequiredService<RefusalLimits>();
        var refusals = context.RequestServices.GetRequiredService<AuthRefusals>();
        var origin = RefusalLimits.Origin.Of(context, account);
        using var turn = await limits.BeginLoginAsync(origin, context.RequestAborted);
        if (!turn.IsAcquired || limits.LoginsWait(origin) is not null)
        {
            refusals.Count(AuthRefusals.Limit);
            await RefuseAsync(context, limits.LoginsWait(origin) ?? TimeSpan.FromSeconds(1));
            return;
        }
        await next(context);
        if (context.Features.Get<RefusedLogin>() is not { } refused) return;
        refusals.Count(refused.Reason);
        // A code cannot be guessed; who shows a bad one has lost it, or was too late.
        if (refused.Reason != AuthRefusals.Code) limits.CountLogin(origin);
    });

    // Whose login it is, as claimed; null: it is none. The form was read, and its size limited, before.
    private static async Task<string?> AccountOfAsync(HttpContext context)
    {
        var (path, request) = (context.Request.Path, context.Request);
        var isUser = path == SmartPaths.Authorize;
        if (!isUser && path != SmartPaths.Token && path != SmartPaths.Revoke) return null;
        if (!HttpMethods.IsPost(request.Method) || !request.HasFormContentType) return null;
        var form = await request.ReadFormAsync(context.RequestAborted);
        // By the user's name, and no client's: they are told apart by what stands before.
        if (isUser) return form.TryGetValue("username", out var name) ? "user:" + name : null;
        if (form["client_id"].ToString() is { Length: > 0 } client) return client;
        try
        {
            return form["client_assertion"].ToString() is { Length: > 0 } assertion ? Handler.ReadJsonWebToken(assertion).Issuer : "";
        }
        catch (Exception e) when (e is ArgumentException or SecurityTokenException)
        {
            return "";
        }
    }

    private static async Task RefuseAsync(HttpContext context, TimeSpan wait)
    {
        const string Text = "too many refused logins: try again later";
        var outcome = Outcome.Of(OutcomeCategory.TooMany, Text);
        context.Response.StatusCode = outcome.Status;
        context.Response.Headers.RetryAfter = ((long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        context.Response.Headers.CacheControl = "no-store";
        await context.Response.WriteAsJsonAsync(
            new { error = "temporarily_unavailable", error_description = Text }, context.RequestAborted);
    }
}
