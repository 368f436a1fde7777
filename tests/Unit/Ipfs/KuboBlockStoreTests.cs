using PmrGateway.Ipfs;

namespace PmrGateway.Tests.Unit.Ipfs;

/// <summary>
/// The Kubo client against a server that answers as Kubo does, and as Kubo does when it fails.
/// </summary>
public sealed class KuboBlockStoreTests : IAsyncLifetime
{
    private FakeKubo _kubo = null!;

    [Fact]
    public async Task A_file_of_many_blocks_is_imported_pinned_and_read_back()
    {
        var file = new byte[3_500_000];
        Random(file);
        var root = await new UnixFs(Store()).AddAsync(file, default);
        Assert.Equal([root.ToString()], _kubo.Pinned.Keys);
        using var all = new MemoryStream();
        await foreach (var leaf in new UnixFs(Store()).ReadAsync(root, default)) all.Write(leaf.Span);
        Assert.Equal(file, all.ToArray());
        // A file is sent as it comes, about one leaf at a time, and never as one CAR of it all.
        Assert.All(_kubo.Cars, size => Assert.InRange(size, 1, (1 << 20) + 4096));
    }

    [Fact]
    public async Task Many_small_files_go_out_together_and_all_their_roots_are_pinned()
    {
        var store = Store();
        var batch = store.Begin();
        var roots = new List<Cid>();
        for (var i = 0; i < 500; i++) roots.Add(await UnixFs.WriteAsync(batch, new byte[5000 + i], default));
        await batch.CommitAsync(roots, default);
        Assert.Equal(3, _kubo.Cars.Count);
        Assert.Equal(roots.Select(r => r.ToString()).Order(), _kubo.Pinned.Keys.Order());
        Assert.All(roots, r => Assert.True(_kubo.Blocks.ContainsKey(r.ToString())));
    }

    [Fact]
    public async Task An_answer_without_an_end_is_cut_off()
    {
        var root = await new UnixFs(Store()).AddAsync("some bytes"u8.ToArray(), default);
        _kubo.IsEndless = true;
        Assert.Contains("longer", (await Assert.ThrowsAsync<BlockCorruptException>(() => ReadAsync(root))).Message);
        var refused = await Assert.ThrowsAsync<BlockStoreUnavailableException>(
            () => new UnixFs(Store()).AddAsync("other"u8.ToArray(), default));
        Assert.Contains("longer", refused.InnerException!.Message);
    }

    [Fact]
    public async Task A_root_that_was_not_pinned_is_not_taken_for_stored()
    {
        _kubo.PinError = "pin: context deadline exceeded";
        var refused = await Assert.ThrowsAsync<BlockStoreUnavailableException>(
            () => new UnixFs(Store()).AddAsync("x"u8.ToArray(), default));
        Assert.Contains("pin", refused.Message);
    }

    [Fact]
    public async Task A_block_that_is_not_what_its_CID_names_is_refused()
    {
        var root = await new UnixFs(Store()).AddAsync("some bytes"u8.ToArray(), default);
        _kubo.Spoils = true;
        await Assert.ThrowsAsync<BlockCorruptException>(() => ReadAsync(root));
    }

    [Fact]
    public async Task An_error_in_the_trailer_after_a_200_is_seen()
    {
        var root = await new UnixFs(Store()).AddAsync("some bytes"u8.ToArray(), default);
        _kubo.Trailer = "disk failed";
        await Assert.ThrowsAsync<BlockStoreUnavailableException>(() => ReadAsync(root));
    }

    [Fact]
    public async Task A_node_that_is_down_or_says_500_is_unavailable()
    {
        await Assert.ThrowsAsync<BlockStoreUnavailableException>(() => ReadAsync(Cid.Of("unknown"u8)));
        await _kubo.StopAsync();
        await Assert.ThrowsAsync<BlockStoreUnavailableException>(() => new UnixFs(Store()).AddAsync("x"u8.ToArray(), default));
    }

    public async Task InitializeAsync() => _kubo = await FakeKubo.StartAsync();

    public async Task DisposeAsync() => await _kubo.DisposeAsync();

    private KuboBlockStore Store() => new(new HttpClient { BaseAddress = new Uri(_kubo.Url + "/") });

    private async Task ReadAsync(Cid root)
    {
        await foreach (var _ in new UnixFs(Store()).ReadAsync(root, default)) { }
    }

    private static void Random(byte[] bytes) => System.Security.Cryptography.RandomNumberGenerator.Fill(bytes);
}
