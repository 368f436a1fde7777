using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Operation Task/$dispose: what the office of a hospital does with a Task that is put before it (<see cref="OfficeTasks"/>), or the
/// patient who takes back what was asked; a legal hold also the operator lifts. Parameters: status (code), disposition (code, with
/// completed), evidence (Reference, with what was corrected or supplied), note (string). It answers with the Task as it is then.
/// https://hl7.org/fhir/R4/operations.html
/// </summary>
internal sealed class DisposeTask(
    ReadFlow reads, WriteFlow writes, LegalHolds holds, RecordDatabase database, Viewers viewers, Denials denials, TimeProvider time)
{
    private static readonly string[] Names = ["status", "disposition", "note", "evidence"];

    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var caller = call.Caller;
        if ((call.Refusal ?? caller.Refuse("Task", ScopeAction.Read)) is { } refusal)
            return await denials.AnswerAsync(caller, call.Route.Interaction, call.Target, refusal);
        var body = await call.Request.ReadBody(cuts: false, cancellation);
        if (body.Failure is { } unreadable) return FhirResponse.From(unreadable);
        var asked = Read(body.Value.Document);
        if (asked.Failure is { } notUnderstood) return FhirResponse.From(notUnderstood);

        OpenedRecord? task = null;
        var isOperator = caller.Kind == CallerKind.Operator;
        if (isOperator) caller = await holds.AsOfficeAsync(caller, call.Id, cancellation);
        var answer = await reads.RunAsync(
            caller, call.AsRead() with { Action = ScopeAction.Read },
            async snapshot => await snapshot.ReadAsync("Task", call.Id, null, cancellation) is { Version.IsDeleted: false } found
                // Whatever else is before an office is no matter of the operator's.
                && (!isOperator || OfficeTasks.IsHold(found.Version.Facts))
                ? new Found([found])
                : new Found([], Outcome.NotFound),
            opened =>
            {
                task = opened[0];
                return FhirResponse.NoContent;
            },
            cancellation);
        if (task is null) return answer;
        if (await writes.VisibleAsync(caller, ScopeAction.Update, "Task", call.Id, cancellation) is null)
            return await denials.AnswerAsync(caller, call.Route.Interaction, call.Target, Outcome.NotFound);
        var (facts, requester) = (task.Version.Facts, caller.Requester);
        // Of the patient whom it is about it is the own record; of a proposal's Task, which its decision closes, neither is.
        var isOffices = facts.Author == Requester.OfficeOf(facts.Custodian);
        if (isOffices && facts.Author == requester.Office)
            return await WriteAsync(call, task, asked.Value, requester.Organization ?? OfficeTasks.OperatorName, cancellation);
        if (isOffices && !OfficeTasks.IsHold(facts) && requester.Patient is { } patient)
            return await WriteAsync(call, task, asked.Value, $"Patient/{patient}", cancellation);
        return await denials.AnswerAsync(
            caller, call.Route.Interaction, call.Target,
            Outcome.Of(OutcomeCategory.Forbidden, "only the hospital before whose office the gateway put a Task disposes of it"));
    }

    private async Task<FhirResponse> WriteAsync(
        FhirCall call, OpenedRecord opened, Disposal said, string by, CancellationToken cancellation)
    {
        var (caller, now, version) = (call.Caller, time.GetUtcNow(), opened.Version);
        var task = OfficeTasks.Of(opened.Content);
        if (OfficeTasks.Dispose(task, said, by, now) is { } problem)
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Invalid, problem));
        var asked = task.AuthoredOnElement!.ToDateTimeOffset(TimeSpan.Zero);
        if (said.Evidence is { } evidence && !await ShowsAsync(caller, evidence, version.Facts.Patients, asked, cancellation))
        {
            return FhirResponse.From(Outcome.Of(
                OutcomeCategory.Invalid, "evidence: a record of this patient that the hospital has written since, as Type/id"));
        }
        var context = writes.Begin(caller, null);
        var request = new WriteRequest(FhirTyped.ToDocument(task), "Task", call.Id, version);
        var prepared = await writes.MakeAsync(context, request, version.Facts.Custodian, version.Facts.Author, cancellation);
        if (prepared.Failure is { } notMade) return FhirResponse.From(notMade);
        var made = prepared.Value;
        if (caller.RefuseRecord("Task", ScopeAction.Update, made.Plan.Versions[^1].Index) is { } outside)
            return await denials.AnswerAsync(caller, call.Route.Interaction, call.Target, outside);
        var entries = caller.Entries(
            now, call.Route.Interaction, AuditOutcome.Permit, [call.Target], version.Facts.Patients);
        var committed = await writes.CommitAsync(context, made.Plan with { Audit = [.. entries] }, cancellation);
        if (committed.Failure is { } broken) return FhirResponse.From(broken);
        return committed.Value is CommitResult.Committed
            ? Writes.Written(made)
            : FhirResponse.From(Writes.Conflict(committed.Value, []));
    }

    // What tells of people and consents, or of the asking itself, shows nothing.
    private async Task<bool> ShowsAsync(
        Caller caller, string reference, IReadOnlyList<string> patients, DateTimeOffset asked, CancellationToken cancellation)
    {
        if (!FhirReference.TryParse(reference, out var named) || named.Version is not null) return false;
        if (named.Type is "Task" or "Patient" or "Consent" or "Communication") return false;
        if (caller.Refuse(named.Type, ScopeAction.Read) is not null) return false;
        await using var snapshot = await database.SnapshotAsync(viewers.Of(caller), searches: false, cancellation);
        return await snapshot.KeptAsync(named.Type, named.Id, cancellation) is { IsDeleted: false } kept
            && kept.LastUpdated >= asked && patients.All(kept.Facts.Patients.Contains);
    }

    private static Result<Disposal> Read(ResourceDocument document)
    {
        if (document.ResourceType != "Parameters")
            return Outcome.Of(OutcomeCategory.Malformed, "the body is a Parameters", "resourceType");
        var said = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var parameter in document.Root.ItemsAt("parameter"))
        {
            var name = parameter.StringAt("name") ?? "";
            if (!Names.Contains(name) || said.ContainsKey(name))
                return Outcome.Of(OutcomeCategory.Malformed, $"taken are {string.Join(", ", Names)}, each once", "Parameters.parameter");
            var value = name == "evidence"
                ? parameter["valueReference"]?.StringAt("reference")
                : parameter.StringAt("valueCode") ?? parameter.StringAt("valueString");
            if (string.IsNullOrWhiteSpace(value))
            {
                return Outcome.Of(
                    OutcomeCategory.Malformed, $"{name} is a {(name == "evidence" ? "valueReference" : "valueCode or valueString")}",
                    "Parameters.parameter");
            }
            said[name] = value;
        }
        return new Disposal(
            said.GetValueOrDefault("status"), said.GetValueOrDefault("disposition"), said.GetValueOrDefault("note"),
            said.GetValueOrDefault("evidence"));
    }
}
