using System.Data.Common;

namespace PmrGateway.Store;

/// <summary>
/// One connection with the statements it has prepared: preparing costs more than running, and a gateway runs the same few dozen for ever.
/// Not thread-safe; rented from <see cref="SessionPool"/>.
/// </summary>
internal sealed class Session(DbConnection connection, IStoreEngine engine) : IAsyncDisposable
{
    // Searches are made of parts, so there is no end to their texts; what is rare is prepared again.
    private const int Capacity = 256;
    private readonly Dictionary<string, DbCommand> _commands = new(StringComparer.Ordinal);

    public IStoreEngine Engine => engine;

    /// <summary>The change that runs on it: what it reads may be taken back. Null: what it reads is durable.</summary>
    public Change? Change { get; set; }

    public async ValueTask<int> ExecuteAsync(string sql, CancellationToken cancellation, params object?[] values) =>
        await Command(sql, values).ExecuteNonQueryAsync(cancellation);

    public async ValueTask<List<T>> QueryAsync<T>(string sql, Func<DbDataReader, T> map,
        CancellationToken cancellation, params object?[] values)
    {
        var rows = new List<T>();
        await using var reader = await Command(sql, values).ExecuteReaderAsync(cancellation);
        while (await reader.ReadAsync(cancellation)) rows.Add(map(reader));
        return rows;
    }

    /// <summary>The first row; default where there is none.</summary>
    public async ValueTask<T?> FirstAsync<T>(string sql, Func<DbDataReader, T> map, CancellationToken cancellation, params object?[] values)
    {
        await using var reader = await Command(sql, values).ExecuteReaderAsync(cancellation);
        return await reader.ReadAsync(cancellation) ? map(reader) : default;
    }

    /// <summary>The first column of the first row as a number; null where there is none.</summary>
    public ValueTask<long?> NumberAsync(string sql, CancellationToken cancellation, params object?[] values) =>
        FirstAsync<long?>(sql, static r => r.IsDBNull(0) ? null : r.GetInt64(0), cancellation, values);

    public void Interrupt() => engine.Interrupt(connection);

    public async ValueTask DisposeAsync()
    {
        foreach (var command in _commands.Values) await command.DisposeAsync();
        await connection.DisposeAsync();
    }

    private DbCommand Command(string sql, object?[] values)
    {
        if (!_commands.TryGetValue(sql, out var command))
        {
            if (_commands.Count >= Capacity)
            {
                foreach (var old in _commands.Values) old.Dispose();
                _commands.Clear();
            }
            _commands[sql] = command = engine.CreateCommand(connection, sql, values.Length);
        }
        for (var i = 0; i < values.Length; i++) command.Parameters[i].Value = values[i] ?? DBNull.Value;
        return command;
    }
}

/// <summary>Columns that may be null.</summary>
internal static class ReaderExtensions
{
    public static string? TextOrNull(this DbDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetString(column);

    public static long? NumberOrNull(this DbDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetInt64(column);

    public static byte[]? BytesOrNull(this DbDataReader reader, int column) =>
        reader.IsDBNull(column) ? null : reader.GetFieldValue<byte[]>(column);

    public static byte[] Bytes(this DbDataReader reader, int column) => reader.GetFieldValue<byte[]>(column);
}
