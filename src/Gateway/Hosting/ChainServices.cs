using PmrGateway.Gateway.Ledger;
using PmrGateway.LedgerAdapter;

namespace PmrGateway.Gateway.Hosting;

/// <summary>The ledger adapter with what it takes from this gateway: who signs, and where a batch's segment goes.</summary>
internal static class ChainServices
{
    /// <param name="services">The parts list.</param>
    /// <param name="options">Section Ledger.</param>
    /// <param name="custody">The accounts that sign.</param>
    /// <param name="node">The development chain, where there is one.</param>
    public static IServiceCollection AddChain(
        this IServiceCollection services, LedgerOptions options, Custody custody, AnvilNode? node) => services
        .AddSingleton(custody)
        .AddSingleton<SegmentWriter>()
        .AddSingleton<StoreSegment>(s => s.GetRequiredService<SegmentWriter>().StoreAsync)
        .AddLedger(options, custody.Sender, node);
}
