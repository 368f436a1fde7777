using PmrGateway.Gateway.Flows;

namespace PmrGateway.Gateway.Hosting;

/// <summary>The two flows, and what a write means beside the record.</summary>
internal static class FlowServices
{
    public static IServiceCollection AddFlows(this IServiceCollection services) => services
        .AddSingleton<ScopeReader>()
        .AddSingleton<Viewers>()
        .AddSingleton<Denials>()
        .AddSingleton<RecordOpener>().AddSingleton<ReadFlow>().AddSingleton<Reindexing>()
        .AddSingleton<WriteFlow>()
        .AddSingleton<AskedTasks>().AddSingleton<LegalHolds>()
        .AddSingleton<GlassFlow>()
        .AddSingleton<OverdueTasks>().AddHostedService<OverdueWatch>()
        .AddSingleton<ConsentWrites>().AddSingleton<ImplicitConsents>().AddSingleton<ForgottenRevocations>()
        .AddSingleton<ActorWrites>();
}
