using System.Net.Http.Headers;
using System.Text.Json;

namespace PmrGateway.Ipfs;

/// <summary>
/// Blocks in an IPFS node over Kubo's RPC API (<c>/api/v0</c>): a put is one CAR by <c>dag/import</c> with its roots pinned, so the
/// node's own chunking settings do not matter; a get is <c>block/get</c>. Source: Kubo RPC API reference; CARv1 specification.
/// </summary>
public sealed class KuboBlockStore(HttpClient http) : IBlockStore
{
    /// <inheritdoc/>
    public async Task PutAsync(IReadOnlyList<Block> blocks, IReadOnlyList<Cid> roots, CancellationToken cancellation)
    {
        using var form = new MultipartFormDataContent();
        var file = new ByteArrayContent(CarWriter.Write(roots, blocks));
        file.Headers.ContentType = new MediaTypeHeaderValue("application/vnd.ipld.car");
        form.Add(file, "file", "blocks.car");
        var answer = await SendAsync("api/v0/dag/import?pin-roots=true", form, cancellation);
        var pinned = 0;
        foreach (var line in System.Text.Encoding.UTF8.GetString(answer).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using var json = JsonDocument.Parse(line);
            if (!json.RootElement.TryGetProperty("Root", out var root)) continue;
            // The answer is 200 even where a root could not be pinned, and an unpinned block may be collected at any time.
            if (root.TryGetProperty("PinErrorMsg", out var error) && error.GetString() is { Length: > 0 } text)
                throw new BlockStoreUnavailableException($"the IPFS node could not pin a root: {text}");
            pinned++;
        }
        if (pinned < roots.Distinct().Count()) throw new BlockStoreUnavailableException($"the IPFS node pinned {pinned} of {roots.Count} roots");
    }

    /// <inheritdoc/>
    public async Task<byte[]?> GetAsync(Cid cid, CancellationToken cancellation) =>
        await SendAsync($"api/v0/block/get?arg={cid}&timeout=10s", null, cancellation);

    private async Task<byte[]> SendAsync(string path, HttpContent? content, CancellationToken cancellation)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
            var body = await response.Content.ReadAsByteArrayAsync(cancellation);
            if (!response.IsSuccessStatusCode)
                throw new BlockStoreUnavailableException($"the IPFS node answered {(int)response.StatusCode} to {path.Split('?')[0]}");
            // Kubo says 200 first and reports a later failure in this trailer (ipfs/kubo#2386).
            if (response.TrailingHeaders.TryGetValues("X-Stream-Error", out var errors))
                throw new BlockStoreUnavailableException($"the IPFS node broke off: {string.Join("; ", errors)}");
            return body;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            throw new BlockStoreUnavailableException("the IPFS node cannot be reached", e);
        }
    }
}
