using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>FHIR read of AuditEvent: one entry of the patient's own. https://hl7.org/fhir/R4/auditevent.html</summary>
internal sealed class ReadAuditEvent(AuditLog audit, Denials denials, TimeProvider time)
{
    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var (caller, interaction) = (call.Caller, call.Route.Interaction);
        if (call.Refusal is { } refusal) return await denials.AnswerAsync(caller, interaction, call.Target, refusal);
        var own = caller.Requester.Patient;
        var found = own is null ? [] : (await audit.OfAsync(own, call.Id, long.MaxValue, 1, cancellation)).Page;
        if (found.Count == 0) return await denials.AnswerAsync(caller, interaction, call.Target, Outcome.NotFound, own);
        await audit.AppendAsync(
            [caller.Entry(time.GetUtcNow(), interaction, AuditOutcome.Permit, [call.Target], CallerAudit.Patients(own))], cancellation);
        return new FhirResponse(200, FhirTyped.ToJson(AuditEntryResource.Of(found[0].Entry)));
    }
}
