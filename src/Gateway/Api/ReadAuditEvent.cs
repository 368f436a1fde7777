using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>FHIR read of AuditEvent: one event of the patient's own. https://hl7.org/fhir/R4/auditevent.html</summary>
internal sealed class ReadAuditEvent(AuditLog audit, AuditEntryResource resources, Denials denials, TimeProvider time)
{
    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var (caller, interaction) = (call.Caller, call.Route.Interaction);
        if (call.Refusal is { } refusal) return await denials.AnswerAsync(caller, interaction, call.Target, refusal);
        var subset = Subset.Of(call.Type, call.Request.Query);
        if (subset.Failure is { } notUnderstood) return FhirResponse.From(notUnderstood);
        var own = caller.Requester.Patient;
        var found = own is null
            ? AuditPage.Nothing
            : await audit.SearchAsync(new AuditQuery(own, 1) { Criteria = [AuditSearchParser.WithId(call.Id)] }, cancellation);
        if (found.Events is not [var evidence]) return await denials.AnswerAsync(caller, interaction, call.Target, Outcome.NotFound, own);
        await audit.AppendAsync(
            [caller.Entry(time.GetUtcNow(), interaction, AuditOutcome.Permit, [call.Target], CallerAudit.Patients(own))], cancellation);
        return new FhirResponse(200, subset.Value.Cut(FhirTyped.ToJson(resources.Of(evidence, found.Consents))));
    }
}
