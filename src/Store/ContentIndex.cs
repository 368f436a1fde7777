using PmrGateway.Fhir;

namespace PmrGateway.Store;

/// <summary>Tells the search values of a version from its content, which its permit opens.</summary>
/// <param name="version">The version; no Binary and no deletion.</param>
/// <param name="cancellation">Stops it.</param>
public delegate ValueTask<IReadOnlyList<IndexEntry>> ContentIndex(PermittedVersion version, CancellationToken cancellation);
