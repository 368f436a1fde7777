using PmrGateway.Fhir;
using PmrGateway.Gateway.Content;
using PmrGateway.Gateway.Options;
using PmrGateway.Ipfs;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Flows;

/// <summary>The one way in.</summary>
/// <remarks>
/// (1) may this requester write this, (2) validate, (3) map: attachments, patients, index, leaf, (4) are the patients the writer's to write
/// about, (5) what it means to the ledger, (6) seal: all of it is a plan then, (7) blocks, durable, (8) the plan of all writes of the
/// request, committed as one. The chain comes later and never holds up a write.
/// </remarks>
public sealed partial class WriteFlow(
    RecordDatabase database, DirectoryStore directory, RecordVault vault, IContent content, Validator validator, ResourceMapper mapper,
    ConsentWrites consents, ImplicitConsents silent, ActorWrites actors, AskedTasks asked, LegalHolds holds, Viewers viewers,
    BaseUrl baseUrl, TimeProvider time, ILogger<WriteFlow> log)
{
    /// <summary>Custodian of what the operator writes.</summary>
    public const string OperatorCustodian = "Operator";

    /// <summary>Begins the writes of one request.</summary>
    /// <param name="caller">Who writes.</param>
    /// <param name="body">Its body; null: it has none.</param>
    public WriteContext Begin(Caller caller, StreamedBody? body) =>
        new(caller, database, directory, vault, viewers, body ?? new StreamedBody([], content.Begin()));

    /// <summary>The current version of a record as a writer may see it, or keeps it, where the scopes to write reach it; null: none.
    /// </summary>
    public ValueTask<StoredVersion?> VisibleAsync(
        Caller caller, ScopeAction action, string type, string id, CancellationToken cancellation) =>
        VisibleAsync(caller, viewers.Of(caller, action), type, id, cancellation);

    private async ValueTask<StoredVersion?> VisibleAsync(
        Caller caller, Viewer viewer, string type, string id, CancellationToken cancellation)
    {
        await using var snapshot = await database.SnapshotAsync(viewer, searches: false, cancellation);
        return (await snapshot.ReadAsync(type, id, null, cancellation))?.Version
            // A custodian's system corrects and ends what the hospital keeps, whether or not it may read it; nothing of it is opened here.
            ?? (caller.Kind == CallerKind.System ? await snapshot.KeptAsync(type, id, cancellation) : null);
    }

    /// <summary>Steps 1 to 6 for one write; nothing is stored but blocks that nothing names yet.</summary>
    /// <param name="context">The request that it belongs to.</param>
    /// <param name="request">What.</param>
    /// <param name="cancellation">Stops the wait for the stores.</param>
    /// <exception cref="BlockStoreUnavailableException">The content of a Binary cannot be written.</exception>
    public async Task<Result<PreparedWrite>> PrepareAsync(WriteContext context, WriteRequest request, CancellationToken cancellation)
    {
        // What a scope reaches by search parameters it must be before, and after.
        if (request.Current is not null && !await IsReachedAsync(context.Caller, request, cancellation))
            return context.Caller.OutOfReach(request.Type, request.Action);
        var prepared = await PrepareReachedAsync(context, request, cancellation);
        // Who tries to put a hold on a patient is in that patient's log, whyever it is refused.
        if (prepared.Failure is { } refused && OfficeTasks.HeldBy(request.Document) is { } held) return refused with { Concealed = [held] };
        if (prepared.Failure is not null || request.Action == ScopeAction.Delete) return prepared;
        var last = prepared.Value.Plan.Versions[^1];
        return context.Caller.RefuseRecord(request.Type, request.Action, last.Index) is { } outside
            ? outside with { Concealed = last.Version.Facts.Patients }
            : prepared;
    }

    // By criteria it was found by the scope to search.
    private async ValueTask<bool> IsReachedAsync(Caller caller, WriteRequest request, CancellationToken cancellation)
    {
        if (!caller.Reach(request.Action).Restricts(request.Type)) return true;
        await using var snapshot = await database.SnapshotAsync(viewers.Of(caller, request.Action), searches: false, cancellation);
        return await snapshot.ReachesAsync(request.Type, request.Id, cancellation);
    }

    private async Task<Result<PreparedWrite>> PrepareReachedAsync(
        WriteContext context, WriteRequest request, CancellationToken cancellation)
    {
        // (1)
        var caller = context.Caller;
        if (WriteRules.Refusal(caller, request) is { } refusal) return refusal;
        if (request is { Type: "Consent", Current: not null }
            && await consents.RefusalOfChangeAsync(caller, request, cancellation) is { } notTheirs)
            return notTheirs;
        if (request is { Type: "Task", Current: not null }
            && (await database.ConcernedAsync("Consent", request.Id, cancellation)).Count > 0)
            return Outcome.Of(OutcomeCategory.Forbidden, "a decision on its Consent changes this Task, and nothing else");
        if (request.Current is { } made && made.Facts.Author == Requester.OfficeOf(made.Facts.Custodian) && request.Type != "Consent")
            return Outcome.Of(OutcomeCategory.Forbidden, "the gateway wrote this: a Task is closed by Task/$dispose, all else stays");
        if (request.Interaction == Interaction.Delete) return await PrepareDeletionAsync(context, request, cancellation);

        // (2)
        if (request.Document is { } resource)
        {
            if (Subsetted.Refusal(resource) is { } part) return part;
            if (validator.Validate(resource) is { IsValid: false } report) return new Outcome(OutcomeCategory.Invalid, report.Errors);
        }

        if (AskedTasks.IsOne(caller, request)) return await AskAsync(context, request, cancellation);
        // What an office, and its patient, believe that the gateway put before them nobody else writes.
        if (request is { Type: "Task", Document: { } task } && OfficeTasks.IsOne(task))
            return Invalid("Task.code", $"a Task with a code of {OfficeTasks.Codes} is asked for by the patient, or a legal hold");

        // (3)
        var now = time.GetUtcNow();
        if (request.Current is null && request.Type == "Patient") context.AddPatient(request.Id);
        var custodian = request.Current?.Facts.Custodian ?? await CustodianForAsync(caller, cancellation);
        if (custodian is null) return Outcome.NotFound;
        var mapped = Map(context, request, custodian, caller.Requester.Author, now);
        if (mapped.Failure is { } failure) return failure;
        var draft = mapped.Value;
        // A label is the hospital's. Who wrote the version before is no exception: that is whoever changed it once and kept the labels.
        if (caller.Kind == CallerKind.Practitioner && request.Current is { } old && await LosesLabelsAsync(old.Facts, draft, cancellation))
            return Outcome.Of(
                OutcomeCategory.Forbidden,
                $"{request.Type}.meta.security: a security label, also one of a part, comes off by a system of the hospital that keeps it");
        // A Consent is its patient's alone, to see and to end; and no answer to who proposes one may hang on whose the copy is.
        if (draft.Mentions.Count > 0 && request is { Type: "Consent", Document: { } consent })
            return Invalid(consent.Root["contained"] is null ? "Consent.sourceAttachment" : "Consent.contained", ConsentWrites.HoldsOthers);
        // Who holds a copy of another patient need not know whose it is, and is not told; that patient is asked by every read.
        if (await context.MentionedAsync(draft, cancellation) is { Count: > 0 } others)
            draft = draft with { Facts = draft.Facts with { Others = others } };
        if (DirectoryTypes.Contains(request.Type) && DirectoryTypes.Refusal(draft.Facts, draft.Mentions) is { } notForAll)
            return Invalid(request.Type, notForAll);

        // (4)
        if (await UnknownPatientAsync(context, request, draft.Facts, cancellation) is { } unknown) return unknown;
        // Its versions are sealed for one patient. Further ones may be corrected: whom an earlier version concerned is asked about that.
        if (request.Current is { } before && SealedFor(before).Except(draft.Facts.Patients).Any())
            return Invalid(request.Type, "a record is not moved from one patient to another: delete it and create a new one");

        // (5)
        var meaning = await MeaningAsync(context, request, draft, cancellation);
        if (meaning.Failure is { } notAllowed) return notAllowed;

        // (6)
        var plan = meaning.Value with { Versions = await SealAsync(context, request, draft, now, cancellation) };
        if (request.Type == "Consent") plan = (await TaskAsync(context, request, draft.Facts.Patients[0], cancellation)).And(plan);
        return new PreparedWrite(request, plan, request.Binary is null ? draft.Json : []);
    }

    private async ValueTask<bool> LosesLabelsAsync(RecordFacts before, ResourceDraft draft, CancellationToken cancellation)
    {
        if (!LabelSet.Loses(before.Labels, draft.Facts.Labels)) return false;
        // Labels of what a Binary encloses are none of the draft yet: they are taken over, and stay, when it is kept with its link to that.
        var enclosing = await database.EnclosingAsync(before.Type, before.Id, cancellation);
        return enclosing.Count == 0 || enclosing.Except(draft.LinkedBinaries).Any()
            || LabelSet.Loses([.. before.Labels.Where(l => !l.IsInner)], draft.Facts.Labels);
    }

    // Of a deletion, which is sealed for nobody, all whom the version before concerned.
    private static IEnumerable<string> SealedFor(StoredVersion version) =>
        version.IsDeleted ? version.Facts.Patients
        : version.Subject.StartsWith("Patient/", StringComparison.Ordinal) ? [version.Subject["Patient/".Length..]]
        : [];

    /// <summary>Steps 7 and 8 for all writes of a request, all or none.</summary>
    /// <returns>What became of the plan; a failure where nothing can be written now.</returns>
    public async Task<Result<CommitResult>> CommitAsync(WriteContext context, IReadOnlyList<PreparedWrite> prepared,
        CancellationToken cancellation)
    {
        var plan = prepared.Aggregate(new CommitPlan(), Add);
        while (true)
        {
            var besides = await silent.OfAsync(this, context, prepared, cancellation);
            var committed = await CommitAsync(context, besides.Aggregate(plan, Add), cancellation);
            // What the request did not ask for is none of its conflicts: somebody else has done it meanwhile.
            if (committed.Failure is not null || committed.Value is not CommitResult.Conflict other
                || besides.All(b => b.Request.Id != other.Id))
                return committed;
        }

        CommitPlan Add(CommitPlan all, PreparedWrite write) => all.And(write.Plan with { Audit = [.. Entries(context.Caller, write)] });
    }

    /// <summary>Steps 7 and 8 for a plan.</summary>
    /// <returns>What became of it; a failure where nothing can be written now.</returns>
    internal async Task<Result<CommitResult>> CommitAsync(WriteContext context, CommitPlan plan, CancellationToken cancellation)
    {
        try
        {
            // (7) Binaries lie in the block store alone; they must be durable before anything points to them.
            await context.Body.Upload.CommitAsync(cancellation);
            if (await context.Caller.RefusedByNowAsync(cancellation) is { } refusal) return refusal;

            // (8)
            var shared = new CommitPlan { If = context.Preconditions, SubjectKeys = context.NewKeys, Audit = context.Told };
            var result = await database.CommitAsync(shared.And(plan), cancellation);
            if (result is CommitResult.Committed) context.IsLogged();
            if (result is not CommitResult.TooLong it) return result;
            return Outcome.Of(
                OutcomeCategory.Unavailable,
                $"the condition takes longer than {it.Longest.TotalSeconds:0.#} s where all writes wait for it: nothing was kept");
        }
        catch (Exception e) when (e is BlockStoreUnavailableException or StoreUnavailableException)
        {
            LogUnavailable(e);
            return Outcome.Of(OutcomeCategory.Unavailable, "the stores cannot be written: nothing was kept");
        }
    }

    private static Outcome Invalid(string path, string text) =>
        new(OutcomeCategory.Invalid, [new ValidationIssue(IssueSeverity.Error, IssueCode.Value, path, text)]);

    private async ValueTask<string?> CustodianForAsync(Caller caller, CancellationToken cancellation) => caller.Kind switch
    {
        CallerKind.Operator => OperatorCustodian,
        CallerKind.Patient => (await directory.PatientAsync(caller.Requester.Patient!, cancellation))?.Custodian,
        _ => caller.Requester.Organization,
    };

    private async Task<Result<PreparedWrite>> PrepareDeletionAsync(
        WriteContext context, WriteRequest request, CancellationToken cancellation)
    {
        var unheld = await holds.UnheldAsync(context.Caller, request.Current!.Facts, cancellation);
        if (unheld.Failure is { } held) return held;
        var facts = request.Current!.Facts with { Author = context.Caller.Requester.Author };
        var version = StoredVersion.Deletion(facts, request.Version, time.GetUtcNow());
        var plan = request.Type == "Consent" ? await consents.RevokeAsync(request.Id, null, cancellation) : new CommitPlan();
        // Only the operator's entries are actors, and only the operator may delete those.
        plan = plan.And(await actors.DeletionOfAsync($"{request.Type}/{request.Id}", cancellation));
        plan = plan with { If = unheld.Value, Versions = [new VersionWrite(version, [], [])] };
        if (request.Type == "Consent") plan = (await TaskAsync(context, request, facts.Patients[0], cancellation)).And(plan);
        return new PreparedWrite(request, plan, []);
    }

    // What becomes of the task that a proposed Consent is to its patient.
    private async Task<CommitPlan> TaskAsync(WriteContext context, WriteRequest consent, string patient, CancellationToken cancellation)
    {
        var now = time.GetUtcNow();
        var isNew = consent.Current is null;
        WriteRequest? task = null;
        if (isNew && ConsentWrites.IsProposal(context.Caller, consent)) task = ConsentTasks.Open(context.Caller, consent.Id, patient, now);
        // Once it has granted something, or was decided on, the task is done.
        else if (!isNew && await directory.LatestConsentAsync(consent.Id, cancellation) is null
            && await VisibleAsync(context.Caller, viewers.Of(context.Caller.Requester), "Task", consent.Id, cancellation)
                is { IsDeleted: false, Version: 1 } open)
            task = ConsentTasks.Close(open, consent.Document?.Root.StringAt("status"), patient, now);
        if (task is null) return new CommitPlan();
        var custodian = task.Current?.Facts.Custodian ?? context.Caller.Requester.Organization!;
        return (await MakeAsync(context, task, custodian, context.Caller.Requester.Author, cancellation)).Value.Plan;
    }

    // What is put before the office of the hospital that keeps the patient: the gateway writes it.
    private async Task<Result<PreparedWrite>> AskAsync(WriteContext context, WriteRequest request, CancellationToken cancellation)
    {
        var made = await asked.MakeAsync(context.Caller, request, cancellation);
        if (made.Failure is { } refusal) return refusal;
        var (task, hospital, limit) = made.Value;
        var write = await MakeAsync(context, task, hospital, Requester.OfficeOf(hospital), cancellation);
        return write.Failure is null ? write.Value with { Plan = write.Value.Plan with { If = [limit] } } : write;
    }

    /// <summary>
    /// A version that the gateway itself makes of what a Consent brings about. Its class is also that of a Consent: it tells of one, and
    /// what opens no Consent does not open it.
    /// </summary>
    /// <param name="context">The request that it belongs to.</param>
    /// <param name="made">What it is.</param>
    /// <param name="custodian">Who keeps it.</param>
    /// <param name="author">As whom it is written.</param>
    /// <param name="cancellation">Stops the wait for the stores.</param>
    internal async Task<Result<PreparedWrite>> MakeAsync(
        WriteContext context, WriteRequest made, string custodian, string author, CancellationToken cancellation)
    {
        var now = time.GetUtcNow();
        var mapped = Map(context, made, custodian, author, now);
        if (mapped.Failure is { } failure) return failure;
        var draft = mapped.Value;
        var labels = draft.Facts.Labels.Append(RecordLabel.OfType("Consent")).Distinct().ToList();
        draft = draft with { Facts = draft.Facts with { Labels = labels } };
        var plan = new CommitPlan { Versions = await SealAsync(context, made, draft, now, cancellation) };
        return new PreparedWrite(made, plan, draft.Json);
    }

    private Result<ResourceDraft> Map(
        WriteContext context, WriteRequest request, string custodian, string author, DateTimeOffset now)
    {
        var scene = new MappingScene(baseUrl.Fhir, ResourceId.New, context.Body.Find);
        if (request.Binary is { } binary)
        {
            if (binary.Problem is { } problem) return Invalid("Binary.data", problem);
            if (request.Document?.Root["meta"]?["security"] is not null)
                return Invalid("Binary.meta.security", "a Binary has the labels of the records that link to it: label those");
            if (SecurityContext.Refusal(binary.SecurityContext, baseUrl.Fhir, request.Current, out var sentFor) is { } notShared)
                return notShared;
            IReadOnlyList<string> patients = request.Current?.Facts.Patients ?? (sentFor is null ? [] : [sentFor]);
            IReadOnlyList<RecordLabel> labels = request.Current?.Facts.Labels ?? [RecordLabel.OfType("Binary")];
            var facts = new RecordFacts("Binary", request.Id, custodian, patients, labels) { Author = author };
            var made = mapper.MapBinary(facts, binary.ContentType, binary.Text, scene, out var wrong);
            if (made is null) return new Outcome(OutcomeCategory.Invalid, wrong);
            // What links to a Binary has taken over what was in it then: of a new version it would not know.
            return request.Current is null || made.Facts.Details.Links.Count == 0
                ? made
                : Invalid("Binary.data", "a FHIR resource is no new version of a Binary that there is: create another, and link to that");
        }
        var requester = context.Caller.Requester;
        var origin = new RecordOrigin(
            custodian, author, requester.Patient is { } self ? [$"Patient/{self}"] : [.. requester.ActorReferences]);
        var draft = mapper.Map(request.Document!, request.Id, request.Version, now, origin, scene, out var issues);
        return draft is null ? new Outcome(OutcomeCategory.Invalid, issues) : draft;
    }

    // Unknown and not-yours are one answer, else a hospital could ask for the existence of any patient by writing about them.
    private static async ValueTask<Outcome?> UnknownPatientAsync(
        WriteContext context, WriteRequest request, RecordFacts facts, CancellationToken cancellation)
    {
        // Whether the patient of a proposal is known is not told.
        if (ConsentWrites.IsProposal(context.Caller, request)) return null;
        foreach (var patient in facts.Patients)
        {
            if (patient == context.Caller.Requester.Patient || (request.Type == "Patient" && patient == request.Id)) continue;
            // Whom it is about already it stays about: who keeps it corrects it, whatever became of the patient.
            if (request.Current?.Facts.Patients.Contains(patient) == true) continue;
            if (!await context.MayWriteAboutAsync(patient, facts, cancellation))
                return Invalid(request.Type, "it refers to a Patient that is not known here") with { Concealed = [patient] };
        }
        return null;
    }

    private async Task<Result<CommitPlan>> MeaningAsync(
        WriteContext context, WriteRequest request, ResourceDraft draft, CancellationToken cancellation)
    {
        if (request.Type == "Consent") return await consents.PlanAsync(context, request, cancellation);
        if (request.Type == "Patient" && request.Current is null)
            return await consents.RegisterAsync(request.Id, context.KeyOfNewPatient(request.Id)!, draft.Facts.Custodian, cancellation);
        return context.Caller.Kind == CallerKind.Operator ? await actors.PlanAsync(request, cancellation) : new CommitPlan();
    }

    private async Task<IReadOnlyList<VersionWrite>> SealAsync(
        WriteContext context, WriteRequest request, ResourceDraft draft, DateTimeOffset now, CancellationToken cancellation)
    {
        var facts = draft.Facts;
        var subject = facts.Patients.Count > 0 ? "Patient/" + facts.Patients[0] : facts.Custodian;
        var key = await context.SubjectKeyAsync(subject, cancellation);
        var versions = new List<VersionWrite>(draft.Attachments.Count + 1);
        foreach (var attachment in draft.Attachments)
        {
            // Its patients and labels are those of the records that link to it: of itself it has none.
            var own = new RecordFacts("Binary", attachment.Id, facts.Custodian, [], [RecordLabel.OfType("Binary")])
            {
                Author = facts.Author,
            };
            var streamed = attachment.Content is null ? context.Body.ContentOf(attachment.Id) : null;
            var binary = new BinaryContent(attachment.ContentType, null) { Bytes = attachment.Content, Streamed = streamed };
            versions.Add(new VersionWrite(await SealAsync(context, binary, own, 1, now, key, cancellation), [], []));
        }
        var version = request.Binary is { } sent
            ? await SealAsync(context, sent, facts, request.Version, now, key, cancellation)
            : Seal(draft.Json, facts, request.Version, now, key);
        versions.Add(new VersionWrite(version, draft.Index, [.. draft.LinkedBinaries, .. draft.Attachments.Select(a => a.Id)]));
        return versions;
    }

    // A Binary lies in the blocks alone: the plan never has its body.
    private static async Task<StoredVersion> SealAsync(
        WriteContext context, BinaryContent binary, RecordFacts facts, long version, DateTimeOffset now, SubjectKey subject,
        CancellationToken cancellation)
    {
        var streamed = binary.Streamed
            ?? await context.Body.Upload.SealAsync(binary.Bytes, new SealContext(facts.Type, facts.Id, version), cancellation);
        var (root, key, _) = streamed.For(subject);
        return new StoredVersion(
            facts, version, now, false, subject.Subject, null, root.ToString(), key.WrappedKey, key.KeyCommitment, key.Salt,
            key.PlaintextDigest, binary.ContentType);
    }

    private StoredVersion Seal(byte[] json, RecordFacts facts, long version, DateTimeOffset now, SubjectKey subject)
    {
        var (body, key, leaves) = vault.Seal(json, facts.Type, facts.Id, version, subject);
        var cid = UnixFs.RootOf(leaves, body.Length).ToString();
        return new StoredVersion(
            facts, version, now, false, subject.Subject, body, cid, key.WrappedKey, key.KeyCommitment, key.Salt, key.PlaintextDigest, null);
    }

    private IEnumerable<AuditEntry> Entries(Caller caller, PreparedWrite prepared)
    {
        var entities = prepared.Plan.Versions.Select(w => $"{w.Version.Facts.Type}/{w.Version.Facts.Id}").ToList();
        var patients = prepared.Plan.Versions.SelectMany(w => w.Version.Facts.Patients).Distinct().ToList();
        foreach (var patient in patients.Count == 0 ? [null] : patients.Cast<string?>())
            yield return caller.Entry(
                time.GetUtcNow(), prepared.Request.Interaction, AuditOutcome.Permit, entities, CallerAudit.Patients(patient));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The stores cannot be written: nothing of the request was kept")]
    private partial void LogUnavailable(Exception e);
}
