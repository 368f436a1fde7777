using System.Data.Common;
using System.Text.Json;
using DbUp;
using DbUp.Builder;
using Microsoft.Data.Sqlite;

namespace PmrGateway.Store;

/// <summary>
/// SQLite in one file: WAL, a commit is durable when it returns (synchronous=FULL). One process; its data folder is locked.
/// </summary>
internal sealed class SqliteEngine : IStoreEngine
{
    private readonly string _path;
    private readonly string _connectionString;

    public SqliteEngine(string path)
    {
        _path = Path.GetFullPath(path);
        _connectionString = new SqliteConnectionStringBuilder { DataSource = _path, Pooling = false, DefaultTimeout = 30 }.ToString();
    }

    // The writer says IMMEDIATE: a change that begins by reading would find the lock taken when it comes to write.
    public IReadOnlyList<string> BeginChange { get; } = ["BEGIN IMMEDIATE"];

    public string BeginSnapshot => "BEGIN";

    public string OrderedJoin => "CROSS JOIN";

    public string ClockNow => "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";

    public string? Notify => null;

    public string IsOneOf(string parameter) => $"IN (SELECT value FROM json_each({parameter}))";

    public string Pairs(string first, string second, string name) =>
        $"(SELECT value AS a, json_extract({second}, '$[' || key || ']') AS b FROM json_each({first})) {name}";

    public string Words(string column, string name) => $"json_each({column}) {name}";

    public string Contains(string text, string part) => $"INSTR({text}, {part}) > 0";

    public object List(IReadOnlyCollection<long> values) => JsonSerializer.Serialize(values);

    public object List(IReadOnlyCollection<string> values) => JsonSerializer.Serialize(values);

    public IReadOnlyList<string> Forget { get; } = ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"];

    public void Migrate(bool isAskedAlone)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        try
        {
            using (var connection = Open())
            {
                Run(connection, "PRAGMA journal_mode = WAL");
                // Reads every page's place in the file's structure, not its content: finds a file that is cut off or overwritten.
                if (Scalar(connection, "PRAGMA schema_version") is null) throw Corrupt(null);
            }
            Migrations.Run(Builder, Open, "INTEGER PRIMARY KEY", "BLOB", "WITHOUT ROWID", "json_group_array",
                "TEXT", isAskedAlone);
        }
        catch (SqliteException e)
        {
            throw Corrupt(e);
        }

        UpgradeEngineBuilder Builder() => DeployChanges.To.SqliteDatabase(_connectionString);
    }

    // Its process has the data folder to itself.
    public ValueTask<IAsyncDisposable?> LockStartAsync(CancellationToken cancellation) => default;

    public ValueTask<DbConnection> OpenAsync(CancellationToken cancellation) => new(Open());

    public DbCommand CreateCommand(DbConnection connection, string sql, int parameters)
    {
        var command = ((SqliteConnection)connection).CreateCommand();
        command.CommandText = sql;
        for (var i = 1; i <= parameters; i++) command.Parameters.Add(new SqliteParameter { ParameterName = $"${i}" });
        return command;
    }

    // 1811: a trigger refused it. None is ours, so whoever made it keeps the database from being written.
    public bool IsUnavailable(DbException failure) =>
        failure is SqliteException { SqliteExtendedErrorCode: 1811 }
            or SqliteException { SqliteErrorCode: not (1 or 19 or 20 or 21 or 25) };

    public void Interrupt(DbConnection connection)
    {
        if (((SqliteConnection)connection).Handle is { } handle) SQLitePCL.raw.sqlite3_interrupt(handle);
    }

    public Task ListenAsync(Action<string> heard, CancellationToken cancellation) => Task.CompletedTask;

    public ValueTask DisposeAsync() => default;

    private SqliteConnection Open()
    {
        var connection = new SqliteConnection(_connectionString);
        try
        {
            connection.Open();
            // A reader's pages are gone with the next commit: the system keeps them, and what a connection holds for itself is small.
            // Mapped into memory they would be mapped anew as often, which costs more than copying those that are read.
            Run(connection, "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -2048");
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private StoreStartException Corrupt(Exception? cause) =>
        new(
            $"{_path} is not a database of this gateway, or is damaged: restore it from its backup ({cause?.Message ?? "it is cut off"})",
            cause);

    private static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private static object? Scalar(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }
}
