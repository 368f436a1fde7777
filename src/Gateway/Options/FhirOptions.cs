namespace PmrGateway.Gateway.Options;

/// <summary>Section <c>Fhir</c>.</summary>
public sealed class FhirOptions
{
    /// <summary>FHIR packages (.tgz files, folders, single definitions) whose profiles are enforced where a resource claims them.</summary>
    public List<string> Packages { get; set; } = [];

    internal string? Validate() => Packages.Find(p => !File.Exists(p) && !Directory.Exists(p)) is { } missing
        ? $"Fhir:Packages names '{missing}': a .tgz file, a folder or a definition on this machine"
        : null;
}
