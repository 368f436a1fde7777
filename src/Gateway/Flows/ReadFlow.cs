using PmrGateway.Gateway.Http;
using PmrGateway.Gateway.Security;
using PmrGateway.Ipfs;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Flows;

/// <summary>A record that was opened for a requester.</summary>
/// <param name="Version">The version.</param>
/// <param name="Content">Its plaintext: the resource in JSON, or a Binary's own bytes.</param>
/// <param name="Permit">The leave it was opened with.</param>
public sealed record OpenedRecord(StoredVersion Version, byte[] Content, Permit Permit);

/// <summary>What a read interaction found under the requester's eyes.</summary>
/// <param name="Versions">The sealed versions to open, in order.</param>
/// <param name="Failure">What to answer where there is nothing; null where nothing is an answer (a search).</param>
public sealed record Found(IReadOnlyList<StoredVersion> Versions, Outcome? Failure = null);

/// <summary>What the audit log is told of a read.</summary>
/// <param name="Interaction">FHIR interaction code.</param>
/// <param name="Type">Resource type asked for.</param>
/// <param name="Action">What scope it takes.</param>
/// <param name="Asked">What was asked for, e.g. <c>Patient/1</c>: told of a denial, where nothing is released.</param>
/// <param name="PatientAsked">Id of the patient asked about, where the request names one.</param>
public sealed record ReadRequest(string Interaction, string Type, ScopeAction Action, string Asked, string? PatientAsked = null);

