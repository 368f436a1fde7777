using System.Data.Common;
using System.Globalization;

namespace PmrGateway.Store;

/// <summary>A step of migration in code: statements of one transaction, on either engine.</summary>
internal sealed class MigrationStep(DbConnection connection, DbTransaction transaction)
{
    private readonly Dictionary<(string, string), long> _interned = [];

    /// <summary>Does a step in one transaction, once: then it is noted in the database.</summary>
    /// <param name="connection">To the database.</param>
    /// <param name="name">Of the step.</param>
    /// <param name="step">What is done.</param>
    public static void Once(DbConnection connection, string name, Action<MigrationStep> step)
    {
        using var transaction = connection.BeginTransaction();
        var at = new MigrationStep(connection, transaction);
        if (at.Query("SELECT value FROM deployment WHERE name = $1", name).Count > 0) return;
        step(at);
        at.Run("INSERT INTO deployment (name, value) VALUES ($1, 'done')", name);
        transaction.Commit();
    }

    public static long Number(object? value) => Convert.ToInt64(value, CultureInfo.InvariantCulture);

    public List<object?[]> Query(string sql, params object?[] values)
    {
        using var command = Command(sql, values);
        using var reader = command.ExecuteReader();
        var rows = new List<object?[]>();
        while (reader.Read())
        {
            var row = new object[reader.FieldCount];
            reader.GetValues(row);
            rows.Add(row);
        }
        return rows;
    }

    public void Run(string sql, params object?[] values)
    {
        using var command = Command(sql, values);
        command.ExecuteNonQuery();
    }

    public long Intern(string table, string text)
    {
        if (_interned.TryGetValue((table, text), out var id)) return id;
        Run($"INSERT INTO {table} (digest, text) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING", Interner.Digest(text), text);
        return _interned[(table, text)] = Number(Query($"SELECT id FROM {table} WHERE digest = $1", Interner.Digest(text))[0][0]);
    }

    private DbCommand Command(string sql, object?[] values)
    {
        var command = connection.CreateCommand();
        (command.Transaction, command.CommandText) = (transaction, sql);
        for (var i = 0; i < values.Length; i++)
        {
            var parameter = command.CreateParameter();
            // PostgreSQL takes parameters by place when they have no name, SQLite by the name that the text uses.
            if (connection is Microsoft.Data.Sqlite.SqliteConnection) parameter.ParameterName = $"${i + 1}";
            parameter.Value = values[i];
            command.Parameters.Add(parameter);
        }
        return command;
    }
}
