using Hl7.Fhir.Model;
using PmrGateway.Fhir;
using Task = Hl7.Fhir.Model.Task;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// Tasks that the gateway puts before the office of a hospital: what they are, and how they end. Their patient reads them too.
/// https://hl7.org/fhir/R4/task.html
/// </summary>
internal static class OfficeTasks
{
    /// <summary>What these tasks are, and how a review ends.</summary>
    public const string Codes = "https://pmrgateway.example/fhir/CodeSystem/pmr-task";

    /// <summary>To review that the glass was broken.</summary>
    public const string Review = "break-glass-review";

    private static readonly HashSet<string> Dispositions = ["justified", "not-justified"];

    private static readonly HashSet<Task.TaskStatus?> Open =
        [Task.TaskStatus.Requested, Task.TaskStatus.Received, Task.TaskStatus.Accepted, Task.TaskStatus.InProgress, Task.TaskStatus.OnHold];

    /// <summary>A resource of the typed model as a document.</summary>
    public static ResourceDocument Document(Resource resource)
    {
        ResourceDocument.TryParse(FhirTyped.ToJson(resource), out var document, out _);
        return document ?? throw new InvalidOperationException($"a {resource.TypeName} of the typed model is no document");
    }

    /// <summary>A stored task of these.</summary>
    /// <param name="content">Its JSON.</param>
    public static Task Of(byte[] content)
    {
        ResourceDocument.TryParse(content, out var document, out _);
        return FhirTyped.Parse<Task>(document ?? throw new InvalidOperationException("a stored Task is no document"));
    }

    /// <summary>The task with what an office says of it.</summary>
    /// <param name="before">The task.</param>
    /// <param name="status">Its status from here on.</param>
    /// <param name="disposition">How a review ends; null: not said.</param>
    /// <param name="note">What the office notes; null: nothing.</param>
    /// <param name="office">Reference of the hospital.</param>
    /// <param name="now">When.</param>
    /// <returns>The task; the text says why not.</returns>
    public static (Task? Task, string Problem) Dispose(
        Task before, string? status, string? disposition, string? note, string office, DateTimeOffset now)
    {
        if (!Open.Contains(before.Status)) return (null, "status: the task is closed");
        Task.TaskStatus? to = status switch
        {
            "accepted" => Task.TaskStatus.Accepted,
            "in-progress" => Task.TaskStatus.InProgress,
            "completed" => Task.TaskStatus.Completed,
            _ => null,
        };
        if (to is null) return (null, "status: accepted, in-progress or completed");
        if (disposition is not null && !Dispositions.Contains(disposition)) return (null, "disposition: justified or not-justified");
        if ((disposition is not null) != (to == Task.TaskStatus.Completed))
            return (null, "disposition: a review is completed with its disposition, and not before");
        before.Status = to;
        before.LastModifiedElement = new FhirDateTime(now);
        if (disposition is not null) before.BusinessStatus = new CodeableConcept(Codes, disposition);
        if (note is not null)
            before.Note.Add(new Annotation { Author = new ResourceReference(office), TimeElement = new FhirDateTime(now), Text = note });
        return (before, "");
    }
}
