using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;

namespace PmrGateway.Store;

/// <summary>
/// All that one request changes, as a value: made by a flow, carried out by the database in one transaction, all or nothing. In the order
/// in which it is carried out: preconditions, subject keys, versions, directory, consents, outbox, audit.
/// </summary>
public sealed record CommitPlan
{
    /// <summary>What must hold when it is carried out, besides that each resource is at the version before.</summary>
    public IReadOnlyList<Precondition> If { get; init; } = [];

    /// <summary>Keys of subjects that are sealed for the first time.</summary>
    public IReadOnlyList<WrappedSubjectKey> SubjectKeys { get; init; } = [];

    /// <summary>The versions.</summary>
    public IReadOnlyList<VersionWrite> Versions { get; init; } = [];

    /// <summary>What becomes known of actors and patients.</summary>
    public IReadOnlyList<DirectoryChange> Directory { get; init; } = [];

    /// <summary>Consents given and withdrawn.</summary>
    public IReadOnlyList<ConsentChange> Consents { get; init; } = [];

    /// <summary>What the chain is to be told.</summary>
    public IReadOnlyList<ChainCommand> Outbox { get; init; } = [];

    /// <summary>What is written down of it.</summary>
    public IReadOnlyList<AuditEntry> Audit { get; init; } = [];

    /// <summary>This plan and what another adds to it.</summary>
    public CommitPlan And(CommitPlan other) => new()
    {
        If = [.. If, .. other.If],
        SubjectKeys = [.. SubjectKeys, .. other.SubjectKeys],
        Versions = [.. Versions, .. other.Versions],
        Directory = [.. Directory, .. other.Directory],
        Consents = [.. Consents, .. other.Consents],
        Outbox = [.. Outbox, .. other.Outbox],
        Audit = [.. Audit, .. other.Audit],
    };

    /// <summary>One line a thing, for tests and for people.</summary>
    public override string ToString() => string.Join('\n', (IEnumerable<string>)
    [
        .. If.Select(p => $"if {p}"),
        .. SubjectKeys.Select(k => $"key of {k.Subject}"),
        .. Versions.Select(v =>
            $"{(v.Version.IsDeleted ? "delete" : "write")} {v.Version.Facts.Type}/{v.Version.Facts.Id} as version {v.Version.Version}"),
        .. Directory.Select(d => d.ToString()!),
        .. Consents.Select(c => c.ToString()!),
        .. Outbox.Select(c => $"tell the chain: {c.Key}"),
        .. Audit.Select(a => $"audit {a.Interaction} {a.Outcome} of {string.Join(", ", a.Entities)}"),
    ]);
}

/// <summary>What must hold for a plan to be carried out.</summary>
public abstract record Precondition
{
    private Precondition()
    {
    }

    /// <summary>
    /// A search finds so many records at most, with the one of the plan that this stands for: of several in a plan each stands for one.
    /// </summary>
    /// <param name="Of">What is bounded: those in a plan that bound the same have the same.</param>
    /// <param name="Who">Under whose eyes.</param>
    /// <param name="Query">The search.</param>
    /// <param name="Most">How many.</param>
    /// <param name="Otherwise">What is said where there are more.</param>
    public sealed record AtMost(string Of, Viewer Who, SearchQuery Query, int Most, string Otherwise) : Precondition
    {
        /// <inheritdoc/>
        public override string ToString() =>
            $"{Most} {Query.Type} at most are {Of}";
    }

    /// <summary>A search finds one record of those that a viewer may see, and no other; or none at all.</summary>
    /// <param name="Who">Under whose eyes.</param>
    /// <param name="Query">The search.</param>
    /// <param name="Only">Id of the one; null: none.</param>
    public sealed record Matches(Viewer Who, SearchQuery Query, string? Only) : Precondition
    {
        /// <summary>How long it may take: all writes wait for it.</summary>
        public TimeSpan Longest { get; init; } = Timeout.InfiniteTimeSpan;

        /// <inheritdoc/>
        public override string ToString() =>
            $"{(Only is null ? "no " + Query.Type : $"{Query.Type}/{Only} alone")} matches "
                + string.Join('&', Query.Criteria.Select(c => c.Parameter));
    }
}

/// <summary>A subject's key, wrapped by the keyring.</summary>
/// <param name="Subject">Whose records it seals: <c>Patient/id</c>, <c>Organization/id</c>.</param>
/// <param name="Wrapped">The wrapped key.</param>
public sealed record WrappedSubjectKey(string Subject, byte[] Wrapped);

/// <summary>Something that becomes known of actors and patients.</summary>
public abstract record DirectoryChange
{
    private DirectoryChange()
    {
    }

