using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using PmrGateway.Ipfs;

namespace PmrGateway.Tests;

/// <summary>A server that answers as Kubo's RPC API does, and as it does when it fails. It reads CARs with code of its own.</summary>
internal sealed class FakeKubo : IAsyncDisposable
{
    private readonly WebApplication _server;

    private FakeKubo(WebApplication server) => _server = server;

    /// <summary>The blocks by CID.</summary>
    public ConcurrentDictionary<string, byte[]> Blocks { get; } = [];

    /// <summary>The pinned roots.</summary>
    public ConcurrentDictionary<string, bool> Pinned { get; } = [];

    /// <summary>Sizes of the CARs that came.</summary>
    public ConcurrentQueue<long> Cars { get; } = [];

    /// <summary>What it says of each pin; "": it pins.</summary>
    public string PinError { get; set; } = "";

    /// <summary>An error in the trailer of each block; "": none.</summary>
    public string Trailer { get; set; } = "";

    /// <summary>Whether a bit of each block is flipped.</summary>
    public bool Spoils { get; set; }

    /// <summary>Whether its answers have no end.</summary>
    public bool IsEndless { get; set; }

    public string Url => _server.Urls.Single();

    public static async Task<FakeKubo> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = builder.Build();
        var kubo = new FakeKubo(server);
        server.MapPost("/api/v0/dag/import", kubo.ImportAsync);
        server.MapPost("/api/v0/block/get", kubo.GetAsync);
        await server.StartAsync();
        return kubo;
    }

    public Task StopAsync() => _server.StopAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task ImportAsync(HttpContext context)
    {
        var request = context.Request;
        var file = (await request.ReadFormAsync()).Files.Single();
        using var car = new MemoryStream();
        await file.CopyToAsync(car);
        var lines = new StringBuilder();
        Cars.Enqueue(car.Length);
        while (IsEndless) await context.Response.Body.WriteAsync(new byte[1 << 16], context.RequestAborted);
        foreach (var root in ReadCar(car.ToArray()))
        {
            if (request.Query["pin-roots"] != "true") continue;
            if (PinError.Length == 0) Pinned[root.ToString()] = true;
            lines.Append($"{{\"Root\":{{\"Cid\":{{\"/\":\"{root}\"}},\"PinErrorMsg\":\"{PinError}\"}}}}\n");
        }
        await context.Response.WriteAsync(lines.ToString());
    }

    private async Task GetAsync(HttpContext context)
    {
        if (!Blocks.TryGetValue(context.Request.Query["arg"]!, out var block))
        {
            context.Response.StatusCode = 500;
            return;
        }
        if (Trailer.Length > 0) context.Response.DeclareTrailer("X-Stream-Error");
        while (IsEndless) await context.Response.Body.WriteAsync(new byte[1 << 16], context.RequestAborted);
        await context.Response.Body.WriteAsync(Spoils ? [.. block[..^1], (byte)(block[^1] ^ 1)] : block);
        if (Trailer.Length > 0) context.Response.AppendTrailer("X-Stream-Error", Trailer);
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
            if (!Cid.TryRead(car.AsSpan(at, 36), out var cid)) throw new InvalidDataException("a block of the CAR has no CID of ours");
            Blocks[cid!.ToString()] = car[(at + 36)..(at + length)];
            at += length;
        }
        return roots;
    }
}
