using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR search of AuditEvent, who read what: the patient's own entries, newest first; nothing for anybody else.
/// https://hl7.org/fhir/R4/auditevent.html
/// </summary>
internal sealed class SearchAuditEvents(AuditLog audit, Denials denials, PageCursor cursors, BaseUrl baseUrl, TimeProvider time)
{
    private const int DefaultCount = 50;
    private const int MaxCount = 500;

    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var caller = call.Caller;
        if (call.Refusal is { } refusal) return await denials.AnswerAsync(caller, call.Route.Interaction, call.Target, refusal);
        var query = PageQuery.Of(call, DefaultCount, MaxCount, "patient");
        if (query.Failure is { } notUnderstood) return FhirResponse.From(notUnderstood);
        var (count, cursor) = query.Value;
        var own = caller.Requester.Patient;
        var self = $"AuditEvent?patient={own}";
        var position = cursors.Open(caller, self, cursor);
        if (position.Failure is { } notOurs) return FhirResponse.From(notOurs);
        var asked = call.Request.Query.FirstOrDefault(p => p.Key == "patient").Value.ToString();
        var patient = asked.Replace("Patient/", "", StringComparison.Ordinal);
        var (page, total) = own is null || (patient.Length > 0 && patient != own)
            ? ([], 0)
            : await audit.OfAsync(own, null, position.Value == 0 ? long.MaxValue : position.Value, count, cancellation);
        var told = caller.Entry(
            time.GetUtcNow(), call.Route.Interaction, AuditOutcome.Permit, [call.Target], CallerAudit.Patients(own));
        await audit.AppendAsync([told], cancellation);
        var bundle = new BundleWriter("searchset", total);
        bundle.Link("self", $"{baseUrl.Fhir}/{self}");
        if (page.Count == count) bundle.Link("next", $"{baseUrl.Fhir}/{cursors.Next(caller, $"{self}&_count={count}", page[^1].Seq)}");
        foreach (var (_, entry) in page)
            bundle.SearchEntry($"{baseUrl.Fhir}/AuditEvent/{entry.Id}", FhirTyped.ToJson(AuditEntryResource.Of(entry)), "match");
        return new FhirResponse(200, bundle.ToJson());
    }
}