    /// <summary>A new actor, not active until the chain has it. Nothing where it is there already.</summary>
    /// <param name="Reference">Its resource, <c>Type/id</c>.</param>
    /// <param name="ActorId">Its on-chain id, hex.</param>
    /// <param name="Kind">What it is.</param>
    /// <param name="Hospital">A practitioner's hospital, or null.</param>
    public sealed record AddActor(string Reference, string ActorId, ActorKind Kind, string? Hospital) : DirectoryChange
    {
        /// <summary>Reference of the PractitionerRole that a practitioner acts by; null for others.</summary>
        public string? Role { get; init; }

        /// <summary>From when on it may not act any more; null: it has no end.</summary>
        public DateTimeOffset? Ends { get; init; }
    }

    /// <summary>A practitioner acts by a role, for so long.</summary>
    /// <param name="Reference">The practitioner.</param>
    /// <param name="Role">Reference of the PractitionerRole; null: by none any more.</param>
    /// <param name="Ends">From when on it may not act any more; null: it has no end.</param>
    public sealed record SetContract(string Reference, string? Role, DateTimeOffset? Ends) : DirectoryChange;

    /// <summary>A hospital's standing policy on breaking the glass of what it keeps.</summary>
    /// <param name="Reference">The hospital.</param>
    /// <param name="Policy">Where it is published, a URL; null: it has none any more.</param>
    public sealed record SetGlassPolicy(string Reference, string? Policy) : DirectoryChange;

    /// <summary>An actor is suspended or reinstated here, which counts at once; the chain follows.</summary>
    /// <param name="Reference">The actor.</param>
    /// <param name="Suspended">Which.</param>
    public sealed record SetSuspended(string Reference, bool Suspended) : DirectoryChange;

    /// <summary>A new patient. Nothing where it is there already.</summary>
    /// <param name="Id">Patient id.</param>
    /// <param name="PatientKey">On-chain key, hex.</param>
    /// <param name="Custodian">Reference of the hospital that registers the patient.</param>
    public sealed record AddPatient(string Id, string PatientKey, string Custodian) : DirectoryChange;
}

/// <summary>A consent given or withdrawn.</summary>
public abstract record ConsentChange
{
    private ConsentChange()
    {
    }

    /// <summary>
    /// Terms that can deny from here on, and permit once the chain has their commitment. A commitment that is there is a conflict.
    /// </summary>
    /// <param name="Commitment">On-chain commitment, hex.</param>
    /// <param name="ConsentId">Its Consent resource.</param>
    /// <param name="Salt">Salt of the commitment.</param>
    /// <param name="Terms">The terms.</param>
    public sealed record Give(string Commitment, string ConsentId, byte[] Salt, ConsentTerms Terms) : ConsentChange
    {
        /// <summary>Who gave it (<see cref="Requester.Author"/>): the patient, or the hospital that signs for one in custody.</summary>
        public string Giver { get; init; } = "";

        /// <inheritdoc/>
        public override string ToString() => $"give {Commitment} of Consent/{ConsentId}";
    }

    /// <summary>All that a Consent resource gave before is withdrawn, at once.</summary>
    /// <param name="ConsentId">The Consent resource.</param>
    public sealed record Withdraw(string ConsentId) : ConsentChange
    {
        /// <inheritdoc/>
        public override string ToString() => $"withdraw Consent/{ConsentId}";
    }
}

/// <summary>What became of a plan.</summary>
public abstract record CommitResult
{
    private CommitResult()
    {
    }

    /// <summary>It is durable.</summary>
    public sealed record Committed : CommitResult;

    /// <summary>Somebody else changed this resource in between; nothing was done.</summary>
    /// <param name="Type">Resource type.</param>
    /// <param name="Id">Logical id.</param>
    public sealed record Conflict(string Type, string Id) : CommitResult;

    /// <summary>A precondition does not hold; nothing was done.</summary>
    /// <param name="Failed">Which.</param>
    public sealed record NotHeld(Precondition Failed) : CommitResult;

    /// <summary>
    /// A record would hold what a Binary encloses: a Consent would concern others than its patient, a directory entry somebody; nothing was
    /// done.
    /// </summary>
    /// <param name="Type">The record's type.</param>
    /// <param name="Binary">Id of the Binary.</param>
    public sealed record Encloses(string Type, string Binary) : CommitResult;

    /// <summary>It cannot be told in time whether a precondition holds; nothing was done.</summary>
    /// <param name="Longest">How long it may take.</param>
    public sealed record TooLong(TimeSpan Longest) : CommitResult;

    /// <summary>A subject got another key in between: what was sealed under ours is to be sealed again. Nothing was done.</summary>
    /// <param name="Subject">Whose.</param>
    public sealed record KeyTaken(string Subject) : CommitResult;
}
