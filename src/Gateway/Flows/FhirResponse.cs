using System.Globalization;

namespace PmrGateway.Gateway.Flows;

/// <summary>An answer before it is written: status, body and headers.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Body">The body; empty for none.</param>
public sealed record FhirResponse(int Status, ReadOnlyMemory<byte> Body)
{
    /// <summary>The media type of FHIR in JSON.</summary>
    public const string FhirJson = "application/fhir+json";

    /// <summary>Writes the body piece by piece, where it is never held whole; null: it is <see cref="Body"/>.</summary>
    public Func<Stream, CancellationToken, Task>? Stream { get; init; }

    /// <summary>Bytes that <see cref="Stream"/> writes, or would where more than the head is asked for; null: not known.</summary>
    public long? Length { get; init; }

    /// <summary>Which part of the whole it is, for Content-Range; null: the whole.</summary>
    public string? ContentRange { get; init; }

    /// <summary>Whether parts of it can be asked for.</summary>
    public bool HasRanges { get; init; }

    /// <summary>Whether the body is what a Binary holds: a sender's, under whatever type the sender wrote.</summary>
    public bool IsContent { get; init; }

    /// <summary>MIME type of the body.</summary>
    public string ContentType { get; init; } = FhirJson + "; charset=utf-8";

    /// <summary>Version for ETag, or null.</summary>
    public long? Version { get; init; }

    /// <summary>Instant for Last-Modified, or null.</summary>
    public DateTimeOffset? LastModified { get; init; }

    /// <summary>Path below the FHIR base for Location, or null.</summary>
    public string? Location { get; init; }

    /// <summary>The decision receipt: why the data was released and at which block, or null.</summary>
    public string? Decision { get; init; }

    /// <summary>The methods that the path has, for Allow; null: not told.</summary>
    public string? Allow { get; init; }

    /// <summary>The media types of patches that are taken, for Accept-Patch; null: not told.</summary>
    public string? AcceptPatch { get; init; }

    /// <summary>Why the request was not done; null: it was.</summary>
    public Outcome? Failure { get; init; }

    /// <summary>Whether it was refused for who asks, or what that one may see: then its time must not tell more (RefusalPace).</summary>
    public bool IsWithheld { get; init; }

    /// <summary>An answer without a body.</summary>
    public static FhirResponse NoContent { get; } = new(204, default(ReadOnlyMemory<byte>));

    /// <summary>The answer to a request that failed.</summary>
    public static FhirResponse From(Outcome outcome) => new(outcome.Status, outcome.ToJson()) { Failure = outcome };

    /// <summary>Writes the answer.</summary>
    public async Task WriteAsync(HttpContext context, string baseUrl)
    {
        var response = context.Response;
        response.StatusCode = Status;
        response.Headers.CacheControl = "no-store";
        response.Headers.XContentTypeOptions = "nosniff";
        if (Version is { } version) response.Headers.ETag = $"W/\"{version}\"";
        if (LastModified is { } modified) response.Headers.LastModified = modified.ToString("R", CultureInfo.InvariantCulture);
        if (Location is not null) response.Headers.Location = $"{baseUrl}/{Location}";
        if (Allow is not null) response.Headers.Allow = Allow;
        if (AcceptPatch is not null) response.Headers["Accept-Patch"] = AcceptPatch;
        if (Decision is not null) response.Headers["X-Consent-Decision"] = Decision;
        if (ContentRange is not null) response.Headers.ContentRange = ContentRange;
        if (HasRanges) response.Headers.AcceptRanges = "bytes";
        // RFC 6750, 3: who has sent no token is told of none that is wrong.
        if (Status == 401)
            response.Headers.WWWAuthenticate =
                context.Request.Headers.Authorization.Count > 0 ? "Bearer error=\"invalid_token\"" : "Bearer";
        if (Status == 503) response.Headers.RetryAfter = "5";
        if (Failure?.RetryAfter is { } wait)
            response.Headers.RetryAfter = ((long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        if (Body.Length == 0 && Stream is null && Length is null) return;
        response.ContentType = ContentType;
        response.ContentLength = Length ?? (Stream is null ? Body.Length : null);
        // What a Binary holds is not ours: a browser must neither run nor guess it.
        if (IsContent)
        {
            response.Headers.ContentSecurityPolicy = "sandbox; default-src 'none'";
            response.Headers.ContentDisposition = "attachment";
        }
        if (HttpMethods.IsHead(context.Request.Method)) return;
        if (Stream is { } write) await write(response.Body, context.RequestAborted);
        else await response.Body.WriteAsync(Body, context.RequestAborted);
    }
}
