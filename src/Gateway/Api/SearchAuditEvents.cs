using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR search of AuditEvent, who read what: the patient's own entries, newest first; nothing for anybody else.
/// https://hl7.org/fhir/R4/auditevent.html
/// </summary>
internal sealed class SearchAuditEvents(AuditLog audit, Denials denials, BaseUrl baseUrl, TimeProvider time)
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
        var asked = call.Request.Query.FirstOrDefault(p => p.Key == "patient").Value.ToString();
        var patient = asked.Replace("Patient/", "", StringComparison.Ordinal);
        var (page, total) = own is null || (patient.Length > 0 && patient != own)
            ? ([], 0)
            : await audit.OfAsync(own, null, cursor == 0 ? long.MaxValue : cursor, count, cancellation);
        var told = caller.Entry(
            time.GetUtcNow(), call.Route.Interaction, AuditOutcome.Permit, [call.Target], CallerAudit.Patients(own));
        await audit.AppendAsync([told], cancellation);
        var bundle = new BundleWriter("searchset", total);
        var self = $"{baseUrl.Fhir}/AuditEvent?patient={own}";
        bundle.Link("self", self);
        if (page.Count == count) bundle.Link("next", $"{self}&_count={count}&_cursor={page[^1].Seq}");
        foreach (var (_, entry) in page)
            bundle.SearchEntry($"{baseUrl.Fhir}/AuditEvent/{entry.Id}", FhirTyped.ToJson(AuditEntryResource.Of(entry)), "match");
        return new FhirResponse(200, bundle.ToJson());
    }
}
