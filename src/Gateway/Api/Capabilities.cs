using Hl7.Fhir.Model;
using Hl7.Fhir.Utility;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Flows;
using PmrGateway.Gateway.Options;
using PmrGateway.Gateway.Smart;
using PmrGateway.Mapping;
using static Hl7.Fhir.Model.CapabilityStatement;
using Task = System.Threading.Tasks.Task;

namespace PmrGateway.Gateway.Api;

/// <summary>FHIR capabilities: what the table of routes offers. https://hl7.org/fhir/R4/http.html#capabilities</summary>
internal sealed class Capabilities(ResourceMapper mapper, BaseUrl baseUrl, TimeProvider time)
{
    private byte[]? _json;

    public Task<FhirResponse> RunAsync(FhirCall call, CancellationToken cancellation)
    {
        // The same for all, and made once: two first requests at a time make the same.
        _json ??= FhirTyped.ToJson(Statement(call.Api.Routes.Rows));
        var subset = Subset.Of("CapabilityStatement", call.Request.Query);
        return Task.FromResult(
            subset.Failure is { } notUnderstood ? FhirResponse.From(notUnderstood) : new FhirResponse(200, subset.Value.Cut(_json)));
    }

    private CapabilityStatement Statement(IReadOnlyList<FhirRoute> routes)
    {
        var rest = new RestComponent { Mode = RestfulCapabilityMode.Server, Security = Security() };
        foreach (var route in routes.Where(r => r.IsOfSystem))
            rest.Interaction.Add(new() { Code = EnumUtility.ParseLiteral<SystemRestfulInteraction>(route.Interaction) });
        rest.SearchParam.Add(Parameter(
            Subset.Summary, SearchParamType.Token, "true, text, data, false; of records also count. Also for reads and histories."));
        rest.SearchParam.Add(Parameter(
            Subset.Elements, SearchParamType.String, "Names, or Type.element of what comes along. Also for reads and histories."));
        foreach (var type in FhirTypes.Offered)
        {
            var own = routes.Where(r => r.OwnType == type || (r.IsOfEveryType && FhirTypes.IsRecord(type))).ToList();
            if (own.Count > 0) rest.Resource.Add(Resource(type, own));
        }
        return new CapabilityStatement
        {
            Status = PublicationStatus.Active,
            Date = FhirInstant.Format(time.GetUtcNow()),
            Kind = CapabilityStatementKind.Instance,
            FhirVersion = FHIRVersion.N4_0_1,
            Format = ["application/fhir+json", "json"],
            PatchFormat = MediaType.Patches,
            Software = new SoftwareComponent
            {
                Name = "PmrGateway",
                Version = typeof(Capabilities).Assembly.GetName().Version!.ToString(3),
            },
            Implementation = new ImplementationComponent { Description = "Consent-gated FHIR R4 gateway", Url = baseUrl.Fhir },
            Rest = [rest],
        };
    }

    private SecurityComponent Security()
    {
        var security = new SecurityComponent
        {
            Cors = false,
            Service = [new CodeableConcept("http://terminology.hl7.org/CodeSystem/restful-security-service", "SMART-on-FHIR")],
            Description = "Bearer tokens with SMART scopes; each read is decided by the patient's on-chain consent.",
        };
        var oauth = new Extension { Url = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris" };
        oauth.AddExtension("token", new FhirUri(baseUrl.Public + SmartPaths.Token));
        oauth.AddExtension("authorize", new FhirUri(baseUrl.Public + SmartPaths.Authorize));
        oauth.AddExtension("revoke", new FhirUri(baseUrl.Public + SmartPaths.Revoke));
        security.Extension.Add(oauth);
        return security;
    }

    private ResourceComponent Resource(string type, List<FhirRoute> routes)
    {
        var resource = new ResourceComponent { TypeElement = new Code<ResourceType>(EnumUtility.ParseLiteral<ResourceType>(type)) };
        foreach (var interaction in routes.Where(r => r.Operation is null).Select(r => r.Interaction).Distinct())
            resource.Interaction.Add(new() { Code = EnumUtility.ParseLiteral<TypeRestfulInteraction>(interaction) });
        foreach (var operation in routes.Where(r => r.Operation is not null))
            resource.Operation.Add(new OperationComponent { Name = operation.Operation, Definition = operation.Definition });
        switch (type)
        {
            case "AuditEvent":
                foreach (var (name, kind) in AuditSearchParser.Parameters)
                    resource.SearchParam.Add(Parameter(name, EnumUtility.ParseLiteral<SearchParamType>(kind)));
                break;
            case "Bundle":
                resource.Documentation = "A Bundle of type document is kept as a DocumentReference with the document as its attachment.";
                break;
            default:
                AddRecords(resource, type, routes);
                break;
        }
        return resource;
    }

    private void AddRecords(ResourceComponent resource, string type, List<FhirRoute> routes)
    {
        resource.Versioning = ResourceVersionPolicy.VersionedUpdate;
        resource.ReadHistory = true;
        resource.UpdateCreate = false;
        resource.ConditionalCreate = true;
        var byCriteria = routes.Where(r => r.Length == 1).Select(r => r.Method).ToHashSet();
        resource.ConditionalUpdate = byCriteria.Contains("PUT");
        resource.ConditionalDelete = byCriteria.Contains("DELETE")
            ? ConditionalDeleteStatus.Single
            : ConditionalDeleteStatus.NotSupported;
        // R4 has no element for it.
        if (byCriteria.Contains("PATCH"))
            resource.Documentation = $"Conditional patch: PATCH {type}?criteria changes the one match that the requester may see.";
        resource.SearchParam.Add(Parameter("_id", SearchParamType.Token));
        resource.SearchParam.Add(Parameter("_lastUpdated", SearchParamType.Date));
        var includes = new List<string>();
        foreach (var parameter in mapper.Indexer.ParametersOf(type))
        {
            resource.SearchParam.Add(Parameter(parameter.Code, EnumUtility.ParseLiteral<SearchParamType>(parameter.Type)));
            if (parameter.Type == "reference") includes.Add($"{type}:{parameter.Code}");
        }
        resource.SearchInclude = includes;
    }

    private static CapabilityStatement.SearchParamComponent Parameter(string name, SearchParamType? type, string? documentation = null) =>
        new() { Name = name, Type = type, Documentation = documentation };
}
