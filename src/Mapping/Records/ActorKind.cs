namespace PmrGateway.Mapping;

/// <summary>What an actor on the chain is. The numbers are those of IActorRegistry.Kind.</summary>
public enum ActorKind
{
    /// <summary>Not registered.</summary>
    None = 0,

    /// <summary>A hospital.</summary>
    Hospital = 1,

    /// <summary>A practitioner of a hospital.</summary>
    Practitioner = 2,

    /// <summary>An insurer.</summary>
    Insurer = 3,
}
