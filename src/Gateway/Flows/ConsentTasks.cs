using Hl7.Fhir.Model;
using PmrGateway.Fhir;
using PmrGateway.Store;
using Task = Hl7.Fhir.Model.Task;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// The Task that a proposed Consent puts before the patient: it has the Consent's id, and is committed with the version of the Consent
/// that opens or closes it. https://hl7.org/fhir/R4/task.html
/// </summary>
internal static class ConsentTasks
{
    /// <summary>The task to decide on a Consent that was proposed.</summary>
    /// <param name="caller">Who proposes it.</param>
    /// <param name="consent">Its id.</param>
    /// <param name="patient">Id of the patient.</param>
    /// <param name="now">When.</param>
    public static WriteRequest Open(Caller caller, string consent, string patient, DateTimeOffset now) => new(
        Document(consent, patient, caller.Requester.Subject, Task.TaskStatus.Requested, now, now), nameof(Task), consent, null);

    /// <summary>The same task once the Consent was decided on; null: that leaves it open.</summary>
    /// <param name="task">The task as it is.</param>
    /// <param name="status">Status of the Consent now; null: it was deleted.</param>
    /// <param name="patient">Id of the patient.</param>
    /// <param name="now">When.</param>
    public static WriteRequest? Close(StoredVersion task, string? status, string patient, DateTimeOffset now)
    {
        var (id, author) = (task.Facts.Id, task.Facts.Author);
        Task.TaskStatus? closed = status switch
        {
            "active" => Task.TaskStatus.Completed,
            "rejected" => Task.TaskStatus.Rejected,
            "draft" or "proposed" => null,
            _ => Task.TaskStatus.Cancelled,
        };
        // An author is a client and its organization, or a person.
        var requester = author[(author.LastIndexOf(' ') + 1)..];
        return closed is { } to
            ? new WriteRequest(Document(id, patient, requester, to, task.LastUpdated, now), nameof(Task), id, task)
            : null;
    }

    private static ResourceDocument Document(
        string consent, string patient, string requester, Task.TaskStatus status, DateTimeOffset authored, DateTimeOffset modified)
    {
        var task = new Task
        {
            Id = consent,
            Status = status,
            Intent = Task.TaskIntent.Proposal,
            Code = new CodeableConcept("http://hl7.org/fhir/CodeSystem/task-code", "approve"),
            Focus = new ResourceReference($"Consent/{consent}"),
            For = new ResourceReference($"Patient/{patient}"),
            AuthoredOnElement = new FhirDateTime(FhirInstant.Format(authored)),
            LastModifiedElement = new FhirDateTime(FhirInstant.Format(modified)),
            Requester = new ResourceReference(requester),
            Owner = new ResourceReference($"Patient/{patient}"),
        };
        return FhirTyped.ToDocument(task);
    }
}
