using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR history of an instance, of a type, of the system: one question, asked of one record, of those of a type, and of all types that the
/// scopes cover. https://hl7.org/fhir/R4/http.html#history
/// </summary>
internal sealed class History(ReadFlow flow, Denials denials, PageCursor cursors, SearchClock clock, BaseUrl baseUrl)
{
    private const string Suffix = "_history";

    public Task<FhirResponse> RunOfInstanceAsync(FhirCall call, CancellationToken cancellation) =>
        RunAsync(call, new Asked($"{call.Target}/{Suffix}", [call.Type], call.Id, call.AsRead()), cancellation);

    public Task<FhirResponse> RunOfTypeAsync(FhirCall call, CancellationToken cancellation)
    {
        var read = new ReadRequest(call.Route.Interaction, call.Type, call.Route.Action, call.Type);
        return RunAsync(call, new Asked($"{call.Type}/{Suffix}", [call.Type], null, read), cancellation);
    }

    public async Task<FhirResponse> RunOfSystemAsync(FhirCall call, CancellationToken cancellation)
    {
        List<string> types = [.. FhirTypes.Offered.Where(t => FhirTypes.IsRecord(t) && call.Caller.Refuse(t, call.Route.Action) is null)];
        if (types.Count == 0)
        {
            return await denials.AnswerAsync(
                call.Caller, call.Route.Interaction, Suffix,
                Outcome.Of(OutcomeCategory.Forbidden, "the token's scopes do not allow search on any type"));
        }
        var read = new ReadRequest(call.Route.Interaction, null, call.Route.Action, Suffix);
        return await RunAsync(call, new Asked(Suffix, types, null, read), cancellation);
    }

    private async Task<FhirResponse> RunAsync(FhirCall call, Asked asked, CancellationToken cancellation)
    {
        var parsed = HistoryParameters.Of(call, asked.Read.Type);
        if (parsed.Failure is { } notUnderstood) return FhirResponse.From(notUnderstood);
        var parameters = parsed.Value;
        var position = cursors.Open(call.Caller, parameters.Page.Self(asked.Path), parameters.Page.Cursor);
        if (position.Failure is { } notOurs) return FhirResponse.From(notOurs);
        // Whom a mere number was about nobody could be told.
        if (call.Caller.Reason is not null && parameters.Page.Count == 0)
        {
            return await denials.AnswerAsync(
                call.Caller, call.Route.Interaction, asked.Read.Asked,
                Outcome.Of(OutcomeCategory.Forbidden, "who breaks the glass reads records: no numbers of them"), asked.Read.PatientAsked);
        }
        var answer = await clock.RunAsync(stop => FindAsync(call.Caller, asked, parameters, position.Value, stop), cancellation);
        return answer.Failure is { } tooLong ? FhirResponse.From(tooLong) : answer.Value;
    }

    private async Task<FhirResponse> FindAsync(
        Caller caller, Asked asked, HistoryParameters parameters, long position, CancellationToken cancellation)
    {
        SnapshotPage page = new([], 0, null);
        var read = asked.Read with { Searches = true };
        // Of one record it is a read of that; of several a search.
        if (asked.Id is null) read = read with { Query = AuditedQuery.Of(asked.Path, QueryOf(parameters.Page.Pages(asked.Path))) };
        return await flow.RunAsync(
            caller,
            read,
            async snapshot =>
            {
                var query = parameters.Query(asked.Types, asked.Id, position);
                page = await snapshot.HistoryAsync(query, cancellation);
                if (page.Versions.Count == 0 && query.Id is not null) return await NothingOfAsync(caller, snapshot, query, cancellation);
                if (query.Count > 0 || page.Total == 0) return new Found(page.Versions);
                return Found.Number(await snapshot.HistoryAsync(query with { Count = Found.MaxCounted }, cancellation));
            },
            opened => Respond(caller, asked.Path, parameters.Page, page, opened),
            cancellation);
    }

    // That there is nothing of it then tells that there is such a record.
    private static async ValueTask<Found> NothingOfAsync(
        Caller caller, ReadSnapshot snapshot, HistoryQuery query, CancellationToken cancellation)
    {
        var any = await snapshot.HistoryAsync(query with { Since = null, At = null, Cursor = 0, Count = 1 }, cancellation);
        return any.Versions.Count == 0 || caller.Reason is not null
            ? new Found([], Outcome.NotFound)
            : new Found([]) { Told = any.Versions[0].Version.Facts.Patients };
    }

    private FhirResponse Respond(
        Caller caller, string path, PageQuery asked, SnapshotPage page, IReadOnlyList<OpenedRecord> opened)
    {
        var bundle = new BundleWriter("history", BundleWriter.Total(caller, page));
        bundle.Link("self", $"{baseUrl.Fhir}/{asked.Self(path)}");
        if (page.Next is { } next) bundle.Link("next", $"{baseUrl.Fhir}/{cursors.Next(caller, asked.Pages(path), next)}");
        foreach (var record in opened) bundle.HistoryEntry(baseUrl.Fhir, asked.Subset.Of(record));
        return bundle.ToResponse();
    }

    private static string QueryOf(string list) => list[(list.IndexOf('?', StringComparison.Ordinal) + 1)..];

    // Path: below the FHIR base. Id: null where it is of all records of the types.
    private sealed record Asked(string Path, IReadOnlyCollection<string> Types, string? Id, ReadRequest Read);
}
