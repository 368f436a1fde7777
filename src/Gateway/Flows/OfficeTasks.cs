using Hl7.Fhir.Model;
using Hl7.Fhir.Utility;
using PmrGateway.Fhir;
using PmrGateway.Store;
using Task = Hl7.Fhir.Model.Task;

namespace PmrGateway.Gateway.Flows;

/// <summary>What an office says of a task that is put before it.</summary>
/// <param name="Status">Its status from here on.</param>
/// <param name="Disposition">How it ends; null: not said.</param>
/// <param name="Note">What the office notes; null: nothing.</param>
/// <param name="Evidence">Reference of the record that shows it, <c>Type/id</c>; null: none.</param>
internal sealed record Disposal(string? Status, string? Disposition, string? Note, string? Evidence);

/// <summary>
/// Tasks that are put before the office of a hospital: the review of broken glass, what a patient asks for. What they are, when they are
/// due, how they end. Their patient reads them too. https://hl7.org/fhir/R4/task.html
/// </summary>
internal static class OfficeTasks
{
    /// <summary>What these tasks are, and how they end.</summary>
    public const string Codes = "https://pmrgateway.example/fhir/CodeSystem/pmr-task";

    /// <summary>To review that the glass was broken.</summary>
    public const string Review = "break-glass-review";

    /// <summary>A patient asks that something in the record be corrected.</summary>
    public const string Correction = "correction-request";

    /// <summary>A patient asks for a copy of the record.</summary>
    public const string Supply = "supply-request";

    /// <summary>What is open still.</summary>
    public static readonly IReadOnlyList<string> Open = ["requested", "received", "accepted", "in-progress", "on-hold"];

    /// <summary>What finds the open ones that a patient asked for.</summary>
    public static IEnumerable<SearchCriterion> IsOpen =>
    [
        new SearchCriterion("code", "token", [new SearchValue(Codes, Correction), new SearchValue(Codes, Supply)]),
        WhileOpen,
    ];

    /// <summary>What finds those that are open.</summary>
    public static SearchCriterion WhileOpen => new("status", "token", [.. Open.Select(s => new SearchValue(null, s))]);

    /// <summary>What a Communication is: notification or alert.</summary>
    public const string CommunicationCategory = "http://terminology.hl7.org/CodeSystem/communication-category";

    private const string EvidenceCode = "evidence";
    private const int MaxText = 2000;

    /// <summary>How many a patient may have open at a time.</summary>
    public const int MaxOpen = 20;

    private static readonly string[] Steps = ["requested", "accepted", "in-progress", "completed", "cancelled"];

    // The first of the two ends it well, and where a patient asked for something, by a record that shows it.
    private static readonly Dictionary<string, (TimeSpan Due, string[] Dispositions)> Kinds = new(StringComparer.Ordinal)
    {
        [Review] = (TimeSpan.FromDays(3), ["justified", "not-justified"]),
        [Correction] = (TimeSpan.FromDays(30), ["corrected", "refused"]),
        [Supply] = (TimeSpan.FromHours(72), ["supplied", "refused"]),
    };

    private static readonly HashSet<string> OfRequest =
        ["resourceType", "id", "status", "intent", "code", "for", "requester", "owner", "focus", "description"];

    /// <summary>The kinds of task, and within what time each is due.</summary>
    public static IEnumerable<(string Code, TimeSpan Due)> Dues => Kinds.Select(k => (k.Key, k.Value.Due));

    /// <summary>A stored task of these.</summary>
    /// <param name="content">Its JSON.</param>
    public static Task Of(byte[] content)
    {
        ResourceDocument.TryParse(content, out var document, out _);
        return FhirTyped.Parse<Task>(document ?? throw new InvalidOperationException("a stored Task is no document"));
    }

    /// <summary>A task that is new, with what all have in common.</summary>
    /// <param name="code">Which.</param>
    /// <param name="id">Its id.</param>
    /// <param name="patient">Id of the patient.</param>
    /// <param name="hospital">Reference of the hospital.</param>
    /// <param name="requester">Reference of who is the cause of it.</param>
    /// <param name="now">When.</param>
    public static Task New(string code, string id, string patient, string hospital, string requester, DateTimeOffset now) => new()
    {
        Id = id,
        Status = Task.TaskStatus.Requested,
        Intent = Task.TaskIntent.Order,
        Priority = RequestPriority.Routine,
        Code = new CodeableConcept(Codes, code),
        For = new ResourceReference($"Patient/{patient}"),
        AuthoredOnElement = new FhirDateTime(FhirInstant.Format(now)),
        LastModifiedElement = new FhirDateTime(FhirInstant.Format(now)),
        Requester = new ResourceReference(requester),
        Owner = new ResourceReference(hospital),
        Restriction = new Task.RestrictionComponent
        {
            Period = new Period { EndElement = new FhirDateTime(FhirInstant.Format(now + Kinds[code].Due)) },
        },
    };

