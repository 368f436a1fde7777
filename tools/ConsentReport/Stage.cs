using System.Diagnostics;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.ConsentReport;

/// <summary>
/// A gateway as an operator starts it, as a process of its own, with a chain of its own; a hospital that keeps records, one that asks for
/// them, and another that is asked nothing.
/// </summary>
internal sealed class Stage : IAsyncDisposable
{
    private const string App = "report-app";
    private const string Redirect = "http://127.0.0.1/callback";
    private const string Password = "correct horse battery";
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(60) };
    private readonly string _folder;
    private GatewayProcess _gateway = null!;

    private Stage(string folder) => _folder = folder;

    public GatewayClient Anyone => new(_http, _gateway.Url);

    public GatewayClient Operator { get; private set; } = null!;

    /// <summary>The hospital that keeps the records.</summary>
    public (string Organization, GatewayClient Client) Keeper { get; private set; }

    /// <summary>Who asks.</summary>
    public (string Organization, GatewayClient Client) Asker { get; private set; }

    /// <summary>Who asks, and is suspended.</summary>
    public (string Organization, GatewayClient Client) Suspended { get; private set; }

    /// <summary>To whom others' consents are given.</summary>
    public (string Organization, GatewayClient Client) Other { get; private set; }

    /// <summary>What the gateway has said on its standard output and error.</summary>
    public string Log => _gateway.Said;

    public static async Task<Stage> StartAsync(string folder)
    {
        var stage = new Stage(folder);
        try
        {
            stage._gateway = await GatewayProcess.StartAsync(
                folder, "--url", $"http://127.0.0.1:{GatewayProcess.FreePort()}", "--Ledger:Confirmations", "1", "--Ledger:AnchorMaxAge",
                "00:00:00.500", "--Ledger:MaxStaleness", "00:00:10");
            stage.Operator = await stage.Anyone.LoginOperatorAsync(folder);
            stage.Keeper = await stage.RegisterAsync("keeper");
            stage.Asker = await stage.RegisterAsync("asker");
            stage.Suspended = await stage.RegisterAsync("suspended");
            stage.Other = await stage.RegisterAsync("other");
            await stage.AdminAsync("clients", new
            {
                clientId = App,
                redirectUris = new[] { Redirect },
                scopes = new[] { "patient/*.rs", "patient/Consent.cruds" },
            });
            return stage;
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    /// <summary>A patient, logged in.</summary>
    public async Task<GatewayClient> LoginAsync(string patient)
    {
        var username = "p-" + patient;
        await AdminAsync("users", new { username, password = Password, fhirUser = "Patient/" + patient });
        return await Anyone.LoginUserAsync(App, Redirect, username, Password, "openid fhirUser patient/*.rs patient/Consent.cruds");
    }

    /// <summary>An answer, or an exception that says what was refused.</summary>
    public static Answer Must(Answer answer, int status, string what) => answer.Status == status
        ? answer
        : throw new InvalidOperationException($"{what}: {answer.Status} {answer.Text}");

    /// <summary>Suspends an organization.</summary>
    public async Task SuspendAsync(string organization) =>
        Must(await Operator.PutAsync(organization, Organization("suspended", false, organization.Split('/')[1])), 200, "suspension");

    /// <summary>Stops the chain's node, and waits until the gateway knows that it does not know any more.</summary>
    public async Task StopChainAsync()
    {
        await SignalAsync("-STOP");
        var stale = await GatewayClient.UntilAsync(() => Asker.Client.GetAsync("Patient"), a => a.Status == 503, seconds: 60);
        Must(stale, 503, "a search without the chain");
    }

    /// <summary>Anything, sent as it is.</summary>
    public async Task<Answer> SendAsync(GatewayClient who, Request request)
    {
        using var message = new HttpRequestMessage(new HttpMethod(request.Method), $"{who.BaseUrl}/{request.Path}");
        message.Headers.TryAddWithoutValidation("Authorization", "Bearer " + who.Token);
        if (request.Body is { } body)
        {
            message.Content = new StringContent(body);
            message.Content.Headers.Remove("Content-Type");
            message.Content.Headers.TryAddWithoutValidation("Content-Type", request.ContentType);
        }
        foreach (var (name, value) in request.Headers) message.Headers.TryAddWithoutValidation(name, value);
        var response = await _http.SendAsync(message);
        return new Answer((int)response.StatusCode, await response.Content.ReadAsByteArrayAsync(), response);
    }

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null)
        {
            await SignalAsync("-CONT");
            await _gateway.DisposeAsync();
        }
        _http.Dispose();
    }

    private async Task SignalAsync(string signal)
    {
        var file = Path.Combine(_folder, "chain", "anvil.pid");
        if (!File.Exists(file)) return;
        using var kill = Process.Start("kill", [signal, (await File.ReadAllTextAsync(file)).Trim()]);
        await kill.WaitForExitAsync();
    }

    private static string Organization(string name, bool active, string? id) => $$$"""
        {"resourceType":"Organization",{{{(id is null ? "" : $"\"id\":\"{id}\",")}}}"active":{{{(active ? "true" : "false")}}},
        "name":"{{{name}}}",
        "type":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/organization-type","code":"prov"}]}]}
        """;

    private async Task<(string Organization, GatewayClient Client)> RegisterAsync(string clientId)
    {
        var created = Must(await Operator.PostAsync("Organization", Organization(clientId, true, null)), 201, clientId);
        var (organization, key) = ("Organization/" + created.Id, new ClientKey());
        await AdminAsync("clients", new
        {
            clientId,
            jwks = key.Jwks,
            actor = organization,
            scopes = new[] { "system/*.cruds" },
            purposes = new[] { "TREAT" },
        });
        var client = await Anyone.LoginAsync(clientId, key.Credentials, "system/*.cruds");
        Must(await GatewayClient.UntilAsync(() => client.GetAsync(organization), a => a.Status == 200), 200, clientId);
        return (organization, client);
    }

    private async Task AdminAsync(string path, object body) => Must(await Operator.AdminAsync(path, body), 201, "admin/" + path);
}

/// <summary>A request as it is sent.</summary>
/// <param name="Method">HTTP method.</param>
/// <param name="Path">Path below the gateway's root.</param>
internal sealed record Request(string Method, string Path)
{
    public (string Name, string Value)[] Headers { get; init; } = [];

    public string? Body { get; init; }

    public string ContentType { get; init; } = "application/fhir+json";
}
