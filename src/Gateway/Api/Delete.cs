using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>FHIR delete: ends a resource; its versions stay for who may see them. https://hl7.org/fhir/R4/http.html#delete</summary>
internal sealed class Delete(Writes writes, Denials denials)
{
    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        if (call.Refusal is { } refusal) return await denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, refusal);
        var current = await writes.CurrentAsync(
            call.Caller, call.Route.Action, call.Type, call.Id, call.Request.Preconditions, cancellation);
        if (current.Failure is { } failure) return await denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, failure);
        var request = new WriteRequest(null, call.Type, call.Id, current.Value);
        return Writes.IsDone(call.Caller, request)
            ? await writes.DoneAsync(call.Caller, current.Value, cancellation)
            : await writes.RunAsync(call.Caller, request, null, null, cancellation);
    }

    /// <summary>The one resource that the criteria match, never several. https://hl7.org/fhir/R4/http.html#3.1.0.7.1</summary>
    public async Task<FhirResponse> RunByCriteriaAsync(FhirCall call, CancellationToken cancellation)
    {
        if (call.Refusal is { } refusal) return await denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, refusal);
        return await writes.RunByCriteriaAsync(
            call, null, null, current => Task.FromResult<Attempt>(new WriteRequest(null, call.Type, current!.Facts.Id, current)),
            cancellation);
    }
}
