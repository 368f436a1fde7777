namespace PmrGateway.Store;

/// <summary>A search of a patient's entries of the audit log.</summary>
/// <param name="Patient">Id of the patient, whose entries alone are looked at.</param>
/// <param name="Count">Entries a page.</param>
public sealed record AuditQuery(string Patient, int Count)
{
    /// <summary>What must hold of an entry, all of it.</summary>
    public IReadOnlyList<AuditCriterion> Criteria { get; init; } = [];

    /// <summary>Whether the page begins with the oldest; else with the newest.</summary>
    public bool OldestFirst { get; init; }

    /// <summary>Behind which <see cref="AuditEvidence.Place"/> the page begins; 0: it is the first.</summary>
    public long Behind { get; init; }
}

/// <summary>Something that an entry must be, one of several.</summary>
public abstract record AuditCriterion
{
    private AuditCriterion()
    {
    }

    /// <summary>One of these events.</summary>
    /// <param name="Events">Which.</param>
    public sealed record Event(IReadOnlyList<AuditEventKind> Events) : AuditCriterion;

    /// <summary>Recorded in one of these times, Unix milliseconds.</summary>
    /// <param name="Times">From, inclusive, to, exclusive.</param>
    public sealed record Recorded(IReadOnlyList<(long From, long To)> Times) : AuditCriterion;

    /// <summary>Done by one of these, or on its behalf.</summary>
    /// <param name="References"><c>Type/id</c>.</param>
    public sealed record Agent(IReadOnlyList<string> References) : AuditCriterion;

    /// <summary>Done through one of these clients.</summary>
    /// <param name="Ids">OAuth client ids.</param>
    public sealed record Client(IReadOnlyList<string> Ids) : AuditCriterion;

    /// <summary>About one of these: a record, the patient, a Consent that permitted it.</summary>
    /// <param name="References"><c>Type/id</c>.</param>
    public sealed record Entity(IReadOnlyList<string> References) : AuditCriterion;

    /// <summary>Ended as one of these.</summary>
    /// <param name="Outcomes">permit, deny.</param>
    public sealed record Outcome(IReadOnlyList<string> Outcomes) : AuditCriterion;
}

/// <summary>An event as an entry tells of it; what is null is any.</summary>
/// <param name="IsDecision">Whether it is the decision of consent, or the request itself.</param>
/// <param name="Id">Id of the entry.</param>
/// <param name="Interaction">FHIR interaction of a request.</param>
/// <param name="Action">C, R, U, D or E, of a request.</param>
public sealed record AuditEventKind(bool? IsDecision, string? Id = null, string? Interaction = null, string? Action = null);

/// <summary>An event found: an entry tells of a request, and of the decision by which consents permitted it.</summary>
/// <param name="Place">Its place in the log, for the next page.</param>
/// <param name="IsDecision">Which of the two it is.</param>
/// <param name="Entry">The entry.</param>
public sealed record AuditEvidence(long Place, bool IsDecision, AuditEntry Entry);

/// <summary>A page of events.</summary>
/// <param name="Events">In the order asked for.</param>
/// <param name="Total">How many match, all pages together.</param>
/// <param name="Consents">Ids of the Consents of the page's entries, by commitment.</param>
public sealed record AuditPage(IReadOnlyList<AuditEvidence> Events, long Total, IReadOnlyDictionary<string, string> Consents)
{
    /// <summary>That of a search which finds nothing.</summary>
    public static AuditPage Nothing { get; } = new([], 0, new Dictionary<string, string>());
}
