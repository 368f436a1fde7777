using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Http;
using PmrGateway.Gateway.Security;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Interactions;

/// <summary>FHIR history of an instance. https://hl7.org/fhir/R4/http.html#history</summary>
public sealed class HistoryInteraction(RecordStore records, ReadFlow flow, BaseUrl baseUrl)
{
    /// <summary>All versions of a resource, newest first.</summary>
    public Task<FhirResponse> RunAsync(Caller caller, string type, string id, CancellationToken cancellation) => flow.RunAsync(
        caller,
        new ReadRequest("history-instance", type, ScopeAction.Read, $"{type}/{id}", type == "Patient" ? id : null),
        access => records.History(access, type, id) is { Count: > 0 } versions ? new Found(versions) : new Found([], Outcome.NotFound),
        opened => new FhirResponse(200, Respond(type, id, opened)) { Decision = ReadFlow.Receipt(opened) },
        cancellation);

    private byte[] Respond(string type, string id, IReadOnlyList<OpenedRecord> opened)
    {
        var bundle = new BundleWriter("history", opened.Count);
        bundle.Link("self", $"{baseUrl.Fhir}/{type}/{id}/_history");
        foreach (var version in opened)
        {
            var method = version.Version.IsDeleted ? "DELETE" : version.Version.Version == 1 ? "POST" : "PUT";
            bundle.HistoryEntry(
                $"{baseUrl.Fhir}/{type}/{id}", version.Version.IsDeleted ? null : ReadInteraction.AsResource(version), method,
                method == "POST" ? type : $"{type}/{id}", version.Version.Version, version.Version.LastUpdated);
        }
        return bundle.ToJson();
    }
}
