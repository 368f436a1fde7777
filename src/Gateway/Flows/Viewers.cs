using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Flows;

/// <summary>From who asks to the viewer under whose eyes the store is read, now.</summary>
public sealed class Viewers(ConsentView view, LedgerOptions ledger, TimeProvider time)
{
    // Of a stale view nobody knows which grants still stand: none does, also not for what a write looks up. Denials stand.
    private const int NoGrantStands = int.MaxValue;

    /// <summary>A requester as a viewer of this instant; while the consent view is stale, one whom no grant helps.</summary>
    public Viewer Of(Requester requester) => Of(requester, DataAction.Read);

    /// <summary>The gateway's own view of what is a requester's by itself, whatever consents say: no grant helps.</summary>
    public static Viewer WithoutGrants(Requester requester, DateTimeOffset now) => new(requester, now, NoGrantStands);

    /// <summary>The same, for what is to be done with the records.</summary>
    public Viewer Of(Requester requester, DataAction action) =>
        new(requester, time.GetUtcNow(), view.IsStale ? NoGrantStands : ledger.Confirmations) { Action = action };
}
