using System.Data;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Http;
using PmrGateway.Gateway.Security;
using PmrGateway.Ipfs;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Flows;

/// <summary>What one write asks for.</summary>
/// <param name="Document">The resource; null for a deletion.</param>
/// <param name="Type">Resource type.</param>
/// <param name="Id">Logical id.</param>
/// <param name="Current">The version there is, as the writer sees it; null: the resource is new.</param>
/// <param name="Binary">A Binary's content where it is not inside a document.</param>
public sealed record WriteRequest(ResourceDocument? Document, string Type, string Id, StoredVersion? Current, BinaryContent? Binary = null)
{
    /// <summary>FHIR interaction code.</summary>
    public string Interaction => Document is null && Binary is null ? "delete" : Current is null ? "create" : "update";

    /// <summary>The version that the write makes.</summary>
    public long Version => (Current?.Version ?? 0) + 1;
}

/// <summary>The content of a Binary.</summary>
/// <param name="ContentType">MIME type.</param>
/// <param name="Content">The bytes.</param>
/// <param name="SecurityContext">Reference of the patient or document whose rules it shares, or null.</param>
public sealed record BinaryContent(string ContentType, byte[] Content, string? SecurityContext);

/// <summary>A write that is sealed and may be committed.</summary>
/// <param name="Request">What was asked.</param>
/// <param name="Writes">The versions: the resource, and the Binaries split off it.</param>
/// <param name="Json">The resource as it will be read; empty for a deletion and a Binary.</param>
/// <param name="Effects">What else the same commit does: grants, registrations.</param>
public sealed record PreparedWrite(WriteRequest Request, IReadOnlyList<VersionWrite> Writes, byte[] Json, IReadOnlyList<Action<IDbConnection>> Effects);

