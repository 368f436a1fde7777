using Microsoft.Extensions.Primitives;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Content;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Gateway.Smart;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>HTTP around the FHIR API: who asks, in which format, and that whatever happens is answered as an OperationOutcome.</summary>
internal sealed class FhirEndpoint(
    FhirApi api, FhirFailures failures, CallerResolver callers, IContent content, LimitOptions limits, ResourceLimits resourceLimits,
    BaseUrl baseUrl)
{
    public async Task HandleAsync(HttpContext context)
    {
        FhirResponse response;
        try
        {
            response = await RespondAsync(context);
        }
        catch (Exception e) when (
            e is OperationCanceledException or StoreUnavailableException && context.RequestAborted.IsCancellationRequested)
        {
            // Nobody waits for an answer: what was stopped for that is no failure of the store.
            return;
        }
        catch (Exception e)
        {
            response = failures.Answer(e, context.Request.Method, context.Request.Path);
        }
        try
        {
            await response.WriteAsync(context, baseUrl.Fhir);
        }
        catch (Exception e) when (context.Response.HasStarted)
        {
            // A status is out already: that the answer is not whole is told by its end missing.
            if (!context.RequestAborted.IsCancellationRequested) failures.Answer(e, context.Request.Method, context.Request.Path);
            context.Abort();
        }
    }

    private async Task<FhirResponse> RespondAsync(HttpContext context)
    {
        var request = context.Request;
        var path = (request.RouteValues["path"] as string ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        // RFC 6750, 2.3: a URL is written down in too many places for a secret to be in it.
        if (request.Query.ContainsKey("access_token"))
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed,
                "an access token comes in the header Authorization, not in a URL"));
        if (ContentCoding.IsSent(request)) return FhirResponse.From(ContentCoding.Refusal);
        // A Binary is given as whatever it holds.
        var accept = path is ["Binary", ..] ? null : Accept.Of(request.Headers.Accept);
        if (MediaType.NotAcceptable(request.Query["_format"], accept) is { } notMade) return FhirResponse.From(notMade);
        if (HttpMethods.IsOptions(request.Method)) return api.Options(path);
        var method = HttpMethods.IsHead(request.Method) ? HttpMethods.Get : request.Method;
        Result<Caller> caller = Caller.Nobody;
        ReadBody body = async (cuts, stop) =>
        {
            var read = await RequestBody.ReadResourceAsync(request, limits.MaxBodyBytes, resourceLimits, content.Begin(), cuts, stop);
            return read.Failure is null && await caller.Value.RefusedByNowAsync(stop) is { } refusal ? refusal : read;
        };
        var fhir = new FhirRequest(method, path, [.. request.Query], body)
        {
            Preconditions = new Preconditions(Text(request.Headers.IfMatch), Text(request.Headers.IfNoneMatch)),
            IfNoneExist = request.Headers.TryGetValue("If-None-Exist", out var condition) ? condition.ToString() : null,
            Http = request,
            IsHead = HttpMethods.IsHead(request.Method),
        };
        if (api.RunOpenAsync(fhir, context.RequestAborted) is { } open) return await open;
        caller = await callers.ResolveAsync(context);
        if (caller.Failure is { } refusal) return FhirResponse.From(refusal);
        return Preferred(request, await api.RunAsync(caller.Value, fhir, context.RequestAborted));
    }

    private static string? Text(StringValues header) => header.Count > 0 ? header.ToString() : null;

    // Prefer: return=minimal (R4 http.html, "ops"): the client has what it sent.
    private static FhirResponse Preferred(HttpRequest request, FhirResponse response)
    {
        var isMinimal = response.Status is 200 or 201
            && response.Location is not null
            && request.Headers["Prefer"].ToString().Contains("return=minimal", StringComparison.Ordinal);
        return isMinimal ? response with { Body = default } : response;
    }
}
