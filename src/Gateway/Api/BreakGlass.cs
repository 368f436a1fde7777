using Hl7.Fhir.Model;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Operation Patient/$break-glass: opens a patient's record in an emergency (<see cref="GlassFlow"/>). It tells the Consent,
/// until when it is open, and whether it counts already (status): asked again, it says so. 201 where it was not open before. It takes no
/// parameters: who asks, what for and why come from the token. https://hl7.org/fhir/R4/operations.html
/// </summary>
internal sealed class BreakGlass(GlassFlow flow, Denials denials, ConsentView view)
{
    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        Task<FhirResponse> Refuse(Outcome outcome) =>
            denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, outcome, call.Id, view.Block);
        if (call.Refusal is { } refusal) return await Refuse(refusal);
        if (call.Request.Query.FirstOrDefault(q => q.Key is not ("_format" or "_pretty")).Key is { } unknown)
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, $"$break-glass takes no parameter '{unknown}'"));
        // What it would be granted under may have been withdrawn since.
        if (view.IsStale)
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Unavailable, "the consent view is older than Ledger:MaxStaleness"));
        var opened = await flow.BreakAsync(call.Caller, call.Id, cancellation);
        if (opened.Failure is { } refused) return await Refuse(refused);
        var parameters = new Parameters();
        parameters.Add("consent", new ResourceReference($"Consent/{opened.Value.Consent}"));
        parameters.Add("until", new Instant(opened.Value.Until));
        parameters.Add("status", new Code(opened.Value.IsConfirmed ? LedgerStatus.Confirmed : LedgerStatus.Submitted));
        return new FhirResponse(opened.Value.IsNew ? 201 : 200, FhirTyped.ToJson(parameters))
        {
            Location = opened.Value.IsNew ? $"Consent/{opened.Value.Consent}/_history/1" : null,
        };
    }
}
