using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>FHIR history of an instance: all its versions, newest first. https://hl7.org/fhir/R4/http.html#history</summary>
internal sealed class HistoryInstance(RecordStore records, ReadFlow flow, BaseUrl baseUrl)
{
    public Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation) => flow.RunAsync(
        call.Caller,
        call.AsRead(),
        access => records.History(access, call.Type, call.Id) is { Count: > 0 } versions
            ? new Found(versions)
            : new Found([], Outcome.NotFound),
        opened => new FhirResponse(200, Respond(call.Type, call.Id, opened)) { Decision = ReadFlow.Receipt(opened) },
        cancellation);

    private byte[] Respond(string type, string id, IReadOnlyList<OpenedRecord> opened)
    {
        var bundle = new BundleWriter("history", opened.Count);
        bundle.Link("self", $"{baseUrl.Fhir}/{type}/{id}/_history");
        foreach (var record in opened)
        {
            var version = record.Version;
            var (method, url) = version.IsDeleted ? ("DELETE", $"{type}/{id}")
                : version.Version == 1 ? ("POST", type)
                : ("PUT", $"{type}/{id}");
            var resource = version.IsDeleted ? null : Read.AsResource(record);
            bundle.HistoryEntry($"{baseUrl.Fhir}/{type}/{id}", resource, method, url, version.Version, version.LastUpdated);
        }
        return bundle.ToJson();
    }
}
