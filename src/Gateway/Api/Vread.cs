using System.Globalization;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Api;

/// <summary>FHIR vread: a version of a resource. https://hl7.org/fhir/R4/http.html#vread</summary>
internal sealed class Vread(Read read, Denials denials)
{
    // A version id is a text, of which a number is one writing only: +1 and 01 name nothing.
    public Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation) =>
        long.TryParse(call.VersionId, NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            && version > 0 && call.VersionId[0] != '0'
            ? read.VersionAsync(call, version, cancellation)
            : denials.AnswerAsync(call.Caller, call.Route.Interaction, call.Target, Outcome.NotFound);
}
