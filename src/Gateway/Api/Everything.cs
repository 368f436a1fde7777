using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Api;

/// <summary>
/// FHIR operation Patient/$everything: all that the requester may see of a patient's compartment.
/// https://hl7.org/fhir/R4/operation-patient-everything.html
/// </summary>
internal sealed class Everything(RecordStore records, ReadFlow flow, BaseUrl baseUrl)
{
    public Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation) => flow.RunAsync(
        call.Caller,
        call.AsRead(),
        access =>
        {
            var versions = records.Everything(access, call.Id)
                .Where(v => call.Caller.Refuse(v.Facts.Type, ScopeAction.Read) is null)
                .ToList();
            return versions.Count > 0 ? new Found(versions) : new Found([], Outcome.NotFound);
        },
        opened => new FhirResponse(200, Respond(call.Id, opened)) { Decision = ReadFlow.Receipt(opened) },
        cancellation);

    private byte[] Respond(string patient, IReadOnlyList<OpenedRecord> opened)
    {
        var bundle = new BundleWriter("searchset", opened.Count);
        bundle.Link("self", $"{baseUrl.Fhir}/Patient/{patient}/$everything");
        foreach (var record in opened)
            bundle.SearchEntry($"{baseUrl.Fhir}/{record.Version.Facts.Type}/{record.Version.Facts.Id}", Read.AsResource(record), "match");
        return bundle.ToJson();
    }
}
