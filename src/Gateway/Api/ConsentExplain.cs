using Hl7.Fhir.Model;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Operation Patient/$consent-explain: whether a viewer with a purpose may see a record of the patient who asks, by the very decision that
/// a read takes, and what each of the patient's consents that are about that viewer says of it. Nothing is opened.
/// https://hl7.org/fhir/R4/operations.html
/// </summary>
internal sealed class ConsentExplain(
    RecordDatabase database, DirectoryStore directory, Viewers viewers, ConsentView view, ReadFlow flow, Denials denials,
    TimeProvider time)
{
    private static readonly HashSet<string> Taken = ["viewer", "purpose", "resource", "_format", "_pretty"];

    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var caller = call.Caller;
        if (call.Refusal is { } refusal) return await denials.AnswerAsync(caller, call.Route.Interaction, call.Target, refusal);
        // To anybody else the patient is as unknown as what was asked about.
        if (caller.Requester.Patient != call.Id)
            return await denials.AnswerAsync(caller, call.Route.Interaction, call.Target, Outcome.NotFound);
        if (call.Request.Query.FirstOrDefault(q => !Taken.Contains(q.Key)).Key is { } unknown)
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, $"taken are viewer, purpose and resource, not '{unknown}'"));
        var asked = call.Request.Query.ToLookup(q => q.Key, q => q.Value.ToString());
        if (!FhirReference.TryParse(asked["viewer"].FirstOrDefault(), out var viewer)
            || viewer.Type is not ("Organization" or "Practitioner"))
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, "viewer is an Organization/id or Practitioner/id"));
        if (!FhirReference.TryParse(asked["resource"].FirstOrDefault(), out var resource))
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, "resource is Type/id"));

        // The patient must be able to see the record: what is explained of it tells of it.
        var answer = await flow.RunAsync(
            caller, call.AsRead() with { Asked = resource.ToString() },
            async snapshot => await snapshot.ReadAsync(resource.Type, resource.Id, null, cancellation) is { Version.IsDeleted: false } found
                ? new Found([found])
                : new Found([], Outcome.NotFound),
            _ => FhirResponse.NoContent, cancellation);
        if (answer.Failure is not null) return answer;
        if (await directory.ActorAsync(viewer.ToString(), cancellation) is not { } actor)
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Invalid, $"{viewer} is not a registered actor"));
        var isActive = actor.ActsAt(time.GetUtcNow());
        var isPerson = actor.Kind == ActorKind.Practitioner;
        var requester = new Requester(
            actor.Reference, isPerson ? actor.Hospital : actor.Reference, isPerson ? actor.Reference : null, null, isActive,
            [.. asked["purpose"].Where(p => p.Length > 0)])
        { Author = isPerson ? actor.Reference : "" };
        await using var eyes = await database.SnapshotAsync(viewers.Of(requester), searches: false, cancellation);
        return await eyes.ExplainAsync(resource.Type, resource.Id, call.Id, cancellation) is { } said
            ? new FhirResponse(200, FhirTyped.ToJson(ToParameters(said, isActive, view.Block))) { Decision = answer.Decision }
            : await denials.AnswerAsync(caller, call.Route.Interaction, call.Target, Outcome.NotFound);
    }

    private static Parameters ToParameters(Explanation said, bool isActive, long block)
    {
        var parameters = new Parameters();
        parameters.Add("decision", new Code(said.Permit is null ? "deny" : "permit"));
        parameters.Add("reason", new FhirString(Reason(said, isActive)));
        if (said.Permit is { } permit) parameters.Add("basis", new Code(permit.Basis.ToString().ToLowerInvariant()));
        parameters.Add("block", new Integer((int)block));
        foreach (var consent in said.Consents)
        {
            var part = new Parameters.ParameterComponent { Name = "consent" };
            part.Part.Add(new() { Name = "reference", Value = new ResourceReference($"Consent/{consent.ConsentId}") });
            part.Part.Add(new() { Name = "commitment", Value = new FhirString(consent.Commitment) });
            var says = consent.Permits switch { true => "permit", false => "deny", _ => "nothing" };
            part.Part.Add(new() { Name = "says", Value = new Code(says) });
            part.Part.Add(new() { Name = "confirmed", Value = new FhirBoolean(consent.IsConfirmed) });
            parameters.Parameter.Add(part);
        }
        return parameters;
    }

    private static string Reason(Explanation said, bool isActive)
    {
        if (!isActive) return "the viewer is not active: it sees nothing";
        if (said.Permit is { } permit)
            return permit.Basis == PermitBasis.Author ? "the viewer wrote it" : "consent permits it, and none denies it";
        if (said.Consents.Any(c => c.Permits == false)) return "a consent denies it: a denial overrides every permit";
        if (said.Consents.Any(c => c is { Permits: true, IsConfirmed: false }))
            return "the consent that permits it is not confirmed on the chain";
        if (said.Consents.Any(c => c.Permits == true)) return "the record concerns another patient too, who has not permitted it";
        return said.Consents.Count == 0
            ? "no consent is about this viewer and purpose: what no consent permits is denied"
            : "the consents about this viewer and purpose do not cover this record: what no consent permits is denied";
    }
}
