using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>FHIR history of an instance: all its versions, newest first. https://hl7.org/fhir/R4/http.html#history</summary>
internal sealed class HistoryInstance(ReadFlow flow, PageCursor cursors, BaseUrl baseUrl)
{
    private const int MaxCount = 500;

    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var query = PageQuery.Of(call, MaxCount, MaxCount);
        if (query.Failure is { } notUnderstood) return FhirResponse.From(notUnderstood);
        var (count, cursor) = query.Value;
        var self = $"{call.Target}/_history";
        var position = cursors.Open(call.Caller, self, cursor);
        if (position.Failure is { } notOurs) return FhirResponse.From(notOurs);
        SnapshotPage page = new([], 0, null);
        return await flow.RunAsync(
            call.Caller,
            call.AsRead(),
            async snapshot =>
            {
                page = await snapshot.HistoryAsync(call.Type, call.Id, position.Value, count, cancellation);
                return page.Versions.Count > 0 ? new Found(page.Versions) : new Found([], Outcome.NotFound);
            },
            opened => Respond(call, self, count, page, opened),
            cancellation);
    }

    private FhirResponse Respond(FhirCall call, string self, int count, SnapshotPage page, IReadOnlyList<OpenedRecord> opened)
    {
        var (type, id) = (call.Type, call.Id);
        var bundle = new BundleWriter("history", page.Total);
        bundle.Link("self", $"{baseUrl.Fhir}/{self}");
        if (page.Next is { } next) bundle.Link("next", $"{baseUrl.Fhir}/{cursors.Next(call.Caller, $"{self}?_count={count}", next)}");
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
