using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Api;

/// <summary>From method and path to one interaction, by the table of routes.</summary>
internal sealed class FhirApi(FhirRoutes routes, FhirFailures failures, Denials denials, RefusalPace pace)
{
    /// <summary>What the API offers.</summary>
    public RouteTable Routes { get; } = new(routes.Rows);

    /// <summary>Runs a request of a known caller.</summary>
    public async Task<FhirResponse> RunAsync(Caller caller, FhirRequest request, CancellationToken cancellation)
    {
        var clock = RequestClock.Of(request.Http);
        var answer = await FindAsync(caller, request, cancellation);
        if (answer.IsWithheld) await pace.HoldAsync(clock.Began, cancellation);
        return answer;
    }

    private async Task<FhirResponse> FindAsync(Caller caller, FhirRequest request, CancellationToken cancellation)
    {
        var path = request.Segments;
        var route = Routes.Find(request.Method, path);
        if (caller.RefuseAll() is { } refusal)
            return await denials.AnswerAsync(caller, route?.Interaction ?? Interaction.Operation, string.Join('/', path.Take(2)), refusal);
        var isNowhere = route is null && request.Method == HttpMethods.Put && Routes.AllowedAt(path) is null;
        if (isNowhere && path is [var type, var id] && FhirTypes.IsRecord(type) && !ResourceId.IsId(id))
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, "an id is 1 to 64 of A-Z, a-z, 0-9, '-' and '.'", $"{type}.id"));
        if (route is { HasSubsets: false } && Subset.IsAsked(request.Query))
            return FhirResponse.From(Outcome.Of(
                OutcomeCategory.Malformed, $"'{Subset.Summary}' and '{Subset.Elements}' are for what is read or searched"));
        // R4 http.html#ccreate: passed over, a condition would let through what it was there to stop.
        if (route is not null && route.Interaction != Interaction.Create && request.IfNoneExist is not null)
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, "If-None-Exist is the condition of a create"));
        return route is null ? NotOffered(path) : await route.Handler(new FhirCall(caller, request, route, this), cancellation);
    }

    /// <summary>Runs a request that needs no caller; null: it needs one.</summary>
    public Task<FhirResponse>? RunOpenAsync(FhirRequest request, CancellationToken cancellation) =>
        Routes.Find(request.Method, request.Segments) is { IsOpen: true } route
            ? route.Handler(new FhirCall(Caller.Nobody, request, route, this), cancellation)
            : null;

    /// <summary>
    /// Runs an entry of a Bundle as a request of its own, also where it fails. A Bundle inside a Bundle would be a loop with one more turn
    /// than anyone asked for.
    /// </summary>
    public async Task<FhirResponse> RunEntryAsync(Caller caller, FhirRequest entry, CancellationToken cancellation)
    {
        if (entry.Segments.Count == 0) return NotOffered(entry.Segments);
        if (MediaType.NotAcceptable(entry.Format, null) is { } notMade) return FhirResponse.From(notMade);
        try
        {
            var answer = await caller.RefusedByNowAsync(cancellation) is { } refusal
                ? FhirResponse.From(refusal)
                : await RunAsync(caller, entry, cancellation);
            return entry.IsHead && answer.Failure is null ? answer with { Body = default, Stream = null } : answer;
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested)
        {
            return failures.Answer(e, entry.Method, string.Join('/', entry.Segments));
        }
    }

    /// <summary>What may be asked of a path. It says what the table has, and nothing of what is stored.</summary>
    public FhirResponse Options(IReadOnlyList<string> path) =>
        NotOffered(path) is { Allow: { } allow } ? FhirResponse.NoContent with { Allow = allow } : FhirResponse.From(Outcome.NotFound);

    private FhirResponse NotOffered(IReadOnlyList<string> path)
    {
        if (Routes.AllowedAt(path) is { } allow) return NotOffered(allow);
        if (path.Count > 0 && !FhirSchema.R4.IsResourceType(path[0]))
            return FhirResponse.From(Outcome.Of(OutcomeCategory.NotFound, "no such resource type"));
        return path.Count > 1 && !ResourceId.IsId(path[1]) ? FhirResponse.From(Outcome.NotFound) : NotOffered("OPTIONS");
    }

    private static FhirResponse NotOffered(string allow) =>
        FhirResponse.From(Outcome.Of(OutcomeCategory.NotSupported, "this interaction is not offered: see metadata")) with { Allow = allow };
}
