using PmrGateway.Gateway.Ledger;
using PmrGateway.LedgerAdapter;
using PmrGateway.Mapping;

namespace PmrGateway.Gateway.Hosting;

/// <summary>The chain: its node, the contracts, the consent view, the outbox, the anchors.</summary>
internal static class LedgerServices
{
    /// <param name="services">The parts list.</param>
    /// <param name="options">Section Ledger.</param>
    /// <param name="custody">The accounts that sign.</param>
    /// <param name="node">The development chain, where there is one.</param>
    public static IServiceCollection AddLedger(
        this IServiceCollection services, LedgerOptions options, Custody custody, AnvilNode? node)
    {
        if (node is not null) services.AddSingleton(_ => node);
        var contracts = new ContractSet(custody.Sender.Address);
        var rpc = new HttpClient { BaseAddress = new Uri(node?.Url ?? options.RpcUrl), Timeout = TimeSpan.FromSeconds(5) };
        return services
            .AddSingleton(new JsonRpcClient(rpc))
            .AddSingleton(custody)
            .AddSingleton(custody.Sender)
            .AddSingleton(contracts)
            .AddSingleton(new ConsentIntents(options.ChainId, contracts.Addresses[ContractSet.Consents]))
            .AddSingleton<ConsentView>()
            .AddSingleton<TransactionSender>()
            .AddSingleton<SegmentWriter>()
            .AddSingleton(s => new AnchorWorker(
                s.GetRequiredService<ILedgerJournal>(),
                s.GetRequiredService<SegmentWriter>().StoreAsync,
                options,
                s.GetRequiredService<TimeProvider>()))
            .AddHostedService<LedgerService>();
    }
}
