using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using PmrGateway.Ipfs;

namespace PmrGateway.Tests.Unit.Ipfs;

/// <summary>
/// The Kubo client against a server that answers as Kubo does, and as Kubo does when it fails. It reads CARs with code of its own.
/// </summary>
public sealed class KuboBlockStoreTests : IAsyncLifetime
{
    private readonly Dictionary<string, byte[]> _blocks = [];
    private readonly HashSet<string> _pinned = [];
    private readonly List<long> _cars = [];
    private readonly WebApplication _kubo;
    private string _pinError = "";
    private string _trailer = "";
    private bool _spoil;
    private bool _endless;

    public KuboBlockStoreTests()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _kubo = builder.Build();
        _kubo.MapPost("/api/v0/dag/import", async Task<string> (HttpRequest request) =>
        {
            var file = (await request.ReadFormAsync()).Files.Single();
            using var car = new MemoryStream();
            await file.CopyToAsync(car);
            var lines = new StringBuilder();
            _cars.Add(car.Length);
            if (_endless)
            {
                while (true) await request.HttpContext.Response.Body.WriteAsync(new byte[1 << 16], request.HttpContext.RequestAborted);
            }
            foreach (var root in ReadCar(car.ToArray()))
            {
                if (request.Query["pin-roots"] != "true") continue;
                if (_pinError.Length == 0) _pinned.Add(root.ToString());
                lines.Append($"{{\"Root\":{{\"Cid\":{{\"/\":\"{root}\"}},\"PinErrorMsg\":\"{_pinError}\"}}}}\n");
            }
            return lines.ToString();
        });
        _kubo.MapPost("/api/v0/block/get", async (HttpContext context) =>
        {
            if (!_blocks.TryGetValue(context.Request.Query["arg"]!, out var block))
            {
                context.Response.StatusCode = 500;
                return;
            }
            if (_trailer.Length > 0) context.Response.DeclareTrailer("X-Stream-Error");
            while (_endless) await context.Response.Body.WriteAsync(new byte[1 << 16], context.RequestAborted);
            await context.Response.Body.WriteAsync(_spoil ? [.. block[..^1], (byte)(block[^1] ^ 1)] : block);
            if (_trailer.Length > 0) context.Response.AppendTrailer("X-Stream-Error", _trailer);
        });
    }

    [Fact]
    public async Task A_file_of_many_blocks_is_imported_pinned_and_read_back()
    {
        var file = new byte[3_500_000];
        Random(file);
        var root = await new UnixFs(Store()).AddAsync(file, default);
        Assert.Equal([root.ToString()], _pinned);
        using var all = new MemoryStream();
        await foreach (var leaf in new UnixFs(Store()).ReadAsync(root, default)) all.Write(leaf.Span);
        Assert.Equal(file, all.ToArray());
        // A file is sent as it comes, about one leaf at a time, and never as one CAR of it all.
        Assert.All(_cars, size => Assert.InRange(size, 1, (1 << 20) + 4096));
    }

    [Fact]
    public async Task Many_small_files_go_out_together_and_all_their_roots_are_pinned()
    {
        var store = Store();
        var batch = store.Begin();
        var roots = new List<Cid>();
        for (var i = 0; i < 500; i++) roots.Add(await UnixFs.WriteAsync(batch, new byte[5000 + i], default));
        await batch.CommitAsync(roots, default);
        Assert.Equal(3, _cars.Count);
        Assert.Equal(roots.Select(r => r.ToString()).Order(), _pinned.Order());
        Assert.All(roots, r => Assert.True(_blocks.ContainsKey(r.ToString())));
    }

    [Fact]
    public async Task An_answer_without_an_end_is_cut_off()
    {
        var root = await new UnixFs(Store()).AddAsync("some bytes"u8.ToArray(), default);
        _endless = true;
        Assert.Contains("longer", (await Assert.ThrowsAsync<BlockCorruptException>(() => ReadAsync(root))).Message);
        var refused = await Assert.ThrowsAsync<BlockStoreUnavailableException>(
            () => new UnixFs(Store()).AddAsync("other"u8.ToArray(), default));
        Assert.Contains("longer", refused.InnerException!.Message);
    }

    [Fact]
    public async Task A_root_that_was_not_pinned_is_not_taken_for_stored()
    {
        _pinError = "pin: context deadline exceeded";
        var refused = await Assert.ThrowsAsync<BlockStoreUnavailableException>(
            () => new UnixFs(Store()).AddAsync("x"u8.ToArray(), default));
        Assert.Contains("pin", refused.Message);
    }

    [Fact]
    public async Task A_block_that_is_not_what_its_CID_names_is_refused()
    {
        var root = await new UnixFs(Store()).AddAsync("some bytes"u8.ToArray(), default);
        _spoil = true;
        await Assert.ThrowsAsync<BlockCorruptException>(() => ReadAsync(root));
    }

    [Fact]
    public async Task An_error_in_the_trailer_after_a_200_is_seen()
    {
        var root = await new UnixFs(Store()).AddAsync("some bytes"u8.ToArray(), default);
        _trailer = "disk failed";
        await Assert.ThrowsAsync<BlockStoreUnavailableException>(() => ReadAsync(root));
    }

    [Fact]
    public async Task A_node_that_is_down_or_says_500_is_unavailable()
    {
        await Assert.ThrowsAsync<BlockStoreUnavailableException>(() => ReadAsync(Cid.Of("unknown"u8)));
        await _kubo.StopAsync();
        await Assert.ThrowsAsync<BlockStoreUnavailableException>(() => new UnixFs(Store()).AddAsync("x"u8.ToArray(), default));
    }

    public Task InitializeAsync() => _kubo.StartAsync();

    public async Task DisposeAsync() => await _kubo.DisposeAsync();

    private KuboBlockStore Store() => new(new HttpClient { BaseAddress = new Uri(_kubo.Urls.Single() + "/") });

    private async Task ReadAsync(Cid root)
    {
        await foreach (var _ in new UnixFs(Store()).ReadAsync(root, default)) { }
    }

    private List<Cid> ReadCar(byte[] car)
    {
        var at = 0;
        int Varint()
        {
            var (value, shift) = (0, 0);
            while (true)
            {
                var b = car[at++];
                value |= (b & 0x7f) << shift;
                if (b < 0x80) return value;
                shift += 7;
            }
        }
        var header = Varint();
        var roots = new List<Cid>();
        // Each root stands behind the tag 42, a byte string of 37 bytes, and the identity multibase 0x00.
        for (var i = at; i < at + header - 40; i++)
            if (car[i] == 0xd8 && car[i + 1] == 42 && Cid.TryRead(car.AsSpan(i + 5, 36), out var root)) roots.Add(root!);
        at += header;
        while (at < car.Length)
        {
            var length = Varint();
            Assert.True(Cid.TryRead(car.AsSpan(at, 36), out var cid));
            _blocks[cid!.ToString()] = car[(at + 36)..(at + length)];
            at += length;
        }
        return roots;
    }

    private static void Random(byte[] bytes) => System.Security.Cryptography.RandomNumberGenerator.Fill(bytes);
}
