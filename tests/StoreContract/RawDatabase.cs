using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

/// <summary>The database under the hands of somebody who can write it and has no key.</summary>
internal sealed class RawDatabase : IAsyncDisposable
{
    private readonly DbConnection _connection;

    private RawDatabase(DbConnection connection) => _connection = connection;

    public static async Task<RawDatabase> OpenAsync(StoreOptions options, string file)
    {
        DbConnection connection = options.Provider == "postgres"
            ? new NpgsqlConnection(options.ConnectionString + ";Pooling=false")
            : new SqliteConnection($"Data Source={file};Pooling=False");
        await connection.OpenAsync();
        var raw = new RawDatabase(connection);
        // Thousands of changes, none of which need outlive the test.
        await raw.RunAsync(options.Provider == "postgres" ? "SET synchronous_commit = off" : "PRAGMA synchronous = OFF");
        return raw;
    }

    public async Task<int> RunAsync(string sql, params object?[] values)
    {
        await using var command = Command(sql, values);
        return await command.ExecuteNonQueryAsync();
    }

    /// <summary>Runs it on one row, unless the tables' own constraints do not let it.</summary>
    public async Task<bool> TryAsync(string sql, params object?[] values)
    {
        try
        {
            return await RunAsync(sql, values) == 1;
        }
        catch (DbException)
        {
            return false;
        }
    }

    /// <summary>The rows of a table, each by its columns.</summary>
    public async Task<List<Dictionary<string, object?>>> RowsAsync(string table)
    {
        await using var command = Command($"SELECT * FROM {table}", []);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<Dictionary<string, object?>>();
        while (await reader.ReadAsync())
            rows.Add(Enumerable.Range(0, reader.FieldCount).ToDictionary(
                reader.GetName, i => reader.IsDBNull(i) ? null : reader.GetValue(i)));
        return rows;
    }

    public Task<bool> SetAsync(string table, string key, object? of, IReadOnlyDictionary<string, object?> values)
    {
        var columns = string.Join(", ", values.Keys.Select((c, i) => $"{c} = ${i + 1}"));
        return TryAsync(
            $"UPDATE {table} SET {columns} WHERE {key} IS NOT DISTINCT FROM ${values.Count + 1}", [.. values.Values, of]);
    }

    public Task InsertAsync(string table, IReadOnlyDictionary<string, object?> row) => RunAsync(Insertion(table, row), [.. row.Values]);

    /// <summary>Inserts it, unless the table's own constraints do not let it.</summary>
    public Task<bool> TryInsertAsync(string table, IReadOnlyDictionary<string, object?> row) =>
        TryAsync(Insertion(table, row), [.. row.Values]);

    /// <summary>Takes a row out of a table without a key of one column.</summary>
    public Task DeleteAsync(string table, IReadOnlyDictionary<string, object?> row)
    {
        var by = row.Where(c => c.Value is not null and not byte[]).ToList();
        return RunAsync(
            $"DELETE FROM {table} WHERE {string.Join(" AND ", by.Select((c, i) => $"{c.Key} = ${i + 1}"))}", [.. by.Select(c => c.Value)]);
    }

    private static string Insertion(string table, IReadOnlyDictionary<string, object?> row) =>
        $"INSERT INTO {table} ({string.Join(", ", row.Keys)}) VALUES ({string.Join(", ", row.Keys.Select((_, i) => $"${i + 1}"))})";

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private DbCommand Command(string sql, object?[] values)
    {
        var command = _connection.CreateCommand();
        command.CommandText = sql;
        for (var i = 0; i < values.Length; i++)
        {
            var parameter = command.CreateParameter();
            if (_connection is SqliteConnection) parameter.ParameterName = $"${i + 1}";
            parameter.Value = values[i] ?? DBNull.Value;
            command.Parameters.Add(parameter);
        }
        return command;
    }
}
