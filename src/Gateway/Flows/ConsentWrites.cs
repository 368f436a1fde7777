using System.Data;
using System.Numerics;
using System.Security.Cryptography;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Http;
using PmrGateway.Gateway.Ledger;
using PmrGateway.Gateway.Security;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>What writing a Consent or a Patient means to the ledger, as durable intents of the same commit.</summary>
public sealed class ConsentWrites(Database database, DirectoryStore directory, Custody custody, ConsentIntents intents, TimeProvider time)
{
    /// <summary>Reference of the hospital that registered a patient, or null where nobody did.</summary>
    public string? CustodianOf(string patient) => directory.Patient(patient)?.Custodian;

    /// <summary>Registers a new patient on the chain under the hospital's custody.</summary>
    public Action<IDbConnection> RegisterPatient(string patient, string custodian)
    {
        var key = RandomNumberGenerator.GetBytes(32);
        return connection =>
        {
            if (!DirectoryStore.AddPatient(connection, patient, Convert.ToHexStringLower(key), custodian)) return;
            var hospital = Convert.FromHexString(DirectoryStore.Actor(connection, custodian)!.ActorId);
            SqliteLedgerJournal.Enqueue(connection, ChainCommands.RegisterPatient(patient, key, custody.AccountOf(custodian).Address, custodian, hospital));
        };
    }

    /// <summary>Checks who may consent for whom, and prepares the grant and the revocation of what it replaces.</summary>
    /// <returns>Why not, or null.</returns>
    public Task<Outcome?> PrepareAsync(Caller caller, WriteRequest request, IReadOnlySet<string> newPatients, List<Action<IDbConnection>> effects)
    {
        if (ConsentReader.Read(request.Document!, out var issues) is not { } terms) return Refuse(new Outcome(OutcomeCategory.Invalid, issues));
        var patient = directory.Patient(terms.Patient);
        var isPatient = caller.Requester.Patient == terms.Patient;
        var isCustodian = newPatients.Contains(terms.Patient) || (patient is not null && patient.Custodian == caller.Requester.Organization);
        if (!isPatient && !isCustodian) return Refuse(Outcome.Of(OutcomeCategory.Forbidden, "a consent is given by the patient, or by the hospital that has custody of the record"));
        if (UnknownActor(terms) is { } unknown) return Refuse(unknown);

        var signed = ConsentIntentExtension.Read(request.Document!, out var issue);
        if (issue is not null) return Refuse(new Outcome(OutcomeCategory.Invalid, [issue]));
        var inCustody = patient is null || IsInCustody(patient);
        if (request.Current is not null)
        {
            if (!inCustody && signed.Revocation is { } revocation && !IsSignedBy(patient!, RevocationOf(patient!, request.Id), revocation))
                return Refuse(new Outcome(OutcomeCategory.Invalid, [ConsentIntentExtension.Issue("the signature is not the controller's over the revocation of what this Consent granted")]));
            effects.Add(connection => Revoke(connection, request.Id, inCustody ? null : signed.Revocation));
        }
        if (request.Document!.Root.StringAt("status") != "active") return Refuse(null);

        if (!inCustody && signed.Grant is null)
            return Refuse(new Outcome(OutcomeCategory.Invalid, [ConsentIntentExtension.Issue("the patient's own wallet controls this record: ask Consent/$intent and send its signature", IssueCode.Required)]));
        if (!inCustody && !IsSignedBy(patient!, s => intents.Digest(GrantOf(patient!, terms, s.Salt!, s.Nonce, s.Deadline)), signed.Grant!))
            return Refuse(new Outcome(OutcomeCategory.Invalid, [ConsentIntentExtension.Issue("the signature is not the controller's over these terms")]));
        effects.Add(connection => Grant(connection, request.Id, terms, inCustody ? null : signed.Grant));
        return Refuse(null);
    }

    /// <summary>Whether a requester may change or end a Consent that there is: where a wallet controls the record, the patient alone.</summary>
    public bool MayChange(Caller caller, string patient) => caller.Requester.Patient == patient
        || directory.Patient(patient) is not { } row || IsInCustody(row);

    /// <summary>Revokes what a Consent granted: here at once, on the chain as soon as it can be.</summary>
    /// <param name="connection">The commit that ends the Consent.</param>
    /// <param name="consentId">The Consent.</param>
    /// <param name="signed">The wallet's signature, checked; null where there is none.</param>
    public void Revoke(IDbConnection connection, string consentId, SignedIntent? signed = null)
    {
        ConsentStore.Revoke(connection, consentId);
        // One revoked here earlier without the wallet's signature may get it now.
        if (ConsentStore.Latest(connection, consentId) is not { } consent || SqliteLedgerJournal.Find(connection, ChainCommands.GrantKey(consent.Commitment)) is null) return;
        var patient = DirectoryStore.Patient(connection, consent.PatientId)!;
        // Without the wallet's word the chain goes on saying "active". It counts for nothing here, but a patient is told (see $ledger-status).
        if (signed is null && !IsInCustody(patient)) return;
        var intent = RevokeOf(patient, consent, signed?.Nonce ?? ConsentIntents.NewNonce(), signed?.Deadline ?? Deadline());
        var signature = signed?.Signature ?? custody.AccountOf(patient.Custodian).Sign(intents.Digest(intent)).ToBytes();
        SqliteLedgerJournal.Enqueue(connection, ChainCommands.Revoke(intent, signature));
    }

