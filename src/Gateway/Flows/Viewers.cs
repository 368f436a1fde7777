using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Flows;

/// <summary>From who asks to the viewer under whose eyes the store is read, now.</summary>
public sealed class Viewers(ConsentView view, LedgerOptions ledger, TimeProvider time)
{
    // Of a stale view nobody knows which grants still stand: none does, also not for what a write looks up. Denials stand.
    private const int NoGrantStands = int.MaxValue;

    /// <summary>
    /// Who asks, with what the token reaches at most, as a viewer of this instant: whatever is answered from records is looked up so.
    /// </summary>
    public Viewer Of(Caller caller) => Of(caller.Requester) with
    {
        Reads = caller.Reach(ScopeAction.Read),
        Searches = caller.Reach(ScopeAction.Search),
    };

    /// <summary>Who writes, with what the token reaches at most by that: for the record as it is before.</summary>
    public Viewer Of(Caller caller, ScopeAction action) => Of(caller.Requester) with { Reads = caller.Reach(action) };

    /// <summary>
    /// A requester as a viewer of this instant, whatever token is shown: for what the gateway has to know itself. While the
    /// consent view is stale, one whom no grant helps.
    /// </summary>
    public Viewer Of(Requester requester) => Of(requester, DataAction.Read);

    /// <summary>The gateway's own view of what is a requester's by itself, whatever consents say: no grant helps.</summary>
    public static Viewer WithoutGrants(Requester requester, DateTimeOffset now) => new(requester, now, NoGrantStands);

    /// <summary>The gateway's own view of what it put before the office of a hospital.</summary>
    public static Viewer OfOffice(string hospital, DateTimeOffset now) => WithoutGrants(
        new Requester(hospital, null, null, null, true, []) { Office = Requester.OfficeOf(hospital) }, now);

    /// <summary>The gateway's own view of what is a patient's own.</summary>
    public static Viewer OfPatient(string patient, DateTimeOffset now) =>
        WithoutGrants(new Requester($"Patient/{patient}", null, null, patient, true, []), now);

    /// <summary>The same as <see cref="Of(Requester)"/>, for what is to be done with the records.</summary>
    public Viewer Of(Requester requester, DataAction action) =>
        new(requester, time.GetUtcNow(), view.IsStale ? NoGrantStands : ledger.Confirmations) { Action = action };
}
