using PmrGateway.LedgerAdapter;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Hosting;

/// <summary>Durable state.</summary>
internal static class StoreServices
{
    public static IServiceCollection AddStore(this IServiceCollection services, RecordDatabase database) => services
        // By a factory: what the container makes, it closes.
        .AddSingleton(_ => database)
        .AddSingleton<DirectoryStore>()
        .AddSingleton<AnchorPlaces>()
        .AddSingleton<AuditLog>()
        .AddSingleton<ILedgerJournal, LedgerJournal>();
}
