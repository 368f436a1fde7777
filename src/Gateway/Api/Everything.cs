using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR operation Patient/$everything: all that the requester may see of a patient's compartment.
/// https://hl7.org/fhir/R4/operation-patient-everything.html
/// </summary>
internal sealed class Everything(ReadFlow flow, PageCursor cursors, SearchClock clock, BaseUrl baseUrl)
{
    private const int MaxCount = 1000;

    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var query = PageQuery.Of(call, null, MaxCount);
        if (query.Failure is { } notUnderstood) return FhirResponse.From(notUnderstood);
        var (asked, path) = (query.Value, $"Patient/{call.Id}/$everything");
        var position = cursors.Open(call.Caller, asked.Self(path), asked.Cursor);
        if (position.Failure is { } notOurs) return FhirResponse.From(notOurs);
        var answer = await clock.RunAsync(stop => FindAsync(call, path, asked, position.Value, stop), cancellation);
        return answer.Failure is { } tooLong ? FhirResponse.From(tooLong) : answer.Value;
    }

    private async Task<FhirResponse> FindAsync(
        FhirCall call, string path, PageQuery asked, long position, CancellationToken cancellation)
    {
        var types = FhirTypes.Offered.Where(t => call.Caller.Refuse(t, ScopeAction.Read) is null).ToList();
        SnapshotPage page = new([], 0, null);
        return await flow.RunAsync(
            call.Caller,
            call.AsRead() with { Searches = true },
            async snapshot =>
            {
                page = await snapshot.CompartmentAsync(
                    call.Id, types.Count == FhirTypes.Offered.Count ? null : types, position, asked.Count, cancellation);
                return page.Versions.Count > 0 ? new Found(page.Versions) : new Found([], Outcome.NotFound);
            },
            opened => Respond(call.Caller, path, asked, page, opened),
            cancellation);
    }

    private FhirResponse Respond(Caller caller, string path, PageQuery asked, SnapshotPage page, IReadOnlyList<OpenedRecord> opened)
    {
        var bundle = new BundleWriter("searchset", BundleWriter.Total(caller, page));
        bundle.Link("self", $"{baseUrl.Fhir}/{asked.Self(path)}");
        if (page.Next is { } next) bundle.Link("next", $"{baseUrl.Fhir}/{cursors.Next(caller, asked.Pages(path), next)}");
        foreach (var record in opened.Select(o => asked.Subset.Of(o)))
            bundle.SearchEntry($"{baseUrl.Fhir}/{record.Version.Facts.Type}/{record.Version.Facts.Id}", record, "match");
        return bundle.ToResponse();
    }
}
