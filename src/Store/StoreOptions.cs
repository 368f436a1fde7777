namespace PmrGateway.Store;

/// <summary>Section <c>Store</c> of the configuration.</summary>
public sealed class StoreOptions
{
    /// <summary>
    /// sqlite (default): a file in the data folder, for one process; postgres: a PostgreSQL database that several gateways share.
    /// </summary>
    public string Provider { get; set; } = "sqlite";

    /// <summary>
    /// Connection string of the PostgreSQL database (15 or later), in the keys of Npgsql; used when Provider is postgres.
    /// </summary>
    public string ConnectionString { get; set; } = "";

    /// <summary>
    /// Whether no other gateway uses the PostgreSQL database (default false): then blocks and development chain may be this gateway's own.
    /// </summary>
    public bool SingleGateway { get; set; }

    /// <summary>
    /// A requester who could see at most so many records is searched for among these, whatever the search asks: its time tells nothing of
    /// others' records. Default 500; 0: never; to 10000.
    /// </summary>
    public int SmallReach { get; set; } = 500;

    /// <summary>What is wrong with the values, naming key, value and what is allowed; null: nothing.</summary>
    public string? Validate()
    {
        if (Provider is not ("sqlite" or "postgres")) return $"Store:Provider is '{Provider}': sqlite or postgres";
        if (SmallReach is < 0 or > 10_000) return $"Store:SmallReach is {SmallReach}: 0 to 10000 records";
        return Provider == "postgres" && ConnectionString.Length == 0
            ? "Store:ConnectionString is empty: the connection string of a PostgreSQL database, e.g. "
                + "Host=127.0.0.1;Database=pmr;Username=pmr"
            : null;
    }
}
