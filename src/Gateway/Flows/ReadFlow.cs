using PmrGateway.Ipfs;
using PmrGateway.LedgerAdapter;
using PmrGateway.Store;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Flows;

/// <summary>What a read interaction found in the snapshot of the requester.</summary>
/// <param name="Versions">The versions to open, in order, each with its permit.</param>
/// <param name="Failure">What to answer where there is nothing; null where nothing is an answer (a search).</param>
public sealed record Found(IReadOnlyList<PermittedVersion> Versions, Outcome? Failure = null)
{
    /// <summary>Of how many of the records that a mere number counts the patients are told: the first.</summary>
    public const int MaxCounted = 50;

    /// <summary>Nothing but a number: the patients of what it counts are told.</summary>
    /// <param name="counted">The first <see cref="MaxCounted"/> of it.</param>
    public static Found Number(SnapshotPage counted) =>
        new([]) { Told = [.. counted.Versions.SelectMany(v => v.Version.Facts.Patients).Distinct()] };

    /// <summary>Ids of the patients of a record that the answer tells of and does not have: their logs are told.</summary>
    public IReadOnlyList<string> Told { get; init; } = [];

    /// <summary>
    /// Whether something was named and is not found: then its answer is a no, and how long that takes must not tell what there is.
    /// </summary>
    public bool HasMissed { get; private init; }

    /// <summary>The same, with the patients of what was named and is not found: those of what is found are told of that.</summary>
    /// <param name="database">Where they are looked up.</param>
    /// <param name="named">What was named, <c>Type/id</c>.</param>
    /// <param name="cancellation">Stops the read.</param>
    public async ValueTask<Found> OfNamedAsync(RecordDatabase database, IEnumerable<string> named, CancellationToken cancellation)
    {
        var missed = named.ToHashSet(StringComparer.Ordinal);
        foreach (var facts in Versions.Select(v => v.Version.Facts))
        {
            missed.Remove($"{facts.Type}/{facts.Id}");
            foreach (var patient in facts.Patients) missed.Remove($"Patient/{patient}");
        }
        return this with { Told = [.. Told, .. await database.ConcernedAsync(missed, cancellation)], HasMissed = missed.Count > 0 };
    }

    /// <summary>One record, or that there is none, or that it was deleted.</summary>
    public static Found Of(PermittedVersion? record) => record switch
    {
        null => new Found([], Outcome.NotFound),
        { Version.IsDeleted: true } => new Found([], Outcome.Of(OutcomeCategory.Gone, "the resource was deleted")),
        _ => new Found([record]),
    };
}

/// <summary>What the audit log is told of a read.</summary>
/// <param name="Interaction">FHIR interaction code.</param>
/// <param name="Type">Resource type asked for; null: several, of those alone that the scopes cover.</param>
/// <param name="Action">What scope it takes.</param>
/// <param name="Asked">What was asked for, e.g. <c>Patient/1</c>: told of a denial, where nothing is released.</param>
/// <param name="PatientAsked">Id of the patient asked about, where the request names one.</param>
public sealed record ReadRequest(string Interaction, string? Type, ScopeAction Action, string Asked, string? PatientAsked = null)
{
    /// <summary>What is searched, without values, for the audit log; null: it is no search.</summary>
    public string? Query { get; init; }

    /// <summary>
    /// Records that are named, <c>Type/id</c>: that they are not found tells something of them, and their patients read who asked.
    /// </summary>
    public IEnumerable<string> Named { get; init; } = [];

    /// <summary>Whether it searches, or reads single records by their ids.</summary>
    public bool Searches { get; init; }
}

