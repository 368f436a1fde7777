using System.Security.Cryptography;
using PmrGateway.Ipfs;

namespace PmrGateway.Tests.Unit.Ipfs;

public sealed class EmbeddedBlockStoreTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1 << 20)]
    [InlineData((1 << 20) + 1)]
    [InlineData(5_000_000)]
    public async Task A_file_reads_back_after_the_store_is_opened_again(int size)
    {
        var bytes = RandomNumberGenerator.GetBytes(size);
        Cid root;
        using (var store = EmbeddedBlockStore.Open(_folder.Path)) root = await new UnixFs(store).AddAsync(bytes, default);
        using var again = EmbeddedBlockStore.Open(_folder.Path);
        Assert.Equal(bytes, await ReadAsync(again, root));
    }

    [Fact]
    public async Task A_torn_tail_is_passed_over_and_later_blocks_are_found()
    {
        Cid first, second;
        using (var store = EmbeddedBlockStore.Open(_folder.Path)) first = await new UnixFs(store).AddAsync("first"u8.ToArray(), default);
        var pack = Directory.GetFiles(_folder.Path, "*.pack").Single();
        await File.AppendAllTextAsync(pack, "PMRB torn header and nothing more");
        using (var store = EmbeddedBlockStore.Open(_folder.Path)) second = await new UnixFs(store).AddAsync("second"u8.ToArray(), default);
        using var again = EmbeddedBlockStore.Open(_folder.Path);
        Assert.Equal("first"u8.ToArray(), await ReadAsync(again, first));
        Assert.Equal("second"u8.ToArray(), await ReadAsync(again, second));
    }

    [Fact]
    public async Task A_record_torn_behind_its_header_swallows_nothing_that_comes_after_it()
    {
        Cid torn, later;
        using (var store = EmbeddedBlockStore.Open(_folder.Path)) torn = await new UnixFs(store).AddAsync(new byte[4000], default);
        var pack = Directory.GetFiles(_folder.Path, "*.pack").Single();
        await File.WriteAllBytesAsync(pack, (await File.ReadAllBytesAsync(pack))[..100]);
        using (var store = EmbeddedBlockStore.Open(_folder.Path)) later = await new UnixFs(store).AddAsync("later"u8.ToArray(), default);
        using (var store = EmbeddedBlockStore.Open(_folder.Path))
        {
            Assert.Equal("later"u8.ToArray(), await ReadAsync(store, later));
            await Assert.ThrowsAsync<BlockCorruptException>(() => ReadAsync(store, torn));
            await new UnixFs(store).AddAsync(new byte[4000], default);
        }
        using var again = EmbeddedBlockStore.Open(_folder.Path);
        Assert.Equal(new byte[4000], await ReadAsync(again, torn));
    }

    [Fact]
    public async Task A_flipped_byte_is_found_and_refused()
    {
        Cid root;
        using (var store = EmbeddedBlockStore.Open(_folder.Path))
            root = await new UnixFs(store).AddAsync("some bytes"u8.ToArray(), default);
        var pack = Directory.GetFiles(_folder.Path, "*.pack").Single();
        var bytes = await File.ReadAllBytesAsync(pack);
        bytes[^3] ^= 1;
        await File.WriteAllBytesAsync(pack, bytes);
        using var again = EmbeddedBlockStore.Open(_folder.Path);
        var refused = await Assert.ThrowsAsync<BlockCorruptException>(() => ReadAsync(again, root));
        Assert.Equal(root, refused.Cid);
    }

    [Fact]
    public async Task A_missing_block_is_refused()
    {
        using var store = EmbeddedBlockStore.Open(_folder.Path);
        await Assert.ThrowsAsync<BlockCorruptException>(() => ReadAsync(store, Cid.Of("never stored"u8)));
    }

    [Fact]
    public async Task Writers_at_once_all_find_their_blocks()
    {
        using var store = EmbeddedBlockStore.Open(_folder.Path);
        var files = Enumerable.Range(0, 64).Select(i => BitConverter.GetBytes(i)).ToList();
        var roots = await Task.WhenAll(files.Select(f => Task.Run(() => new UnixFs(store).AddAsync(f, default))));
        for (var i = 0; i < files.Count; i++) Assert.Equal(files[i], await ReadAsync(store, roots[i]));
    }

    [Fact]
    public async Task A_range_reads_the_leaves_that_hold_it_and_no_other()
    {
        var bytes = RandomNumberGenerator.GetBytes(3_500_000);
        using var store = EmbeddedBlockStore.Open(_folder.Path);
        var files = new UnixFs(store);
        var root = await files.AddAsync(bytes, default);
        var leaves = new List<int>();
        await foreach (var leaf in files.ReadAsync(root, (1 << 20) + 5, (2 << 20) + 1, default))
        {
            leaves.Add(leaf.Length);
            Assert.Equal(bytes.AsSpan(leaves.Count << 20, 1 << 20), leaf.Span);
        }
        Assert.Equal([1 << 20, 1 << 20], leaves);
        Assert.Equal(bytes.Length, await files.SizeAsync(root, default));
    }

    [Fact]
    public async Task A_root_is_known_from_its_leaves_digests()
    {
        foreach (var size in new[] { 0, 1, 1 << 20, (1 << 20) + 1, 2_600_000 })
        {
            var bytes = RandomNumberGenerator.GetBytes(size);
            using var folder = new TemporaryFolder();
            using var store = EmbeddedBlockStore.Open(folder.Path);
            var digests = size == 0 ? SHA256.HashData(bytes) : bytes.Chunk(1 << 20).SelectMany(SHA256.HashData).ToArray();
            Assert.Equal(await new UnixFs(store).AddAsync(bytes, default), UnixFs.RootOf(digests, size));
        }
    }

    public void Dispose() => _folder.Dispose();

    private static async Task<byte[]> ReadAsync(IBlockStore store, Cid root)
    {
        using var all = new MemoryStream();
        await foreach (var leaf in new UnixFs(store).ReadAsync(root, default)) all.Write(leaf.Span);
        return all.ToArray();
    }
}
