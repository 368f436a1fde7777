using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR update: a new version of a resource that there is. An unknown id is not created (CapabilityStatement: updateCreate false).
/// https://hl7.org/fhir/R4/http.html#update
/// </summary>
internal sealed class Update(Writes writes, Denials denials)
{
    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        if (call.Refusal is { } refusal) return await denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, refusal);
        var body = await call.Request.ReadBody(cancellation);
        if (body.Failure is { } unreadable) return FhirResponse.From(unreadable);
        if (Writes.Mismatch(body.Value, call.Type, call.Id) is { } mismatch) return FhirResponse.From(mismatch);
        var current = await writes.CurrentAsync(call.Caller, call.Type, call.Id, call.Request.IfMatch, cancellation);
        return current.Failure is { } failure
            ? await denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, failure)
            : await writes.RunAsync(call.Caller, Writes.RequestFor(body.Value, call.Type, call.Id, current.Value), null, cancellation);
    }
}
