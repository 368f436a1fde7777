using System.Buffers;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;

namespace PmrGateway.Gateway.Api;

/// <summary>Reads bodies up to a limit.</summary>
internal static class RequestBody
{
    private static readonly string[] JsonTypes = ["application/fhir+json", "application/json", "text/json"];

    public static async Task<Result<byte[]>> ReadAsync(HttpRequest request, long limit, CancellationToken cancellation)
    {
        if (request.ContentLength > limit) return TooLarge(limit);
        var bytes = new ArrayBufferWriter<byte>((int)Math.Clamp(request.ContentLength ?? 4096, 256, 1 << 20));
        while (true)
        {
            var memory = bytes.GetMemory(16 * 1024);
            var n = await request.Body.ReadAsync(memory, cancellation);
            if (n == 0) return bytes.WrittenSpan.ToArray();
            bytes.Advance(n);
            if (bytes.WrittenCount > limit) return TooLarge(limit);
        }
    }

    public static async Task<Result<ResourceDocument>> ReadResourceAsync(HttpRequest request, LimitOptions limits, CancellationToken cancellation)
    {
        if (!IsFhirJson(request.ContentType))
            return Outcome.Of(OutcomeCategory.UnsupportedMediaType, "send FHIR as application/fhir+json");
        var body = await ReadAsync(request, limits.MaxBodyBytes, cancellation);
        return body.Failure is not null ? body.Failure : Parse(body.Value, new ResourceLimits(limits.MaxDepth, limits.MaxValues));
    }

    public static Result<ResourceDocument> Parse(byte[] json, ResourceLimits? limits = null) => ResourceDocument.TryParse(json, out var document, out var issue, limits)
        ? document!
        : new Outcome(OutcomeCategory.Malformed, [issue!]);

    public static bool IsFhirJson(string? contentType)
    {
        var type = contentType?.Split(';')[0].Trim();
        return type is not null && JsonTypes.Contains(type, StringComparer.OrdinalIgnoreCase);
    }

    private static Outcome TooLarge(long limit) => Outcome.Of(OutcomeCategory.TooLarge, $"the body is larger than {limit} bytes (Limits:MaxBodyBytes)");
}
