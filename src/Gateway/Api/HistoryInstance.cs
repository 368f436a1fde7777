using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>FHIR history of an instance: all its versions, newest first. https://hl7.org/fhir/R4/http.html#history</summary>
internal sealed class HistoryInstance(ReadFlow flow, BaseUrl baseUrl)
{
    private const int MaxCount = 500;

    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var query = PageQuery.Of(call, MaxCount, MaxCount);
        if (query.Failure is { } notUnderstood) return FhirResponse.From(notUnderstood);
        var (count, cursor) = query.Value;
        SnapshotPage page = new([], 0, null);
        return await flow.RunAsync(
            call.Caller,
            call.AsRead(),
            async snapshot =>
            {
                page = await snapshot.HistoryAsync(call.Type, call.Id, cursor, count, cancellation);
                return page.Versions.Count > 0 ? new Found(page.Versions) : new Found([], Outcome.NotFound);
            },
            opened => Respond(call, count, page, opened),
            cancellation);
    }

    private FhirResponse Respond(FhirCall call, int count, SnapshotPage page, IReadOnlyList<OpenedRecord> opened)
    {
        var (type, id) = (call.Type, call.Id);
        var bundle = new BundleWriter("history", page.Total);
        var self = $"{baseUrl.Fhir}/{type}/{id}/_history";
        bundle.Link("self", self);
        if (page.Next is { } next) bundle.Link("next", $"{self}?_count={count}&_cursor={next}");
        foreach (var record in opened)
        {
            var version = record.Version;
            var (method, url) = version.IsDeleted ? ("DELETE", $"{type}/{id}")
                : version.Version == 1 ? ("POST", type)
                : ("PUT", $"{type}/{id}");
            var resource = version.IsDeleted ? null : record.Content;
            bundle.HistoryEntry($"{baseUrl.Fhir}/{type}/{id}", resource, method, url, version.Version, version.LastUpdated, record);
        }
        return bundle.ToResponse();
    }
}
