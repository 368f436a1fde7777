using System.Net.Sockets;
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
        // The container disposes only of what it made and somebody has asked it for: the chain below does.
        if (anvil is not null) services.AddSingleton(_ => anvil);
        services.AddSingleton(options).AddSingleton(sender).AddSingleton(contracts);
        services.AddSingleton(new ConsentIntents(options.ChainId, contracts.Addresses[ContractSet.Consents]));
        services.AddSingleton(s => Nodes(s, options, contracts, s.GetService<AnvilNode>()));
        services.AddSingleton(s => s.GetRequiredService<LedgerNodes>().Followed);
        // What is sent is sent to the first node: a witness that is away must not keep a revocation from the chain.
        services.AddSingleton(
            s => ActivatorUtilities.CreateInstance<TransactionSender>(s, s.GetRequiredService<LedgerNodes>().First));
        services.AddSingleton<ConsentView>().AddSingleton<AnchorWorker>();
        AddLoop<ViewLoop>(services);
        AddLoop<SenderLoop>(services);
        AddLoop<AnchorLoop>(services);
        services.AddHealthChecks().AddCheck<LedgerHealth>(HealthCheck);
        return services;
    }

    private static LedgerNodes Nodes(IServiceProvider services, LedgerOptions options, ContractSet contracts, AnvilNode? anvil)
    {
        // The development chain is ours, and made anew where it is lost.
        if (anvil is not null) return new LedgerNodes(ChainOf(anvil.Url, options.ChainId, contracts), []);
        var journal = services.GetRequiredService<ILedgerJournal>();
        Func<string, Task<string>> genesis = options.Genesis.Length > 0
            ? _ => Task.FromResult(LedgerOptions.Hash(options.Genesis))
            : journal.FollowedChainAsync;
        return NodesOf(options, contracts, genesis);
    }

    /// <summary>The chain behind the node that is configured, and those that must agree with it.</summary>
    /// <param name="options">Section Ledger; it names a node.</param>
    /// <param name="contracts">Where our contracts are.</param>
    /// <param name="genesis">As in <see cref="ChainOf(string, long, ContractSet, Func{string, Task{string}}?)"/>.</param>
    public static IChain ChainOf(LedgerOptions options, ContractSet contracts, Func<string, Task<string>>? genesis) =>
        NodesOf(options, contracts, genesis).Followed;

    private static LedgerNodes NodesOf(LedgerOptions options, ContractSet contracts, Func<string, Task<string>>? genesis)
    {
        return new LedgerNodes(Of(options.RpcUrl), [.. options.WitnessUrls.Select(Of)]);

        IChain Of(string url) => ChainOf(url, options.ChainId, contracts, genesis);
    }

    /// <summary>A chain behind a node.</summary>
    /// <param name="url">JSON-RPC URL.</param>
    /// <param name="chainId">The chain that the node must be of.</param>
    /// <param name="contracts">Where our contracts are on it.</param>
    /// <param name="genesis">
    /// Hash of the first block of the chain that is followed, given that of the node's; null: any chain of the id is taken for it.
    /// </param>
    public static IChain ChainOf(string url, long chainId, ContractSet contracts, Func<string, Task<string>>? genesis = null)
    {
        NethereumChain? chain = null;
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (context, cancellation) =>
            {
                chain!.Unknown();
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                try
                {
                    await socket.ConnectAsync(context.DnsEndPoint, cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        var http = new HttpClient(handler) { BaseAddress = new Uri(url), Timeout = TimeSpan.FromSeconds(10) };
        return chain = new NethereumChain(http, chainId, contracts, genesis);
    }

    private static void AddLoop<T>(IServiceCollection services)
        where T : LedgerLoop =>
        services.AddSingleton<T>().AddSingleton<LedgerLoop>(s => s.GetRequiredService<T>())
            .AddSingleton<IHostedService>(s => s.GetRequiredService<T>());

    /// <summary>The nodes of the chain.</summary>
    /// <param name="First">The node that is asked, and sent to.</param>
    /// <param name="Witnesses">Those that must agree with it.</param>
    private sealed record LedgerNodes(IChain First, IReadOnlyList<IChain> Witnesses)
    {
        /// <summary>The chain as the view follows it.</summary>
        public IChain Followed { get; } = Witnesses.Count == 0 ? First : new WitnessedChain(First, Witnesses);
    }
}
