using PmrGateway.Fhir;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Flows;

/// <summary>What kind of requester it is.</summary>
public enum CallerKind
{
    /// <summary>The operator of this gateway.</summary>
    Operator,

    /// <summary>A hospital's or insurer's system.</summary>
    System,

    /// <summary>A practitioner.</summary>
    Practitioner,

    /// <summary>A patient.</summary>
    Patient,

    /// <summary>A client with a good token that is bound to no registered actor: known, and refused everything.</summary>
    Unbound,
}

/// <summary>An authenticated requester with what the token lets it do.</summary>
/// <param name="Kind">What kind.</param>
/// <param name="ActorKind">What its actor is on the chain.</param>
/// <param name="Requester">Who it is to the consent decision.</param>
/// <param name="Client">OAuth client id.</param>
/// <param name="Scopes">Resource scopes of the token.</param>
public sealed record Caller(CallerKind Kind, ActorKind ActorKind, Requester Requester, string Client, SmartScopes Scopes)
{
    private static readonly string[] OfSystems = ["system"];
    private static readonly string[] OfUsers = ["user"];
    private static readonly string[] OfPatients = ["patient", "user"];

    /// <summary>Why it breaks the glass; null: it does not.</summary>
    public string? Reason { get; init; }

    /// <summary>What the token claims in vain: to break the glass, where none is broken. The log has it all the same.</summary>
    public IReadOnlyList<string> Claimed { get; init; } = [];

    /// <summary>How the request came.</summary>
    public RequestTrace Trace { get; init; } = RequestTrace.None;

    /// <summary>
    /// Asks once more who this is, and whether it still stands: its token, its actor and that one's hospital. Null: it does. A request
    /// takes as long as who sends it likes, and access ends for that one too.
    /// </summary>
    public Func<CancellationToken, ValueTask<Outcome?>> RefusedByNowAsync { get; init; } = _ => default;

    /// <summary>Who has shown no token, where none is asked for: may do nothing that takes one.</summary>
    public static Caller Nobody { get; } = new(
        CallerKind.Unbound, ActorKind.None, new Requester("nobody", null, null, null, false, []), "",
        new SmartScopes(Array.Empty<SmartScope>()));

    /// <summary>Whether it may write clinical records: a hospital's system or practitioner.</summary>
    public bool IsHospital => Kind is CallerKind.System or CallerKind.Practitioner
        && ActorKind is ActorKind.Hospital or ActorKind.Practitioner;

    /// <summary>Why this requester is refused whatever is asked; null where it depends on what is asked.</summary>
    public Outcome? RefuseAll() => Kind == CallerKind.Unbound
        ? Outcome.Of(OutcomeCategory.Forbidden, "this client is not bound to a registered actor")
        : Requester.IsActive ? null
        : Outcome.Of(OutcomeCategory.Forbidden, "the actor is not active on the chain");

    // The levels of the scopes that count.
    private string[] Levels => Kind switch
    {
        CallerKind.System or CallerKind.Operator => OfSystems,
        CallerKind.Practitioner => OfUsers,
        _ => OfPatients,
    };

    /// <summary>What the scopes reach at most by an action, where they name search parameters.</summary>
    public ScopeReach Reach(ScopeAction action) => Scopes.Reach(Levels, action);

    /// <summary>Why the scopes do not allow a write of a record with these search values; null: they do.</summary>
    public Outcome? RefuseRecord(string type, ScopeAction action, IReadOnlyList<IndexEntry> record) =>
        Reach(action).Holds(type, record) ? null : OutOfReach(type, action);

    /// <summary>That a write is of a record which the scopes do not reach.</summary>
    public Outcome OutOfReach(string type, ScopeAction action) => Outcome.Of(
        OutcomeCategory.Forbidden,
        $"this is no {type} that the token's scopes allow {action.ToString().ToLowerInvariant()} of: {Scopes.Narrow(Levels, type, action)}",
        type);

    /// <summary>Whether the scopes allow an action on a type, or on some records of it; else the refusal.</summary>
    public Outcome? Refuse(string type, ScopeAction action)
    {
        if (RefuseAll() is { } nothing) return nothing;
        if (Array.Exists(Levels, level => Scopes.Allow(level, type, action))) return null;
        return Outcome.Of(OutcomeCategory.Forbidden, $"the token's scopes do not allow {action.ToString().ToLowerInvariant()} on {type}");
    }
}
