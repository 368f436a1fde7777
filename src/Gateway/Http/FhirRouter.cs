using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Interactions;
using PmrGateway.Gateway.Security;

namespace PmrGateway.Gateway.Http;

/// <summary>From method and path to one interaction: the table of contents of the FHIR API.</summary>
public sealed class FhirRouter(
    ReadInteraction read, HistoryInteraction history, SearchInteraction search, EverythingInteraction everything, WriteInteractions writes,
    BundleInteraction bundles, AuditEventInteraction audit, LedgerInteractions ledger, Denials denials)
{
    private static readonly HashSet<string> NotOffered = ["Parameters", "OperationOutcome", "CapabilityStatement", "Subscription", "SearchParameter", "OperationDefinition"];

    /// <summary>The resource types of the API.</summary>
    public static IEnumerable<string> ResourceTypes { get; } = [.. FhirSchema.R4.ResourceTypes.Where(t => !NotOffered.Contains(t))];

    /// <summary>Runs a request.</summary>
    public async Task<FhirResponse> DispatchAsync(Caller caller, FhirRequest request, CancellationToken cancellation)
    {
        var path = request.Segments;
        if (caller.RefuseAll() is { } refusal) return await denials.AnswerAsync(caller, InteractionOf(request), string.Join('/', path.Take(2)), refusal);
        if (path.Count == 0)
            return request.Method == "POST" ? await bundles.RunAsync(caller, request, inner => DispatchEntryAsync(caller, inner, cancellation), cancellation) : NotSupported();
        var type = path[0];
        if (!FhirSchema.R4.IsResourceType(type)) return FhirResponse.From(Outcome.Of(OutcomeCategory.NotFound, "no such resource type"));
        if (NotOffered.Contains(type)) return NotSupported();
        if (path.Count > 1 && path[1] is not ("_search" or "$intent") && !IsId(path[1])) return FhirResponse.From(Outcome.NotFound);
        if (type == "AuditEvent") return await AuditAsync(caller, request);
        if (type == "Bundle" && !(request.Method == "POST" && path.Count == 1)) return NotSupported();
        return (request.Method, path.Count) switch
        {
            ("GET", 1) => await search.RunAsync(caller, type, request.Query, cancellation),
            ("POST", 1) => await writes.CreateAsync(caller, request, type, cancellation),
            ("POST", 2) when path[1] == "_search" => await SearchByFormAsync(caller, request, type, cancellation),
            ("POST", 2) when type == "Consent" && path[1] == "$intent" => await ledger.ConsentIntentAsync(caller, request, cancellation),
            ("GET", 2) when IsId(path[1]) => await read.RunAsync(caller, type, path[1], null, request.Http, cancellation),
            ("PUT", 2) when IsId(path[1]) => await writes.UpdateAsync(caller, request, type, path[1], cancellation),
            ("DELETE", 2) when IsId(path[1]) => await writes.DeleteAsync(caller, type, path[1], request.IfMatch, cancellation),
            ("GET", 3) when path[2] == "_history" => await history.RunAsync(caller, type, path[1], cancellation),
            ("GET", 3) when path[2] == "$anchor-proof" => await ledger.AnchorProofAsync(caller, type, path[1], cancellation),
            ("GET", 3) when type == "Consent" && path[2] == "$ledger-status" => await ledger.ConsentStatusAsync(caller, path[1], cancellation),
            ("GET", 3) when type == "Patient" && path[2] == "$everything" => await everything.RunAsync(caller, path[1], cancellation),
            ("GET", 4) when path[2] == "_history" => long.TryParse(path[3], out var version) && version > 0
                ? await read.RunAsync(caller, type, path[1], version, request.Http, cancellation)
                : FhirResponse.From(Outcome.NotFound),
            _ => NotSupported(),
        };
    }

    private static string InteractionOf(FhirRequest request) => request.Method switch
    {
        "PUT" => "update",
        "DELETE" => "delete",
        "POST" => request.Segments.Count switch { 0 => "transaction", 1 => "create", _ => "operation" },
        _ => request.Segments.Count < 2 ? "search-type" : "read",
    };

    private static FhirResponse NotSupported() => FhirResponse.From(Outcome.Of(OutcomeCategory.NotSupported, "this interaction is not offered: see metadata"));

    private static bool IsId(string text) => FhirReference.TryParse("Basic/" + text, out _);

    // A Bundle inside a Bundle would be a loop with one more turn than anyone asked for.
    private Task<FhirResponse> DispatchEntryAsync(Caller caller, FhirRequest entry, CancellationToken cancellation) =>
        entry.Segments.Count == 0 || entry.Segments[0].Length == 0 ? Task.FromResult(NotSupported()) : DispatchAsync(caller, entry, cancellation);

    private async Task<FhirResponse> AuditAsync(Caller caller, FhirRequest request) => (request.Method, request.Segments.Count) switch
    {
        ("GET", 1) => await audit.SearchAsync(caller, request.Query, request.Http?.HttpContext.RequestAborted ?? default),
        ("GET", 2) => await audit.ReadAsync(caller, request.Segments[1]),
        _ => NotSupported(),
    };

    private async Task<FhirResponse> SearchByFormAsync(Caller caller, FhirRequest request, string type, CancellationToken cancellation)
    {
        if (request.Http is not { HasFormContentType: true } http) return FhirResponse.From(Outcome.Of(OutcomeCategory.UnsupportedMediaType, "_search takes application/x-www-form-urlencoded"));
        return await search.RunAsync(caller, type, [.. request.Query, .. await http.ReadFormAsync(cancellation)], cancellation);
    }
}
