using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace PmrGateway.Ipfs;

/// <summary>
/// Blocks in an IPFS node over Kubo's RPC API (<c>/api/v0</c>): puts are CARs by <c>dag/import</c>, so the node's own chunking settings
/// do not matter; a get is <c>block/get</c>. Source: Kubo RPC API reference; CARv1 specification.
/// </summary>
public sealed class KuboBlockStore(HttpClient http) : IBlockStore
{
    /// <inheritdoc/>
    public IBlockBatch Begin() => new Batch(this);

    /// <inheritdoc/>
    public async ValueTask<int> ReadAsync(Cid cid, Memory<byte> into, CancellationToken cancellation)
    {
        try
        {
            using var response = await PostAsync($"api/v0/block/get?arg={cid}&timeout=10s", null, cancellation);
            await using var body = await response.Content.ReadAsStreamAsync(cancellation);
            var length = await body.ReadAtLeastAsync(into, into.Length, throwOnEndOfStream: false, cancellation);
            // Not a byte more is read than a block may have: a node that sends on is cut off.
            if (length == into.Length && await body.ReadAsync(new byte[1], cancellation) > 0)
                throw new BlockCorruptException(cid, $"longer than {into.Length} bytes");
            ThrowIfBrokenOff(response);
            return length;
        }
        catch (Exception e) when (IsOutOfReach(e, cancellation))
        {
            throw new BlockStoreUnavailableException("the IPFS node cannot be reached", e);
        }
    }

    private async Task ImportAsync(IReadOnlyList<Cid> roots, IReadOnlyList<Block> blocks, bool pin, CancellationToken cancellation)
    {
        try
        {
            using var form = new MultipartFormDataContent { { new CarContent(roots, blocks), "file", "blocks.car" } };
            using var response = await PostAsync($"api/v0/dag/import?pin-roots={(pin ? "true" : "false")}", form, cancellation);
            await using var body = await response.Content.ReadAsStreamAsync(cancellation);
            // One line a root: its CID and, at most, why it could not be pinned.
            using var lines = new StreamReader(new BoundedStream(body, (64L << 10) + (1024L * roots.Count)));
            var pinned = 0;
            while (await lines.ReadLineAsync(cancellation) is { } line)
                if (line.Length > 0 && IsPinned(line)) pinned++;
            ThrowIfBrokenOff(response);
            if (pin && pinned < roots.Count)
                throw new BlockStoreUnavailableException($"the IPFS node pinned {pinned} of {roots.Count} roots");
        }
        catch (Exception e) when (IsOutOfReach(e, cancellation))
        {
            throw new BlockStoreUnavailableException("the IPFS node cannot be reached", e);
        }
    }

    private static bool IsPinned(string line)
    {
        using var json = JsonDocument.Parse(line);
        if (!json.RootElement.TryGetProperty("Root", out var root)) return false;
        // The answer is 200 even where a root could not be pinned, and an unpinned block may be collected at any time.
        if (root.TryGetProperty("PinErrorMsg", out var error) && error.GetString() is { Length: > 0 } text)
            throw new BlockStoreUnavailableException($"the IPFS node could not pin a root: {text}");
        return true;
    }

    private async Task<HttpResponseMessage> PostAsync(string path, HttpContent? content, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        if (response.IsSuccessStatusCode) return response;
        response.Dispose();
        throw new BlockStoreUnavailableException($"the IPFS node answered {(int)response.StatusCode} to {path.Split('?')[0]}");
    }

    // Kubo says 200 first and reports a later failure in this trailer (ipfs/kubo#2386).
    private static void ThrowIfBrokenOff(HttpResponseMessage response)
    {
        if (response.TrailingHeaders.TryGetValues("X-Stream-Error", out var errors))
            throw new BlockStoreUnavailableException($"the IPFS node broke off: {string.Join("; ", errors)}");
    }

    private static bool IsOutOfReach(Exception e, CancellationToken cancellation) =>
        e is HttpRequestException or IOException or JsonException
        || (e is OperationCanceledException && !cancellation.IsCancellationRequested);

    /// <summary>
    /// A CAR names its roots before its blocks, and a file's root is known last. So what comes in goes out as CARs of its own, about one
    /// leaf each and pinned by nothing; the last one names the true roots, and pinning them makes the node look for every block below
    /// them.
    /// </summary>
    private sealed class Batch(KuboBlockStore store) : IBlockBatch
    {
        private readonly List<Block> _waiting = [];
        private int _size;

        public async ValueTask PutAsync(Block block, CancellationToken cancellation)
        {
            if (_size + block.Bytes.Length > UnixFsBuilder.LeafSize) await FlushAsync(cancellation);
            if (block.Bytes.Length == UnixFsBuilder.LeafSize)
            {
                // Sent from the caller's own buffer: no copy of a full leaf.
                await store.ImportAsync([block.Cid], [block], pin: false, cancellation);
                return;
            }
            _waiting.Add(block with { Bytes = block.Bytes.ToArray() });
            _size += block.Bytes.Length;
        }

        public async Task CommitAsync(IReadOnlyList<Cid> roots, CancellationToken cancellation)
        {
            await store.ImportAsync([.. roots.Distinct()], _waiting, pin: true, cancellation);
            _waiting.Clear();
            _size = 0;
        }

        private async ValueTask FlushAsync(CancellationToken cancellation)
        {
            if (_waiting.Count > 0) await store.ImportAsync([_waiting[0].Cid], _waiting, pin: false, cancellation);
            _waiting.Clear();
            _size = 0;
        }
    }

    /// <summary>A CAR written to the request as it is read, block by block.</summary>
    private sealed class CarContent : HttpContent
    {
        private readonly byte[] _header;
        private readonly IReadOnlyList<Block> _blocks;

        public CarContent(IReadOnlyList<Cid> roots, IReadOnlyList<Block> blocks)
        {
            (_header, _blocks) = (CarWriter.Header(roots), blocks);
            Headers.ContentType = new MediaTypeHeaderValue("application/vnd.ipld.car");
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, default);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            await stream.WriteAsync(_header, cancellationToken);
            foreach (var block in _blocks)
            {
                await stream.WriteAsync(CarWriter.BlockHead(block), cancellationToken);
                await stream.WriteAsync(block.Bytes, cancellationToken);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _header.Length;
            foreach (var block in _blocks) length += CarWriter.BlockHead(block).Length + block.Bytes.Length;
            return true;
        }
    }
}
