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
        var (count, cursor) = (MaxCount, 0L);
        foreach (var (key, value) in call.Request.Query)
        {
            if (key is "_format" or "_pretty") continue;
            if (key == "_count" && int.TryParse(value, out var n) && n > 0) count = Math.Min(n, MaxCount);
            else if (key == "_cursor" && long.TryParse(value, out var c) && c > 0) cursor = c;
            else return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, $"a history takes _count, not '{key}'"));
        }
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
