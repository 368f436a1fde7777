using Microsoft.Extensions.Primitives;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR search of AuditEvent, by URL or by form, who did what: the patient's own entries; nothing for anybody else.
/// https://hl7.org/fhir/R4/auditevent.html
/// </summary>
internal sealed class SearchAuditEvents(
    AuditLog audit, AuditEntryResource resources, AuditSearchParser parser, Denials denials, PageCursor cursors, BaseUrl baseUrl,
    TimeProvider time)
{
    public Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation) =>
        RunAsync(call, call.Request.Query, cancellation);

    /// <summary>The parameters come in the body, and in the URL as well. https://hl7.org/fhir/R4/http.html#search</summary>
    public async Task<FhirResponse> RunByFormAsync(FhirCall call, CancellationToken cancellation)
    {
        var form = await RequestForm.ReadAsync(call, cancellation);
        return form.Failure is { } unreadable
            ? FhirResponse.From(unreadable)
            : await RunAsync(call, [.. call.Request.Query, .. form.Value], cancellation);
    }

    private async Task<FhirResponse> RunAsync(
        FhirCall call, IEnumerable<KeyValuePair<string, StringValues>> parameters, CancellationToken cancellation)
    {
        var caller = call.Caller;
        if (call.Refusal is { } refusal) return await denials.AnswerAsync(caller, call.Route.Interaction, call.Type, refusal);
        var parsed = parser.Parse(parameters);
        if (parsed.Failure is { } notUnderstood) return FhirResponse.From(notUnderstood);
        var search = parsed.Value;
        var self = call.Type + (search.Self.Length > 0 ? "?" + search.Self : "");
        var position = cursors.Open(caller, self, search.Cursor);
        if (position.Failure is { } notOurs) return FhirResponse.From(notOurs);
        var own = caller.Requester.Patient;
        var found = own is not null && search.Patients.All(p => p.Contains("Patient/" + own))
            ? await audit.SearchAsync(
                new AuditQuery(own, search.Count) { Criteria = search.Criteria, OldestFirst = search.OldestFirst, Behind = position.Value },
                cancellation)
            : AuditPage.Nothing;
        var told = caller.Entry(
            time.GetUtcNow(), call.Route.Interaction, AuditOutcome.Permit, [call.Type], CallerAudit.Patients(own),
            query: AuditedQuery.Of(call.Type, search.Self));
        await audit.AppendAsync([told], cancellation);
        var bundle = new BundleWriter("searchset", found.Total);
        bundle.Link("self", $"{baseUrl.Fhir}/{self}");
        if (found.Events.Count == search.Count)
            bundle.Link("next", $"{baseUrl.Fhir}/{cursors.Next(caller, self, found.Events[^1].Place)}");
        foreach (var evidence in found.Events)
        {
            var resource = resources.Of(evidence, found.Consents);
            bundle.SearchEntry($"{baseUrl.Fhir}/AuditEvent/{resource.Id}", search.Subset.Cut(FhirTyped.ToJson(resource)), "match");
        }
        return new FhirResponse(200, bundle.ToJson());
    }
}
