using Microsoft.AspNetCore.Http.Features;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Hosting;

/// <summary>
/// How much of a request body is read where no token has been looked at yet. /fhir has a limit of its own, Limits:MaxBodyBytes.
/// </summary>
internal static class BodyLimits
{
    /// <summary>A form of OAuth: an assertion, a code, a login.</summary>
    public const long Connect = 64 << 10;

    /// <summary>A registration, with the client's keys.</summary>
    public const long Admin = 1 << 20;

    public static void UseBodyLimits(this IApplicationBuilder app) => app.Use(async (context, next) =>
    {
        var path = context.Request.Path;
        if (path.StartsWithSegments("/fhir"))
        {
            await next(context);
            return;
        }
        var limit = path.StartsWithSegments("/admin") ? Admin : Connect;
        if (context.Request.ContentLength > limit)
        {
            await RefuseAsync(context, limit);
            return;
        }
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = limit;
        try
        {
            await next(context);
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge && !context.Response.HasStarted)
        {
            // A body that does not say beforehand how long it is.
            await RefuseAsync(context, limit);
        }
    });

    private static async Task RefuseAsync(HttpContext context, long limit)
    {
        var text = $"the body is larger than {limit} bytes";
        if (context.Request.Path.StartsWithSegments("/admin"))
        {
            await FhirResponse.From(Outcome.Of(OutcomeCategory.TooLarge, text)).WriteAsync(context, "");
            return;
        }
        context.Response.StatusCode = StatusCodes.Status413PayloadTooLarge;
        await context.Response.WriteAsJsonAsync(new { error = "invalid_request", error_description = text }, context.RequestAborted);
    }
}
