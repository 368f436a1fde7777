using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>Reads the form of a search, up to a limit.</summary>
internal static class RequestForm
{
    /// <summary>Bytes of a form, at most: as many as a URL of the same parameters may have, several times.</summary>
    public const int MaxBytes = 64 * 1024;

    private static readonly FormOptions Options = new()
    {
        BufferBody = false,
        BufferBodyLengthLimit = MaxBytes,
        KeyLengthLimit = 256,
        ValueLengthLimit = MaxBytes,
        ValueCountLimit = 1024,
    };

    /// <summary>The parameters, or why there are none.</summary>
    public static async Task<Result<IReadOnlyList<KeyValuePair<string, StringValues>>>> ReadAsync(
        FhirCall call, CancellationToken cancellation)
    {
        var request = call.Request.Http;
        if (request is null || !MediaType.Is(request.ContentType, "application/x-www-form-urlencoded"))
            return Outcome.Of(OutcomeCategory.UnsupportedMediaType, "_search takes application/x-www-form-urlencoded");
        if (MediaType.Refusal(request.ContentType) is { } refusal) return refusal;
        if (request.ContentLength > MaxBytes) return TooLarge();
        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = MaxBytes;
        try
        {
            var form = (await new FormFeature(request, Options).ReadFormAsync(cancellation)).ToList();
            RequestClock.Restart(request);
            return await call.Caller.RefusedByNowAsync(cancellation) is { } ended ? ended : form;
        }
        catch (InvalidDataException)
        {
            return TooLarge();
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            return TooLarge();
        }
    }

    private static Outcome TooLarge() => Outcome.Of(OutcomeCategory.TooLarge, $"the form of a search is larger than {MaxBytes} bytes");
}
