using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace PmrGateway.Bench.Rest;

/// <summary>A server that is measured, with the tokens of those who ask it.</summary>
internal sealed class Target : IAsyncDisposable
{
    // The gateway's tokens live for five minutes.
    private static readonly TimeSpan TokenUse = TimeSpan.FromMinutes(2);
    // A batch is anchored when it is full, or after two seconds.
    private static readonly TimeSpan GatewayDeferredWork = TimeSpan.FromSeconds(3);
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromMinutes(5) };
    private readonly Func<ServerProcess> _start;
    private readonly ConcurrentDictionary<string, string> _tokens = [];
    private IReadOnlyList<SystemClient> _clients = [];
    private long _tokensFrom;

    private Target(Func<ServerProcess> start, TimeSpan deferredWork) => (_start, Process, DeferredWork) = (start, start(), deferredWork);

    public ServerProcess Process { get; private set; }

    public string Name => Process.Name;

    /// <summary>How long after a write the server may still work for it.</summary>
    public TimeSpan DeferredWork { get; }

    /// <summary>Starts F.</summary>
    public static async Task<Target> StartFloorAsync(string floor, string folder)
    {
        var (port, log) = (ServerProcess.FreePort(), folder + ".log");
        string[] command = [floor, port.ToString(CultureInfo.InvariantCulture), folder];
        var target = new Target(() => ServerProcess.Start("floor", port, log, command), TimeSpan.Zero);
        await target.Process.WaitAsync(() => Task.FromResult(target.Process.FirstLine?.Length > 0), TimeSpan.FromSeconds(30));
        foreach (var client in (string[])["ehr", "insurer"]) target._tokens[client] = target.Process.FirstLine!;
        return target;
    }

    /// <summary>Starts a gateway in an empty folder, as in production, and registers clients.</summary>
    public static Task<Target> StartGatewayAsync(string name, string pmr, string folder, params string[] clients) =>
        StartGatewayAsync(name, [pmr, "serve"], folder, clients);

    /// <summary>The same on a chain that is there already.</summary>
    public static Task<Target> StartGatewayOnAsync(string chain, string name, string pmr, string folder, params string[] clients) =>
        StartGatewayAsync(name, [pmr, "serve", "--Ledger:RpcUrl", chain], folder, clients);

    /// <summary>Starts a gateway of this build that keeps no audit entries of reads: <see cref="SilentGateway"/>.</summary>
    public static Task<Target> StartSilentAsync(string folder, params string[] clients) =>
        StartGatewayAsync("silent", [typeof(SilentGateway).Assembly.Location, SilentGateway.Command], folder, clients);

    private static async Task<Target> StartGatewayAsync(string name, string[] program, string folder, string[] clients)
    {
        var (port, log) = (ServerProcess.FreePort(), folder + ".log");
        string[] command = [.. program, "--data", folder, "--url", $"http://127.0.0.1:{port}"];
        var target = new Target(() => ServerProcess.Start(name, port, log, command), GatewayDeferredWork);
        await target.Process.WaitAsync(() => GatewaySetup.IsReadyAsync(target.Process.BaseUrl), TimeSpan.FromSeconds(60));
        target._clients = await GatewaySetup.RegisterAsync(target.Process.BaseUrl, folder, clients);
        await target.RefreshTokensAsync();
        return target;
    }

    public string Token(string client) => _tokens[client];

    public string OrganizationOf(string client) => _clients.First(c => c.ClientId == client).Organization;

    /// <summary>New tokens, where those that there are have been used for a while.</summary>
    public async Task RefreshTokensAsync()
    {
        if (_tokensFrom != 0 && Stopwatch.GetElapsedTime(_tokensFrom) < TokenUse) return;
        foreach (var client in _clients) _tokens[client.ClientId] = await client.Login();
        _tokensFrom = Stopwatch.GetTimestamp();
    }

    /// <summary>Ends the server and starts it again on its folder; the new one may not answer yet.</summary>
    /// <returns>When it was started, as of <see cref="Stopwatch.GetTimestamp"/>.</returns>
    public async Task<long> RestartAsync()
    {
        await RefreshTokensAsync();
        await Process.DisposeAsync();
        Process = _start();
        return Stopwatch.GetTimestamp();
    }

    /// <summary>The answer to a GET, whatever its status.</summary>
    public async Task<(int Status, string Body)> TryGetAsync(string client, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{Process.BaseUrl}/fhir/{path}");
        return await SendAsync(client, request);
    }

    /// <summary>The JSON of a GET.</summary>
    /// <exception cref="BenchException">The status is not 200.</exception>
    public async Task<JsonElement> GetAsync(string client, string path)
    {
        var (status, body) = await TryGetAsync(client, path);
        return status == 200 ? Parse(body) : throw new BenchException($"{Name}: GET {path} gave {status}: {Start(body)}");
    }

    /// <summary>The ids that a Bundle of creates made, in its order.</summary>
    /// <exception cref="BenchException">An entry was not created.</exception>
    public async Task<List<string>> PostBundleAsync(string client, string bundle)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{Process.BaseUrl}/fhir");
        request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(bundle));
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/fhir+json");
        var (status, body) = await SendAsync(client, request);
        if (status != 200) throw new BenchException($"{Name}: a Bundle gave {status}: {Start(body)}");
        return [.. Parse(body).GetProperty("entry").EnumerateArray().Select(IdOf)];
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Process.DisposeAsync();
    }

    private string IdOf(JsonElement entry)
    {
        var response = entry.GetProperty("response");
        return response.GetProperty("status").GetString()!.StartsWith("201", StringComparison.Ordinal)
            ? response.GetProperty("location").GetString()!.Split('/')[^3]
            : throw new BenchException($"{Name}: an entry gave {Start(response.GetRawText())}");
    }

    private async Task<(int Status, string Body)> SendAsync(string client, HttpRequestMessage request)
    {
        await RefreshTokensAsync();
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token(client));
        request.Headers.Accept.ParseAdd("application/fhir+json");
        using var response = await _http.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    private static JsonElement Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    private static string Start(string text) => text[..Math.Min(text.Length, 400)];
}
