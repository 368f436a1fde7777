using System.Buffers;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Content;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>Reads bodies up to a limit.</summary>
internal static class RequestBody
{
    public static async Task<Result<byte[]>> ReadAsync(HttpRequest request, long limit, CancellationToken cancellation)
    {
        if (request.ContentLength > limit) return TooLarge(limit);
        var bytes = new ArrayBufferWriter<byte>((int)Math.Clamp(request.ContentLength ?? 4096, 256, 1 << 20));
        while (true)
        {
            var memory = bytes.GetMemory(16 * 1024);
            var n = await request.Body.ReadAsync(memory, cancellation);
            if (n == 0)
            {
                RequestClock.Restart(request);
                return bytes.WrittenSpan.ToArray();
            }
            bytes.Advance(n);
            if (bytes.WrittenCount > limit) return TooLarge(limit);
        }
    }

    /// <summary>The resource, its large attachments in the blocks already where they are cut.</summary>
    /// <param name="request">What came.</param>
    /// <param name="limit">Bytes, at most.</param>
    /// <param name="limits">Sizes of the resource.</param>
    /// <param name="upload">Where attachments go.</param>
    /// <param name="cuts">Whether attachments are cut out.</param>
    /// <param name="cancellation">Stops the read.</param>
    /// <exception cref="Ipfs.BlockStoreUnavailableException">The blocks cannot be written.</exception>
    public static async Task<Result<ReceivedBody>> ReadResourceAsync(
        HttpRequest request, long limit, ResourceLimits limits, ContentUpload upload, bool cuts, CancellationToken cancellation)
    {
        if (!MediaType.IsFhirJson(request.ContentType))
            return Outcome.Of(OutcomeCategory.UnsupportedMediaType, "send FHIR as application/fhir+json");
        if (MediaType.Refusal(request.ContentType) is { } refusal) return refusal;
        if (await BodyReader.ReadAsync(request.BodyReader, request.ContentLength, limit, cuts, upload, cancellation) is not { } body)
            return TooLarge(limit);
        RequestClock.Restart(request);
        var document = Parse(body.Json, limits);
        return document.Failure is { } failure ? failure : new ReceivedBody(document.Value, body);
    }

    public static Result<ResourceDocument> Parse(byte[] json, ResourceLimits limits) =>
        ResourceDocument.TryParse(json, out var document, out var issue, limits)
            ? document!
            : new Outcome(OutcomeCategory.Malformed, [issue!]);

    private static Outcome TooLarge(long limit) => Outcome.Of(
        OutcomeCategory.TooLarge, $"the body is larger than {limit} bytes (Limits:MaxBodyBytes)");
}