    /// <summary>The revocation that a patient's wallet signs, of what a Consent granted last.</summary>
    /// <returns>The intent; null where the Consent has granted nothing of this patient's that the chain does not have as revoked.</returns>
    public RevokeIntent? RevocationFor(string patientId, string consentId)
    {
        using var connection = database.OpenReader();
        if (directory.Patient(patientId) is not { } patient || ConsentStore.Latest(connection, consentId) is not { } consent || consent.PatientId != patientId) return null;
        if (SqliteLedgerJournal.Find(connection, ChainCommands.GrantKey(consent.Commitment)) is null || SqliteLedgerJournal.Find(connection, ChainCommands.RevokeKey(consent.Commitment)) is not null) return null;
        return RevokeOf(patient, consent, ConsentIntents.NewNonce(), Deadline(TimeSpan.FromDays(1)));
    }

    /// <summary>The intent that a patient's wallet signs for a Consent.</summary>
    /// <returns>The intent and its salt; null where the patient is not registered.</returns>
    public (GrantIntent Intent, byte[] Salt)? IntentFor(ConsentTerms terms)
    {
        if (directory.Patient(terms.Patient) is not { } patient) return null;
        var salt = RandomNumberGenerator.GetBytes(32);
        return (GrantOf(patient, terms, salt, ConsentIntents.NewNonce(), Deadline(TimeSpan.FromDays(1))), salt);
    }

    private static Task<Outcome?> Refuse(Outcome? outcome) => Task.FromResult(outcome);

    private static GrantIntent GrantOf(PatientRow patient, ConsentTerms terms, byte[] salt, BigInteger nonce, BigInteger deadline) => new(
        Convert.FromHexString(patient.PatientKey), terms.Commit(salt), (ulong)Math.Max(0, terms.Root.From.ToUnixTimeSeconds()), (ulong)(terms.Root.To.ToUnixTimeSeconds() - 1), nonce, deadline);

    private void Grant(IDbConnection connection, string consentId, ConsentTerms terms, SignedIntent? signed)
    {
        var patient = DirectoryStore.Patient(connection, terms.Patient)!;
        var salt = signed?.Salt ?? RandomNumberGenerator.GetBytes(32);
        var intent = GrantOf(patient, terms, salt, signed?.Nonce ?? ConsentIntents.NewNonce(), signed?.Deadline ?? Deadline());
        var commitment = Convert.ToHexStringLower(intent.Commitment);
        ConsentStore.Add(connection, commitment, consentId, salt, terms);
        // The chain refuses a period that is over; such a consent permits nothing and needs no grant.
        if (terms.Root.To <= time.GetUtcNow()) return;
        var signature = signed?.Signature ?? custody.AccountOf(patient.Custodian).Sign(intents.Digest(intent)).ToBytes();
        SqliteLedgerJournal.Enqueue(connection, ChainCommands.Grant(terms.Patient, intent, signature));
    }

    // Until the chain has the patient, custody is what was asked for.
    private bool IsInCustody(PatientRow patient) => patient.Controller is null || patient.Controller == Convert.ToHexStringLower(custody.AccountOf(patient.Custodian).Address);

    private static RevokeIntent RevokeOf(PatientRow patient, ConsentRow consent, BigInteger nonce, BigInteger deadline) =>
        new(Convert.FromHexString(patient.PatientKey), Convert.FromHexString(consent.Commitment), nonce, deadline);

    private Func<SignedIntent, byte[]?> RevocationOf(PatientRow patient, string consentId) => signed =>
    {
        using var connection = database.OpenReader();
        return ConsentStore.Latest(connection, consentId) is { } consent ? intents.Digest(RevokeOf(patient, consent, signed.Nonce, signed.Deadline)) : null;
    };

    private static bool IsSignedBy(PatientRow patient, Func<SignedIntent, byte[]?> digestOf, SignedIntent signed)
    {
        if (RecoverableSignature.TryRead(signed.Signature) is not { } signature || digestOf(signed) is not { } digest) return false;
        return EthereumAccount.Recover(digest, signature) is { } address && Convert.ToHexStringLower(address) == patient.Controller;
    }

    private Outcome? UnknownActor(ConsentTerms terms)
    {
        foreach (var actor in terms.Root.Actors.Concat(terms.Exceptions.SelectMany(e => e.Actors)))
            if (directory.Actor(actor) is null)
                return new Outcome(OutcomeCategory.Invalid, [new ValidationIssue(IssueSeverity.Error, IssueCode.Value, "Consent.provision.actor", $"{actor} is not a registered actor")]);
        return null;
    }

    // A custody signature waits in our own store only; a year is longer than any chain is away.
    private BigInteger Deadline(TimeSpan? from = null) => time.GetUtcNow().Add(from ?? TimeSpan.FromDays(365)).ToUnixTimeSeconds();
}
