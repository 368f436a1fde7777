using Hl7.Fhir.Model;
using Hl7.Fhir.Utility;
using PmrGateway.Fhir;
using PmrGateway.Mapping;
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

    /// <summary>Nothing of the patient is past retention, and nothing of it is deleted, until this is completed.</summary>
    public const string LegalHold = "legal-hold";

    /// <summary>What is open still.</summary>
    public static readonly IReadOnlyList<string> Open = ["requested", "received", "accepted", "in-progress", "on-hold"];

    /// <summary>What finds the open ones that a patient asked for.</summary>
    /// <param name="patient">Id of the patient.</param>
    public static IReadOnlyList<SearchCriterion> AskedBy(string patient) =>
    [
        new SearchCriterion("patient", "reference", [new SearchValue("Patient", patient)]),
        new SearchCriterion("code", "token", [new SearchValue(Codes, Correction), new SearchValue(Codes, Supply)]),
        WhileOpen,
    ];

    /// <summary>What finds the holds that stand on a patient.</summary>
    /// <param name="patient">Id of the patient.</param>
    public static IReadOnlyList<SearchCriterion> HoldsOn(string patient) =>
    [
        new SearchCriterion("patient", "reference", [new SearchValue("Patient", patient)]),
        new SearchCriterion("code", "token", [new SearchValue(Codes, LegalHold)]),
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

    // The first ends it well, and where a patient asked for something, by a record that shows it. A hold stands for as long as it must.
    private static readonly Dictionary<string, (TimeSpan? Due, string[] Dispositions)> Kinds = new(StringComparer.Ordinal)
    {
        [Review] = (TimeSpan.FromDays(3), ["justified", "not-justified"]),
        [Correction] = (TimeSpan.FromDays(30), ["corrected", "refused"]),
        [Supply] = (TimeSpan.FromHours(72), ["supplied", "refused"]),
        [LegalHold] = (null, ["lifted"]),
    };

    private static readonly HashSet<string> OfRequest =
        ["resourceType", "id", "status", "intent", "code", "for", "requester", "owner", "focus", "description"];

    private static readonly HashSet<string> OfHold = [.. OfRequest.Except(["focus"])];

    /// <summary>How the operator, who has no reference, is named in what is written.</summary>
    public const string OperatorName = "Operator";

    /// <summary>The kinds of task that are due, and within what time each is.</summary>
    public static IEnumerable<(string Code, TimeSpan Due)> Dues =>
        Kinds.Where(k => k.Value.Due is not null).Select(k => (k.Key, k.Value.Due!.Value));

    /// <summary>Whether a Task that comes says that it is a hold.</summary>
    /// <param name="sent">A valid Task.</param>
    public static bool IsHold(ResourceDocument sent) => CodesOf(sent).Contains(LegalHold);

    /// <summary>Whether a Task that comes says that it is one of these.</summary>
    /// <param name="sent">A valid Task.</param>
    public static bool IsOne(ResourceDocument sent) => CodesOf(sent).Any();

    private static IEnumerable<string?> CodesOf(ResourceDocument sent) => (sent.Root["code"]?.ItemsAt("coding") ?? [])
        .Where(c => c.StringAt("system") == Codes).Select(c => c.StringAt("code"));

    /// <summary>Id of the patient on whom what comes would be a hold; null: it is none, or names nobody.</summary>
    /// <param name="sent">What comes; null: nothing.</param>
    public static string? HeldBy(ResourceDocument? sent) => sent is { ResourceType: "Task" } && IsHold(sent)
        && FhirReference.TryParse(sent.Root["for"]?.StringAt("reference"), out var held) && held.Type == "Patient" ? held.Id : null;

    /// <summary>Whether a stored Task is a hold.</summary>
    /// <param name="facts">What is known of it.</param>
    public static bool IsHold(RecordFacts facts) => facts.Labels.Contains(new RecordLabel(LabelKind.Code, Codes, LegalHold));

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
        Restriction = Kinds[code].Due is not { } due ? null : new Task.RestrictionComponent
        {
            Period = new Period { EndElement = new FhirDateTime(FhirInstant.Format(now + due)) },
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
        if (Foreign(sent, OfRequest, "what is asked is code, focus and description", out issue)) return null;
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

    /// <summary>A hold that the hospital, or the operator, puts on a patient: its status, code, whom it is on, and why.</summary>
    /// <param name="sent">A valid Task.</param>
    /// <param name="id">Its id.</param>
    /// <param name="by">Reference of the hospital that files it; null: the operator does.</param>
    /// <param name="now">When.</param>
    /// <param name="issue">What stands against it.</param>
    /// <returns>The task without its owner, who is told once it is known who keeps the patient.</returns>
    public static Task? Hold(ResourceDocument sent, string id, string? by, DateTimeOffset now, out ValidationIssue? issue)
    {
        if (Foreign(sent, OfHold, "a hold is status, code, for and description, on all records of the patient", out issue)) return null;
        var task = FhirTyped.Parse<Task>(sent);
        if (task.Code?.Coding is not [{ System: Codes, Code: LegalHold }])
            return Refused("Task.code", $"{LegalHold} of {Codes} alone", out issue);
        if (task.Status is not (Task.TaskStatus.Accepted or Task.TaskStatus.InProgress))
            return Refused("Task.status", "a hold stands from its filing on: accepted or in-progress", out issue);
        if (!FhirReference.TryParse(task.For?.Reference, out var held) || held.Type != "Patient" || held.Version is not null)
            return Refused("Task.for", "the patient, as Patient/id", out issue);
        if (task.Requester is not null && (by is null || task.Requester.Reference != by))
            return Refused("Task.requester", by is null ? "it is the operator, who has no reference" : $"it is {by}", out issue);
        if (string.IsNullOrWhiteSpace(task.Description) || task.Description.Length > MaxText)
            return Refused("Task.description", $"say why, in at most {MaxText} characters", out issue);
        var made = New(LegalHold, id, held.Id, "", by ?? "", now);
        (made.Status, made.Description, made.Owner) = (task.Status, task.Description, task.Owner);
        if (by is null) made.Requester = new ResourceReference { Display = OperatorName };
        return made;
    }

    /// <summary>The task with what an office says of it, or the patient who takes back what was asked.</summary>
    /// <param name="task">The task; it is changed.</param>
    /// <param name="said">What is said.</param>
    /// <param name="by">Reference of who says it: the hospital, or the patient; of the operator, who has none, the name.</param>
    /// <param name="now">When.</param>
    /// <returns>Why not; null: it is done.</returns>
    public static string? Dispose(Task task, Disposal said, string by, DateTimeOffset now)
    {
        var code = task.Code!.Coding[0].Code!;
        var (isRequest, dispositions) = (code is Correction or Supply, Kinds[code].Dispositions);
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
        if (code == LegalHold && to == Task.TaskStatus.Completed && said.Note is null) return "note: why the hold is lifted";

        (task.Status, task.LastModifiedElement) = (to, new FhirDateTime(FhirInstant.Format(now)));
        if (said.Disposition is not null) task.BusinessStatus = new CodeableConcept(Codes, said.Disposition);
        if (said.Note is not null)
        {
            var at = new FhirDateTime(FhirInstant.Format(now));
            DataType author = FhirReference.TryParse(by, out _) ? new ResourceReference(by) : new FhirString(by);
            task.Note.Add(new Annotation { Author = author, TimeElement = at, Text = said.Note });
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

    // An element that is passed over would be one that was believed to be kept.
    private static bool Foreign(ResourceDocument sent, HashSet<string> taken, string what, out ValidationIssue? issue)
    {
        issue = null;
        foreach (var element in sent.Root)
            if (!taken.Contains(element.Name ?? "")) Refused($"Task.{element.Name}", what, out issue);
        return issue is not null;
    }

    private static string StatusText(Task task) => task.Status?.GetLiteral() ?? "";

    private static Task? Refused(string path, string text, out ValidationIssue? issue)
    {
        issue = new ValidationIssue(IssueSeverity.Error, IssueCode.Value, path, text);
        return null;
    }
}
