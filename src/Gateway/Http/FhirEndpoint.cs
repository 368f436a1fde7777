using PmrGateway.Gateway.Hosting;
using PmrGateway.Gateway.Interactions;
using PmrGateway.Gateway.Security;

namespace PmrGateway.Gateway.Http;

/// <summary>HTTP around the FHIR router: who asks, in which format, and that whatever happens is answered as an OperationOutcome.</summary>
internal sealed partial class FhirEndpoint(FhirRouter router, CallerResolver callers, CapabilitiesInteraction capabilities, GatewayOptions options, BaseUrl baseUrl, ILogger<FhirEndpoint> log)
{
    private static readonly string[] Formats = ["json", "application/json", "application/fhir+json", "application/fhir json", "text/json"];

    public async Task HandleAsync(HttpContext context)
    {
        FhirResponse response;
        try
        {
            response = await RespondAsync(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return;
        }
        catch (Store.StoreUnavailableException e)
        {
            LogUnavailable(e);
            response = FhirResponse.From(Outcome.Of(OutcomeCategory.Unavailable, "the database cannot be written: nothing is given out unaudited"));
        }
        catch (BadHttpRequestException e)
        {
            response = FhirResponse.From(Outcome.Of(e.StatusCode == 413 ? OutcomeCategory.TooLarge : OutcomeCategory.Malformed, "the request is not well-formed HTTP"));
        }
        catch (Exception e)
        {
            LogBug(e, context.Request.Method, context.Request.Path);
            response = FhirResponse.From(Outcome.Of(OutcomeCategory.Fault, "an error of the gateway; the operator's log tells more"));
        }
        await response.WriteAsync(context, baseUrl.Fhir);
    }

    private async Task<FhirResponse> RespondAsync(HttpContext context)
    {
        var request = context.Request;
        var segments = (request.RouteValues["path"] as string ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (NotAcceptable(request, segments)) return FhirResponse.From(Outcome.Of(OutcomeCategory.NotAcceptable, "the gateway answers in application/fhir+json"));
        if (segments is ["metadata"] && HttpMethods.IsGet(request.Method)) return capabilities.Run();
        var caller = await callers.ResolveAsync(context);
        if (caller.Failure is { } refusal) return FhirResponse.From(refusal);
        var fhir = new FhirRequest(
            HttpMethods.IsHead(request.Method) ? "GET" : request.Method, segments, [.. request.Query],
            cancellation => RequestBody.ReadResourceAsync(request, options.Limits, cancellation))
        {
            IfMatch = request.Headers.IfMatch.Count > 0 ? request.Headers.IfMatch.ToString() : null,
            IfNoneExist = request.Headers.TryGetValue("If-None-Exist", out var condition) ? condition.ToString() : null,
            Http = request,
        };
        var response = await router.DispatchAsync(caller.Value, fhir, context.RequestAborted);
        return Preferred(request, response);
    }

    private static bool NotAcceptable(HttpRequest request, string[] segments)
    {
        if (request.Query["_format"].ToString() is { Length: > 0 } format) return !Formats.Contains(format.Split(';')[0].Trim());
        var accept = request.Headers.Accept.ToString();
        // A Binary is given as whatever it holds.
        if (accept.Length == 0 || segments is ["Binary", ..]) return false;
        return !accept.Split(',').Select(a => a.Split(';')[0].Trim()).Any(a => a is "*/*" or "application/*" || Formats.Contains(a));
    }

    // Prefer: return=minimal (R4 http.html, "ops"): the client has what it sent.
    private static FhirResponse Preferred(HttpRequest request, FhirResponse response) =>
        response.Status is 200 or 201 && response.Location is not null && request.Headers["Prefer"].ToString().Contains("return=minimal", StringComparison.Ordinal)
            ? response with { Body = default }
            : response;

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed")]
    private partial void LogBug(Exception e, string method, string path);

    [LoggerMessage(Level = LogLevel.Error, Message = "The database cannot be written")]
    private partial void LogUnavailable(Exception e);
}
