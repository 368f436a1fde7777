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
        if (ContentCoding.IsSent(context.Request))
        {
            await RefuseAsync(context, ContentCoding.Refusal);
            return;
        }
        var limit = path.StartsWithSegments("/admin") ? Admin : Connect;
        if (context.Request.ContentLength > limit)
        {
            await RefuseTooLargeAsync(context, limit);
            return;
        }
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = limit;
        try
        {
            if (await FormProblemAsync(context.Request) is { } problem)
                await RefuseAsync(context, Outcome.Of(OutcomeCategory.Malformed, problem));
            else
                await next(context);
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge && !context.Response.HasStarted)
        {
            // A body that does not say beforehand how long it is.
            await RefuseTooLargeAsync(context, limit);
        }
        catch (BadHttpRequestException e) when (!context.Response.HasStarted)
        {
            await RefuseAsync(context, BrokenRequest.Of(e));
        }
    });

    // Read here, where a form that is none can be refused: OAuth's handlers take what has been read.
    private static async Task<string?> FormProblemAsync(HttpRequest request)
    {
        if (!request.HasFormContentType) return null;
        try
        {
            await request.ReadFormAsync(request.HttpContext.RequestAborted);
            return null;
        }
        catch (InvalidDataException)
        {
            return "the form cannot be read: it is malformed, or has too many fields or too long ones";
        }
    }

    private static Task RefuseTooLargeAsync(HttpContext context, long limit) =>
        RefuseAsync(context, Outcome.Of(OutcomeCategory.TooLarge, $"the body is larger than {limit} bytes"));

    private static async Task RefuseAsync(HttpContext context, Outcome outcome)
    {
        if (context.Request.Path.StartsWithSegments("/admin"))
        {
            await FhirResponse.From(outcome).WriteAsync(context, "");
            return;
        }
        context.Response.StatusCode = outcome.Status;
        var error = new { error = "invalid_request", error_description = outcome.Issues[0].Text };
        await context.Response.WriteAsJsonAsync(error, context.RequestAborted);
    }
}
