using System.Data;
using System.Threading.Channels;
using Dapper;
using Microsoft.Data.Sqlite;

namespace PmrGateway.Store;

/// <summary>
/// The SQLite database: readers of their own, one writer. Writes that come in together share one transaction and one fsync (WAL,
/// synchronous=FULL); each is a savepoint, so one that fails takes no other with it. A write is durable when its task completes.
/// </summary>
public sealed class Database : IAsyncDisposable
{
    private const int GroupLimit = 256;
    private readonly Channel<WriteJob> _jobs = Channel.CreateBounded<WriteJob>(new BoundedChannelOptions(4096) { SingleReader = true });
    private readonly string _connectionString;
    private readonly Task _writer;

    private Database(string path)
    {
        _connectionString = new SqliteConnectionStringBuilder { DataSource = path, Cache = SqliteCacheMode.Private, DefaultTimeout = 30 }.ToString();
        _writer = Task.Factory.StartNew(Write, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Opens the database, making its file and its tables when they are not there.</summary>
    /// <exception cref="SqliteException">The file is no database, or cannot be written.</exception>
    public static async Task<Database> OpenAsync(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        using var stream = typeof(Database).Assembly.GetManifestResourceStream("PmrGateway.Store.schema.sql")!;
        using var reader = new StreamReader(stream);
        var schema = await reader.ReadToEndAsync();
        var database = new Database(path);
        await database.WriteAsync(connection => connection.Execute(schema));
        return database;
    }

    /// <summary>Runs a change in the next group and returns what it returned, once that is durable.</summary>
    /// <param name="change">Runs on the writer's thread, with no other change beside it; what it throws undoes it and comes out here.</param>
    public async Task<T> WriteAsync<T>(Func<IDbConnection, T> change)
    {
        var job = new WriteJob(connection => change(connection));
        await _jobs.Writer.WriteAsync(job);
        return (T)(await job.Done.Task)!;
    }

    /// <summary>A connection for reading; the caller disposes of it.</summary>
    public IDbConnection OpenReader()
    {
        var connection = new SqliteConnection(_connectionString);
        connection.Open();
        return connection;
    }

    /// <summary>A snapshot for several reads on one connection. Deferred: the driver's default would take the writer's lock.</summary>
    internal static IDbTransaction BeginSnapshot(IDbConnection reader) => ((SqliteConnection)reader).BeginTransaction(deferred: true);

    /// <summary>Finishes the writes that are queued and closes.</summary>
    public async ValueTask DisposeAsync()
    {
        _jobs.Writer.TryComplete();
        await _writer;
        using var connection = new SqliteConnection(_connectionString);
        SqliteConnection.ClearPool(connection);
    }

    private void Write()
    {
        using var connection = new SqliteConnection(_connectionString);
        connection.Open();
        connection.Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;");
        var group = new List<WriteJob>(GroupLimit);
        while (WaitForJob(group)) Commit(connection, group);
    }

    private bool WaitForJob(List<WriteJob> group)
    {
        group.Clear();
        while (group.Count < GroupLimit && _jobs.Reader.TryRead(out var job)) group.Add(job);
        while (group.Count == 0)
        {
            // The writer owns this thread: blocking it is its way of waiting.
            if (!_jobs.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult()) return false;
            while (group.Count < GroupLimit && _jobs.Reader.TryRead(out var job)) group.Add(job);
        }
        return true;
    }

    private static void Commit(SqliteConnection connection, List<WriteJob> group)
    {
        try
        {
            connection.Execute("BEGIN IMMEDIATE");
            foreach (var job in group) Run(connection, job);
            connection.Execute("COMMIT");
        }
        catch (SqliteException e)
        {
            // Nothing of the group is durable: a full disk, a failed fsync. Everyone is told; nothing was acknowledged.
            if (connection.State == ConnectionState.Open) TryRollback(connection);
            foreach (var job in group) job.Done.TrySetException(new StoreUnavailableException("the database cannot be written", e));
            return;
        }
        foreach (var job in group)
        {
            if (job.Failure is null) job.Done.SetResult(job.Result);
            else job.Done.TrySetException(job.Failure);
        }
    }

    private static void Run(SqliteConnection connection, WriteJob job)
    {
        connection.Execute("SAVEPOINT one");
        try
        {
            job.Result = job.Change(connection);
        }
        catch (Exception e)
        {
            job.Failure = e;
            connection.Execute("ROLLBACK TO one");
        }
        connection.Execute("RELEASE one");
    }

    private static void TryRollback(SqliteConnection connection)
    {
        try
        {
            connection.Execute("ROLLBACK");
        }
        catch (SqliteException)
        {
            // SQLite has rolled back by itself.
        }
    }

    private sealed class WriteJob(Func<IDbConnection, object?> change)
    {
        public Func<IDbConnection, object?> Change { get; } = change;

        // Continuations must not run on the writer's thread: a request would hold up every other.
        public TaskCompletionSource<object?> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public object? Result { get; set; }

        public Exception? Failure { get; set; }
    }
}

/// <summary>The database cannot be written now; nothing of the request was kept.</summary>
public sealed class StoreUnavailableException(string message, Exception cause) : Exception(message, cause);
