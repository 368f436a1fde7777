using PmrGateway.Gateway.Hosting;
using PmrGateway.Gateway.Options;
using PmrGateway.Tests.Client;

namespace PmrGateway.Tools.Cases;

/// <summary>A whole gateway as it runs in production, over real HTTP, with a chain of its own and the suite's cast registered.</summary>
internal sealed class Stage : IAsyncDisposable
{
    /// <summary>After which time without the chain the gateway must not answer any more.</summary>
    public static readonly TimeSpan MaxStaleness = TimeSpan.FromSeconds(15);

    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(60) };
    private readonly GatewayOptions _options;
    private WebApplication _app = null!;

    private Stage(Issuer issuer, int confirmations)
    {
        _options = new GatewayOptions
        {
            Url = "http://127.0.0.1:0",
            DataFolder = Directory.CreateTempSubdirectory("pmr-cases-").FullName,
            Ledger =
            {
                AnvilPort = GatewayProcess.FreePort(),
                Confirmations = confirmations,
                PollInterval = TimeSpan.FromMilliseconds(50),
                MaxStaleness = MaxStaleness,
            },
            // The cast logs in once.
            Auth = { TokenLifetime = TimeSpan.FromHours(6) },
        };
        _options.Auth.Issuers.Add(new IssuerOptions { Authority = issuer.Url, Audience = Issuer.Audience });
        Chain = new ChainNode(_http, _options.Ledger.AnvilPort, _options.DataFolder);
    }

    public int Confirmations => _options.Ledger.Confirmations;

    public ChainNode Chain { get; }

    public Cast Cast { get; private set; } = null!;

    public GatewayClient Anyone => new(_http, _options.Url);

    public StoreProbe Probe => new(Path.Combine(_options.DataFolder, "gateway.db"));

    /// <summary>Starts a gateway and registers everybody that a suite names.</summary>
    /// <param name="suite">The suite.</param>
    /// <param name="issuer">Who says who the practitioners are.</param>
    /// <param name="confirmations">Blocks on top of a grant before it counts.</param>
    public static async Task<Stage> StartAsync(Suite suite, Issuer issuer, int confirmations)
    {
        var stage = new Stage(issuer, confirmations);
        try
        {
            stage._app = await GatewayHost.BuildAsync(stage._options, quiet: true, default);
            await stage._app.StartAsync();
            await stage.Chain.StopClockAsync();
            var admin = await stage.Anyone.LoginOperatorAsync(stage._options.DataFolder);
            stage.Cast = await Cast.RegisterAsync(suite, issuer, stage, admin);
            return stage;
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    public IServiceProvider Services => _app.Services;

    public T Service<T>()
        where T : notnull => Services.GetRequiredService<T>();

    /// <summary>Sends a request as it is.</summary>
    public async Task<Answer> SendAsync(RequestText request, string? token)
    {
        using var message = request.ToMessage(_options.Url + "/fhir", token);
        var response = await _http.SendAsync(message);
        return new Answer((int)response.StatusCode, await response.Content.ReadAsByteArrayAsync(), response);
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null) await _app.DisposeAsync();
        _http.Dispose();
        Directory.Delete(_options.DataFolder, recursive: true);
    }
}
