using System.Formats.Tar;
using System.IO.Compression;
using Microsoft.Data.Sqlite;
using PmrGateway.Store;

namespace PmrGateway.Tests.StoreContract;

/// <summary>What only a file can be: of an earlier version, damaged, cut off.</summary>
public sealed class SqliteFiles : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("pmr-files-").FullName;

    private string File => Path.Combine(_folder, "gateway.db");

    [Fact]
    public async Task A_database_of_the_first_floor_is_carried_over_once()
    {
        Unpack();
        var before = Counts("resources", "versions", "consents", "intents", "audit", "idx_token");
        for (var start = 0; start < 2; start++)
        {
            await using var database = RecordDatabase.Open(new StoreOptions(), File);
            Assert.Null(await new AuditLog(database).FirstBrokenAsync(default));
            Assert.True(await database.HasRecordsAsync(default));
        }
        var after = Counts("resources", "versions", "consents", "outbox", "audit", "index_token");
        Assert.Equal(before[..5], after[..5]);
        Assert.True(after[5] > 0 && after[5] <= before[5]);
        Assert.Equal(0, Count("SELECT COUNT(*) FROM resources WHERE label_set = 0"));
        Assert.Equal(0, Count("SELECT COUNT(*) FROM batches WHERE entry = 0"));
        Assert.Equal(
            0, Count("SELECT COUNT(*) FROM consents c WHERE NOT EXISTS (SELECT 1 FROM consent_spans s WHERE s.commitment = c.commitment)"));
    }

    [Fact]
    public async Task A_file_that_is_no_database_is_said_to_be_none()
    {
        await System.IO.File.WriteAllTextAsync(File, new string('x', 5000));
        var failure = Assert.Throws<StoreStartException>(() => RecordDatabase.Open(new StoreOptions(), File));
        Assert.Contains("restore it from its backup", failure.Message);
    }

    [Fact]
    public async Task A_file_that_is_cut_off_is_said_to_be_damaged()
    {
        await RecordDatabase.Open(new StoreOptions(), File).DisposeAsync();
        using (var file = System.IO.File.Open(File, FileMode.Open)) file.SetLength(file.Length / 3);
        var failure = Assert.Throws<StoreStartException>(() => RecordDatabase.Open(new StoreOptions(), File));
        Assert.Contains("damaged", failure.Message);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void Unpack()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!System.IO.File.Exists(Path.Combine(root!.FullName, "PmrGateway.sln"))) root = root.Parent;
        using var packed = System.IO.File.OpenRead(Path.Combine(root.FullName, "tests", "fixtures", "data-first-floor.tar.gz"));
        using var plain = new GZipStream(packed, CompressionMode.Decompress);
        TarFile.ExtractToDirectory(plain, _folder, overwriteFiles: true);
        if (Directory.GetFiles(_folder, "gateway.db", SearchOption.AllDirectories).Single() is var found && found != File)
            System.IO.File.Move(found, File);
    }

    private long[] Counts(params string[] tables) => [.. tables.Select(t => Count($"SELECT COUNT(*) FROM {t}"))];

    private long Count(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={File};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }
}
