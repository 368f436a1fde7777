using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR create, also conditional: a resource under an id of the gateway's choice. https://hl7.org/fhir/R4/http.html#create
/// </summary>
internal sealed class Create(Writes writes, RawBinary raw, Denials denials)
{
    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var (caller, request, type) = (call.Caller, call.Request, call.Type);
        if (call.Refusal is { } refusal) return await denials.AnswerAsync(caller, call.Route.Interaction, type, refusal);
        if (RawBinary.IsSent(call))
        {
            return request.IfNoneExist is null
                ? await raw.RunAsync(call, null, cancellation)
                : FhirResponse.From(RawBinary.ByCriteria);
        }
        var body = await request.ReadBody(cuts: true, cancellation);
        if (body.Failure is { } unreadable) return FhirResponse.From(unreadable);
        if (Writes.Mismatch(body.Value.Document, type) is { } mismatch) return FhirResponse.From(mismatch);
        var id = Writes.NewId(body.Value.Document.Root, body.Value.Body);
        var write = Writes.RequestFor(body.Value, type, id, null);
        return await writes.RunAsync(caller, write, body.Value.Body, request.IfNoneExist, cancellation);
    }
}
