using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace PmrGateway.LedgerAdapter;

/// <summary>The parts of the ledger adapter.</summary>
public static class LedgerServices
{
    /// <summary>Name of the adapter's health check.</summary>
    public const string HealthCheck = "ledger";

    /// <summary>
    /// Adds the chain and the loops that follow it, send to it and anchor. Taken from the container: <see cref="ILedgerJournal"/>,
    /// <see cref="StoreSegment"/>, <see cref="TimeProvider"/>.
    /// </summary>
    /// <param name="services">The container.</param>
    /// <param name="options">Section Ledger of the configuration.</param>
    /// <param name="sender">The account that pays for and sends every transaction.</param>
    /// <param name="anvil">The development chain that runs, or null where Ledger:RpcUrl names a node.</param>
    public static IServiceCollection AddLedger(
        this IServiceCollection services, LedgerOptions options, EthereumAccount sender, AnvilNode? anvil)
    {
        var contracts = new ContractSet(sender.Address);
        // The container disposes only of what it made.
        if (anvil is not null) services.AddSingleton(_ => anvil);
        services.AddSingleton(options).AddSingleton(sender).AddSingleton(contracts);
        services.AddSingleton(new ConsentIntents(options.ChainId, contracts.Addresses[ContractSet.Consents]));
        services.AddSingleton(_ => ChainOf(anvil?.Url ?? options.RpcUrl, options.ChainId, contracts));
        services.AddSingleton<ConsentView>().AddSingleton<TransactionSender>().AddSingleton<AnchorWorker>();
        AddLoop<ViewLoop>(services);
        AddLoop<SenderLoop>(services);
        AddLoop<AnchorLoop>(services);
        services.AddHealthChecks().AddCheck<LedgerHealth>(HealthCheck);
        return services;
    }

    /// <summary>A chain behind a node.</summary>
    /// <param name="url">JSON-RPC URL.</param>
    /// <param name="chainId">The chain that the node must be of.</param>
    /// <param name="contracts">Where our contracts are on it.</param>
    public static IChain ChainOf(string url, long chainId, ContractSet contracts) =>
        new NethereumChain(new HttpClient { BaseAddress = new Uri(url), Timeout = TimeSpan.FromSeconds(10) }, chainId, contracts);

    private static void AddLoop<T>(IServiceCollection services)
        where T : LedgerLoop =>
        services.AddSingleton<T>().AddSingleton<LedgerLoop>(s => s.GetRequiredService<T>())
            .AddSingleton<IHostedService>(s => s.GetRequiredService<T>());
}
