using System.Globalization;
using PmrGateway.Gateway.Content;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR read: the current version of a resource. A Binary is sent while it is opened, also a part of it.
/// https://hl7.org/fhir/R4/http.html#read
/// </summary>
internal sealed class Read(ReadFlow flow)
{
    public Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation) => VersionAsync(call, null, cancellation);

    /// <summary>One version of a resource; null: the current one.</summary>
    public async Task<FhirResponse> VersionAsync(FhirCall call, long? version, CancellationToken cancellation)
    {
        var subset = Subset.Of(call.Type, call.Request.Query);
        if (subset.Failure is { } notUnderstood) return FhirResponse.From(notUnderstood);
        return await flow.RunAsync(
            call.Caller,
            call.AsRead(),
            async snapshot => Found.Of(await snapshot.ReadAsync(call.Type, call.Id, version, cancellation)),
            opened => RespondAsync(subset.Value.Of(opened[0]), call.Request, cancellation),
            cancellation);
    }

    // What a sender wrote as contentType goes into a header only if a header can hold it.
    private static string HeaderSafe(string contentType) =>
        MediaType.IsWellFormed(contentType) ? contentType : "application/octet-stream";

    private static async Task<FhirResponse> RespondAsync(OpenedRecord opened, FhirRequest request, CancellationToken cancellation)
    {
        var answer = new FhirResponse(200, opened.Content)
        {
            Version = opened.Version.Version,
            LastModified = opened.Version.LastUpdated,
        };
        if (opened.Binary is not { } binary) return answer;
        // R4 binary.html: a Binary is served as what it holds unless FHIR is asked for. What _format asks for is FHIR.
        var http = request.Format.ToString().Length > 0 ? null : request.Http;
        var accept = http is null ? null : Accept.Of(http.Headers.Accept);
        // Whoever asks for a page must not be given what is none as one: the type is the stored one, or FHIR, or nothing.
        var isStoredTaken = accept is not null && accept.Takes(opened.Version.ContentType);
        if (accept is { NamesFhir: false } && !isStoredTaken)
            return FhirResponse.From(Outcome.Of(OutcomeCategory.NotAcceptable, "the content is of another type than Accept asks for"));
        if (http is null || !isStoredTaken || accept!.NamesFhirFirst)
        {
            answer = answer with { Length = BinaryJson.Length(opened) };
            return await StreamAsync(answer, stop => BinaryJson.Pieces(opened, stop), request, cancellation);
        }
        answer = answer with { ContentType = HeaderSafe(opened.Version.ContentType!), IsContent = true, HasRanges = true };
        if (!RangeHeader.TryRead(http.Headers.Range, http.Headers.IfRange.Count > 0, binary.Size, out var range))
        {
            var outcome = Outcome.Of(OutcomeCategory.RangeNotSatisfiable, "no byte of the content is in the range");
            return FhirResponse.From(outcome) with { ContentRange = Text("*", binary.Size), HasRanges = true };
        }
        answer = range is { } part
            ? answer with { Status = 206, Length = part.To - part.From, ContentRange = Text($"{part.From}-{part.To - 1}", binary.Size) }
            : answer with { Length = binary.Size };
        return await StreamAsync(answer, stop => binary.Open(range, stop), request, cancellation);
    }

    // Of the head alone nothing is opened.
    private static async Task<FhirResponse> StreamAsync(
        FhirResponse answer, Func<CancellationToken, IAsyncEnumerable<ReadOnlyMemory<byte>>> open, FhirRequest request,
        CancellationToken cancellation)
    {
        if (request.IsHead) return answer;
        var body = await BodyStream.OpenAsync(open(cancellation), cancellation);
        return answer with
        {
            Stream = async (to, stop) =>
            {
                await using (body) await body.WriteAsync(to, stop);
            },
        };
    }

    private static string Text(string part, long size) => string.Create(CultureInfo.InvariantCulture, $"bytes {part}/{size}");
}
