using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// Operation Task/$dispose: what the office of a hospital does with a Task that the gateway put before it (<see cref="OfficeTasks"/>).
/// Parameters: status (code), disposition (code, with completed), note (string). It answers with the Task as it is then.
/// https://hl7.org/fhir/R4/operations.html
/// </summary>
internal sealed class DisposeTask(ReadFlow reads, WriteFlow writes, Denials denials, TimeProvider time)
{
    private static readonly string[] Names = ["status", "disposition", "note"];

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
        var answer = await reads.RunAsync(
            caller, call.AsRead() with { Action = ScopeAction.Read },
            async snapshot => await snapshot.ReadAsync("Task", call.Id, null, cancellation) is { Version.IsDeleted: false } found
                ? new Found([found])
                : new Found([], Outcome.NotFound),
            opened =>
            {
                task = opened[0];
                return FhirResponse.NoContent;
            },
            cancellation);
        if (task is null) return answer;
        var facts = task.Version.Facts;
        if (caller.Requester.Office.Length == 0 || facts.Author != caller.Requester.Office)
        {
            return await denials.AnswerAsync(
                caller, call.Route.Interaction, call.Target,
                Outcome.Of(OutcomeCategory.Forbidden, "only the hospital before whose office the gateway put a Task disposes of it"));
        }
        return await WriteAsync(call, task, asked.Value, cancellation);
    }

    private async Task<FhirResponse> WriteAsync(
        FhirCall call, OpenedRecord opened, Dictionary<string, string> asked, CancellationToken cancellation)
    {
        var (caller, now, version) = (call.Caller, time.GetUtcNow(), opened.Version);
        var before = OfficeTasks.Of(opened.Content);
        var (task, problem) = OfficeTasks.Dispose(
            before, asked.GetValueOrDefault("status"), asked.GetValueOrDefault("disposition"), asked.GetValueOrDefault("note"),
            caller.Requester.Organization!, now);
        if (task is null) return FhirResponse.From(Outcome.Of(OutcomeCategory.Invalid, problem));
        var context = writes.Begin(caller, null);
        var request = new WriteRequest(OfficeTasks.Document(task), "Task", call.Id, version);
        var plan = await writes.MakeAsync(context, request, version.Facts.Custodian, caller.Requester.Office, cancellation);
        var entries = caller.Entries(
            now, call.Route.Interaction, AuditOutcome.Permit, [call.Target], version.Facts.Patients);
        var committed = await writes.CommitAsync(context, plan with { Audit = [.. entries] }, cancellation);
        if (committed.Failure is { } broken) return FhirResponse.From(broken);
        return committed.Value is CommitResult.Committed
            ? new FhirResponse(200, FhirTyped.ToJson(task)) { Version = request.Version }
            : FhirResponse.From(Writes.Conflict(committed.Value));
    }

    private static Result<Dictionary<string, string>> Read(ResourceDocument document)
    {
        var asked = new Dictionary<string, string>(StringComparer.Ordinal);
        if (document.ResourceType != "Parameters")
            return Outcome.Of(OutcomeCategory.Malformed, "the body is a Parameters", "resourceType");
        foreach (var parameter in document.Root.ItemsAt("parameter"))
        {
            var name = parameter.StringAt("name") ?? "";
            if (!Names.Contains(name) || asked.ContainsKey(name))
                return Outcome.Of(OutcomeCategory.Malformed, $"taken are {string.Join(", ", Names)}, each once", "Parameters.parameter");
            if ((parameter.StringAt("valueCode") ?? parameter.StringAt("valueString")) is not { Length: > 0 } value)
                return Outcome.Of(OutcomeCategory.Malformed, $"{name} is a valueCode or valueString", "Parameters.parameter");
            asked[name] = value;
        }
        return asked;
    }
}
