using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Hosting;

/// <summary>
/// Where a request's body ends: by its length, or in chunks and in nothing else. A transfer coding that one reader passes over and another
/// does not is how one request becomes two. https://www.rfc-editor.org/rfc/rfc9112#section-6.1
/// </summary>
internal static class Framing
{
    private static readonly Outcome Refusal =
        Outcome.Of(OutcomeCategory.Malformed, "a body comes by its length or in chunks: no other Transfer-Encoding is taken");

    public static void UseFraming(this IApplicationBuilder app) => app.Use(async (context, next) =>
    {
        var coding = context.Request.Headers.TransferEncoding;
        if (coding.Count == 0 || "chunked".Equals(coding.ToString().Trim(), StringComparison.OrdinalIgnoreCase))
        {
            await next(context);
            return;
        }
        // What follows on the connection may be a body or a request: nobody can say.
        context.Response.Headers.Connection = "close";
        await FhirResponse.From(Refusal).WriteAsync(context, "");
    });
}
