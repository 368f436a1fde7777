using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Flows;

/// <summary>From who asks to the viewer under whose eyes the store is read, now.</summary>
public sealed class Viewers(LedgerOptions ledger, TimeProvider time)
{
    /// <summary>A requester as a viewer of this instant.</summary>
    public Viewer Of(Requester requester) => new(requester, time.GetUtcNow(), ledger.Confirmations);
}
