using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Gateway.Smart;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>HTTP around the FHIR API: who asks, in which format, and that whatever happens is answered as an OperationOutcome.</summary>
internal sealed partial class FhirEndpoint(
    FhirApi api, CallerResolver callers, LimitOptions limits, BaseUrl baseUrl, ILogger<FhirEndpoint> log)
{
    private static readonly string[] Formats =
        ["json", "application/json", "application/fhir+json", "application/fhir json", "text/json"];

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
        catch (StoreUnavailableException e)
        {
            LogUnavailable(e);
            response = Failed(OutcomeCategory.Unavailable, "the database cannot be written: nothing is given out unaudited");
        }
        catch (BadHttpRequestException e)
        {
            var category = e.StatusCode == StatusCodes.Status413PayloadTooLarge ? OutcomeCategory.TooLarge : OutcomeCategory.Malformed;
            response = Failed(category, "the request is not well-formed HTTP");
        }
        catch (Exception e)
        {
            LogBug(e, context.Request.Method, context.Request.Path);
            response = Failed(OutcomeCategory.Fault, "an error of the gateway; the operator's log tells more");
        }
        await response.WriteAsync(context, baseUrl.Fhir);
    }

    private async Task<FhirResponse> RespondAsync(HttpContext context)
    {
        var request = context.Request;
        var path = (request.RouteValues["path"] as string ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (NotAcceptable(request, path)) return Failed(OutcomeCategory.NotAcceptable, "the gateway answers in application/fhir+json");
        if (HttpMethods.IsOptions(request.Method)) return api.Options(path);
        var method = HttpMethods.IsHead(request.Method) ? HttpMethods.Get : request.Method;
        var fhir = new FhirRequest(
            method, path, [.. request.Query], cancellation => RequestBody.ReadResourceAsync(request, limits, cancellation))
        {
            IfMatch = request.Headers.IfMatch.Count > 0 ? request.Headers.IfMatch.ToString() : null,
            IfNoneExist = request.Headers.TryGetValue("If-None-Exist", out var condition) ? condition.ToString() : null,
            Http = request,
        };
        if (api.RunOpenAsync(fhir, context.RequestAborted) is { } open) return await open;
        var caller = await callers.ResolveAsync(context);
        if (caller.Failure is { } refusal) return FhirResponse.From(refusal);
        return Preferred(request, await api.RunAsync(caller.Value, fhir, context.RequestAborted));
    }

    private static FhirResponse Failed(OutcomeCategory category, string text) => FhirResponse.From(Outcome.Of(category, text));

    private static bool NotAcceptable(HttpRequest request, string[] path)
    {
        if (request.Query["_format"].ToString() is { Length: > 0 } format) return !Formats.Contains(format.Split(';')[0].Trim());
        var accept = request.Headers.Accept.ToString();
        // A Binary is given as whatever it holds.
        if (accept.Length == 0 || path is ["Binary", ..]) return false;
        return !accept.Split(',').Select(a => a.Split(';')[0].Trim()).Any(a => a is "*/*" or "application/*" || Formats.Contains(a));
    }

    // Prefer: return=minimal (R4 http.html, "ops"): the client has what it sent.
    private static FhirResponse Preferred(HttpRequest request, FhirResponse response)
    {
        var isMinimal = response.Status is 200 or 201
            && response.Location is not null
            && request.Headers["Prefer"].ToString().Contains("return=minimal", StringComparison.Ordinal);
        return isMinimal ? response with { Body = default } : response;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed")]
    private partial void LogBug(Exception e, string method, string path);

    [LoggerMessage(Level = LogLevel.Error, Message = "The database cannot be written")]
    private partial void LogUnavailable(Exception e);
}
