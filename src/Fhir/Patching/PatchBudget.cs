namespace PmrGateway.Fhir;

/// <summary>What all patches of one request may take together: a Bundle can carry thousands. Used by one thread at a time.</summary>
public sealed class PatchBudget
{
    /// <summary>Most steps of FHIRPath expressions, with what <see cref="Reading"/> and <see cref="CopyOfValue"/> take.</summary>
    internal const int MaxSteps = 3_000_000;

    /// <summary>Steps for a value that is copied.</summary>
    internal const int CopyOfValue = 15;

    /// <summary>Steps that were taken.</summary>
    internal long Steps { get; set; }

    /// <summary>Bytes that were copied.</summary>
    internal long CopiedBytes { get; set; }

    /// <summary>Goes on from what another had taken: what a try took that came to nothing is not counted.</summary>
    public void GoOnFrom(PatchBudget other) => (Steps, CopiedBytes) = (other.Steps, other.CopiedBytes);

    /// <summary>Steps for reading a resource again.</summary>
    /// <param name="bytes">How long it is.</param>
    internal static long Reading(int bytes) => bytes / 4;
}