/// <summary>The one way in.</summary>
/// <remarks>
/// (1) may this requester write this, (2) validate, (3) map: attachments, patients, index, leaf, (4) are the patients the writer's to write
/// about, (5) seal, (6) blocks, durable, (7) one commit: resource, index, audit, outbox, and what the write means to the ledger. The chain
/// comes later and never holds up a write.
/// </remarks>
public sealed class WriteFlow(
    RecordStore records, RecordVault vault, UnixFs files, Database database, Validator validator, ResourceMapper mapper, ReadFlow readFlow, ConsentWrites consents, ActorWrites actors,
    AuditLog audit, BaseUrl baseUrl, TimeProvider time)
{
    /// <summary>Custodian of what the operator writes.</summary>
    public const string OperatorCustodian = "Operator";

    private static readonly HashSet<string> NotWritable = ["AuditEvent", "OperationOutcome", "Parameters", "CapabilityStatement", "Subscription", "SearchParameter", "OperationDefinition"];

    /// <summary>Steps 1 to 5 for one write; nothing is stored.</summary>
    /// <param name="caller">Who.</param>
    /// <param name="request">What.</param>
    /// <param name="newPatients">Ids of patients that the same transaction makes.</param>
    /// <param name="cancellation">Stops the wait for the stores.</param>
    public async Task<Result<PreparedWrite>> PrepareAsync(Caller caller, WriteRequest request, IReadOnlySet<string> newPatients, CancellationToken cancellation)
    {
        // (1)
        if (MayWrite(caller, request) is { } refusal) return refusal;
        if (request is { Type: "Consent", Current: { } consent } && consent.Facts.Patients.Any(p => !consents.MayChange(caller, p)))
            return Outcome.Of(OutcomeCategory.Forbidden, "the patient's own wallet controls this record: only the patient changes a consent");
        if (request.Interaction == "delete") return PrepareDeletion(request);

        // (2)
        if (request.Document is { } resource)
        {
            var report = validator.Validate(resource);
            if (!report.IsValid) return new Outcome(OutcomeCategory.Invalid, report.Errors);
        }

        // (3)
        var now = time.GetUtcNow();
        var custodian = request.Current?.Facts.Custodian ?? CustodianFor(caller);
        var effects = new List<Action<IDbConnection>>();
        if (custodian is null) return Outcome.NotFound;
        var (draft, failure) = Map(request, custodian, now);
        if (failure is not null) return failure;

        // (4)
        if (await UnknownPatientAsync(caller, request, draft!, newPatients, cancellation) is { } unknown) return unknown;
        // Earlier versions stay under the current patients: one who was concerned by them must not drop out.
        if (request.Current is { } before && before.Facts.Patients.Except(draft!.Facts.Patients).Any())
            return new Outcome(OutcomeCategory.Invalid, [new ValidationIssue(IssueSeverity.Error, IssueCode.Value, request.Type, "a record is not moved from one patient to another: delete it and create a new one")]);
        if (await EffectsAsync(caller, request, draft!, newPatients, effects) is { } notAllowed) return notAllowed;

        // (5)
        var subject = draft!.Facts.Patients.Count > 0 ? "Patient/" + draft.Facts.Patients[0] : custodian;
        var wrapped = records.SubjectKey(subject) ?? await records.KeepSubjectKeyAsync(subject, vault.NewSubjectKey(subject));
        var subjectKey = vault.UnwrapSubjectKey(subject, wrapped);
        var writes = new List<VersionWrite>();
        foreach (var attachment in draft.Attachments)
        {
            var facts = draft.Facts with { Type = "Binary", Id = attachment.Id, Labels = [.. draft.Facts.Labels, ClassOf("Binary")] };
            writes.Add(new VersionWrite(Seal(attachment.Content!, facts, 1, now, subjectKey, attachment.ContentType), [], []));
        }
        var content = request.Binary?.Content ?? draft.Json;
        writes.Add(new VersionWrite(Seal(content, draft.Facts, request.Version, now, subjectKey, request.Binary?.ContentType), draft.Index, [.. draft.LinkedBinaries, .. draft.Attachments.Select(a => a.Id)]));
        return new PreparedWrite(request, writes, request.Binary is null ? draft.Json : [], effects);
    }

    /// <summary>Steps 6 and 7 for all writes of a request, all or none.</summary>
    public async Task<Outcome?> CommitAsync(Caller caller, IReadOnlyList<PreparedWrite> prepared, CancellationToken cancellation)
    {
        try
        {
            // (6) Binaries lie in the block store alone; they must be durable before anything points to them.
            var batch = files.Begin();
            var roots = new List<Cid>();
            foreach (var write in prepared.SelectMany(p => p.Writes))
            {
                if (write.Version.IsDeleted || write.Version.Facts.Type != "Binary") continue;
                roots.Add(await UnixFs.WriteAsync(batch, write.Version.Body, cancellation));
            }
            if (roots.Count > 0) await batch.CommitAsync(roots, cancellation);

            // (7)
            var entries = prepared.SelectMany(p => Entries(caller, p)).ToList();
            await database.WriteAsync(connection =>
            {
                RecordStore.Commit(connection, [.. prepared.SelectMany(p => p.Writes).Select(WithoutBinaryBody)]);
                // Patients first: a consent of the same transaction needs its patient registered.
                foreach (var effect in prepared.OrderBy(p => p.Request.Type == "Patient" ? 0 : 1).SelectMany(p => p.Effects)) effect(connection);
                foreach (var entry in entries) AuditLog.Append(connection, entry);
                return true;
            });
            return null;
        }
        catch (VersionConflictException e)
        {
            return Outcome.Of(OutcomeCategory.Conflict, e.Message);
        }
        catch (Exception e) when (e is BlockStoreUnavailableException or StoreUnavailableException)
        {
            return Outcome.Of(OutcomeCategory.Unavailable, "the stores cannot be written: nothing was kept");
        }
    }

    /// <summary>Tells the audit log that a condition matched: the requester learns of the match.</summary>
    public Task ReportMatchAsync(Caller caller, RecordFacts facts) => audit.AppendAsync(
        caller.Entry(time.GetUtcNow(), "search-type", "permit", [$"{facts.Type}/{facts.Id}"], facts.Patients));

    private static RecordLabel ClassOf(string type) => new(LabelKind.Class, "http://hl7.org/fhir/resource-types", type);

    private static VersionWrite WithoutBinaryBody(VersionWrite write) =>
        write.Version.Facts.Type == "Binary" ? write with { Version = write.Version with { Body = null } } : write;

    private static Outcome? MayWrite(Caller caller, WriteRequest request)
    {
        var action = request.Interaction switch { "create" => ScopeAction.Create, "update" => ScopeAction.Update, _ => ScopeAction.Delete };
        if (caller.Refuse(request.Type, action) is { } refusal) return refusal;
        if (NotWritable.Contains(request.Type)) return Outcome.Of(OutcomeCategory.NotSupported, $"{request.Type} cannot be written here");
        var mayWriteType = caller.Kind switch
        {
            CallerKind.Operator => DirectoryTypes.Contains(request.Type),
            CallerKind.Patient => request.Type == "Consent",
            _ => caller.IsHospital,
        };
        if (!mayWriteType) return Outcome.Of(OutcomeCategory.Forbidden, $"this requester may not write {request.Type}");
        if (request.Current is not { } current) return null;
        var isOwn = caller.Kind switch
        {
            CallerKind.Operator => current.Facts.Custodian == OperatorCustodian,
            CallerKind.Patient => current.Facts.Patients.Count == 1 && current.Facts.Patients[0] == caller.Requester.Patient,
            _ => current.Facts.Custodian == caller.Requester.Organization,
        };
        return isOwn ? null : Outcome.Of(OutcomeCategory.Forbidden, "only who wrote a record may change it");
    }

    private string? CustodianFor(Caller caller) => caller.Kind switch
    {
        CallerKind.Operator => OperatorCustodian,
        CallerKind.Patient => consents.CustodianOf(caller.Requester.Patient!),
        _ => caller.Requester.Organization,
    };

    private PreparedWrite PrepareDeletion(WriteRequest request)
    {
        var version = StoredVersion.Deletion(request.Current!.Facts, request.Version, time.GetUtcNow());
        List<Action<IDbConnection>> effects = request.Type == "Consent" ? [connection => consents.Revoke(connection, request.Id)] : [];
        // Only the operator's entries are actors, and only the operator may delete those.
        actors.PrepareDeletion($"{request.Type}/{request.Id}", effects);
        return new PreparedWrite(request, [new VersionWrite(version, [], [])], [], effects);
    }

    private (ResourceDraft? Draft, Outcome? Failure) Map(WriteRequest request, string custodian, DateTimeOffset now)
    {
        if (request.Binary is { } binary)
        {
            FhirReference.TryParse(binary.SecurityContext, out var context);
            IReadOnlyList<string> patients = request.Current?.Facts.Patients ?? (context.Type == "Patient" ? [context.Id] : []);
            IReadOnlyList<RecordLabel> labels = request.Current?.Facts.Labels ?? [ClassOf("Binary")];
            return (new ResourceDraft([], new RecordFacts("Binary", request.Id, custodian, patients, labels), [], [], []), null);
        }
        var draft = mapper.Map(request.Document!, request.Id, request.Version, now, custodian, new MappingScene(baseUrl.Fhir, ResourceId.New, _ => null), out var issues);
        return draft is null ? (null, new Outcome(OutcomeCategory.Invalid, issues)) : (draft, null);
    }

    // Unknown and not-yours are one answer, else a hospital could ask for the existence of any patient by writing about them.
    private async Task<Outcome?> UnknownPatientAsync(Caller caller, WriteRequest request, ResourceDraft draft, IReadOnlySet<string> newPatients, CancellationToken cancellation)
    {
        var asked = draft.Facts.Patients.Where(p => !newPatients.Contains(p) && p != caller.Requester.Patient && !(request.Type == "Patient" && p == request.Id)).ToList();
        if (asked.Count == 0) return null;
        var eyes = await readFlow.EyesOfAsync(caller.Requester, cancellation);
        foreach (var patient in asked)
            if (records.Read(eyes, "Patient", patient, null) is not { IsDeleted: false })
                return new Outcome(OutcomeCategory.Invalid, [new ValidationIssue(IssueSeverity.Error, IssueCode.Value, request.Type, "it refers to a Patient that is not known here")]);
        return null;
    }

    private async Task<Outcome?> EffectsAsync(Caller caller, WriteRequest request, ResourceDraft draft, IReadOnlySet<string> newPatients, List<Action<IDbConnection>> effects)
    {
        if (request.Type == "Consent") return await consents.PrepareAsync(caller, request, newPatients, effects);
        if (request.Type == "Patient" && request.Current is null) effects.Add(consents.RegisterPatient(request.Id, draft.Facts.Custodian));
        return caller.Kind == CallerKind.Operator ? actors.Prepare(request, effects) : null;
    }

    private StoredVersion Seal(byte[] content, RecordFacts facts, long version, DateTimeOffset now, SubjectKey subject, string? contentType)
    {
        var (body, key, leaves) = vault.Seal(content, facts.Type, facts.Id, version, subject);
        var cid = UnixFs.RootOf(leaves, body.Length).ToString();
        return new StoredVersion(
            facts, version, now, false, subject.Subject, body, cid, key.WrappedKey, key.KeyCommitment, key.Salt, key.PlaintextDigest, contentType);
    }

    private IEnumerable<AuditEntry> Entries(Caller caller, PreparedWrite prepared)
    {
        var entities = prepared.Writes.Select(w => $"{w.Version.Facts.Type}/{w.Version.Facts.Id}").ToList();
        var patients = prepared.Writes.SelectMany(w => w.Version.Facts.Patients).Distinct().ToList();
        foreach (var patient in patients.Count == 0 ? [null] : patients.Cast<string?>())
            yield return caller.Entry(time.GetUtcNow(), prepared.Request.Interaction, "permit", entities, CallerAudit.Patients(patient));
    }
}
