using PmrGateway.Fhir;

namespace PmrGateway.Mapping;

/// <summary>What the mapping of a resource needs from outside it.</summary>
/// <param name="OwnBase">This server's own FHIR base URL: references under it are references to records here.</param>
/// <param name="NewId">Makes the ids of the Binaries split off.</param>
/// <param name="FindCut">What was cut out under a token while the resource streamed in, or null.</param>
public sealed record MappingScene(string OwnBase, Func<string> NewId, Func<string, CutData?> FindCut)
{
    /// <summary>An own URL without its base; another text as it is.</summary>
    public string Local(string text) => FhirReference.Local(text, OwnBase);
}
