using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Http;
using PmrGateway.Gateway.Security;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Interactions;

/// <summary>FHIR operation Patient/$everything. https://hl7.org/fhir/R4/operation-patient-everything.html</summary>
public sealed class EverythingInteraction(RecordStore records, ReadFlow flow, BaseUrl baseUrl)
{
    /// <summary>All that the requester may see of a patient's compartment.</summary>
    public Task<FhirResponse> RunAsync(Caller caller, string patient, CancellationToken cancellation) => flow.RunAsync(
        caller,
        new ReadRequest("operation", "Patient", ScopeAction.Read, $"Patient/{patient}", patient),
        access =>
        {
            var versions = records.Everything(access, patient).Where(v => caller.Refuse(v.Facts.Type, ScopeAction.Read) is null).ToList();
            return versions.Count > 0 ? new Found(versions) : new Found([], Outcome.NotFound);
        },
        opened => new FhirResponse(200, Respond(patient, opened)) { Decision = ReadFlow.Receipt(opened) },
        cancellation);

    private byte[] Respond(string patient, IReadOnlyList<OpenedRecord> opened)
    {
        var bundle = new BundleWriter("searchset", opened.Count);
        bundle.Link("self", $"{baseUrl.Fhir}/Patient/{patient}/$everything");
        foreach (var record in opened)
            bundle.SearchEntry($"{baseUrl.Fhir}/{record.Version.Facts.Type}/{record.Version.Facts.Id}", ReadInteraction.AsResource(record), "match");
        return bundle.ToJson();
    }
}
