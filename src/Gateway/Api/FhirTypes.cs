using System.Collections.Frozen;
using PmrGateway.Fhir;

namespace PmrGateway.Gateway.Api;

/// <summary>Which resource types the API has.</summary>
internal static class FhirTypes
{
    private static readonly string[] NotOffered =
        ["Parameters", "OperationOutcome", "CapabilityStatement", "Subscription", "SearchParameter", "OperationDefinition"];

    // Neither is kept as it is: an AuditEvent is an entry of the audit log, a Bundle becomes what is in it.
    private static readonly string[] NoRecords = ["AuditEvent", "Bundle"];

    private static readonly FrozenSet<string> Records = FhirSchema.R4.ResourceTypes.Except(NotOffered).Except(NoRecords).ToFrozenSet();

    /// <summary>All types of the API.</summary>
    public static IReadOnlyList<string> Offered { get; } = [.. FhirSchema.R4.ResourceTypes.Except(NotOffered)];

    /// <summary>Whether a name is a type whose resources are kept as records: what <c>{type}</c> stands for in a route.</summary>
    public static bool IsRecord(string name) => Records.Contains(name);
}
