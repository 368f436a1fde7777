using Hl7.Fhir.Model;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Operation Patient/$consent-explain: whether a viewer with a purpose may see a record of a patient, by the very decision that a read
/// takes, and what each of the patient's consents that are about that viewer says of it, in words and as IHE PCF's residual. The patient
/// is told, and the hospital that keeps patient and record (its privacy officer's system), which is told of that patient's consents
/// alone. https://hl7.org/fhir/R4/operations.html
/// </summary>
internal sealed class ConsentExplain(
    RecordDatabase database, DirectoryStore directory, Viewers viewers, ReadFlow flow, Denials denials, TimeProvider time, BaseUrl baseUrl)
{
    private static readonly HashSet<string> Taken = ["viewer", "purpose", "resource", "_format", "_pretty"];

    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var caller = call.Caller;
        if (call.Refusal is { } refusal) return await denials.AnswerAsync(caller, call.Route.Interaction, call.Target, refusal);
        var isPatient = caller.Requester.Patient == call.Id;
        // To anybody else the patient is as unknown as what was asked about.
        if (!isPatient && !await IsKeeperAsync(caller, call.Id, cancellation))
            return await denials.AnswerAsync(caller, call.Route.Interaction, call.Target, Outcome.NotFound);
        if (call.Request.Query.FirstOrDefault(q => !Taken.Contains(q.Key)).Key is { } unknown)
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, $"taken are viewer, purpose and resource, not '{unknown}'"));
        var asked = call.Request.Query.ToLookup(q => q.Key, q => q.Value.ToString());
        if (!FhirReference.TryParse(asked["viewer"].FirstOrDefault(), out var viewer)
            || viewer.Type is not ("Organization" or "Practitioner"))
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, "viewer is an Organization/id or Practitioner/id"));
        if (!FhirReference.TryParse(asked["resource"].FirstOrDefault(), out var resource))
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, "resource is Type/id"));
        // An app of the patient's is told of a record and of Consents what it could read of them, and no more.
        if (isPatient && (caller.Refuse(resource.Type, ScopeAction.Read) ?? caller.Refuse("Consent", ScopeAction.Read)) is { } notRead)
            return await denials.AnswerAsync(caller, call.Route.Interaction, call.Target, notRead);
        if (await directory.ActorAsync(viewer.ToString(), cancellation) is not { } actor)
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Invalid, $"{viewer} is not a registered actor"));

        var requester = actor.RequesterAt(time.GetUtcNow(), [.. asked["purpose"].Where(p => p.Length > 0)]);
        Explanation? said;
        await using (var eyes = await database.SnapshotAsync(viewers.Of(requester), searches: false, cancellation))
        {
            said = isPatient
                ? await eyes.ExplainAsync(resource.Type, resource.Id, call.Id, cancellation)
                : await eyes.ExplainAloneAsync(resource.Type, resource.Id, call.Id, cancellation);
        }
        return await flow.RunAsync(
            // The patient reads in the log who asked why, and about whom; it is no release of the record to who keeps it.
            caller, call.AsRead() with { Asked = resource.ToString(), Query = $"$consent-explain?viewer={viewer}" },
            async snapshot =>
            {
                if (said is null || !await snapshot.ReachesAsync("Patient", call.Id, cancellation)) return new Found([], Outcome.NotFound);
                said = await ReachedAsync(snapshot, said, cancellation);
                if (isPatient) return await OfPatientAsync(snapshot, resource, said, cancellation);
                // There is no permit to what is only kept: nothing of it can be opened.
                return await snapshot.KeptAsync(resource.Type, resource.Id, cancellation) is { IsDeleted: false }
                    ? new Found([])
                    : new Found([], Outcome.NotFound);
            },
            opened => new FhirResponse(200, FhirTyped.ToJson(ToParameters(said!, isPatient, opened))), cancellation);
    }

    // The Consents that the token reaches: of others nothing is told but by what is decided.
    private static async Task<Explanation> ReachedAsync(ReadSnapshot snapshot, Explanation said, CancellationToken cancellation)
    {
        var reached = new List<ConsentSaid>();
        foreach (var consent in said.Consents)
            if (await snapshot.ReachesAsync("Consent", consent.Consent.ConsentId, cancellation)) reached.Add(consent);
        return said with { Consents = reached };
    }

    // A hospital's system, of a patient whom the hospital registered.
    private async Task<bool> IsKeeperAsync(Caller caller, string patient, CancellationToken cancellation) =>
        caller is { Kind: CallerKind.System, ActorKind: ActorKind.Hospital, Requester.Organization: { } hospital }
        && (await directory.PatientAsync(patient, cancellation))?.Custodian == hospital;

    // The patient must be able to see the record: what is explained of it tells of it. The Consents tell by which policies they are.
    private static async Task<Found> OfPatientAsync(
        ReadSnapshot snapshot, FhirReference resource, Explanation said, CancellationToken cancellation)
    {
        if (await snapshot.ReadAsync(resource.Type, resource.Id, null, cancellation) is not { Version.IsDeleted: false } found)
            return new Found([], Outcome.NotFound);
        var versions = new List<PermittedVersion> { found };
        foreach (var id in said.Consents.Select(c => c.Consent.ConsentId).Distinct())
            if (await snapshot.ReadAsync("Consent", id, null, cancellation) is { Version.IsDeleted: false } consent) versions.Add(consent);
        return new Found(versions);
    }

    private Parameters ToParameters(Explanation said, bool isPatient, IReadOnlyList<OpenedRecord> opened)
    {
        var parameters = new Parameters();
        parameters.Add("decision", new Code(said.Permit is null ? "deny" : "permit"));
        parameters.Add("reason", new FhirString((isPatient ? "" : "as far as the consents of this patient decide: ") + said.Reason));
        if (said.Permit is { } permit) parameters.Add("basis", new Code(permit.Basis.ToString().ToLowerInvariant()));
        parameters.Add("block", new Integer((int)said.Block));
        var policies = opened.Where(o => o.Version.Facts.Type == "Consent").ToLookup(o => o.Version.Facts.Id, PoliciesOf);
        foreach (var consent in said.Consents)
        {
            var part = new Parameters.ParameterComponent { Name = "consent" };
            var standing = consent.Consent;
            var residual = PcfExtension.Of(
                baseUrl.Fhir, standing, said.Viewer, policies[standing.ConsentId].FirstOrDefault() ?? []);
            part.Part.Add(new() { Name = "reference", Value = new ResourceReference($"Consent/{standing.ConsentId}") });
            part.Part.Add(new() { Name = "commitment", Value = new FhirString(standing.Commitment) });
            part.Part.Add(new() { Name = "says", Value = new Code(consent.Says) });
            part.Part.Add(new() { Name = "confirmed", Value = new FhirBoolean(standing.IsConfirmed) });
            part.Part.Add(new() { Name = "words", Value = new FhirString(ConsentWords.Of(consent.Terms)) });
            part.Part.Add(new() { Name = "residual", Value = new FhirString(residual) });
            parameters.Parameter.Add(part);
        }
        return parameters;
    }

    private static List<string> PoliciesOf(OpenedRecord consent) =>
        ResourceDocument.TryParse(consent.Content, out var document, out _)
            ? [.. document!.Root.ItemsAt("policy").Select(p => p.StringAt("uri")).OfType<string>()]
            : [];
}
