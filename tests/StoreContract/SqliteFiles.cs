using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using PmrGateway.Mapping;
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
        // They are indexed anew, from their content, at the start that can open it.
        Assert.Equal((0, after[0]), (after[5], Count("SELECT COUNT(*) FROM resources WHERE indexed = 0")));
        Assert.Equal(0, Count("SELECT COUNT(*) FROM resources WHERE label_set = 0"));
        Assert.Equal(0, Count("SELECT COUNT(*) FROM batches WHERE entry = 0"));
        Assert.Equal(
            0, Count("SELECT COUNT(*) FROM consents c WHERE NOT EXISTS (SELECT 1 FROM consent_spans s WHERE s.commitment = c.commitment)"));
    }

    [Fact]
    public async Task Proofs_of_batches_that_were_never_padded_stay_what_they_are()
    {
        Unpack();
        var told = JsonDocument.Parse(await System.IO.File.ReadAllBytesAsync(Path.Combine(Fixtures(), "data-first-floor.json")));
        await using var database = RecordDatabase.Open(new StoreOptions(), File);
        var proofs = told.RootElement.GetProperty("anchorProofs").EnumerateObject().ToList();
        Assert.NotEmpty(proofs);
        foreach (var proof in proofs)
        {
            var values = JsonDocument.Parse(proof.Value.GetString()!).RootElement.GetProperty("parameter").EnumerateArray().ToLookup(
                p => p.GetProperty("name").GetString()!,
                p => p.TryGetProperty("valueString", out var text) ? text.GetString()! : p.GetProperty("valueInteger").GetRawText());
            var name = values["resource"].Single().Split('/');
            var place = (await new AnchorPlaces(database).OfAsync(name[0], name[1], long.Parse(name[3], null), default))!;
            Assert.Equal(
                (values["leafIndex"].Single(), values["leafCount"].Single(), values["root"].Single()),
                ($"{place.LeafIndex}", $"{place.Leaves.Count}", Convert.ToHexStringLower(MerkleTree.Root(place.Leaves))));
            Assert.Equal(values["path"], MerkleTree.Path(place.Leaves, place.LeafIndex).Select(Convert.ToHexStringLower));
        }
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

    private static string Fixtures()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!System.IO.File.Exists(Path.Combine(root!.FullName, "PmrGateway.sln"))) root = root.Parent;
        return Path.Combine(root.FullName, "tests", "fixtures");
    }

    private void Unpack()
    {
        using var packed = System.IO.File.OpenRead(Path.Combine(Fixtures(), "data-first-floor.tar.gz"));
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
