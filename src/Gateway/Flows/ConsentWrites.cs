using System.Numerics;
using System.Security.Cryptography;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Ledger;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>What writing a Consent or a Patient means to the ledger, as part of the plan of the same commit.</summary>
public sealed class ConsentWrites(
    RecordDatabase database, DirectoryStore directory, ILedgerJournal journal, Custody custody, ConsentIntents intents, TimeProvider time)
{
    // A custody signature waits in our own store only; a year is longer than any chain is away. A wallet's is asked for and sent at once.
    private static readonly TimeSpan CustodyDeadline = TimeSpan.FromDays(365);
    private static readonly TimeSpan WalletDeadline = TimeSpan.FromDays(1);

    // Proposals that wait for one patient's decision: of one who proposes, and of all.
    private const int MaxProposed = 5;
    private const int MaxWaiting = 20;
    private const string TooManyProposed = "as many proposals as may wait for the decision of one patient do: take one back, or wait";

    /// <summary>Why a Consent that encloses others is not kept.</summary>
    public const string HoldsOthers =
        "a Consent is about its patient alone: it holds no copy of a Patient, and no FHIR document that tells of one";

    // Between the offer of a deadline and the signature with it the clocks of two gateways may differ.
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(5);

    /// <summary>Registers a new patient on the chain under the hospital's custody.</summary>
    public async Task<Result<CommitPlan>> RegisterAsync(string patient, byte[] key, string custodian, CancellationToken cancellation)
    {
        var hospital = Convert.FromHexString((await directory.ActorAsync(custodian, cancellation))!.ActorId);
        return new CommitPlan
        {
            Directory = [new DirectoryChange.AddPatient(patient, Convert.ToHexStringLower(key), custodian)],
            Outbox = [ChainCommands.RegisterPatient(patient, key, custody.AccountOf(custodian).Address, custodian, hospital)],
        };
    }

    /// <summary>Checks who may consent for whom: the grant and the revocation of what it replaces, or why not.</summary>
    public async Task<Result<CommitPlan>> PlanAsync(WriteContext context, WriteRequest request, CancellationToken cancellation)
    {
        if (ConsentReader.Read(request.Document!, out var issues) is not { } terms) return new Outcome(OutcomeCategory.Invalid, issues);
        var requester = context.Caller.Requester;
        // How many wait for the patient is asked, and the Task put before the patient, when it is created.
        if (request.Current is not null && request.Document!.Root.StringAt("status") == "proposed")
            return new Outcome(OutcomeCategory.Invalid, [new ValidationIssue(
                IssueSeverity.Error, IssueCode.Value, "Consent.status", "a consent is proposed by its creation: create another")]);
        if (IsProposal(context.Caller, request))
            return RefusalOfProposal(requester, terms) is { } notTheirs ? notTheirs : new CommitPlan { If = LimitsOf(requester, terms) };
        var patient = context.KeyOfNewPatient(terms.Patient) is { } key
            ? new RegisteredPatient(terms.Patient, Convert.ToHexStringLower(key), requester.Organization ?? "", null)
            : await directory.PatientAsync(terms.Patient, cancellation);
        // Who works at the hospital would else grant access to themselves: that is what the glass is there for.
        if (requester.Patient != terms.Patient
            && (context.Caller.Kind != CallerKind.System || patient is null || patient.Custodian != requester.Organization))
        {
            return Outcome.Of(
                OutcomeCategory.Forbidden, "a consent is given by the patient, or by a system of the hospital that keeps the record");
        }
        if (patient is null) return Outcome.NotFound;
        var isSelf = requester.Patient == terms.Patient;
        if (!isSelf && IsInCustody(patient) && await RefusalOfGuardianAsync(request, terms, cancellation) is { } refused)
            return refused;
        if (await UnknownActorAsync(terms, cancellation) is { } unknown) return unknown;
        var signed = ConsentIntentExtension.Read(request.Document!, out var issue);
        if (issue is not null) return new Outcome(OutcomeCategory.Invalid, [issue]);

        var plan = new CommitPlan();
        if (request.Current is not null)
        {
            var revocation = await RevocationAsync(patient, request.Id, signed.Revocation, cancellation);
            if (revocation.Failure is { } notSigned) return notSigned;
            plan = revocation.Value;
        }
        if (request.Document!.Root.StringAt("status") != "active") return plan;
        var grant = Grant(patient, request.Id, terms, signed.Grant, requester.Author);
        return grant.Failure is { } notGranted ? notGranted : plan.And(grant.Value);
    }

    /// <summary>
    /// Whether a write proposes a Consent to the patient: it has no effect until the patient accepts it by an update. Anybody who is known
    /// to the chain may propose, to a patient who is known here or not.
    /// </summary>
    public static bool IsProposal(Caller caller, WriteRequest request) =>
        request.Type == "Consent" && caller.Kind is CallerKind.System or CallerKind.Practitioner
        && request.Document?.Root.StringAt("status") == "proposed";

    // What is not for the proposer alone is somebody else's to ask for.
    private static Outcome? RefusalOfProposal(Requester requester, ConsentTerms terms) =>
        terms.Permits && terms.Root.Actors.Count > 0
            && terms.Exceptions.Select(e => e.Actors).Append(terms.Root.Actors).All(a => a.All(requester.ActorReferences.Contains))
            ? null
            : new Outcome(OutcomeCategory.Invalid, [new ValidationIssue(
                IssueSeverity.Error, IssueCode.Value, "Consent.provision.actor",
                "a consent is proposed by whom it permits something, alone")]);

    // How many may wait for the patient's decision: of whom it would permit something, and of all. They are looked up as the patient's,
    // be the patient known here or not, and the answer does not tell which of the two it is.
    private IReadOnlyList<Precondition> LimitsOf(Requester requester, ConsentTerms terms)
    {
        var eyes = Viewers.OfPatient(terms.Patient, time.GetUtcNow());
        SearchCriterion[] open =
        [
            new("patient", "reference", [new SearchValue("Patient", terms.Patient)]),
            new("status", "token", [new SearchValue(null, "proposed")]),
        ];
        var own = new SearchCriterion(
            "actor", "reference", [.. requester.ActorReferences.Select(a => a.Split('/')).Select(a => new SearchValue(a[0], a[1]))]);
        var all = $"proposals to Patient/{terms.Patient}";
        return
        [
            new Precondition.AtMost(
                $"{all} of {requester.Subject}", eyes, new SearchQuery("Consent", [.. open, own], MaxProposed, 0),
                MaxProposed, TooManyProposed),
            new Precondition.AtMost(all, eyes, new SearchQuery("Consent", open, MaxWaiting, 0), MaxWaiting, TooManyProposed),
        ];
    }

    // A hospital signs for a patient in custody on evidence alone: the form that the patient signed before a witness, kept as the source.
    // What the patient has denied by their own login, it does not sign.
    private async Task<Outcome?> RefusalOfGuardianAsync(WriteRequest request, ConsentTerms terms, CancellationToken cancellation)
    {
        var consent = request.Document!.Root;
        var ended = request.Current is null ? null : await directory.LatestConsentAsync(request.Id, cancellation);
        var isActive = consent.StringAt("status") == "active";
        // To end what it filed itself, and gives no access by that, takes none.
        if (!isActive && ended is null or { Terms.Denies: false }) return null;
        if (!HasSource(consent, isActive ? ended : null, terms))
        {
            return new Outcome(OutcomeCategory.Invalid, [new ValidationIssue(
                IssueSeverity.Error, IssueCode.Required, "Consent.source[x]",
                "a hospital files a consent for a patient with the form that the patient signed: sourceAttachment with its data")]);
        }
        if (!isActive || !(terms.Permits || terms.Exceptions.Count > 0)) return null;
        var now = time.GetUtcNow();
        var named = terms.Root.Actors.ToHashSet(StringComparer.Ordinal);
        // Who denied a hospital denied those who work there.
        foreach (var actor in terms.Root.Actors)
            if ((await directory.ActorAsync(actor, cancellation))?.Hospital is { } hospital) named.Add(hospital);
        foreach (var own in await directory.StandingAsync(terms.Patient, $"Patient/{terms.Patient}", cancellation))
        {
            var denial = own.Terms.Root;
            if (own.Terms.Permits || now < denial.From || now >= denial.To) continue;
            if (denial.Actors.Count == 0 || named.Count == 0 || denial.Actors.Any(named.Contains))
                return Outcome.Of(OutcomeCategory.Forbidden, "the patient's own denial stands: only the patient ends it");
        }
        return null;
    }

    // The form itself, or, for the very terms that it was kept for, where it is kept.
    private static bool HasSource(ElementNode consent, KeptConsent? before, ConsentTerms terms) =>
        consent["sourceAttachment"] is { } form
        && (form.StringAt("data") is { Length: > 0 }
            // What has ended is not given again on the form that it was given on.
            || (form["url"] is not null && before is { IsRevoked: false } && before.Terms.Encode().AsSpan().SequenceEqual(terms.Encode())));

    /// <summary>
    /// Why a requester may not change or end a Consent that there is; null: it may. What the patient gave, and everything where a wallet
    /// controls the record, is the patient's alone; what the hospital filed, the hospital's too. A denial it ends by an update, which names
    /// its evidence. A proposal is its author's to take back and the patient's to decide on. What an emergency opened is ended, and not
    /// changed.
    /// </summary>
    public async ValueTask<Outcome?> RefusalOfChangeAsync(Caller caller, WriteRequest request, CancellationToken cancellation)
    {
        var isDeletion = request.Interaction == Interaction.Delete;
        foreach (var patient in request.Current!.Facts.Patients)
        {
            var given = await directory.LatestConsentAsync(request.Id, cancellation);
            if (given is not null && Requester.IsOffice(given.Giver))
            {
                if (isDeletion && (caller.Requester.Patient == patient || caller.Requester.Office == given.Giver)) continue;
                return Outcome.Of(OutcomeCategory.Forbidden, "what the gateway filed its patient or its hospital ends, by a deletion");
            }
            if (caller.Requester.Patient == patient)
            {
                if (isDeletion && await directory.PatientAsync(patient, cancellation) is { } own && TakesWallet(own, given))
                    return Outcome.Of(OutcomeCategory.Forbidden, "to end what denies takes the wallet's signature: update it to inactive");
                continue;
            }
            var isProposal = given is null && (await database.ConcernedAsync("Task", request.Id, cancellation)).Count > 0;
            // What the patient is to accept must be what the patient has read; and whether it is refused the patient says.
            if (isProposal && !isDeletion)
                return Outcome.Of(OutcomeCategory.Forbidden, "a proposal is not changed: delete it and propose anew");
            if (given is null && request.Current.Facts.Author == caller.Requester.Author) continue;
            var row = await directory.PatientAsync(patient, cancellation);
            // Who neither wrote it nor keeps the patient is told nothing of whether the patient is known.
            if (isProposal || (given is null && row?.Custodian != caller.Requester.Organization))
                return Outcome.Of(OutcomeCategory.Forbidden, "who proposed a consent takes it back, and nobody else");
            if (caller.Kind != CallerKind.System)
                return Outcome.Of(OutcomeCategory.Forbidden, "what a hospital filed its systems change, and nobody else of it");
            if (row is not null && (!IsInCustody(row) || IsThePatients(patient, given?.Giver ?? request.Current.Facts.Author)))
            {
                return Outcome.Of(
                    OutcomeCategory.Forbidden,
                    "the patient gave this consent, or controls the record by a wallet: only the patient changes it");
            }
            if (isDeletion && given is { IsRevoked: false, Terms.Denies: true })
                return Outcome.Of(OutcomeCategory.Forbidden, "a hospital ends a denial by an update with its evidence, not by a deletion");
        }
        return null;
    }

    // A login is the operator's to make: with it alone nobody opens what the wallet controls. What is over opens nothing.
    private bool TakesWallet(RegisteredPatient patient, KeptConsent? consent) =>
        !IsInCustody(patient) && consent is { IsRevoked: false, Terms.Denies: true } && consent.Terms.Root.To > time.GetUtcNow();

    private static bool IsThePatients(string patient, string author) => author == $"Patient/{patient}";

    /// <summary>What a Consent grants that the gateway itself files for a new patient, in the name of the hospital's office.</summary>
    /// <param name="patient">The patient, in custody.</param>
    /// <param name="request">The Consent.</param>
    internal CommitPlan GrantOfOffice(RegisteredPatient patient, WriteRequest request)
    {
        var terms = ConsentReader.Read(request.Document!, out var issues)
            ?? throw new InvalidOperationException($"the Consent of the implicit policy cannot be kept: {issues[0].Text}");
        return Grant(patient, request.Id, terms, null, Requester.OfficeOf(patient.Custodian)).Value;
    }

    /// <summary>Revokes what a Consent granted: here at once, on the chain as soon as it can be.</summary>
    /// <param name="consentId">The Consent.</param>
    /// <param name="signed">The wallet's signature, checked; null where there is none.</param>
    /// <param name="cancellation">Stops the wait for the store.</param>
    public async Task<CommitPlan> RevokeAsync(string consentId, SignedIntent? signed, CancellationToken cancellation)
    {
        var plan = new CommitPlan { Consents = [new ConsentChange.Withdraw(consentId)] };
        // One revoked here earlier without the wallet's signature may get it now.
        if (await directory.LatestConsentAsync(consentId, cancellation) is not { } consent) return plan;
        if (await journal.FindAsync(ChainCommands.GrantKey(consent.Commitment), cancellation) is null) return plan;
        var patient = (await directory.PatientAsync(consent.PatientId, cancellation))!;
        // Without the wallet's word the chain goes on saying "active". It counts for nothing here, but a patient is told (see
        // $ledger-status).
        if (signed is null && !IsInCustody(patient)) return plan;
        var intent = RevokeOf(patient, consent, signed?.Nonce ?? ConsentIntents.NewNonce(), signed?.Deadline ?? Deadline(CustodyDeadline));
        var signature = signed?.Signature ?? custody.AccountOf(patient.Custodian).Sign(intents.Digest(intent)).ToBytes();
        return plan with { Outbox = [ChainCommands.Revoke(intent, signature)] };
    }

    /// <summary>The revocation that a patient's wallet signs, of what a Consent granted last.</summary>
    /// <returns>The intent; null where the Consent has granted nothing of this patient's that the chain does not have as revoked.</returns>
    public async Task<RevokeIntent?> RevocationForAsync(string patientId, string consentId, CancellationToken cancellation)
    {
        if (await directory.PatientAsync(patientId, cancellation) is not { } patient) return null;
        if (await directory.LatestConsentAsync(consentId, cancellation) is not { } consent || consent.PatientId != patientId) return null;
        if (await journal.FindAsync(ChainCommands.GrantKey(consent.Commitment), cancellation) is null) return null;
        if (await journal.FindAsync(ChainCommands.RevokeKey(consent.Commitment), cancellation) is not null) return null;
        return RevokeOf(patient, consent, ConsentIntents.NewNonce(), Deadline(WalletDeadline));
    }

    /// <summary>The intent that a patient's wallet signs for a Consent.</summary>
    /// <returns>The intent and its salt; null where the patient is not registered.</returns>
    public async Task<(GrantIntent Intent, byte[] Salt)?> IntentForAsync(ConsentTerms terms, CancellationToken cancellation)
    {
        if (await directory.PatientAsync(terms.Patient, cancellation) is not { } patient) return null;
        var salt = RandomNumberGenerator.GetBytes(32);
        return (GrantOf(patient, terms, salt, ConsentIntents.NewNonce(), Deadline(WalletDeadline)), salt);
    }

    private async Task<Result<CommitPlan>> RevocationAsync(
        RegisteredPatient patient, string consentId, SignedIntent? signed, CancellationToken cancellation)
    {
        if (IsInCustody(patient)) return await RevokeAsync(consentId, null, cancellation);
        var consent = await directory.LatestConsentAsync(consentId, cancellation);
        if (signed is null && TakesWallet(patient, consent))
        {
            return Refused(
                "to end what denies takes the wallet's signature: ask Consent/$intent and send that of its revocation", IssueCode.Required);
        }
        if (signed is not null)
        {
            if (DeadlineProblem(signed) is { } late) return late;
            if (consent is null || !IsSignedBy(patient, intents.Digest(RevokeOf(patient, consent, signed.Nonce, signed.Deadline)), signed))
                return Refused("the signature is not the controller's over the revocation of what this Consent granted");
        }
        return await RevokeAsync(consentId, signed, cancellation);
    }

    private Result<CommitPlan> Grant(
        RegisteredPatient patient, string consentId, ConsentTerms terms, SignedIntent? signed, string giver)
    {
        var inCustody = IsInCustody(patient);
        if (!inCustody && signed is null)
        {
            return Refused(
                "the patient's own wallet controls this record: ask Consent/$intent and send its signature", IssueCode.Required);
        }
        var given = inCustody ? null : signed;
        if (given is not null && DeadlineProblem(given) is { } late) return late;
        var salt = given?.Salt ?? RandomNumberGenerator.GetBytes(32);
        var intent = GrantOf(patient, terms, salt, given?.Nonce ?? ConsentIntents.NewNonce(), given?.Deadline ?? Deadline(CustodyDeadline));
        var digest = intents.Digest(intent);
        if (given is not null && !IsSignedBy(patient, digest, given))
            return Refused("the signature is not the controller's over these terms");

        var plan = new CommitPlan
        {
            Consents = [new ConsentChange.Give(Convert.ToHexStringLower(intent.Commitment), consentId, salt, terms)
            {
                // The wallet's word is the patient's, whoever brings it.
                Giver = given is null ? giver : $"Patient/{patient.Id}",
            }],
        };
        // The chain refuses a period that is over; such a consent permits nothing and needs no grant.
        if (terms.Root.To <= time.GetUtcNow()) return plan;
        var signature = given?.Signature ?? custody.AccountOf(patient.Custodian).Sign(digest).ToBytes();
        return plan with { Outbox = [ChainCommands.Grant(patient.Id, intent, signature)] };
    }

    // One that is over is worth nothing on the chain, and one far off could be sent there long after the patient has forgotten it.
    private Outcome? DeadlineProblem(SignedIntent signed)
    {
        var now = time.GetUtcNow();
        var (from, to) = (now.ToUnixTimeSeconds(), now.Add(WalletDeadline).Add(ClockSkew).ToUnixTimeSeconds());
        return signed.Deadline > from && signed.Deadline <= to
            ? null
            : Refused($"the deadline of an intent is within the next {WalletDeadline.TotalHours} hours: ask Consent/$intent");
    }

    private static Outcome Refused(string text, IssueCode code = IssueCode.Value) =>
        new(OutcomeCategory.Invalid, [ConsentIntentExtension.Issue(text, code)]);

    private static GrantIntent GrantOf(RegisteredPatient patient, ConsentTerms terms, byte[] salt, BigInteger nonce, BigInteger deadline) =>
        new(
            Convert.FromHexString(patient.PatientKey), terms.Commit(salt), (ulong)Math.Max(0, terms.Root.From.ToUnixTimeSeconds()),
            (ulong)(terms.Root.To.ToUnixTimeSeconds() - 1), nonce, deadline);

    private static RevokeIntent RevokeOf(RegisteredPatient patient, KeptConsent consent, BigInteger nonce, BigInteger deadline) =>
        new(Convert.FromHexString(patient.PatientKey), Convert.FromHexString(consent.Commitment), nonce, deadline);

    // Until the chain has the patient, custody is what was asked for.
    private bool IsInCustody(RegisteredPatient patient) =>
        patient.Controller is null || patient.Controller == Convert.ToHexStringLower(custody.AccountOf(patient.Custodian).Address);

    private static bool IsSignedBy(RegisteredPatient patient, byte[] digest, SignedIntent signed) =>
        RecoverableSignature.TryRead(signed.Signature) is { } signature
        && EthereumAccount.Recover(digest, signature) is { } signer
        && Convert.ToHexStringLower(signer) == patient.Controller;

    private async ValueTask<Outcome?> UnknownActorAsync(ConsentTerms terms, CancellationToken cancellation)
    {
        foreach (var actor in terms.Root.Actors.Concat(terms.Exceptions.SelectMany(e => e.Actors)).Distinct())
        {
            if (await directory.ActorAsync(actor, cancellation) is not null) continue;
            var issue = new ValidationIssue(
                IssueSeverity.Error, IssueCode.Value, "Consent.provision.actor", $"{actor} is not a registered actor");
            return new Outcome(OutcomeCategory.Invalid, [issue]);
        }
        return null;
    }

    private BigInteger Deadline(TimeSpan from) => time.GetUtcNow().Add(from).ToUnixTimeSeconds();
}
