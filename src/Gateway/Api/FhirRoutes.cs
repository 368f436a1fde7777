using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// The table of contents of the FHIR API. Dispatch, entries of Bundles, <c>Allow</c>, OPTIONS and the CapabilityStatement come from here.
/// https://hl7.org/fhir/R4/http.html#summary
/// </summary>
internal sealed class FhirRoutes(
    Capabilities capabilities, Batch batch,
    Read read, Vread vread, History history, Search search,
    Create create, ReceiveDocument receiveDocument, Update update, Patch patch, Delete delete,
    SearchAuditEvents searchAudit, ReadAuditEvent readAudit,
    Everything everything, AnchorProofOperation anchorProof, ConsentLedgerStatus ledgerStatus, ConsentIntent intent,
    ConsentExplain explain, RetentionOperation retention, BreakGlass breakGlass, DisposeTask dispose)
{
    private const string Own = "https://pmrgateway.example/fhir/OperationDefinition/";
    private const string Hl7 = "http://hl7.org/fhir/OperationDefinition/";

    /// <summary>The rows. Where two have the same method and template, the first is run.</summary>
    public IReadOnlyList<FhirRoute> Rows { get; } =
    [
        new("GET", "metadata", Interaction.Capabilities, ScopeAction.None, capabilities.RunAsync) { IsOpen = true },
        // One address, two interactions: Bundle.type says which.
        new("POST", "", Interaction.Transaction, ScopeAction.None, batch.RunAsync),
        new("POST", "", Interaction.Batch, ScopeAction.None, batch.RunAsync),

        new("GET", "AuditEvent", Interaction.SearchType, ScopeAction.Search, searchAudit.RunAsync),
        new("POST", "AuditEvent/_search", Interaction.SearchType, ScopeAction.Search, searchAudit.RunByFormAsync),
        new("GET", "AuditEvent/{id}", Interaction.Read, ScopeAction.Read, readAudit.RunAsync),
        new("POST", "Bundle", Interaction.Create, ScopeAction.Create, receiveDocument.RunAsync),

        new("GET", "{type}", Interaction.SearchType, ScopeAction.Search, search.RunAsync),
        new("POST", "{type}/_search", Interaction.SearchType, ScopeAction.Search, search.RunByFormAsync),
        new("POST", "{type}", Interaction.Create, ScopeAction.Create, create.RunAsync),
        // By criteria in the URL.
        new("PUT", "{type}", Interaction.Update, ScopeAction.Update, update.RunByCriteriaAsync),
        new("PATCH", "{type}", Interaction.Patch, ScopeAction.Update, patch.RunByCriteriaAsync),
        new("DELETE", "{type}", Interaction.Delete, ScopeAction.Delete, delete.RunByCriteriaAsync),
        new("GET", "{type}/{id}", Interaction.Read, ScopeAction.Read, read.RunAsync),
        new("PUT", "{type}/{id}", Interaction.Update, ScopeAction.Update, update.RunAsync),
        new("PATCH", "{type}/{id}", Interaction.Patch, ScopeAction.Update, patch.RunAsync),
        new("DELETE", "{type}/{id}", Interaction.Delete, ScopeAction.Delete, delete.RunAsync),
        new("GET", "Patient/{id}/{type}", Interaction.SearchType, ScopeAction.Search, search.RunInCompartmentAsync),
        new("GET", "_history", Interaction.HistorySystem, ScopeAction.Search, history.RunOfSystemAsync),
        new("GET", "{type}/_history", Interaction.HistoryType, ScopeAction.Search, history.RunOfTypeAsync),
        new("GET", "{type}/{id}/_history", Interaction.HistoryInstance, ScopeAction.Read, history.RunOfInstanceAsync),
        new("GET", "{type}/{id}/_history/{vid}", Interaction.Vread, ScopeAction.Read, vread.RunAsync),

        new("GET", "{type}/{id}/$anchor-proof", Interaction.Operation, ScopeAction.Read, anchorProof.RunAsync)
        {
            Definition = Own + "anchor-proof",
        },
        new("GET", "Patient/{id}/$everything", Interaction.Operation, ScopeAction.Read, everything.RunAsync)
        {
            Definition = Hl7 + "Patient-everything",
        },
        new("GET", "Patient/{id}/$consent-explain", Interaction.Operation, ScopeAction.Read, explain.RunAsync)
        {
            Definition = Own + "consent-explain",
        },
        new("GET", "Patient/{id}/$retention", Interaction.Operation, ScopeAction.Read, retention.RunAsync)
        {
            Definition = Own + "retention",
        },
        // It opens a record, and takes the scope to read one.
        new("POST", "Patient/{id}/$break-glass", Interaction.Operation, ScopeAction.Read, breakGlass.RunAsync)
        {
            Definition = Own + "break-glass",
        },
        new("POST", "Task/{id}/$dispose", Interaction.Operation, ScopeAction.Update, dispose.RunAsync)
        {
            Definition = Own + "dispose",
        },
        new("GET", "Consent/{id}/$ledger-status", Interaction.Operation, ScopeAction.Read, ledgerStatus.RunAsync)
        {
            Definition = Own + "ledger-status",
        },
        new("POST", "Consent/$intent", Interaction.Operation, ScopeAction.Create, intent.RunAsync) { Definition = Own + "intent" },
    ];
}