    /// <summary>What a patient asks of the hospital that keeps the record: code, description, and what it is about (focus).</summary>
    /// <param name="sent">A valid Task.</param>
    /// <param name="id">Its id.</param>
    /// <param name="patient">Id of the patient.</param>
    /// <param name="hospital">Reference of the hospital.</param>
    /// <param name="now">When.</param>
    /// <param name="issue">What stands against it.</param>
    public static Task? Asked(
        ResourceDocument sent, string id, string patient, string hospital, DateTimeOffset now, out ValidationIssue? issue)
    {
        var self = $"Patient/{patient}";
        issue = null;
        foreach (var element in sent.Root)
            if (!OfRequest.Contains(element.Name ?? ""))
                return Refused($"Task.{element.Name}", "what is asked is code, focus and description", out issue);
        var task = FhirTyped.Parse<Task>(sent);
        var code = task.Code?.Coding.Find(c => c.System == Codes)?.Code;
        if (code is not (Correction or Supply)) return Refused("Task.code", $"{Correction} or {Supply} of {Codes}", out issue);
        if (task.Status != Task.TaskStatus.Requested) return Refused("Task.status", "what is asked is requested", out issue);
        if (task.For?.Reference != self) return Refused("Task.for", $"it is {self}", out issue);
        if (task.Requester is not null && task.Requester.Reference != self) return Refused("Task.requester", $"it is {self}", out issue);
        if (task.Owner is not null && task.Owner.Reference != hospital)
            return Refused("Task.owner", $"the record is kept by {hospital}", out issue);
        if (string.IsNullOrWhiteSpace(task.Description) || task.Description.Length > MaxText)
            return Refused("Task.description", $"say what is asked for, in at most {MaxText} characters", out issue);
        if (task.Focus is not null && !FhirReference.TryParse(task.Focus.Reference, out _))
            return Refused("Task.focus", "a record of the patient's own, as Type/id", out issue);
        var made = New(code, id, patient, hospital, self, now);
        made.Description = task.Description;
        // The reference alone: what else could stand there would make the task another's too, or too large to be answered.
        if (task.Focus is not null) made.Focus = new ResourceReference(task.Focus.Reference);
        return made;
    }

    /// <summary>The task with what an office says of it, or the patient who takes back what was asked.</summary>
    /// <param name="task">The task; it is changed.</param>
    /// <param name="said">What is said.</param>
    /// <param name="by">Reference of who says it: the hospital, or the patient.</param>
    /// <param name="now">When.</param>
    /// <returns>Why not; null: it is done.</returns>
    public static string? Dispose(Task task, Disposal said, string by, DateTimeOffset now)
    {
        var code = task.Code!.Coding[0].Code!;
        var (isRequest, dispositions) = (code != Review, Kinds[code].Dispositions);
        if (!Open.Contains(StatusText(task))) return "status: the task is closed";
        var isPatients = by == task.For!.Reference;
        Task.TaskStatus? to = (said.Status, isPatients) switch
        {
            ("accepted", false) => Task.TaskStatus.Accepted,
            ("in-progress", false) => Task.TaskStatus.InProgress,
            ("completed", false) => Task.TaskStatus.Completed,
            ("cancelled", true) when isRequest => Task.TaskStatus.Cancelled,
            _ => null,
        };
        if (to is null)
            return isPatients ? "status: a patient takes back what was asked (cancelled)" : "status: accepted, in-progress or completed";
        // Forward alone: each step is made once.
        if (Array.IndexOf(Steps, said.Status) <= Array.IndexOf(Steps, StatusText(task)))
            return $"status: the task is {StatusText(task)} already";
        if (said.Note?.Length > MaxText) return $"note: at most {MaxText} characters";
        if ((said.Disposition is not null) != (to == Task.TaskStatus.Completed))
            return "disposition: a task is completed with its disposition, and not before";
        if (said.Disposition is { } end && !dispositions.Contains(end)) return $"disposition: {string.Join(" or ", dispositions)}";
        var isDone = isRequest && said.Disposition == dispositions[0];
        if ((said.Evidence is not null) != isDone) return $"evidence: the record that shows it, where it is {dispositions[0]}";
        if (isRequest && said.Disposition == dispositions[1] && said.Note is null) return "note: why it is refused";

        (task.Status, task.LastModifiedElement) = (to, new FhirDateTime(FhirInstant.Format(now)));
        if (said.Disposition is not null) task.BusinessStatus = new CodeableConcept(Codes, said.Disposition);
        if (said.Note is not null)
        {
            var at = new FhirDateTime(FhirInstant.Format(now));
            task.Note.Add(new Annotation { Author = new ResourceReference(by), TimeElement = at, Text = said.Note });
        }
        if (said.Evidence is not null)
        {
            task.Output.Add(new Task.OutputComponent
            {
                Type = new CodeableConcept(Codes, EvidenceCode),
                Value = new ResourceReference(said.Evidence),
            });
        }
        return null;
    }

    /// <summary>What the patient is told of a task that the hospital has left open for too long.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="task">The task.</param>
    /// <param name="now">When.</param>
    public static Communication Overdue(string id, Task task, DateTimeOffset now) => new()
    {
        Id = id,
        Status = EventStatus.Completed,
        Category = [new CodeableConcept(CommunicationCategory, "alert")],
        Priority = RequestPriority.Urgent,
        Subject = new ResourceReference(task.For!.Reference),
        About = [new ResourceReference($"Task/{task.Id}")],
        SentElement = new FhirDateTime(FhirInstant.Format(now)),
        Recipient = [new ResourceReference(task.For.Reference), new ResourceReference(task.Owner!.Reference)],
        Payload =
        [
            new Communication.PayloadComponent
            {
                Content = new FhirString(
                    $"{task.Owner.Reference} has not answered in the time that it has for this: {task.Code!.Coding[0].Code}."),
            },
        ],
    };

    /// <summary>Whether a task has been open for longer than it may.</summary>
    public static bool IsOverdue(Task task, DateTimeOffset now) =>
        Open.Contains(StatusText(task)) && task.Restriction!.Period!.EndElement!.ToDateTimeOffset(TimeSpan.Zero) <= now;

    private static string StatusText(Task task) => task.Status?.GetLiteral() ?? "";

    private static Task? Refused(string path, string text, out ValidationIssue? issue)
    {
        issue = new ValidationIssue(IssueSeverity.Error, IssueCode.Value, path, text);
        return null;
    }
}
