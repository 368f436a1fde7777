using PmrGateway.Gateway.Api;
using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Hosting;

/// <summary>The FHIR API: one class an interaction, and the table that leads to them.</summary>
internal static class ApiServices
{
    public static IServiceCollection AddApi(this IServiceCollection services) => services
        .AddSingleton<Capabilities>().AddSingleton<PageCursor>()
        .AddSingleton<Read>().AddSingleton<Vread>().AddSingleton<History>()
        .AddSingleton<SearchClock>().AddSingleton<CriterionParser>().AddSingleton<SearchParser>().AddSingleton<Search>()
        .AddSingleton<AuditEntryResource>().AddSingleton<AuditSearchParser>()
        .AddSingleton<SearchAuditEvents>().AddSingleton<ReadAuditEvent>()
        .AddSingleton<Conditions>().AddSingleton<Writes>().AddSingleton<RawBinary>()
        .AddSingleton<Create>().AddSingleton<Update>().AddSingleton<Patch>().AddSingleton<Delete>()
        .AddSingleton<ReceiveDocument>()
        .AddSingleton<Batch>().AddSingleton<Transaction>()
        .AddSingleton<Everything>().AddSingleton<AnchorProofOperation>().AddSingleton<ConsentLedgerStatus>().AddSingleton<ConsentIntent>()
        .AddSingleton<ConsentExplain>().AddSingleton<RetentionOperation>()
        .AddSingleton<BreakGlass>().AddSingleton<DisposeTask>()
        .AddSingleton<FhirRoutes>().AddSingleton<FhirFailures>().AddSingleton<RefusalPace>()
        .AddSingleton<FhirApi>().AddSingleton<FhirEndpoint>();

    // Straight from the router: what stands between it and the other endpoints is OAuth's, which asks dozens of handlers of its own.
    public static void MapFhir(this IEndpointRouteBuilder routes) =>
        routes.Map("/fhir/{**path}", routes.ServiceProvider.GetRequiredService<FhirEndpoint>().HandleAsync).ShortCircuit();
}
