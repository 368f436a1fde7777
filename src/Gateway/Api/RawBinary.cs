using PmrGateway.Gateway.Content;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>A Binary sent by its own media type: from the socket into the blocks. https://hl7.org/fhir/R4/binary.html#rest</summary>
internal sealed class RawBinary(Writes writes, Denials denials, IContent content, LimitOptions limits)
{
    /// <summary>Whether that is what a write brings.</summary>
    public static bool IsSent(FhirCall call) =>
        call.Type == "Binary" && call.Request.Http is { } http && !MediaType.IsFhirJson(http.ContentType);

    /// <summary>
    /// That one by criteria is not taken: its bytes go to the blocks as they come in, under the id that they are for, and which that is may
    /// change until the commit.
    /// </summary>
    public static Outcome ByCriteria { get; } = Outcome.Of(
        OutcomeCategory.UnsupportedMediaType,
        "a Binary by criteria (in its URL, or If-None-Exist) is sent as application/fhir+json, or to its own URL");

    /// <summary>Writes it.</summary>
    /// <param name="call">The request.</param>
    /// <param name="current">The version there is; null: it is new.</param>
    /// <param name="cancellation">Stops the upload.</param>
    /// <exception cref="Ipfs.BlockStoreUnavailableException">The blocks cannot be written.</exception>
    public async Task<FhirResponse> RunAsync(FhirCall call, StoredVersion? current, CancellationToken cancellation)
    {
        var http = call.Request.Http!;
        if (http.ContentType is not { } contentType || !MediaType.IsWellFormed(contentType))
            return FhirResponse.From(Outcome.Of(OutcomeCategory.UnsupportedMediaType, "a Binary needs its Content-Type, a media type"));
        var rules = http.Headers["X-Security-Context"].ToString();
        var binary = new BinaryContent(contentType, rules.Length > 0 ? rules : null);
        var request = new WriteRequest(null, "Binary", current?.Facts.Id ?? ResourceId.New(), current, binary);
        // Before a byte of it is taken: it may be long.
        if (WriteRules.Refusal(call.Caller, request) is { } refusal)
            return await denials.AnswerAsync(call.Caller, request.Interaction, call.Target, refusal);
        if (http.ContentLength > limits.MaxBinaryBytes) return TooLarge();
        var upload = content.Begin();
        var context = new SealContext("Binary", request.Id, request.Version, http.ContentLength ?? 0);
        var copy = new ResourceCopy(limits.MaxBodyBytes);
        if (await upload.SealAsync(http.BodyReader, context, limits.MaxBinaryBytes, copy, cancellation) is not { } streamed)
            return TooLarge();
        RequestClock.Restart(http);
        if (copy.IsUnread)
            return FhirResponse.From(Outcome.Of(
                OutcomeCategory.TooLarge,
                $"a FHIR resource is read for its labels, up to {limits.MaxBodyBytes} bytes (Limits:MaxBodyBytes)"));
        var write = request with { Binary = binary with { Streamed = streamed, Text = copy.Bytes } };
        return await writes.RunAsync(call.Caller, write, new StreamedBody([], upload), null, cancellation);
    }

    private FhirResponse TooLarge() => FhirResponse.From(Outcome.Of(
        OutcomeCategory.TooLarge, $"the content is larger than {limits.MaxBinaryBytes} bytes (Limits:MaxBinaryBytes)"));
}
