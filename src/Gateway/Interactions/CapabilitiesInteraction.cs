using Hl7.Fhir.Model;
using PmrGateway.Fhir;
using PmrGateway.Gateway.Http;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Interactions;

/// <summary>FHIR capabilities: what the router does, said by the same tables. https://hl7.org/fhir/R4/http.html#capabilities</summary>
public sealed class CapabilitiesInteraction(ResourceMapper mapper, BaseUrl baseUrl, TimeProvider time)
{
    private readonly Lazy<byte[]> _json = new(() => FhirTyped.ToJson(Build(mapper, baseUrl, time.GetUtcNow())));

    /// <summary>The CapabilityStatement.</summary>
    public FhirResponse Run() => new(200, _json.Value);

    private static CapabilityStatement Build(ResourceMapper mapper, BaseUrl baseUrl, DateTimeOffset now)
    {
        var rest = new CapabilityStatement.RestComponent
        {
            Mode = CapabilityStatement.RestfulCapabilityMode.Server,
            Security = new CapabilityStatement.SecurityComponent
            {
                Cors = false,
                Service = [new CodeableConcept("http://terminology.hl7.org/CodeSystem/restful-security-service", "SMART-on-FHIR")],
                Description = "Bearer tokens with SMART scopes; each read is decided by the patient's on-chain consent.",
            },
            Interaction =
            [
                new() { Code = CapabilityStatement.SystemRestfulInteraction.Transaction },
                new() { Code = CapabilityStatement.SystemRestfulInteraction.Batch },
            ],
        };
        var oauth = new Extension { Url = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris" };
        oauth.AddExtension("token", new FhirUri(baseUrl.Public + "/connect/token"));
        oauth.AddExtension("authorize", new FhirUri(baseUrl.Public + "/connect/authorize"));
        oauth.AddExtension("revoke", new FhirUri(baseUrl.Public + "/connect/revoke"));
        rest.Security.Extension.Add(oauth);
        foreach (var type in FhirRouter.ResourceTypes) rest.Resource.Add(Resource(type, mapper));
        return new CapabilityStatement
        {
            Status = PublicationStatus.Active,
            Date = FhirInstant.Format(now),
            Kind = CapabilityStatementKind.Instance,
            FhirVersion = FHIRVersion.N4_0_1,
            Format = ["application/fhir+json", "json"],
            Software = new CapabilityStatement.SoftwareComponent { Name = "PmrGateway", Version = typeof(FhirRouter).Assembly.GetName().Version!.ToString(3) },
            Implementation = new CapabilityStatement.ImplementationComponent { Description = "Consent-gated FHIR R4 gateway", Url = baseUrl.Fhir },
            Rest = [rest],
        };
    }

    private static CapabilityStatement.ResourceComponent Resource(string type, ResourceMapper mapper)
    {
        var resource = new CapabilityStatement.ResourceComponent { TypeElement = new Code<ResourceType>(Hl7.Fhir.Utility.EnumUtility.ParseLiteral<ResourceType>(type)) };
        if (type == "AuditEvent")
        {
            Interactions(resource, CapabilityStatement.TypeRestfulInteraction.Read, CapabilityStatement.TypeRestfulInteraction.SearchType);
            resource.SearchParam.Add(new CapabilityStatement.SearchParamComponent { Name = "patient", Type = SearchParamType.Reference });
            return resource;
        }
        if (type == "Bundle")
        {
            Interactions(resource, CapabilityStatement.TypeRestfulInteraction.Create);
            resource.Documentation = "A Bundle of type document is kept as a DocumentReference with the document as its attachment.";
            return resource;
        }
        Interactions(
            resource,
            CapabilityStatement.TypeRestfulInteraction.Read, CapabilityStatement.TypeRestfulInteraction.Vread, CapabilityStatement.TypeRestfulInteraction.HistoryInstance,
            CapabilityStatement.TypeRestfulInteraction.Create, CapabilityStatement.TypeRestfulInteraction.Update, CapabilityStatement.TypeRestfulInteraction.Delete,
            CapabilityStatement.TypeRestfulInteraction.SearchType);
        resource.Versioning = CapabilityStatement.ResourceVersionPolicy.VersionedUpdate;
        resource.ReadHistory = true;
        resource.UpdateCreate = false;
        resource.ConditionalCreate = true;
        resource.SearchParam.Add(new CapabilityStatement.SearchParamComponent { Name = "_id", Type = SearchParamType.Token });
        resource.SearchParam.Add(new CapabilityStatement.SearchParamComponent { Name = "_lastUpdated", Type = SearchParamType.Date });
        var includes = new List<string>();
        foreach (var (code, kind) in mapper.Indexer.ParametersOf(type))
        {
            resource.SearchParam.Add(new CapabilityStatement.SearchParamComponent { Name = code, Type = Hl7.Fhir.Utility.EnumUtility.ParseLiteral<SearchParamType>(kind) });
            if (kind == "reference") includes.Add($"{type}:{code}");
        }
        resource.SearchInclude = includes;
        resource.Operation.Add(new CapabilityStatement.OperationComponent { Name = "anchor-proof", Definition = "https://pmrgateway.example/fhir/OperationDefinition/anchor-proof" });
        if (type == "Patient") resource.Operation.Add(new CapabilityStatement.OperationComponent { Name = "everything", Definition = "http://hl7.org/fhir/OperationDefinition/Patient-everything" });
        if (type == "Consent")
        {
            resource.Operation.Add(new CapabilityStatement.OperationComponent { Name = "ledger-status", Definition = "https://pmrgateway.example/fhir/OperationDefinition/ledger-status" });
            resource.Operation.Add(new CapabilityStatement.OperationComponent { Name = "intent", Definition = "https://pmrgateway.example/fhir/OperationDefinition/intent" });
        }
        return resource;
    }

    private static void Interactions(CapabilityStatement.ResourceComponent resource, params ReadOnlySpan<CapabilityStatement.TypeRestfulInteraction> codes)
    {
        foreach (var code in codes) resource.Interaction.Add(new CapabilityStatement.ResourceInteractionComponent { Code = code });
    }
}
