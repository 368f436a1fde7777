using System.Text.Json.Nodes;

namespace PmrGateway.Tools.Attacks;

/// <summary>A node that passes on what another one says, and lies about some of it.</summary>
internal sealed class LyingNode : IAsyncDisposable
{
    private readonly HttpClient _http = new();
    private WebApplication _app = null!;

    public string Url => _app.Urls.Single();

    /// <summary>What it says instead: of a call and its answer the answer that is given; null: the truth.</summary>
    public Func<JsonNode, JsonNode, JsonNode>? Lie { get; set; }

    /// <summary>What it writes instead of any answer; null: an answer.</summary>
    public Func<HttpResponse, Task>? Noise { get; set; }

    public static async Task<LyingNode> StartAsync(int port)
    {
        var node = new LyingNode();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        node._app = builder.Build();
        node._app.MapPost("/", (HttpContext context) => node.AnswerAsync(context, port));
        await node._app.StartAsync();
        return node;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _http.Dispose();
    }

    private async Task AnswerAsync(HttpContext context, int port)
    {
        if (Noise is { } noise)
        {
            await noise(context.Response);
            return;
        }
        var asked = (await JsonNode.ParseAsync(context.Request.Body))!;
        using var answer = await _http.PostAsJsonAsync($"http://127.0.0.1:{port}", asked);
        var said = (await JsonNode.ParseAsync(await answer.Content.ReadAsStreamAsync()))!;
        if (Lie is { } lie)
        {
            if (asked is JsonArray calls)
            {
                var answers = said.AsArray();
                said = new JsonArray([.. calls.Select(c =>
                    lie(c!, answers.Single(x => x!["id"]!.ToJsonString() == c!["id"]!.ToJsonString())!.DeepClone()))]);
            }
            else said = lie(asked, said);
        }
        await context.Response.WriteAsJsonAsync(said);
    }
}
