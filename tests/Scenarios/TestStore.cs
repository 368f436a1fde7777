using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;
using PmrGateway.Gateway.Options;
using PmrGateway.Store;
using PmrGateway.Tests.StoreContract;

namespace PmrGateway.Tests.Scenarios;

/// <summary>
/// The store that the scenarios of a run are played on: SQLite in the data folder, or PostgreSQL where GATEWAY_TEST_STORE says postgres.
/// (Not PMR_: that is the configuration of every process that a test starts.)
/// </summary>
internal static class TestStore
{
    /// <summary>Of a scenario that brings the store it is about: it is played once, whatever the run's store is.</summary>
    public const string Trait = "Store";

    /// <summary>See <see cref="Trait"/>.</summary>
    public const string Own = "own";

    private static readonly Lazy<Task<PostgresServer>> Server = new(StartAsync);

    /// <summary>A store with nothing in it.</summary>
    public static async Task<StoreOptions> NewAsync() => Environment.GetEnvironmentVariable("GATEWAY_TEST_STORE") switch
    {
        null or "" or "sqlite" => new StoreOptions(),
        "postgres" => new StoreOptions
        {
            Provider = "postgres",
            ConnectionString = await (await Server.Value).NewDatabaseAsync(),
            SingleGateway = true,
        },
        var other => throw new InvalidOperationException($"GATEWAY_TEST_STORE is '{other}': sqlite or postgres"),
    };

    /// <summary>A store as a command of pmr is told of it.</summary>
    public static string[] Settings(StoreOptions store) => store.Provider == "sqlite"
        ? []
        : ["--Store:Provider", store.Provider, "--Store:ConnectionString", store.ConnectionString, "--Store:SingleGateway", "true"];

    /// <summary>A connection to a gateway's store beside the gateway.</summary>
    public static async Task<DbConnection> OpenAsync(GatewayOptions options)
    {
        DbConnection connection = options.Store.Provider == "sqlite"
            ? new SqliteConnection($"Data Source={Path.Combine(options.DataFolder, "gateway.db")};Pooling=False")
            : new NpgsqlConnection(options.Store.ConnectionString + ";Pooling=false");
        await connection.OpenAsync();
        return connection;
    }

    private static async Task<PostgresServer> StartAsync()
    {
        var server = await PostgresServer.StartAsync();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => server.DisposeAsync().AsTask().GetAwaiter().GetResult();
        return server;
    }
}
