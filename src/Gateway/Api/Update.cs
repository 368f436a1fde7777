using PmrGateway.Gateway.Flows;
using PmrGateway.Store;

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
            var read = await ReadAsync(call, call.Id, cancellation);
            if (read.Failure is { } unreadable) return FhirResponse.From(unreadable);
            body = read.Value;
        }
        var current = await writes.CurrentAsync(
            call.Caller, call.Route.Action, call.Type, call.Id, call.Request.Preconditions, cancellation);
        if (current.Failure is { } failure) return await denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, failure);
        if (body is null) return await raw.RunAsync(call, current.Value, cancellation);
        var write = Writes.RequestFor(body, call.Type, call.Id, current.Value);
        return await writes.RunAsync(call.Caller, write, body.Body, null, cancellation);
    }

    /// <summary>
    /// Of the one resource that the criteria match; where none does, a new one under an id of the gateway's choice, which takes what a
    /// create takes. https://hl7.org/fhir/R4/http.html#cond-update
    /// </summary>
    public async Task<FhirResponse> RunByCriteriaAsync(FhirCall call, CancellationToken cancellation)
    {
        if (call.Refusal is { } refusal) return await denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, refusal);
        if (RawBinary.IsSent(call)) return FhirResponse.From(RawBinary.ByCriteria);
        var read = await ReadAsync(call, null, cancellation);
        if (read.Failure is { } unreadable) return FhirResponse.From(unreadable);
        var body = read.Value;
        return await writes.RunByCriteriaAsync(
            call, body.Body, body.Document.Id,
            current => Task.FromResult<Attempt>(Writes.RequestFor(body, call.Type, IdOf(current), current)),
            cancellation);

        string IdOf(StoredVersion? current) => current?.Facts.Id ?? Writes.NewId(body.Document.Root, body.Body);
    }

    // What is cut out of a body is sealed as a new Binary: not as the next version of one that there is.
    private static async Task<Result<ReceivedBody>> ReadAsync(FhirCall call, string? id, CancellationToken cancellation)
    {
        var read = await call.Request.ReadBody(cuts: call.Type != "Binary", cancellation);
        if (read.Failure is { } unreadable) return unreadable;
        return Writes.Mismatch(read.Value.Document, call.Type, id) is { } mismatch ? mismatch : read;
    }
}
