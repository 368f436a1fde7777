using System.Text;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Http;
using PmrGateway.Gateway.Security;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Interactions;

/// <summary>FHIR read and vread. https://hl7.org/fhir/R4/http.html#read</summary>
public sealed class ReadInteraction(RecordStore records, ReadFlow flow)
{
    /// <summary>The current version of a resource, or an earlier one.</summary>
    public Task<FhirResponse> RunAsync(Caller caller, string type, string id, long? version, HttpRequest? http, CancellationToken cancellation) => flow.RunAsync(
        caller,
        new ReadRequest(version is null ? "read" : "vread", type, ScopeAction.Read, $"{type}/{id}", type == "Patient" ? id : null),
        access => Find(access, type, id, version),
        opened => Respond(opened[0], http, ReadFlow.Receipt(opened)),
        cancellation);

    /// <summary>A resource as JSON: a Binary's bytes become its <c>data</c>.</summary>
    internal static byte[] AsResource(OpenedRecord opened)
    {
        if (opened.Version.Facts.Type != "Binary") return opened.Content;
        var json = new StringBuilder(opened.Content.Length * 4 / 3 + 256)
            .Append($"{{\"resourceType\":\"Binary\",\"id\":\"{opened.Version.Facts.Id}\",\"meta\":{{\"versionId\":\"{opened.Version.Version}\",")
            .Append($"\"lastUpdated\":\"{Fhir.FhirInstant.Format(opened.Version.LastUpdated)}\"}},\"contentType\":{System.Text.Json.JsonSerializer.Serialize(opened.Version.ContentType)}");
        if (opened.Version.Facts.Patients.Count > 0) json.Append($",\"securityContext\":{{\"reference\":\"Patient/{opened.Version.Facts.Patients[0]}\"}}");
        if (opened.Content.Length > 0) json.Append(",\"data\":\"").Append(Convert.ToBase64String(opened.Content)).Append('"');
        return Encoding.UTF8.GetBytes(json.Append('}').ToString());
    }

    private Found Find(AccessQuery access, string type, string id, long? version) => records.Read(access, type, id, version) switch
    {
        null => new Found([], Outcome.NotFound),
        { IsDeleted: true } => new Found([], Outcome.Of(OutcomeCategory.Gone, "the resource was deleted")),
        var found => new Found([found]),
    };

    // What a sender wrote as contentType goes into a header only if a header can hold it.
    private static string HeaderSafe(string contentType) =>
        System.Net.Http.Headers.MediaTypeHeaderValue.TryParse(contentType, out _) && contentType.All(c => c is >= ' ' and <= '~') ? contentType : "application/octet-stream";

    private static FhirResponse Respond(OpenedRecord opened, HttpRequest? http, string receipt)
    {
        // R4 binary.html: a Binary is served as what it holds unless FHIR is asked for.
        var asBytes = opened.Version.Facts.Type == "Binary" && http is not null && !RequestBody.IsFhirJson(http.Headers.Accept.ToString().Split(',')[0]);
        return new FhirResponse(200, asBytes ? opened.Content : AsResource(opened))
        {
            ContentType = asBytes ? HeaderSafe(opened.Version.ContentType!) : FhirResponse.FhirJson + "; charset=utf-8",
            Version = opened.Version.Version,
            LastModified = opened.Version.LastUpdated,
            Decision = receipt,
        };
    }
}