/// <summary>The one way to plaintext.</summary>
/// <remarks>
/// (1) scopes, (2) is the consent view fresh, (3) one snapshot, already narrowed to what the requester may see, in which each record is
/// decided on its own, (4) each is opened with its permit, (5) the audit entry, durable, (6) the answer, to which a Binary is opened as it
/// is sent.
/// </remarks>
public sealed partial class ReadFlow(
    RecordDatabase database, RecordOpener opener, Denials denials, ConsentView view, Viewers viewers, GlassFlow glass, TimeProvider time,
    ILogger<ReadFlow> log)
{
    /// <summary>Runs a read.</summary>
    /// <param name="caller">Who.</param>
    /// <param name="request">What, for scopes and audit.</param>
    /// <param name="find">Finds the versions in the requester's snapshot.</param>
    /// <param name="respond">Makes the answer of what was opened.</param>
    /// <param name="cancellation">Stops reading from the stores.</param>
    public Task<FhirResponse> RunAsync(
        Caller caller, ReadRequest request, Func<ReadSnapshot, ValueTask<Found>> find,
        Func<IReadOnlyList<OpenedRecord>, FhirResponse> respond, CancellationToken cancellation) =>
            RunAsync(caller, request, find, opened => Task.FromResult(respond(opened)), cancellation);

    /// <summary>Runs a read whose answer needs more of the stores, e.g. a Binary's first bytes.</summary>
    /// <param name="caller">Who.</param>
    /// <param name="request">What, for scopes and audit.</param>
    /// <param name="find">Finds the versions in the requester's snapshot.</param>
    /// <param name="respond">Makes the answer of what was opened.</param>
    /// <param name="cancellation">Stops reading from the stores.</param>
    public async Task<FhirResponse> RunAsync(
        Caller caller, ReadRequest request, Func<ReadSnapshot, ValueTask<Found>> find,
        Func<IReadOnlyList<OpenedRecord>, Task<FhirResponse>> respond, CancellationToken cancellation)
    {
        // (1) What the token may ask for at all.
        if ((request.Type is { } type ? caller.Refuse(type, request.Action) : caller.RefuseAll()) is { } refusal)
            return await denials.AnswerAsync(caller, request.Interaction, request.Asked, refusal, request.PatientAsked, view.Block);

        // (2) Without a recent look at the chain nobody knows whether a consent still stands.
        if (view.IsStale)
            return FhirResponse.From(Unavailable("the consent view is older than Ledger:MaxStaleness: the chain is out of reach"));

        // (3) The snapshot has only what this requester may see.
        Found found;
        await using (var snapshot = await database.SnapshotAsync(viewers.Of(caller), request.Searches, cancellation))
        {
            found = await find(snapshot);
        }
        if (found.Failure is { } nothing)
            return await denials.AnswerAsync(caller, request.Interaction, request.Asked, nothing, request.PatientAsked, view.Block);

        // (4) Nothing opens without the permit of that very version.
        var opened = await OpenAsync(found.Versions, cancellation);
        if (opened.Failure is { } broken) return FhirResponse.From(broken);

        // (5) No byte leaves before the entry that tells of it is durable.
        found = await found.OfNamedAsync(database, request.Named, cancellation);
        var entries = caller.Entries(time.GetUtcNow(), request, found, view.Block);
        if (await glass.ReleaseAsync(caller, opened.Value.Select(o => o.Permit), entries, cancellation) is { } notTold)
            return FhirResponse.From(notTold);

        // (6)
        var answer = await OrBrokenAsync(async () => await respond(opened.Value));
        if (answer.Failure is { } unreadable) return FhirResponse.From(unreadable);
        var held = found.HasMissed ? answer.Value with { IsWithheld = true } : answer.Value;
        var isNo = found.HasMissed && opened.Value.Count == 0;
        return held.Failure is null && !isNo ? held with { Decision = Receipt(opened.Value) } : held;
    }

    // Why and at which block records were released.
    private static string Receipt(IReadOnlyList<OpenedRecord> opened)
    {
        var bases = opened.Select(o => o.Permit.Basis.ToString().ToLowerInvariant()).Distinct().Order(StringComparer.Ordinal);
        var commitments = opened.SelectMany(o => o.Permit.Commitments).Distinct().Take(8);
        var block = opened.Count == 0 ? 0 : opened[0].Permit.Block;
        return $"basis={string.Join('+', bases)}; block={block}; consents={string.Join(',', commitments)}";
    }

    private static Outcome Unavailable(string text) => Outcome.Of(OutcomeCategory.Unavailable, text);

    private Task<Result<List<OpenedRecord>>> OpenAsync(IReadOnlyList<PermittedVersion> versions, CancellationToken cancellation) =>
        OrBrokenAsync(async () =>
        {
            var opened = new List<OpenedRecord>(versions.Count);
            // Each unwrapped once: a page of one patient's records has one.
            var keys = new Dictionary<string, SubjectKey>(StringComparer.Ordinal);
            foreach (var version in versions) opened.Add(await opener.OpenAsync(version, keys, cancellation));
            return opened;
        });

    private async Task<Result<T>> OrBrokenAsync<T>(Func<Task<T>> open)
    {
        try
        {
            return await open();
        }
        catch (Exception e) when (RecordOpener.IsBroken(e))
        {
            LogCorrupt(e);
            return Unavailable("a stored record is not what was stored: it is not given out; the operator is told");
        }
        catch (BlockStoreUnavailableException e)
        {
            LogUnavailable(e);
            return Unavailable("the block store cannot be reached");
        }
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "A stored record is not what was stored")]
    private partial void LogCorrupt(Exception e);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The block store cannot be reached")]
    private partial void LogUnavailable(Exception e);
}