/// <summary>The one way to plaintext.</summary>
/// <remarks>
/// (1) scopes, (2) is the consent view fresh, (3) the query, already narrowed to what the requester may see, (4) decide each record and
/// open it with its permit, (5) the audit entry, durable, (6) the answer.
/// </remarks>
public sealed partial class ReadFlow(
    RecordStore records, RecordVault vault, UnixFs files, AuditLog audit, Denials denials, ConsentView view, ILedgerJournal journal, LedgerOptions ledger, TimeProvider time, ILogger<ReadFlow> log)
{
    /// <summary>Runs a read.</summary>
    /// <param name="caller">Who.</param>
    /// <param name="request">What, for scopes and audit.</param>
    /// <param name="query">Finds the versions under the requester's eyes.</param>
    /// <param name="respond">Makes the answer of what was opened.</param>
    /// <param name="cancellation">Stops reading from the stores.</param>
    public async Task<FhirResponse> RunAsync(
        Caller caller, ReadRequest request, Func<AccessQuery, Found> query, Func<IReadOnlyList<OpenedRecord>, FhirResponse> respond, CancellationToken cancellation)
    {
        // (1) What the token may ask for at all.
        if (caller.Refuse(request.Type, request.Action) is { } refusal) return await denials.AnswerAsync(caller, request.Interaction, request.Asked, refusal, request.PatientAsked, view.Block);

        // (2) Without a recent look at the chain nobody knows whether a consent still stands.
        if (view.Staleness > ledger.MaxStaleness)
            return FhirResponse.From(Outcome.Of(OutcomeCategory.Unavailable, "the consent view is older than Ledger:MaxStaleness: the chain is out of reach"));

        // (3) The database gives only what this requester may see.
        var access = new AccessQuery(caller.Requester, time.GetUtcNow(), view.Block - ledger.Confirmations);
        var found = query(access);
        if (found.Failure is { } nothing) return await denials.AnswerAsync(caller, request.Interaction, request.Asked, nothing, request.PatientAsked, view.Block);

        // (4) Each record is decided once more, on its own, and opened with the permit that this gives.
        var opened = await OpenAsync(access, found.Versions, cancellation);
        if (opened.Failure is { } broken) return FhirResponse.From(broken);

        // (5) No byte leaves before the entry that tells of it is durable.
        await audit.AppendAsync(Entries(caller, request, opened.Value));

        // (6)
        return respond(opened.Value);
    }

    /// <summary>The eyes of a requester now, for checks inside a write. As fresh as the view is: a write must not wait for the chain.</summary>
    public async Task<AccessQuery> EyesOfAsync(Requester requester, CancellationToken cancellation)
    {
        var block = view.Block >= 0 ? view.Block : (await journal.CheckpointAsync(cancellation)).Block;
        return new AccessQuery(requester, time.GetUtcNow(), block - ledger.Confirmations);
    }

    /// <summary>Why and at which block records were released, for the answer's receipt.</summary>
    public static string Receipt(IReadOnlyList<OpenedRecord> opened)
    {
        var bases = opened.Select(o => o.Permit.Basis.ToString().ToLowerInvariant()).Distinct().Order(StringComparer.Ordinal);
        var commitments = opened.SelectMany(o => o.Permit.Commitments).Distinct().Take(8);
        return $"basis={string.Join('+', bases)}; block={(opened.Count == 0 ? 0 : opened[0].Permit.Block)}; consents={string.Join(',', commitments)}";
    }

    private async Task<Result<IReadOnlyList<OpenedRecord>>> OpenAsync(AccessQuery access, IReadOnlyList<StoredVersion> versions, CancellationToken cancellation)
    {
        var patients = versions.SelectMany(v => v.Facts.Patients).Distinct().Where(p => p != access.Requester.Patient).ToList();
        var needsConsents = versions.Any(v => v.Facts.Custodian != access.Requester.Organization && !DirectoryTypes.Contains(v.Facts.Type));
        var consents = patients.Count == 0 || !needsConsents ? [] : records.ConsentsOf(patients, access.ConfirmedBlock);
        var opened = new List<OpenedRecord>(versions.Count);
        // Wrapped keys, each looked up once: a page of one patient's records has one.
        var keys = new Dictionary<string, SubjectKey?>(StringComparer.Ordinal);
        try
        {
            foreach (var version in versions)
            {
                if (ConsentDecision.Decide(access.Requester, version.Facts, version.Version, consents, access.Now, access.ConfirmedBlock + ledger.Confirmations) is not { } permit)
                {
                    // Revoked between the query and here, or the query and the decision differ: either way nothing is released.
                    LogDisagreement(version.Facts.Type, version.Facts.Id);
                    return Outcome.Of(OutcomeCategory.Unavailable, "the consents changed while the request was answered: ask again");
                }
                opened.Add(new OpenedRecord(version, await OpenAsync(version, permit, keys, cancellation), permit));
            }
            return opened;
        }
        catch (Exception e) when (e is SealBrokenException or BlockCorruptException)
        {
            LogCorrupt(e);
            return Outcome.Of(OutcomeCategory.Fault, "a stored record is not what was stored: it is not given out; the operator is told");
        }
        catch (BlockStoreUnavailableException e)
        {
            LogUnavailable(e);
            return Outcome.Of(OutcomeCategory.Unavailable, "the block store cannot be reached");
        }
    }

    private async Task<byte[]> OpenAsync(StoredVersion version, Permit permit, Dictionary<string, SubjectKey?> keys, CancellationToken cancellation)
    {
        if (version.IsDeleted) return [];
        var body = version.Body ?? await ReadBlocksAsync(version.Cid, cancellation);
        if (!keys.TryGetValue(version.Subject, out var subjectKey))
            keys[version.Subject] = subjectKey = records.SubjectKey(version.Subject) is { } wrapped ? vault.UnwrapSubjectKey(version.Subject, wrapped) : null;
        if (subjectKey is null) throw new SealBrokenException($"the key of {version.Subject} is gone");
        return vault.Open(permit, body, new SealedKey(version.WrappedKey, version.KeyCommitment, version.Salt, version.Digest), subjectKey);
    }

    private async Task<byte[]> ReadBlocksAsync(string cid, CancellationToken cancellation)
    {
        if (!Cid.TryParse(cid, out var root)) throw new SealBrokenException("a record's CID does not parse");
        return await files.ReadAllAsync(root!, cancellation);
    }

    // One entry a patient, with that patient's records alone: each patient reads their own entries, and must not find others in them.
    private List<AuditEntry> Entries(Caller caller, ReadRequest request, IReadOnlyList<OpenedRecord> opened)
    {
        var patients = opened.SelectMany(o => o.Version.Facts.Patients).Distinct().ToList();
        var entries = patients.Select(p => Entry(caller, request, p, [.. opened.Where(o => o.Version.Facts.Patients.Contains(p))])).ToList();
        var ofNobody = opened.Where(o => o.Version.Facts.Patients.Count == 0).ToList();
        if (ofNobody.Count > 0 || entries.Count == 0) entries.Add(Entry(caller, request, patients.Count == 0 ? request.PatientAsked : null, ofNobody));
        return entries;
    }

    private AuditEntry Entry(Caller caller, ReadRequest request, string? patient, IReadOnlyList<OpenedRecord> opened) => caller.Entry(
        time.GetUtcNow(), request.Interaction, "permit",
        opened.Count == 0 ? [request.Asked] : [.. opened.Select(o => $"{o.Version.Facts.Type}/{o.Version.Facts.Id}")],
        CallerAudit.Patients(patient), [.. opened.SelectMany(o => o.Permit.Commitments).Distinct()], view.Block);

    [LoggerMessage(Level = LogLevel.Error, Message = "The query let {Type}/{Id} through and the decision did not")]
    private partial void LogDisagreement(string type, string id);

    [LoggerMessage(Level = LogLevel.Critical, Message = "A stored record is not what was stored")]
    private partial void LogCorrupt(Exception e);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The block store cannot be reached")]
    private partial void LogUnavailable(Exception e);
}
