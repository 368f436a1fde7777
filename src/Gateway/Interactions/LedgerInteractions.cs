using Hl7.Fhir.Model;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Http;
using PmrGateway.Gateway.Ledger;
using PmrGateway.Gateway.Security;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Interactions;

/// <summary>The operations that show a resource's place on the chain: <c>$anchor-proof</c>, <c>Consent/$ledger-status</c>, <c>Consent/$intent</c>.</summary>
public sealed class LedgerInteractions(
    RecordStore records, Database database, ReadFlow flow, Denials denials, Validator validator, DirectoryStore directory, ConsentWrites consents, ConsentIntents intents, ConsentView view, ContractSet contracts, LedgerOptions ledger)
{
    /// <summary>The inclusion proof of a resource's current version. Before its batch is closed: status pending.</summary>
    public Task<FhirResponse> AnchorProofAsync(Caller caller, string type, string id, CancellationToken cancellation) => flow.RunAsync(
        caller,
        new ReadRequest("read", type, ScopeAction.Read, $"{type}/{id}", type == "Patient" ? id : null),
        access => records.Read(access, type, id, null) is { IsDeleted: false } found ? new Found([found]) : new Found([], Outcome.NotFound),
        opened => new FhirResponse(200, Proof(opened[0].Version)?.ToJson() ?? Status("pending", null, null)) { Decision = ReadFlow.Receipt(opened) },
        cancellation);

    /// <summary>
    /// Where a Consent's grant stands: recorded (no grant asked for), submitted, granted (in a block), confirmed (it counts), revoked, failed; or
    /// revoked-unsigned: revoked here, while the chain waits for the signature of the wallet that controls the record.
    /// </summary>
    public Task<FhirResponse> ConsentStatusAsync(Caller caller, string id, CancellationToken cancellation) => flow.RunAsync(
        caller,
        new ReadRequest("read", "Consent", ScopeAction.Read, $"Consent/{id}"),
        access => records.Read(access, "Consent", id, null) is { } found ? new Found([found]) : new Found([], Outcome.NotFound),
        opened => new FhirResponse(200, ConsentStatus(id)) { Decision = ReadFlow.Receipt(opened) },
        cancellation);

    /// <summary>
    /// The EIP-712 typed data that a patient's wallet signs for a Consent: of an active one the grant (typedData, salt, nonce, deadline), of one
    /// that has granted before, by its id, the revocation of that too (revoke: typedData, nonce, deadline).
    /// </summary>
    public async Task<FhirResponse> ConsentIntentAsync(Caller caller, FhirRequest request, CancellationToken cancellation)
    {
        Task<FhirResponse> Refuse(Outcome outcome) => denials.AnswerAsync(caller, "operation", "Consent/$intent", outcome);
        if (caller.Refuse("Consent", ScopeAction.Create) is { } refusal) return await Refuse(refusal);
        var body = await request.ReadBody(cancellation);
        if (body.Failure is { } unreadable) return FhirResponse.From(unreadable);
        var report = validator.Validate(body.Value);
        if (!report.IsValid) return FhirResponse.From(new Outcome(OutcomeCategory.Invalid, report.Errors));
        if (body.Value.ResourceType != "Consent") return FhirResponse.From(Outcome.Of(OutcomeCategory.Malformed, "the body is not a Consent", "resourceType"));
        if (ConsentReader.Read(body.Value, out var issues) is not { } terms) return FhirResponse.From(new Outcome(OutcomeCategory.Invalid, issues));
        if (terms.Patient != caller.Requester.Patient) return await Refuse(Outcome.Of(OutcomeCategory.Forbidden, "an intent is made for the patient who asks"));
        var parameters = new Parameters();
        if (body.Value.Root.StringAt("status") == "active")
        {
            if (consents.IntentFor(terms) is not { } made) return await Refuse(Outcome.NotFound);
            parameters.Add("typedData", new FhirString(intents.TypedData(made.Intent)));
            parameters.Add("salt", new Base64Binary(made.Salt));
            parameters.Add("nonce", Text(made.Intent.Nonce));
            parameters.Add("deadline", Text(made.Intent.Deadline));
        }
        if (body.Value.Id is { } id && consents.RevocationFor(terms.Patient, id) is { } revocation)
        {
            var revoke = new Parameters.ParameterComponent { Name = "revoke" };
            revoke.Part.Add(new() { Name = "typedData", Value = new FhirString(intents.TypedData(revocation)) });
            revoke.Part.Add(new() { Name = "nonce", Value = Text(revocation.Nonce) });
            revoke.Part.Add(new() { Name = "deadline", Value = Text(revocation.Deadline) });
            parameters.Parameter.Add(revoke);
        }
        return new FhirResponse(200, FhirTyped.ToJson(parameters));
    }

    private static FhirString Text(System.Numerics.BigInteger number) => new(number.ToString(System.Globalization.CultureInfo.InvariantCulture));

    private AnchorProof? Proof(StoredVersion version)
    {
        if (records.Anchor(version.Facts.Type, version.Facts.Id, version.Version) is not { } place) return null;
        Ipfs.Cid.TryParse(version.Cid, out var cid);
        return new AnchorProof(
            $"{version.Facts.Type}/{version.Facts.Id}/_history/{version.Version}",
            new AnchorLeaf(cid!.Digest.ToArray(), version.KeyCommitment, version.Salt, version.Digest),
            (uint)place.LeafIndex,
            (uint)place.Leaves.Count,
            MerkleTree.Path(place.Leaves, place.LeafIndex),
            Convert.FromHexString(place.Root),
            Convert.FromHexString(directory.Actor(place.Custodian)!.ActorId),
            place.Sequence,
            ledger.ChainId,
            contracts.Addresses[ContractSet.Anchors],
            place.Transaction,
            place.Block);
    }

    private byte[] ConsentStatus(string id)
    {
        using var connection = database.OpenReader();
        if (ConsentStore.Latest(connection, id) is not { } consent) return Status("recorded", null, null);
        var entry = SqliteLedgerJournal.Find(connection, consent.Revoked != 0 ? ChainCommands.RevokeKey(consent.Commitment) : ChainCommands.GrantKey(consent.Commitment));
        var isUnsigned = entry is null && SqliteLedgerJournal.Find(connection, ChainCommands.GrantKey(consent.Commitment)) is not null;
        var status = consent.Revoked != 0 ? (isUnsigned ? "revoked-unsigned" : "revoked") : entry?.Status switch
        {
            OutboxStatus.Failed => "failed",
            // By the view, not by the outbox: "confirmed" says that the next read finds it, and the two loops are not in step.
            _ when consent.GrantedBlock is { } granted => granted <= view.Block - ledger.Confirmations ? "confirmed" : "granted",
            null => "recorded",
            _ => "submitted",
        };
        return Status(status, entry?.Hash, entry?.Block);
    }

    private static byte[] Status(string status, string? transaction, long? block)
    {
        var parameters = new Parameters();
        parameters.Add("status", new Code(status));
        if (transaction is not null) parameters.Add("transaction", new FhirString(transaction));
        if (block is { } b) parameters.Add("block", new Integer((int)b));
        return FhirTyped.ToJson(parameters);
    }
}
