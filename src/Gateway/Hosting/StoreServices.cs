using PmrGateway.Mapping;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Hosting;

/// <summary>Durable state.</summary>
internal static class StoreServices
{
    public static IServiceCollection AddStore(this IServiceCollection services, Database database) => services
        // By a factory: what the container makes, it closes.
        .AddSingleton(_ => database)
        .AddSingleton<RecordStore>()
        .AddSingleton<DirectoryStore>()
        .AddSingleton<AuditLog>()
        .AddSingleton<ILedgerJournal, SqliteLedgerJournal>();
}
