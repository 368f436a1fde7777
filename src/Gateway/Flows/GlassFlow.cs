using System.Globalization;
using System.Security.Cryptography;
using Hl7.Fhir.Model;
using PmrGateway.Fhir;
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
    WriteFlow writes, RecordDatabase database, DirectoryStore directory, ILedgerJournal journal, AuditLog audit, Viewers viewers,
    ConsentView view, LedgerOptions ledger, TimeProvider time)
{
    /// <summary>How long broken glass stays open.</summary>
    public static readonly TimeSpan Open = TimeSpan.FromHours(4);

    /// <summary>Breaks the glass, or says that it is broken.</summary>
    /// <param name="caller">Who.</param>
    /// <param name="patient">Id of the patient.</param>
    /// <param name="cancellation">Stops the wait for the stores.</param>
    /// <returns>
    /// The Consent and its end. Not found where there is no such patient, where the hospital that keeps the record has no policy, where the
    /// patient denies the practitioner everything, and where the patient or the hospital has ended what was opened, for as long as that
    /// would have been open: who asks is not told which.
    /// </returns>
    public async Task<Result<GlassOpened>> BreakAsync(Caller caller, string patient, CancellationToken cancellation)
    {
        if (caller is not { Kind: CallerKind.Practitioner, Reason: { } reason, Requester.Practitioner: { } practitioner })
        {
            return Outcome.Of(
                OutcomeCategory.Forbidden,
                "a practitioner of a hospital with a policy on it breaks the glass, by a login for purpose_of_use BTG with a reason");
        }
        bool mayOpen;
        await using (var eyes = await database.SnapshotAsync(viewers.Of(caller), searches: false, cancellation))
            mayOpen = await eyes.MayOpenAsync(patient, cancellation);
        var known = await directory.PatientAsync(patient, cancellation);
        var custodian = await directory.ActorAsync(known?.Custodian ?? patient, cancellation);
        if (!mayOpen || known is null || custodian is not { IsActive: true, GlassPolicy: { } policy }) return Outcome.NotFound;
        while (true)
        {
            var now = time.GetUtcNow();
            List<KeptConsent> before =
            [
                .. (await directory.ConsentsAsync(patient, cancellation))
                    .Where(c => Requester.IsOffice(c.Giver) && c.Terms.Root.Actors is [var actor] && actor == practitioner),
            ];
            var running = before.Where(c => c.Terms.Root.From <= now && now < c.Terms.Root.To).ToList();
            // What was ended is not opened again by the asking.
            if (running.Exists(c => c.IsRevoked)) return Outcome.NotFound;
            foreach (var open in running)
            {
                if (!await IsComingAsync(open, cancellation)) continue;
                await audit.AppendAsync([Entry(caller, now, patient, [$"Consent/{open.ConsentId}"])], cancellation);
                return new GlassOpened(open.ConsentId, open.Terms.Root.To, IsNew: false, IsConfirmed(open));
            }
            var glass = new BrokenGlass(patient, practitioner, known.Custodian, reason, now);
            var context = writes.Begin(caller, null);
            // The next of this practitioner's with this patient: of two at once one is made.
            var id = ResourceId.Of("glass", practitioner, patient, before.Count.ToString(CultureInfo.InvariantCulture));
            var plan = await PlanAsync(context, id, known, glass, policy, cancellation);
            plan = plan with { Audit = [Entry(caller, now, patient, plan.Versions.Select(Named))] };
            var committed = await writes.CommitAsync(context, plan, cancellation);
            if (committed.Failure is { } broken) return broken;
            // Somebody else was first, with this or with the key of the patient: again, with what there is now.
            if (committed.Value is CommitResult.Committed) return new GlassOpened(id, glass.To, IsNew: true, IsConfirmed: false);
        }
    }

    /// <summary>
    /// Writes down what is released, before it leaves. Where that breaks the glass by consents that the patient gave, nobody has been told
    /// yet: notice and review go with it, once a login and patient.
    /// </summary>
    /// <param name="caller">To whom.</param>
    /// <param name="released">The permits of what is released.</param>
    /// <param name="entries">What the log is told.</param>
    /// <param name="cancellation">Stops the wait for the stores.</param>
    /// <returns>Why it could not be written; null: it is.</returns>
    internal async Task<Outcome?> ReleaseAsync(
        Caller caller, IEnumerable<Permit> released, IReadOnlyList<AuditEntry> entries, CancellationToken cancellation)
    {
        if (caller.Reason is null)
        {
            await audit.AppendAsync(entries, cancellation);
            return null;
        }
        var used = released.SelectMany(p => p.Given).ToLookup(g => g.Patient, g => g.Commitment);
        while (true)
        {
            var context = writes.Begin(caller, null);
            var plan = new CommitPlan { Audit = entries };
            foreach (var patient in used) plan = (await NoticeAsync(context, patient.Key, [.. patient], cancellation)).And(plan);
            var committed = await writes.CommitAsync(context, plan, cancellation);
            // Another request of the same login was first: it has told.
            if (committed.Failure is not null || committed.Value is CommitResult.Committed) return committed.Failure;
        }
    }

    private async Task<CommitPlan> NoticeAsync(
        WriteContext context, string patient, HashSet<string> used, CancellationToken cancellation)
    {
        var (caller, now) = (context.Caller, time.GetUtcNow());
        var practitioner = caller.Requester.Practitioner!;
        // One login is one break: its token, or its reason where that has no id, tells it from others.
        var id = ResourceId.Of("read", practitioner, patient, caller.Trace.Token ?? $"{caller.Reason} {now:yyyy-MM-dd}");
        if ((await database.ConcernedAsync("Communication", id, cancellation)).Count > 0) return new CommitPlan();
        if (await directory.PatientAsync(patient, cancellation) is not { } known) return new CommitPlan();
        // Of what an emergency opened both know.
        var told = await directory.StandingAsync(patient, Requester.OfficeOf(known.Custodian), cancellation);
        if (used.IsSubsetOf(told.Select(c => c.Commitment))) return new CommitPlan();
        var glass = new BrokenGlass(patient, practitioner, known.Custodian, caller.Reason!, now);
        Resource[] made = [GlassRecords.Notice(id, null, glass), GlassRecords.Review(id, null, glass)];
        return await MakeAsync(context, glass, made, cancellation);
    }

    // Whether it counts, or will: what the chain refused is tried again; what a new controller of the record has ended does not.
    private async Task<bool> IsComingAsync(KeptConsent open, CancellationToken cancellation)
    {
        if (open.GrantedBlock is not null) return true;
        return await journal.FindAsync(ChainCommands.GrantKey(open.Commitment), cancellation) is { } entry
            && entry.Status != OutboxStatus.Void
            && (entry.Status == OutboxStatus.Failed || !(entry.Block <= view.Block));
    }

    private bool IsConfirmed(KeptConsent open) => open.GrantedBlock <= view.Block - ledger.Confirmations;

    private static AuditEntry Entry(Caller caller, DateTimeOffset now, string patient, IEnumerable<string> entities) => caller.Entry(
        now, Interaction.Operation, AuditOutcome.Permit, [.. entities], CallerAudit.Patients(patient));

    private static string Named(VersionWrite write) => $"{write.Version.Facts.Type}/{write.Version.Facts.Id}";

    private async Task<CommitPlan> PlanAsync(
        WriteContext context, string id, RegisteredPatient patient, BrokenGlass glass, string policy, CancellationToken cancellation)
    {
        var consent = GlassRecords.Consent(id, glass, policy);
        var terms = ConsentReader.Read(FhirTyped.ToDocument(consent), out var issues)
            ?? throw new InvalidOperationException($"the Consent of an emergency cannot be kept: {issues[0].Text}");
        var salt = RandomNumberGenerator.GetBytes(32);
        var commitment = terms.Commit(salt);
        var plan = new CommitPlan
        {
            Consents =
            [
                new ConsentChange.Give(Convert.ToHexStringLower(commitment), id, salt, terms)
                {
                    Giver = Requester.OfficeOf(glass.Custodian),
                },
            ],
            Outbox =
            [
                ChainCommands.BreakGlass(
                    patient.Id, Convert.FromHexString(patient.PatientKey), commitment, (ulong)terms.Root.From.ToUnixTimeSeconds(),
                    (ulong)(terms.Root.To.ToUnixTimeSeconds() - 1)),
            ],
        };
        Resource[] made = [consent, GlassRecords.Notice(ResourceId.New(), id, glass), GlassRecords.Review(ResourceId.New(), id, glass)];
        return plan.And(await MakeAsync(context, glass, made, cancellation));
    }

    private async Task<CommitPlan> MakeAsync(
        WriteContext context, BrokenGlass glass, IEnumerable<Resource> made, CancellationToken cancellation)
    {
        var plan = new CommitPlan();
        foreach (var resource in made)
        {
            var request = new WriteRequest(FhirTyped.ToDocument(resource), resource.TypeName, resource.Id!, null);
            var write = await writes.MakeAsync(context, request, glass.Custodian, Requester.OfficeOf(glass.Custodian), cancellation);
            plan = plan.And(write.Value.Plan);
        }
        return plan;
    }
}

/// <summary>What a break of the glass opened.</summary>
/// <param name="Consent">Id of its Consent.</param>
/// <param name="Until">When it is over.</param>
/// <param name="IsNew">Whether it was not open before.</param>
/// <param name="IsConfirmed">Whether the chain has it deep enough to count.</param>
public sealed record GlassOpened(string Consent, DateTimeOffset Until, bool IsNew, bool IsConfirmed);
