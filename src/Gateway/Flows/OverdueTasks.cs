using Hl7.Fhir.Model;
using PmrGateway.Fhir;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// Tasks that the office of a hospital has left open for longer than it may: each becomes urgent, its patient is told, and the operator's
/// log names the hospital. Once a task.
/// </summary>
internal sealed partial class OverdueTasks(
    RecordDatabase database, DirectoryStore directory, ReadFlow reads, WriteFlow writes, Viewers viewers, ILogger<OverdueTasks> log)
{
    private const int AtOnce = 50;
    private const string Client = "gateway";

    /// <summary>Escalates what is overdue at an instant; what cannot be read or written now is found again by the next call.</summary>
    /// <param name="now">The instant.</param>
    /// <param name="cancellation">Stops between tasks.</param>
    /// <returns>How many were escalated.</returns>
    public async Task<int> EscalateAsync(DateTimeOffset now, CancellationToken cancellation)
    {
        var count = 0;
        foreach (var hospital in await directory.ActorsAsync(cancellation))
        {
            if (hospital.Kind != ActorKind.Hospital) continue;
            var office = new Requester(hospital.Reference, hospital.Reference, null, null, true, [])
            {
                Office = Requester.OfficeOf(hospital.Reference),
            };
            var caller = new Caller(CallerKind.System, ActorKind.Hospital, office, Client, new SmartScopes(["system/Task.rs"]));
            var own = 0;
            foreach (var (code, due) in OfficeTasks.Dues) own += await EscalateAsync(caller, code, now - due, now, cancellation);
            if (own > 0) LogOverdue(own, hospital.Reference);
            count += own;
        }
        return count;
    }

    private async Task<int> EscalateAsync(
        Caller caller, string code, DateTimeOffset before, DateTimeOffset now, CancellationToken cancellation)
    {
        var count = 0;
        for (long? cursor = 0; cursor is { } at;)
        {
            var query = new SearchQuery(
                "Task",
                [
                    new SearchCriterion("code", "token", [new SearchValue(OfficeTasks.Codes, code)]),
                    OfficeTasks.WhileOpen,
                    // What was escalated is urgent.
                    new SearchCriterion("priority", "token", [new SearchValue(null, "routine")]),
                    new SearchCriterion("authored-on", "date", [
                        new SearchValue(null, null, "lt", before.ToUnixTimeMilliseconds(), before.ToUnixTimeMilliseconds() + 1),
                    ]),
                ],
                AtOnce, at);
            SnapshotPage page;
            await using (var eyes = await database.SnapshotAsync(viewers.Of(caller), searches: true, cancellation))
                page = await eyes.SearchAsync(query, cancellation);
            // One that cannot be read or written keeps no other from its turn.
            foreach (var id in page.Versions.Select(v => v.Version.Facts.Id))
                if (await TryEscalateAsync(caller, id, now, cancellation)) count++;
            cursor = page.Next;
        }
        return count;
    }

    private async Task<bool> TryEscalateAsync(Caller caller, string id, DateTimeOffset now, CancellationToken cancellation)
    {
        OpenedRecord? task = null;
        try
        {
            var answer = await reads.RunAsync(
                caller, new ReadRequest(Interaction.Read, "Task", ScopeAction.Read, $"Task/{id}"),
                async snapshot => Found.Of(await snapshot.ReadAsync("Task", id, null, cancellation)),
                opened =>
                {
                    task = opened[0];
                    return FhirResponse.NoContent;
                },
                cancellation);
            if (task is not null) return await EscalateAsync(caller, task, now, cancellation);
            LogNotNow(id, answer.Status.ToString(System.Globalization.CultureInfo.InvariantCulture), null);
        }
        catch (Exception e) when (!cancellation.IsCancellationRequested)
        {
            LogNotNow(id, e.GetType().Name, e);
        }
        return false;
    }

    private async Task<bool> EscalateAsync(Caller caller, OpenedRecord opened, DateTimeOffset now, CancellationToken cancellation)
    {
        var facts = opened.Version.Facts;
        var task = OfficeTasks.Of(opened.Content);
        // The search has found it by the day of its making, which a stored date may have rounded.
        if (!OfficeTasks.IsOverdue(task, now)) return false;
        (task.Priority, task.LastModifiedElement) = (RequestPriority.Urgent, new FhirDateTime(FhirInstant.Format(now)));
        var notice = OfficeTasks.Overdue(ResourceId.New(), task, now);
        var context = writes.Begin(caller, null);
        var prepared = new List<PreparedWrite>();
        foreach (var (resource, before) in new (Resource, StoredVersion?)[] { (notice, null), (task, opened.Version) })
        {
            var request = new WriteRequest(FhirTyped.ToDocument(resource), resource.TypeName, resource.Id!, before);
            var made = await writes.MakeAsync(context, request, facts.Custodian, facts.Author, cancellation);
            if (made.Failure is not null) return false;
            prepared.Add(made.Value);
        }
        var committed = await writes.CommitAsync(context, prepared, cancellation);
        return committed.Failure is null && committed.Value is CommitResult.Committed;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The overdue Task/{Id} cannot be escalated now: {Why}")]
    private partial void LogNotNow(string id, string why, Exception? e);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} tasks of {Hospital} are overdue: its patients are told")]
    private partial void LogOverdue(int count, string hospital);
}
