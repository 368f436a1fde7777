using System.Security.Cryptography;
using System.Text;
using Hl7.Fhir.Model;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>
/// Breaking the glass: a practitioner who says why opens a patient's record for four hours, under the standing policy of the hospital that
/// keeps it. It is a Consent like any other, for purpose BTG, granted on the chain by the contract that knows the policy; so it counts as
/// any other does, a denial of the patient's overrides it, and the patient ends it. With it go a notice to the patient and a review for
/// the hospital. So do they where the patient's own consents permit what is read for BTG.
/// </summary>
public sealed class GlassFlow(
    WriteFlow writes, RecordDatabase database, DirectoryStore directory, Viewers viewers, TimeProvider time)
{
    /// <summary>How long broken glass stays open.</summary>
    public static readonly TimeSpan Open = TimeSpan.FromHours(4);

    /// <summary>Breaks the glass, or says that it is broken.</summary>
    /// <param name="caller">Who.</param>
    /// <param name="patient">Id of the patient.</param>
    /// <param name="cancellation">Stops the wait for the stores.</param>
    /// <returns>
    /// The Consent and its end. Not found where there is no such patient, where the hospital that keeps the record has no policy, and where
    /// the patient denies just this: who asks is not told which.
    /// </returns>
    public async Task<Result<GlassOpened>> BreakAsync(Caller caller, string patient, CancellationToken cancellation)
    {
        if (caller is not { Kind: CallerKind.Practitioner, Reason: { } reason, Requester.Practitioner: { } practitioner })
        {
            return Outcome.Of(
                OutcomeCategory.Forbidden,
                "who breaks the glass is a practitioner of a hospital with a policy on it, by a login for purpose_of_use BTG with its reason");
        }
        if (await directory.PatientAsync(patient, cancellation) is not { } known) return Outcome.NotFound;
        var custodian = await directory.ActorAsync(known.Custodian, cancellation);
        if (custodian is not { IsActive: true, GlassPolicy: { } policy }) return Outcome.NotFound;
        if (await IsDeniedAsync(caller, patient, cancellation)) return Outcome.NotFound;
        var office = Requester.OfficeOf(known.Custodian);
        var now = time.GetUtcNow();
        if (await OpenedAsync(patient, practitioner, office, now, cancellation) is { } open) return open;
        var glass = new BrokenGlass(patient, practitioner, known.Custodian, reason, now);
        while (true)
        {
            var context = writes.Begin(caller, null);
            var (consent, plan) = await PlanAsync(context, known, glass, policy, office, cancellation);
            var entry = caller.Entry(
                now, Interaction.Operation, AuditOutcome.Permit, [.. plan.Versions.Select(Named)], CallerAudit.Patients(patient));
            var committed = await writes.CommitAsync(context, plan with { Audit = [entry] }, cancellation);
            if (committed.Failure is { } broken) return broken;
            // The key of the patient may have been made meanwhile: again, with that one.
            if (committed.Value is CommitResult.Committed) return new GlassOpened(consent, glass.To, IsNew: true);
        }
    }

    /// <summary>
    /// Commits the entries of a read that broke the glass, and with them, once a login and patient, notice and review: where the patient's
    /// own consents permitted it nobody has been told yet.
    /// </summary>
    /// <param name="caller">Who read.</param>
    /// <param name="patients">Ids of the patients of whom something was read.</param>
    /// <param name="entries">What the log is told.</param>
    /// <param name="cancellation">Stops the wait for the stores.</param>
    /// <returns>Why it could not be written; null: it is.</returns>
    internal async Task<Outcome?> TellAsync(
        Caller caller, IEnumerable<string> patients, IReadOnlyList<AuditEntry> entries, CancellationToken cancellation)
    {
        var of = patients.ToList();
        while (true)
        {
            var context = writes.Begin(caller, null);
            var plan = new CommitPlan { Audit = entries };
            foreach (var patient in of) plan = (await NoticeAsync(context, patient, cancellation)).And(plan);
            var committed = await writes.CommitAsync(context, plan, cancellation);
            // Another request of the same login was first: it has told.
            if (committed.Failure is not null || committed.Value is CommitResult.Committed) return committed.Failure;
        }
    }

    private async Task<CommitPlan> NoticeAsync(WriteContext context, string patient, CancellationToken cancellation)
    {
        var (caller, now) = (context.Caller, time.GetUtcNow());
        var practitioner = caller.Requester.Practitioner!;
        // One login is one break: its token, or its reason where that has no id, tells it from others.
        var id = IdOf(practitioner, patient, caller.Trace.Token ?? $"{caller.Reason} {now:yyyy-MM-dd}");
        if ((await database.ConcernedAsync("Communication", id, cancellation)).Count > 0) return new CommitPlan();
        if (await directory.PatientAsync(patient, cancellation) is not { } known) return new CommitPlan();
        var office = Requester.OfficeOf(known.Custodian);
        if (await OpenedAsync(patient, practitioner, office, now, cancellation) is not null) return new CommitPlan();
        var glass = new BrokenGlass(patient, practitioner, known.Custodian, caller.Reason!, now);
        Resource[] made = [GlassRecords.Notice(id, null, glass), GlassRecords.Review(id, null, glass)];
        return await MakeAsync(context, glass, office, made, cancellation);
    }

    // What this practitioner has open of the patient already.
    private async Task<GlassOpened?> OpenedAsync(
        string patient, string practitioner, string office, DateTimeOffset now, CancellationToken cancellation)
    {
        foreach (var given in await directory.StandingAsync(patient, office, cancellation))
            if (given.Terms.Root is { Actors: [var actor] } open && actor == practitioner && open.From <= now && now < open.To)
                return new GlassOpened(given.ConsentId, open.To, IsNew: false);
        return null;
    }

    private static string IdOf(params IEnumerable<string> words) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', words))))[..32];

    private static string Named(VersionWrite write) => $"{write.Version.Facts.Type}/{write.Version.Facts.Id}";

    // What the patient denies to this practitioner, in an emergency too, is not opened by one.
    private async Task<bool> IsDeniedAsync(Caller caller, string patient, CancellationToken cancellation)
    {
        await using var eyes = await database.SnapshotAsync(viewers.Of(caller.Requester), searches: false, cancellation);
        return await eyes.ExplainAsync("Patient", patient, patient, cancellation) is not { } said
            || said.Consents.Any(c => c.Permits == false);
    }

    private async Task<(string Consent, CommitPlan Plan)> PlanAsync(
        WriteContext context, RegisteredPatient patient, BrokenGlass glass, string policy, string office, CancellationToken cancellation)
    {
        var id = ResourceId.New();
        var consent = GlassRecords.Consent(id, glass, policy);
        var terms = ConsentReader.Read(OfficeTasks.Document(consent), out var issues)
            ?? throw new InvalidOperationException($"the Consent of an emergency cannot be kept: {issues[0].Text}");
        var salt = RandomNumberGenerator.GetBytes(32);
        var commitment = terms.Commit(salt);
        var plan = new CommitPlan
        {
            Consents = [new ConsentChange.Give(Convert.ToHexStringLower(commitment), id, salt, terms) { Giver = office }],
            Outbox =
            [
                ChainCommands.BreakGlass(
                    patient.Id, Convert.FromHexString(patient.PatientKey), commitment, (ulong)terms.Root.From.ToUnixTimeSeconds(),
                    (ulong)(terms.Root.To.ToUnixTimeSeconds() - 1)),
            ],
        };
        Resource[] made = [consent, GlassRecords.Notice(ResourceId.New(), id, glass), GlassRecords.Review(ResourceId.New(), id, glass)];
        return (id, plan.And(await MakeAsync(context, glass, office, made, cancellation)));
    }

    private async Task<CommitPlan> MakeAsync(
        WriteContext context, BrokenGlass glass, string office, IEnumerable<Resource> made, CancellationToken cancellation)
    {
        var plan = new CommitPlan();
        foreach (var resource in made)
        {
            var request = new WriteRequest(OfficeTasks.Document(resource), resource.TypeName, resource.Id!, null);
            plan = plan.And(await writes.MakeAsync(context, request, glass.Custodian, office, cancellation));
        }
        return plan;
    }
}

/// <summary>What a break of the glass opened.</summary>
/// <param name="Consent">Id of its Consent.</param>
/// <param name="Until">When it is over.</param>
/// <param name="IsNew">Whether it was not open before.</param>
public sealed record GlassOpened(string Consent, DateTimeOffset Until, bool IsNew);
