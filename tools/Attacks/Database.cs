using Microsoft.Data.Sqlite;

namespace PmrGateway.Tools.Attacks;

/// <summary>A look into the gateway's database beside the gateway, as one who stole it has.</summary>
internal static class Database
{
    public static async Task<long> NumberAsync(Attempt a, string sql) =>
        Convert.ToInt64(await ScalarAsync(a, sql), System.Globalization.CultureInfo.InvariantCulture);

    public static async Task<object?> ScalarAsync(Attempt a, string sql, params (string Name, object Value)[] values)
    {
        await using var connection = await OpenAsync(a);
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in values) command.Parameters.AddWithValue(name, value);
        return await command.ExecuteScalarAsync();
    }

    public static async Task<SqliteConnection> OpenAsync(Attempt a)
    {
        var file = Path.Combine(a.Stage.DataFolder, "gateway.db");
        var connection = new SqliteConnection($"Data Source={file};Pooling=False;Mode=ReadWrite");
        await connection.OpenAsync();
        return connection;
    }
}
