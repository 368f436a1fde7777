using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace PmrGateway.Tests.Client.Nodes;

/// <summary>A node that passes on what another one says, and lies about some of it.</summary>
public sealed class LyingNode : IAsyncDisposable
{
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(30) };
    private WebApplication _app = null!;

    /// <summary>Where it answers.</summary>
    public string Url => _app.Urls.Single();

    /// <summary>What it says instead: of a call and its answer the answer that is given; null: the truth.</summary>
    public Func<JsonNode, JsonNode, JsonNode>? Lie { get; set; }

    /// <summary>What it writes instead of any answer; null: an answer.</summary>
    public Func<HttpResponse, Task>? Noise { get; set; }

    /// <summary>How long it takes over an answer.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>Tells the truth, at once.</summary>
    public void Recover() => (Lie, Noise, Delay) = (null, null, TimeSpan.Zero);

    /// <summary>Begins between whoever asks and a node.</summary>
    /// <param name="url">The node's URL.</param>
    public static async Task<LyingNode> StartAsync(string url)
    {
        var node = new LyingNode();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        node._app = builder.Build();
        node._app.MapPost("/", (HttpContext context) => node.AnswerAsync(context, url));
        await node._app.StartAsync();
        return node;
    }

    /// <summary>Ends it; the node goes on.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _http.Dispose();
    }

    private async Task AnswerAsync(HttpContext context, string url)
    {
        if (Delay > TimeSpan.Zero) await Task.Delay(Delay, context.RequestAborted);
        if (Noise is { } noise)
        {
            await noise(context.Response);
            return;
        }
        var asked = (await JsonNode.ParseAsync(context.Request.Body))!;
        using var answer = await AskAsync(url, asked);
        if (answer is null)
        {
            // The node is away, and so is this one.
            context.Abort();
            return;
        }
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

    private async Task<HttpResponseMessage?> AskAsync(string url, JsonNode asked)
    {
        try
        {
            return await _http.PostAsJsonAsync(url, asked);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return null;
        }
    }
}
