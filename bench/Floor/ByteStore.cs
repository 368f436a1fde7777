using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Data.Sqlite;

namespace PmrGateway.Bench.Floor;

/// <summary>A resource as it is kept.</summary>
internal sealed record StoredResource(string Type, string Id, string? Patient, byte[] Json);

/// <summary>
/// Resources in SQLite. Writes that come in together share one transaction and one fsync (WAL, synchronous=FULL) on the one writer; readers
/// are connections with prepared statements, taken from a pool.
/// </summary>
internal sealed class ByteStore : IAsyncDisposable
{
    private const int GroupLimit = 256;
    private readonly Channel<PendingWrite> _writes = Channel.CreateUnbounded<PendingWrite>(new() { SingleReader = true });
    private readonly ConcurrentBag<Reader> _readers = [];
    private readonly string _connectionString;
    private readonly Task _writer;

    private ByteStore(string path)
    {
        _connectionString = new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString();
        _writer = Task.Factory.StartNew(WriteLoop, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public static ByteStore Open(string path) => new(path);

    /// <summary>Keeps resources, all or none; they are durable when the task completes.</summary>
    public Task AddAsync(IReadOnlyList<StoredResource> resources)
    {
        var write = new PendingWrite(resources, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        return _writes.Writer.TryWrite(write) ? write.Done.Task : throw new InvalidOperationException("the store is closed");
    }

    public byte[]? Find(string type, string id) => Read(reader => reader.Find(type, id));

    /// <summary>The resources of a patient's compartment.</summary>
    public List<byte[]> OfPatient(string patient, string? type, int count) => Read(reader => reader.OfPatient(patient, type, count));

    public async ValueTask DisposeAsync()
    {
        _writes.Writer.TryComplete();
        await _writer;
        foreach (var reader in _readers) reader.Dispose();
    }

    private T Read<T>(Func<Reader, T> read)
    {
        var reader = _readers.TryTake(out var idle) ? idle : new Reader(Connect());
        try
        {
            return read(reader);
        }
        finally
        {
            _readers.Add(reader);
        }
    }

    private SqliteConnection Connect()
    {
        var connection = new SqliteConnection(_connectionString);
        connection.Open();
        using var settings = connection.CreateCommand();
        settings.CommandText = """
            PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000;
            PRAGMA cache_size = -65536; PRAGMA mmap_size = 1073741824;
            """;
        settings.ExecuteNonQuery();
        return connection;
    }

    private void WriteLoop()
    {
        using var connection = Connect();
        using var schema = connection.CreateCommand();
        schema.CommandText = """
            CREATE TABLE IF NOT EXISTS resources (type TEXT, id TEXT, patient TEXT, json BLOB, PRIMARY KEY (type, id)) WITHOUT ROWID;
            CREATE INDEX IF NOT EXISTS resources_patient ON resources (patient, type);
            """;
        schema.ExecuteNonQuery();
        using var begin = Statement.Prepare(connection, "BEGIN IMMEDIATE");
        using var insert = Statement.Prepare(connection, "INSERT INTO resources VALUES ($1, $2, $3, $4)", 4);
        using var commit = Statement.Prepare(connection, "COMMIT");
        var group = new List<PendingWrite>(GroupLimit);
        // The writer owns this thread: blocking it is its way of waiting.
        while (_writes.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            group.Clear();
            while (group.Count < GroupLimit && _writes.Reader.TryRead(out var write)) group.Add(write);
            begin.ExecuteNonQuery();
            foreach (var resource in group.SelectMany(write => write.Resources))
                insert.With(resource.Type, resource.Id, resource.Patient, resource.Json).ExecuteNonQuery();
            commit.ExecuteNonQuery();
            foreach (var write in group) write.Done.SetResult();
        }
    }

    private sealed record PendingWrite(IReadOnlyList<StoredResource> Resources, TaskCompletionSource Done);

    private sealed class Reader(SqliteConnection connection) : IDisposable
    {
        private readonly SqliteCommand _find = Statement.Prepare(connection, "SELECT json FROM resources WHERE type = $1 AND id = $2", 2);
        private readonly SqliteCommand _ofPatient = Statement.Prepare(
            connection, "SELECT json FROM resources WHERE patient = $1 AND type = COALESCE($2, type) LIMIT $3", 3);

        public byte[]? Find(string type, string id)
        {
            using var rows = _find.With(type, id).ExecuteReader();
            return rows.Read() ? rows.GetFieldValue<byte[]>(0) : null;
        }

        public List<byte[]> OfPatient(string patient, string? type, int count)
        {
            using var rows = _ofPatient.With(patient, type, count).ExecuteReader();
            var found = new List<byte[]>();
            while (rows.Read()) found.Add(rows.GetFieldValue<byte[]>(0));
            return found;
        }

        public void Dispose()
        {
            _find.Dispose();
            _ofPatient.Dispose();
            connection.Dispose();
        }
    }
}

/// <summary>Commands that are prepared once and run with new values.</summary>
internal static class Statement
{
    public static SqliteCommand Prepare(SqliteConnection connection, string sql, int parameters = 0)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        for (var i = 1; i <= parameters; i++) command.Parameters.Add(new SqliteParameter("$" + i, DBNull.Value));
        command.Prepare();
        return command;
    }

    public static SqliteCommand With(this SqliteCommand command, params ReadOnlySpan<object?> values)
    {
        for (var i = 0; i < values.Length; i++) command.Parameters[i].Value = values[i] ?? DBNull.Value;
        return command;
    }
}
