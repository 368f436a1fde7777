using System.Globalization;
using System.Numerics;
using Hl7.Fhir.Model;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Operation Consent/$intent: the EIP-712 typed data that a patient's wallet signs for a Consent: of an active one the grant (typedData,
/// salt, nonce, deadline), of one that has granted before, by its id, the revocation of that too (revoke: typedData, nonce, deadline).
/// https://hl7.org/fhir/R4/operations.html
/// </summary>
internal sealed class ConsentIntent(
    Denials denials, AuditLog audit, Validator validator, SearchIndexer indexer, ConsentWrites consents, ConsentIntents intents,
    TimeProvider time)
{
    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        Task<FhirResponse> Refuse(Outcome outcome) => denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, outcome);
        if (call.Refusal is { } refusal) return await Refuse(refusal);
        var body = await call.Request.ReadBody(cuts: false, cancellation);
        if (body.Failure is { } unreadable) return FhirResponse.From(unreadable);
        var document = body.Value.Document;
        var report = validator.Validate(document);
        if (!report.IsValid) return FhirResponse.From(new Outcome(OutcomeCategory.Invalid, report.Errors));
        if (document.ResourceType != call.Type)
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, "the body is not a Consent", "resourceType"));
        if (call.Caller.RefuseRecord(call.Type, call.Route.Action, indexer.Index(document)) is { } outside) return await Refuse(outside);
        if (ConsentReader.Read(document, out var issues) is not { } terms)
            return FhirResponse.From(new Outcome(OutcomeCategory.Invalid, issues));
        if (terms.Patient != call.Caller.Requester.Patient)
            return await Refuse(Outcome.Of(OutcomeCategory.Forbidden, "an intent is made for the patient who asks"));

        var parameters = new Parameters();
        if (document.Root.StringAt("status") == "active")
        {
            if (await consents.IntentForAsync(terms, cancellation) is not { } made) return await Refuse(Outcome.NotFound);
            parameters.Add("typedData", new FhirString(intents.TypedData(made.Intent)));
            parameters.Add("salt", new Base64Binary(made.Salt));
            parameters.Add("nonce", Text(made.Intent.Nonce));
            parameters.Add("deadline", Text(made.Intent.Deadline));
        }
        // Whether there is one to revoke is told of a Consent that the token is known to reach.
        if (document.Id is { } id && !call.Caller.Reach(ScopeAction.Create).Restricts("Consent")
            && await consents.RevocationForAsync(terms.Patient, id, cancellation) is { } revocation)
        {
            var revoke = new Parameters.ParameterComponent { Name = "revoke" };
            revoke.Part.Add(new() { Name = "typedData", Value = new FhirString(intents.TypedData(revocation)) });
            revoke.Part.Add(new() { Name = "nonce", Value = Text(revocation.Nonce) });
            revoke.Part.Add(new() { Name = "deadline", Value = Text(revocation.Deadline) });
            parameters.Parameter.Add(revoke);
        }
        var told = call.Caller.Entry(
            time.GetUtcNow(), call.Route.Interaction, AuditOutcome.Permit, [call.Target], CallerAudit.Patients(terms.Patient));
        await audit.AppendAsync([told], cancellation);
        return new FhirResponse(200, FhirTyped.ToJson(parameters));
    }

    private static FhirString Text(BigInteger number) => new(number.ToString(CultureInfo.InvariantCulture));
}
