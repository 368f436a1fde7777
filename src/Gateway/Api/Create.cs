using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR create, also conditional: a resource under an id of the gateway's choice. https://hl7.org/fhir/R4/http.html#create
/// </summary>
internal sealed class Create(Writes writes, Denials denials, LimitOptions limits)
{
    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var (caller, request, type) = (call.Caller, call.Request, call.Type);
        if (call.Refusal is { } refusal) return await denials.AnswerAsync(caller, call.Route.Interaction, type, refusal);
        if (type == "Binary" && request.Http is { } http && !RequestBody.IsFhirJson(http.ContentType))
            return await CreateBinaryAsync(caller, http, cancellation);
        var body = await request.ReadBody(cancellation);
        if (body.Failure is { } unreadable) return FhirResponse.From(unreadable);
        if (Writes.Mismatch(body.Value, type) is { } mismatch) return FhirResponse.From(mismatch);
        return await writes.RunAsync(
            caller, Writes.RequestFor(body.Value, type, ResourceId.New(), null), request.IfNoneExist, cancellation);
    }

    // https://hl7.org/fhir/R4/binary.html#rest
    private async Task<FhirResponse> CreateBinaryAsync(Caller caller, HttpRequest http, CancellationToken cancellation)
    {
        if (http.ContentType is null)
            return FhirResponse.From(Outcome.Of(OutcomeCategory.UnsupportedMediaType, "a Binary needs its Content-Type"));
        var content = await RequestBody.ReadAsync(http, limits.MaxBodyBytes, cancellation);
        if (content.Failure is { } failure) return FhirResponse.From(failure);
        var context = http.Headers["X-Security-Context"].ToString();
        var binary = new BinaryContent(http.ContentType, content.Value, context.Length > 0 ? context : null);
        return await writes.RunAsync(caller, new WriteRequest(null, "Binary", ResourceId.New(), null, binary), null, cancellation);
    }
}
