using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// Something that happened on the chain, as the consent view needs it. Ids, keys and commitments are lower-case hex without 0x.
/// </summary>
/// <param name="Block">Number of its block.</param>
/// <param name="Transaction">Hash of its transaction, hex.</param>
public abstract record ChainEvent(long Block, string Transaction);

/// <summary>An actor was registered.</summary>
public sealed record ActorRegisteredEvent(long Block, string Transaction, string Actor, ActorKind Kind, string? Hospital)
    : ChainEvent(Block, Transaction);

/// <summary>An actor was suspended or reinstated.</summary>
public sealed record ActorStatusEvent(long Block, string Transaction, string Actor, bool IsActive) : ChainEvent(Block, Transaction);

/// <summary>An OAuth client or user was bound to an actor, or unbound (<paramref name="Actor"/> null).</summary>
public sealed record ClientBindingEvent(long Block, string Transaction, string Client, string? Actor) : ChainEvent(Block, Transaction);

/// <summary>A patient was registered.</summary>
public sealed record PatientRegisteredEvent(long Block, string Transaction, string Patient, string Controller, string Custodian)
    : ChainEvent(Block, Transaction);

/// <summary>A patient's controller changed.</summary>
public sealed record ControllerChangedEvent(long Block, string Transaction, string Patient, string Controller)
    : ChainEvent(Block, Transaction);

/// <summary>A grant was made.</summary>
public sealed record ConsentGrantedEvent(
    long Block, string Transaction, string Patient, string Commitment, ulong NotBefore, ulong NotAfter, ulong Epoch)
    : ChainEvent(Block, Transaction);

/// <summary>A grant was revoked.</summary>
public sealed record ConsentRevokedEvent(long Block, string Transaction, string Patient, string Commitment)
    : ChainEvent(Block, Transaction);

/// <summary>All grants of earlier epochs were revoked.</summary>
public sealed record AllConsentsRevokedEvent(long Block, string Transaction, string Patient, ulong Epoch) : ChainEvent(Block, Transaction);

/// <summary>A batch was anchored.</summary>
public sealed record BatchAnchoredEvent(long Block, string Transaction, string Custodian, long Sequence, string Root)
    : ChainEvent(Block, Transaction);
