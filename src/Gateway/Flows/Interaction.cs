namespace PmrGateway.Gateway.Flows;

/// <summary>
/// The codes of FHIR's interactions, as the CapabilityStatement and the audit log have them.
/// https://hl7.org/fhir/R4/valueset-restful-interaction.html, https://hl7.org/fhir/R4/valueset-type-restful-interaction.html
/// </summary>
internal static class Interaction
{
    public const string Read = "read";
    public const string Vread = "vread";
    public const string Update = "update";
    public const string Patch = "patch";
    public const string Delete = "delete";
    public const string HistoryInstance = "history-instance";
    public const string HistoryType = "history-type";
    public const string HistorySystem = "history-system";
    public const string Create = "create";
    public const string SearchType = "search-type";
    public const string Capabilities = "capabilities";
    public const string Transaction = "transaction";
    public const string Batch = "batch";
    public const string Operation = "operation";
}
