using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>FHIR vread: a version of a resource. https://hl7.org/fhir/R4/http.html#vread</summary>
internal sealed class Vread(Read read)
{
    public Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation) =>
        long.TryParse(call.VersionId, out var version) && version > 0
            ? read.VersionAsync(call, version, cancellation)
            : Task.FromResult(FhirResponse.From(Outcome.NotFound));
}
