using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR update: a new version of a resource that there is. An unknown id is not created (CapabilityStatement: updateCreate false).
/// https://hl7.org/fhir/R4/http.html#update
/// </summary>
internal sealed class Update(Writes writes, RawBinary raw, Denials denials)
{
    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        if (call.Refusal is { } refusal) return await denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, refusal);
        ReceivedBody? body = null;
        if (!RawBinary.IsSent(call))
        {
            // What is cut out of a body is sealed as a new Binary: not as the next version of one that there is.
            var read = await call.Request.ReadBody(cuts: call.Type != "Binary", cancellation);
            if (read.Failure is { } unreadable) return FhirResponse.From(unreadable);
            body = read.Value;
            if (Writes.Mismatch(body.Document, call.Type, call.Id) is { } mismatch) return FhirResponse.From(mismatch);
        }
        var current = await writes.CurrentAsync(call.Caller, call.Type, call.Id, call.Request.Preconditions, cancellation);
        if (current.Failure is { } failure) return await denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, failure);
        if (body is null) return await raw.RunAsync(call, current.Value, cancellation);
        var write = Writes.RequestFor(body, call.Type, call.Id, current.Value);
        return await writes.RunAsync(call.Caller, write, body.Body, null, cancellation);
    }
}
