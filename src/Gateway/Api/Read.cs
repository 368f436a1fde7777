using System.Buffers.Text;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>FHIR read: the current version of a resource. https://hl7.org/fhir/R4/http.html#read</summary>
internal sealed class Read(ReadFlow flow)
{
    public Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation) => VersionAsync(call, null, cancellation);

    /// <summary>One version of a resource; null: the current one.</summary>
    public Task<FhirResponse> VersionAsync(FhirCall call, long? version, CancellationToken cancellation) => flow.RunAsync(
        call.Caller,
        call.AsRead(),
        async snapshot => Found.Of(await snapshot.ReadAsync(call.Type, call.Id, version, cancellation)),
        opened => Respond(opened[0], call.Request.Http, ReadFlow.Receipt(opened)),
        cancellation);

    /// <summary>A resource as JSON: a Binary's bytes become its <c>data</c>.</summary>
    public static byte[] AsResource(OpenedRecord opened)
    {
        if (opened.Version.Facts.Type != "Binary") return opened.Content;
        var (version, facts) = (opened.Version, opened.Version.Facts);
        var json = new StringBuilder($"{{\"resourceType\":\"Binary\",\"id\":\"{facts.Id}\",\"meta\":{{\"versionId\":\"{version.Version}\",")
            .Append($"\"lastUpdated\":\"{FhirInstant.Format(version.LastUpdated)}\"}}")
            .Append($",\"contentType\":{JsonSerializer.Serialize(version.ContentType)}");
        if (facts.Patients.Count > 0) json.Append($",\"securityContext\":{{\"reference\":\"Patient/{facts.Patients[0]}\"}}");
        if (opened.Content.Length > 0) json.Append(",\"data\":\"");
        var head = Encoding.UTF8.GetBytes(json.ToString());
        var tail = opened.Content.Length > 0 ? "\"}"u8 : "}"u8;
        // In one array of the right size: as text, a large content would be here three times over.
        var resource = new byte[head.Length + Base64.GetMaxEncodedToUtf8Length(opened.Content.Length) + tail.Length];
        head.CopyTo(resource, 0);
        Base64.EncodeToUtf8(opened.Content, resource.AsSpan(head.Length), out _, out var written);
        tail.CopyTo(resource.AsSpan(head.Length + written));
        return resource;
    }

    // What a sender wrote as contentType goes into a header only if a header can hold it.
    private static string HeaderSafe(string contentType) =>
        MediaTypeHeaderValue.TryParse(contentType, out _) && contentType.All(c => c is >= ' ' and <= '~')
            ? contentType
            : "application/octet-stream";

    private static FhirResponse Respond(OpenedRecord opened, HttpRequest? http, string receipt)
    {
        // R4 binary.html: a Binary is served as what it holds unless FHIR is asked for.
        var asBytes = opened.Version.Facts.Type == "Binary"
            && http is not null
            && !RequestBody.IsFhirJson(http.Headers.Accept.ToString().Split(',')[0]);
        return new FhirResponse(200, asBytes ? opened.Content : AsResource(opened))
        {
            ContentType = asBytes ? HeaderSafe(opened.Version.ContentType!) : FhirResponse.FhirJson + "; charset=utf-8",
            Version = opened.Version.Version,
            LastModified = opened.Version.LastUpdated,
            Decision = receipt,
        };
    }
}
