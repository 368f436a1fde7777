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
        var query = PageQuery.Of(call, call.Type, MaxCount, MaxCount);
        if (query.Failure is { } notUnderstood) return FhirResponse.From(notUnderstood);
        var asked = query.Value;
        var position = cursors.Open(call.Caller, asked.Self($"{call.Target}/_history"), asked.Cursor);
        if (position.Failure is { } notOurs) return FhirResponse.From(notOurs);
        SnapshotPage page = new([], 0, null);
        return await flow.RunAsync(
            call.Caller,
            call.AsRead(),
            async snapshot =>
            {
                page = await snapshot.HistoryAsync(call.Type, call.Id, position.Value, asked.Count, cancellation);
                return page.Versions.Count > 0 ? new Found(page.Versions) : new Found([], Outcome.NotFound);
            },
            opened => Respond(call, asked, page, opened),
            cancellation);
    }

    private FhirResponse Respond(FhirCall call, PageQuery asked, SnapshotPage page, IReadOnlyList<OpenedRecord> opened)
    {
        var (type, id, path) = (call.Type, call.Id, $"{call.Target}/_history");
        var bundle = new BundleWriter("history", page.Total);
        bundle.Link("self", $"{baseUrl.Fhir}/{asked.Self(path)}");
        if (page.Next is { } next) bundle.Link("next", $"{baseUrl.Fhir}/{cursors.Next(call.Caller, asked.Pages(path), next)}");
        foreach (var record in opened.Select(o => asked.Subset.Of(o)))
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
