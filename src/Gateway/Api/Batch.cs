using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR batch: each entry a request of its own, done as if it had come alone. A transaction comes to the same address and is passed on.
/// https://hl7.org/fhir/R4/http.html#transaction
/// </summary>
internal sealed class Batch(Transaction transaction, LimitOptions limits, BaseUrl baseUrl)
{
    public async Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        var body = await call.Request.ReadBody(cuts: true, cancellation);
        if (body.Failure is { } unreadable) return FhirResponse.From(unreadable);
        var bundle = body.Value.Document;
        var type = bundle.Root.StringAt("type");
        if (bundle.ResourceType != "Bundle" || type is not (Interaction.Transaction or Interaction.Batch))
        {
            return FhirResponse.From(Outcome.Of(
                OutcomeCategory.Malformed,
                "the base takes a Bundle of type transaction or batch; a document goes to /Bundle",
                "Bundle.type"));
        }
        var entries = BundleEntry.Of(body.Value, limits.MaxBundleEntries);
        if (entries.Failure is { } malformed) return FhirResponse.From(malformed);
        return type == Interaction.Transaction
            ? await transaction.RunAsync(call, body.Value, entries.Value, cancellation)
            : new FhirResponse(200, default) { Stream = (to, stop) => RunAsync(call, entries.Value, to, stop) };
    }

    // Entry by entry onto the wire: what a hundred entries answer may be more than there is memory for.
    private async Task RunAsync(FhirCall call, List<BundleEntry> entries, Stream to, CancellationToken cancellation)
    {
        var answer = new ResponseStream("batch-response", to, baseUrl);
        foreach (var entry in entries)
        {
            var response = await call.Api.RunEntryAsync(call.Caller, entry.AsRequest(), cancellation);
            await answer.AddAsync(response, cancellation);
        }
        await answer.EndAsync(cancellation);
    }
}
